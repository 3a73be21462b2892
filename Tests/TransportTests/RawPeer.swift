import NIOCore

@testable import Transport

/// A client that writes its frames by hand, to a server's session under a clock of its own.
struct RawPeer {
    let server: HTTP2Session
    var now: Int64 = 1_000
    private(set) var events: [HTTP2Event] = []
    private(set) var error: TransportError?
    private(set) var output = ByteBuffer()

    init(limits: TransportLimits = .node) throws {
        server = try HTTP2Session(role: .server, limits: limits)
        send([Self.preface, Frame.settings()])
    }

    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    /// All in one piece, as they come out of one read of a socket.
    mutating func send(_ frames: [[UInt8]]) {
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
    var flood: String? {
        for case .flood(let kind) in events { return kind }
        return nil
    }

    /// The code of the server's GOAWAY.
    var goAway: HTTP2ErrorCode? {
        frames.first { $0.type == 7 }.map { frame in
            HTTP2ErrorCode(rawValue: frame.payload.dropFirst(4).prefix(4).reduce(0) { $0 << 8 | UInt32($1) })
        }
    }

    /// What the server has sent.
    var frames: [(type: UInt8, stream: UInt32, payload: [UInt8])] {
        var rest = output
        var result: [(type: UInt8, stream: UInt32, payload: [UInt8])] = []
        while let head = rest.readBytes(length: 9) {
            let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
            let stream = head[5...].reduce(0) { $0 << 8 | UInt32($1) }
            result.append((head[3], stream, rest.readBytes(length: length) ?? []))
        }
        return result
    }
}

/// Frames of RFC 9113 §6.
enum Frame {
    static func bytes(_ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) -> [UInt8] {
        [UInt8(payload.count >> 16), UInt8(payload.count >> 8 & 0xff), UInt8(payload.count & 0xff), type, flags]
            + number(stream) + payload
    }

    private static func number(_ value: UInt32) -> [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 0xff), UInt8(value >> 8 & 0xff), UInt8(value & 0xff)]
    }

    static let endStream: UInt8 = 1
    static let endHeaders: UInt8 = 4
    static let padded: UInt8 = 8

    static func data(_ stream: UInt32, _ payload: [UInt8] = [], flags: UInt8 = 0) -> [UInt8] {
        bytes(0, flags: flags, stream: stream, payload)
    }
    /// Fields of POST, https, / and the authority "a", in HPACK.
    static let post: [UInt8] = [0x83, 0x87, 0x84, 0x41, 1, 0x61]

    static func headers(_ stream: UInt32, _ block: [UInt8] = post, flags: UInt8 = endHeaders) -> [UInt8] {
        bytes(1, flags: flags, stream: stream, block)
    }
    static func priority(_ stream: UInt32) -> [UInt8] { bytes(2, stream: stream, [0, 0, 0, 0, 10]) }
    static func reset(_ stream: UInt32) -> [UInt8] { bytes(3, stream: stream, number(8)) }
    static func settings() -> [UInt8] { bytes(4) }
    static func ping(isAnswer: Bool = false) -> [UInt8] { bytes(6, flags: isAnswer ? 1 : 0, [0, 0, 0, 0, 0, 0, 0, 1]) }
    static func goAway() -> [UInt8] { bytes(7, number(0) + number(0)) }
    static func windowUpdate(_ stream: UInt32, by bytes: UInt32 = 1) -> [UInt8] {
        Self.bytes(8, stream: stream, number(bytes))
    }
    static func continuation(_ stream: UInt32, _ block: [UInt8] = [], flags: UInt8 = 0) -> [UInt8] {
        bytes(9, flags: flags, stream: stream, block)
    }
}
