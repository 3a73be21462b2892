package import NIOCore
package import Transport

/// A client that writes its frames by hand, to a server's session under a clock of its own.
package struct RawPeer {
    package let server: HTTP2Session
    package var now: Int64 = 1_000
    package private(set) var events: [HTTP2Event] = []
    package private(set) var error: TransportError?
    package private(set) var output = ByteBuffer()

    package init(limits: TransportLimits = .node) throws {
        server = try HTTP2Session(role: .server, limits: limits)
        send([Self.preface, Frame.settings()])
    }

    package static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    /// All in one piece, as they come out of one read of a socket.
    package mutating func send(_ frames: [[UInt8]]) {
        guard error == nil else { return }
        do throws(TransportError) {
            try server.receive(ByteBuffer(bytes: frames.flatMap { $0 }), nowMilliseconds: now)
        } catch {
            self.error = error
        }
        events += server.takeEvents()
        while let more = try? server.produceOutput(limitBytes: 65_536, nowMilliseconds: now) {
            output.writeImmutableBuffer(more)
        }
        events += server.takeEvents()
    }

    /// The kind of the flood that ended the connection.
    package var flood: String? {
        for case .flood(let kind) in events { return kind }
        return nil
    }

    /// The code of the server's GOAWAY.
    package var goAway: HTTP2ErrorCode? {
        frames.first { $0.type == Frame.goAwayType }.map { HTTP2ErrorCode(rawValue: $0.number(at: 4)) }
    }

    /// What the server has sent.
    package var frames: [Frame] { Frame.all(in: output) }
}
