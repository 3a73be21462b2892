/// What takes bytes from outside: a decoder, or a machine behind one. Each may refuse them and may not do anything else:
/// no trap, no hang, no memory beyond what its limits allow, and what it has taken in is what it gives out again.
package enum FuzzTarget: String, CaseIterable, Sendable {
    /// The body of an operation, its kind in the first two bytes, folded into a ticket.
    case body
    /// A ticket's state as the store keeps it.
    case state
    /// Messages of a session as they stand in its stream, to a session that waits for Hello.
    case session
    /// What a client writes to an HTTP/2 server.
    case http2
    /// A bundle's header.
    case bundle
    /// An event log, its separator in the first byte.
    case csv
    /// How an event log is to be read.
    case mapping
    /// A node's configuration.
    case configuration
    /// The body of an API request, which one in the first byte.
    case request

    /// - Throws: `Violation`, for what only this looks at; everything else is the decoder's own business.
    package func run(_ bytes: [UInt8]) throws {
        switch self {
        case .body: try Self.runBody(bytes)
        case .state: try Self.runState(bytes)
        case .session: Self.runSession(bytes)
        case .http2: Self.runHTTP2(bytes)
        case .bundle: try Self.runBundle(bytes)
        case .csv: Self.runCSV(bytes)
        case .mapping: Self.runMapping(bytes)
        case .configuration: Self.runConfiguration(bytes)
        case .request: Self.runRequest(bytes)
        }
    }

    package struct Violation: Error, CustomStringConvertible {
        package var description: String
    }
}
