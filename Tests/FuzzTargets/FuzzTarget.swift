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
    /// What compressed batches come in: one frame, or blocks of a stream, by the first byte.
    case zstd
    /// A bundle's header.
    case bundle
    /// A bundle as a file.
    case bundleFile
    /// A backup as a file.
    case backup
    /// An exported journal as a file.
    case export
    /// A certificate, a chain, or a revocation list; as what, in the first byte.
    case certificate
    /// A request for a certificate, as PEM or DER by the first byte.
    case signingRequest
    /// A token, and what an office and its issuer say to each other; which, in the first byte.
    case enrolment
    /// An event log, its separator in the first byte.
    case csv
    /// How an event log is to be read.
    case mapping
    /// A pattern of instants, and behind a line's end a text to read with it.
    case time
    /// A node's configuration.
    case configuration
    /// A catalog document.
    case catalog
    /// A submitted form of the console.
    case form
    /// The body of an API request, which one in the first byte.
    case request

    /// - Throws: `Violation`, for what only this looks at; everything else is the decoder's own business.
    package func run(_ bytes: [UInt8]) throws {
        switch self {
        case .body: try Self.runBody(bytes)
        case .state: try Self.runState(bytes)
        case .session: Self.runSession(bytes)
        case .http2: Self.runHTTP2(bytes)
        case .zstd: try Self.runZstd(bytes)
        case .bundle: try Self.runBundle(bytes)
        case .bundleFile: try Self.runBundleFile(bytes)
        case .backup: try Self.runBackup(bytes)
        case .export: try Self.runExport(bytes)
        case .certificate: Self.runCertificate(bytes)
        case .signingRequest: Self.runSigningRequest(bytes)
        case .enrolment: try Self.runEnrolment(bytes)
        case .csv: Self.runCSV(bytes)
        case .mapping: Self.runMapping(bytes)
        case .time: Self.runTime(bytes)
        case .configuration: Self.runConfiguration(bytes)
        case .catalog: try Self.runCatalog(bytes)
        case .form: Self.runForm(bytes)
        case .request: Self.runRequest(bytes)
        }
    }

    package struct Violation: Error, CustomStringConvertible {
        package var description: String
    }
}
