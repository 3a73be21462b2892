import NIOCore
import Testing

@testable import Transport

/// Two HTTP/2 sessions back to back, under a clock of their own.
final class HTTP2Pair {
    let client: HTTP2Session
    let server: HTTP2Session
    var clientEvents: [HTTP2Event] = []
    var serverEvents: [HTTP2Event] = []
    var now: Int64 = 1_000
    var pieceBytes = 1 << 20
    var error: TransportError?

    init(client: TransportLimits = .node, server: TransportLimits = .node) throws {
        self.client = try HTTP2Session(role: .client, limits: client)
        self.server = try HTTP2Session(role: .server, limits: server)
    }

    func run() throws {
        while error == nil {
            let toServer = try client.produceOutput(limitBytes: 65_536, nowMilliseconds: now)
            if let toServer { feed(toServer, server) }
            serverEvents += server.takeEvents()
            let toClient = try server.produceOutput(limitBytes: 65_536, nowMilliseconds: now)
            if let toClient { feed(toClient, client) }
            clientEvents += client.takeEvents()
            if toServer == nil && toClient == nil { return }
        }
    }

    private func feed(_ bytes: ByteBuffer, _ session: HTTP2Session) {
        var bytes = bytes
        while bytes.readableBytes > 0 {
            let piece = bytes.readSlice(length: min(pieceBytes, bytes.readableBytes))!
            do throws(TransportError) {
                try session.receive(piece, nowMilliseconds: now)
            } catch {
                self.error = error
                return
            }
        }
    }

    static func dataBytes(_ events: [HTTP2Event]) -> Int {
        events.reduce(0) { if case .data(_, let bytes) = $1 { $0 + bytes.readableBytes } else { $0 } }
    }
}

@Suite("HTTP/2 session without I/O")
struct HTTP2SessionTests {
    let head = HTTP2RequestHead(method: "POST", authority: "a", path: "/x", headers: [HTTP2Header("k", "v")])

    @Test("a request and its answer arrive in order, however the bytes are split", arguments: [1, 5, 1 << 20])
    func exchange(pieceBytes: Int) throws {
        let pair = try HTTP2Pair()
        pair.pieceBytes = pieceBytes
        let id = try pair.client.open(head, endStream: false)
        pair.client.enqueue(id, ByteBuffer(string: "question"))
        pair.client.finish(id, trailers: [HTTP2Header("t", "1")])
        try pair.run()
        #expect(pair.serverEvents.contains(.request(streamID: id, head)))
        #expect(pair.serverEvents.last == .end(streamID: id, trailers: [HTTP2Header("t", "1")]))
        #expect(HTTP2Pair.dataBytes(pair.serverEvents) == 8)
        try pair.server.respond(id, HTTP2ResponseHead(status: 204), endStream: true)
        try pair.run()
        #expect(pair.clientEvents.contains(.response(streamID: id, HTTP2ResponseHead(status: 204))))
        #expect(pair.clientEvents.contains(.end(streamID: id, trailers: [])))
        #expect(pair.clientEvents.last == .closed(streamID: id, code: .noError, byPeer: false))
        #expect(pair.server.openStreamCount == 0)
        #expect(pair.client.openStreamCount == 0)
    }

    @Test("the sender stops at the window and goes on after the credit came back")
    func flowControl() throws {
        var limits = TransportLimits.node
        limits.streamWindowBytes = 100_000
        limits.connectionWindowBytes = 150_000
        let pair = try HTTP2Pair(server: limits)
        try pair.run()
        let first = try pair.client.open(head, endStream: false)
        let second = try pair.client.open(head, endStream: false)
        let body = ByteBuffer(repeating: 7, count: 300_000)
        pair.client.enqueue(first, body)
        try pair.run()
        #expect(HTTP2Pair.dataBytes(pair.serverEvents) == 100_000)
        pair.client.enqueue(second, body)
        try pair.run()
        // The connection's window is larger than the stream's, so the second got the rest of it.
        #expect(HTTP2Pair.dataBytes(pair.serverEvents) == 150_000)
        pair.server.consume(first, bytes: 100_000)
        try pair.run()
        #expect(HTTP2Pair.dataBytes(pair.serverEvents) == 250_000)
        pair.client.finish(first)
        pair.server.consume(second, bytes: 50_000)
        pair.server.consume(first, bytes: 50_000)
        pair.server.consume(second, bytes: 50_000)
        try pair.run()
        #expect(HTTP2Pair.dataBytes(pair.serverEvents) > 250_000)
    }

    @Test("output stops within one frame of its limit and loses nothing")
    func outputLimit() throws {
        let pair = try HTTP2Pair()
        try pair.run()
        let id = try pair.client.open(head, endStream: false)
        for _ in 0..<100 { pair.client.enqueue(id, ByteBuffer(repeating: 1, count: 10_000)) }
        pair.client.finish(id)
        var total = 0
        while let bytes = try pair.client.produceOutput(limitBytes: 40_000, nowMilliseconds: 0) {
            #expect(bytes.readableBytes <= 40_000 + 16_384 + 9 + 200)
            total += bytes.readableBytes
            try pair.server.receive(bytes, nowMilliseconds: 0)
        }
        pair.serverEvents = pair.server.takeEvents()
        #expect(HTTP2Pair.dataBytes(pair.serverEvents) == 1_000_000)
        #expect(total > 1_000_000)
        #expect(pair.serverEvents.last == .end(streamID: id, trailers: []))
    }

    @Test("fifty PINGs pass, more in the same second end the connection, slow ones do not")
    func pingFlood() throws {
        let pair = try HTTP2Pair()
        try pair.run()
        for _ in 0..<50 { pair.client.ping(9) }
        try pair.run()
        #expect(pair.clientEvents.count { $0 == .pong(9) } == 50)
        for _ in 0..<100 {
            pair.now += 100
            pair.client.ping(9)
            try pair.run()
        }
        #expect(!pair.serverEvents.contains(.flood(kind: "ping")))
        for _ in 0..<60 { pair.client.ping(9) }
        try pair.run()
        #expect(pair.serverEvents.contains(.flood(kind: "ping")))
        #expect(pair.clientEvents.contains(.goAway(code: .enhanceYourCalm, debug: "too many ping")))
        #expect(pair.server.isFinished)
    }

    /// A client's preface and SETTINGS, then raw frames.
    private func server(fed frames: [[UInt8]], limits: TransportLimits = .node) throws -> (HTTP2Session, [HTTP2Event]) {
        let server = try HTTP2Session(role: .server, limits: limits)
        var bytes = ByteBuffer(string: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        bytes.writeBytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
        for frame in frames { bytes.writeBytes(frame) }
        try? server.receive(bytes, nowMilliseconds: 5)
        var output = ByteBuffer()
        while let more = try? server.produceOutput(limitBytes: 65_536, nowMilliseconds: 5) {
            output.writeImmutableBuffer(more)
        }
        return (server, server.takeEvents())
    }

    @Test("floods of SETTINGS and of empty DATA end the connection")
    func otherFloods() throws {
        let settings = [UInt8]([0, 0, 0, 4, 0, 0, 0, 0, 0])
        #expect(try !server(fed: Array(repeating: settings, count: 40)).1.contains(.flood(kind: "settings")))
        #expect(try server(fed: Array(repeating: settings, count: 60)).1.contains(.flood(kind: "settings")))
        // HEADERS on stream 1: POST, https, /, authority "a".
        let headers: [UInt8] = [0, 0, 6, 1, 4, 0, 0, 0, 1, 0x83, 0x87, 0x84, 0x41, 1, 0x61]
        let empty: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 1]
        let (flooded, events) = try server(fed: [headers] + Array(repeating: empty, count: 60))
        #expect(events.contains(.flood(kind: "emptyData")))
        #expect(flooded.isFinished || flooded.openStreamCount <= 1)
    }

    @Test("resets that the peer makes us send end the connection; resets of our own do not")
    func forcedResets() throws {
        let pair = try HTTP2Pair()
        try pair.run()
        for _ in 0..<80 {
            let id = try pair.client.open(head, endStream: false)
            try pair.run()
            pair.server.reset(id, code: .cancel)
            try pair.run()
        }
        #expect(!pair.serverEvents.contains(.flood(kind: "forcedReset")))
        // A body shorter than it was announced is a stream error, which nghttp2 answers with a reset.
        var lying = head
        lying.headers = [HTTP2Header("content-length", "5")]
        for count in 1...51 {
            _ = try pair.client.open(lying, endStream: true)
            try pair.run()
            #expect(pair.serverEvents.contains(.flood(kind: "forcedReset")) == (count == 51))
        }
        #expect(pair.server.isFinished)
    }

    @Test("a header list above 16 KiB is refused, one below passes")
    func headerBomb() throws {
        let pair = try HTTP2Pair()
        try pair.run()
        var small = head
        small.headers = (0..<10).map { HTTP2Header("n\($0)", String(repeating: "x", count: 1_000)) }
        let good = try pair.client.open(small, endStream: true)
        try pair.run()
        #expect(pair.serverEvents.contains(.request(streamID: good, small)))
        var large = head
        large.headers = (0..<20).map { HTTP2Header("n\($0)", String(repeating: "x", count: 1_000)) }
        let bad = try pair.client.open(large, endStream: true)
        try pair.run()
        #expect(!pair.serverEvents.contains(.request(streamID: bad, large)))
        #expect(
            pair.clientEvents.contains { if case .closed(bad, _, true) = $0 { true } else { false } })
    }

    @Test("a graceful end lets the running stream finish and refuses new ones")
    func graceful() throws {
        let pair = try HTTP2Pair()
        let id = try pair.client.open(head, endStream: true)
        try pair.run()
        pair.server.beginShutdown()
        try pair.run()
        #expect(pair.clientEvents.contains(.goAway(code: .noError, debug: "")))
        #expect(!pair.server.isFinished)
        try pair.server.respond(id, HTTP2ResponseHead(status: 200), endStream: true)
        try pair.run()
        #expect(pair.server.isFinished)
        #expect(pair.client.isFinished)
        #expect(pair.clientEvents.contains(.closed(streamID: id, code: .noError, byPeer: false)))
    }

    @Test("a reset says who did it")
    func reset() throws {
        let pair = try HTTP2Pair()
        let id = try pair.client.open(head, endStream: false)
        try pair.run()
        pair.client.reset(id, code: .cancel)
        try pair.run()
        #expect(pair.clientEvents.contains(.closed(streamID: id, code: .cancel, byPeer: false)))
        #expect(pair.serverEvents.contains(.closed(streamID: id, code: .cancel, byPeer: true)))
    }

    @Test("random bytes after the preface never trap", arguments: 0..<50)
    func fuzz(seed: UInt64) throws {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1
        func next() -> UInt8 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return UInt8(truncatingIfNeeded: state)
        }
        var frames: [[UInt8]] = []
        for _ in 0..<30 {
            let length = Int(next() % 40)
            let header: [UInt8] = [0, 0, UInt8(length), next() % 10, next(), 0, 0, 0, next() % 8]
            frames.append(header + (0..<length).map { _ in next() })
        }
        _ = try server(fed: frames)
    }
}
