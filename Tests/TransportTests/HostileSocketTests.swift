import Logging
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import Transport

@Suite("Hostile clients over sockets", .timeLimit(.minutes(5)))
struct HostileSocketTests {
    let authority: TestAuthority
    init() throws { authority = try TestAuthority.shared.get() }

    private let post = HTTP2RequestHead(method: "POST", authority: "x", path: "/")
    /// Takes connections in the order in which they were dialled; several loops need not.
    private let oneLoop = MultiThreadedEventLoopGroup.singleton.next()

    private func silentChannel(_ server: HTTP2Server) async throws -> any Channel {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: try await server.port).get()
    }

    private func server(
        _ limits: TransportLimits, _ counter: CountingLogHandler.Counter,
        on group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        handler: @escaping HTTP2Server.Handler = EchoTests.echo
    ) throws -> HTTP2Server {
        HTTP2Server(
            address: .hostPort("127.0.0.1", 0), tls: try authority.serverContext(), limits: limits,
            logger: CountingLogHandler.logger(counter), eventLoopGroup: group, handler: handler)
    }

    @Test("who connects and says nothing is closed when the handshake's time is over, with a line in the log")
    func silentHandshake() async throws {
        var limits = TransportLimits.node
        limits.handshakeMilliseconds = 50
        let counter = CountingLogHandler.Counter()
        try await withServer(server(limits, counter)) { server in
            let channel = try await silentChannel(server)
            try await channel.closeFuture.get()
            try await eventually("the server has closed it") { server.connectionCount == 0 }
        }
        let reason = TransportError.timedOut(phase: "TLS handshake", milliseconds: 50)
        #expect(counter.lines.withLock { $0.map { $0["reason"] } } == ["\(reason)"])
    }

    @Test("who is done with TLS and sends no SETTINGS is closed when the preface's time is over")
    func silentPreface() async throws {
        var limits = TransportLimits.node
        limits.prefaceMilliseconds = 50
        let counter = CountingLogHandler.Counter()
        try await withServer(server(limits, counter)) { server in
            try await RawClient(server, authority.branch).ended
            try await eventually("the server has closed it") { server.connectionCount == 0 }
        }
        let reason = TransportError.timedOut(phase: "HTTP/2 preface", milliseconds: 50)
        #expect(counter.lines.withLock { $0.map { $0["reason"] } } == ["\(reason)"])
    }

    @Test(
        "of a hundred half-open handshakes eight go on, others are parked, and an honest one gets through between them")
    func halfOpen() async throws {
        var limits = TransportLimits.node
        limits.handshakesMax = 8
        limits.parkedMax = 20
        limits.connectionsMax = 12
        // None is given up for its time, on a machine that is busy with other tests.
        limits.handshakeMilliseconds = 120_000
        let counter = CountingLogHandler.Counter()
        try await withServer(server(limits, counter, on: oneLoop)) { server in
            var channels: [any Channel] = []
            for index in 0..<100 {
                channels.append(try await silentChannel(server))
                #expect(server.waitingCount <= 8)
                guard index % 20 == 19 else { continue }
                let connection = try await EchoTests.dial(server, authority.branch)
                _ = try await connection.ping()
                await connection.close()
            }
            try await eventually("the others are given up") { server.connectionCount <= 27 }
            for channel in channels.dropLast(27) { try await channel.closeFuture.get() }
            #expect(channels.suffix(27).allSatisfy { $0.isActive })
            for channel in channels { channel.close(promise: nil) }
        }
        #expect(counter.count >= 50)
    }

    @Test("a parked connection gets no further, and is closed when the handshake's time is over")
    func parked() async throws {
        var limits = TransportLimits.node
        limits.handshakesMax = 1
        // Long enough for all that comes before the write, on a machine that is busy with other tests.
        limits.handshakeMilliseconds = 10_000
        let counter = CountingLogHandler.Counter()
        try await withServer(server(limits, counter, on: oneLoop)) { server in
            let first = try await silentChannel(server)
            let second = try await silentChannel(server)
            // Accepted once a third one is through; that has displaced the second, too.
            let honest = try await EchoTests.dial(server, authority.branch)
            _ = try await honest.ping()
            try await first.writeAndFlush(ByteBuffer(string: "no ClientHello, and nobody minds")).get()
            try await first.closeFuture.get()
            try await second.closeFuture.get()
            await honest.close()
            try await eventually("the server has closed them all") { server.connectionCount == 0 }
        }
        let parked = TransportError.refused(reason: "1 other connections wait for their handshake")
        #expect(counter.lines.withLock { $0.map { $0["reason"] } } == ["\(parked)", "\(parked)"])
    }

    @Test("a flood ends its connection, its certificate is refused after that, and another peer notices nothing")
    func flood() async throws {
        var limits = TransportLimits.node
        limits.refusalDelayMilliseconds = 10
        let counter = CountingLogHandler.Counter()
        try await withServer(server(limits, counter)) { server in
            let good = try await EchoTests.dial(server, authority.server)
            let stream = try await good.open(post)
            _ = try await stream.responseHead
            let bad = try await RawClient(server, authority.branch)
            try await bad.greet()
            try? await bad.send((0..<5_000).map { _ in Frame.ping() })
            try await bad.ended
            let error = await failure {
                let again = try await EchoTests.dial(server, authority.branch)
                throw await again.closed
            }
            guard case .goAway(.enhanceYourCalm, _) = error else {
                return #expect(Bool(false), "\(String(describing: error))")
            }
            try await stream.write(ByteBuffer(string: "unmoved"))
            try stream.finish()
            #expect(String(buffer: try await stream.collect(bytesMax: 20)) == "unmoved")
            await good.close()
            try await eventually("the server has closed them all") { server.connectionCount == 0 }
        }
        let reasons = counter.lines.withLock { $0.map { $0["reason"] ?? "" } }
        #expect(reasons.first == "\(TransportError.flood(kind: "ping"))")
        #expect(reasons.count == 2, "\(reasons)")
    }

    /// Writes until the stream fails, and keeps why.
    private func pouring(_ outcome: SharedValue<(any Error)?>, _ sentBytes: SharedValue<Int>) -> HTTP2Server.Handler {
        { stream, _ in
            guard stream.requestHead.path == "/pour" else {
                return await EchoTests.echo(stream, ConnectionPeer(remoteAddress: ""))
            }
            do {
                try stream.respond(HTTP2ResponseHead(status: 200))
                while true {
                    try await stream.write(ByteBuffer(repeating: 5, count: 64 * 1024))
                    sentBytes.mutex.withLock { $0 += 64 * 1024 }
                }
            } catch {
                outcome.mutex.withLock { $0 = error }
            }
        }
    }

    @Test("a stream that is never read holds a bounded number of bytes and ends; the connection's others go on")
    func neverReads() async throws {
        var limits = TransportLimits.node
        limits.stallMilliseconds = 80
        let counter = CountingLogHandler.Counter()
        let outcome = SharedValue<(any Error)?>(nil)
        let sent = SharedValue(0)
        try await withServer(server(limits, counter, handler: pouring(outcome, sent))) { server in
            var mine = TransportLimits.node
            mine.streamWindowBytes = 128 * 1024
            let connection = try await EchoTests.dial(server, authority.branch, limits: mine)
            let stalled = try await connection.open(
                HTTP2RequestHead(method: "POST", authority: "x", path: "/pour"), endStream: true)
            let other = try await connection.open(post)
            _ = try await other.responseHead
            try await eventually("the writer gives up") { outcome.mutex.withLock { $0 != nil } }
            try await other.write(ByteBuffer(string: "on it goes"))
            try other.finish()
            #expect(String(buffer: try await other.collect(bytesMax: 20)) == "on it goes")
            await #expect(throws: TransportError.streamReset(code: .cancel, byPeer: true)) {
                for try await _ in stalled.body {}
            }
            await connection.close()
        }
        let expected = TransportError.timedOut(phase: "reading by the peer", milliseconds: 80)
        #expect(outcome.mutex.withLock { $0 as? TransportError } == expected)
        // The peer's window, the stream's queue and one piece.
        #expect(sent.mutex.withLock { $0 } <= 128 * 1024 + limits.writeQueueBytesMax + 64 * 1024)
    }

    @Test("a client that takes nothing off the wire is closed")
    func deafClient() async throws {
        var limits = TransportLimits.node
        limits.stallMilliseconds = 80
        let counter = CountingLogHandler.Counter()
        let outcome = SharedValue<(any Error)?>(nil)
        let sent = SharedValue(0)
        try await withServer(server(limits, counter, handler: pouring(outcome, sent))) { server in
            let client = try await RawClient(server, authority.branch, isReading: false)
            // Windows of a GiB: only the wire itself stops the server.
            let window = Frame.bytes(4, [0, 4, 0x40, 0, 0, 0])
            let pour: [UInt8] = [0x83, 0x87, 0x41, 1, 0x61, 0x44, 5] + Array("/pour".utf8)
            try await client.send([
                RawPeer.preface, window, Frame.windowUpdate(0, by: 1 << 30),
                Frame.headers(1, pour, flags: Frame.endHeaders | Frame.endStream),
            ])
            try await eventually("the writer gives up") { outcome.mutex.withLock { $0 != nil } }
            try await eventually("the server has closed it") { server.connectionCount == 0 }
            client.channel.close(promise: nil)
        }
        let expected = TransportError.timedOut(phase: "reading by the peer", milliseconds: 80)
        #expect(outcome.mutex.withLock { $0 as? TransportError } == expected)
    }

    @Test("a header list that does not end is cut when its time is over")
    func slowHeaders() async throws {
        var limits = TransportLimits.node
        limits.headersMilliseconds = 50
        let counter = CountingLogHandler.Counter()
        try await withServer(server(limits, counter)) { server in
            let client = try await RawClient(server, authority.branch)
            try await client.greet()
            try await client.send([Frame.headers(1, flags: 0)])
            try await client.ended
        }
    }

    @Test("a request whose body does not end is reset when its time is over")
    func slowBody() async throws {
        var limits = TransportLimits.node
        limits.bodyMilliseconds = 50
        let counter = CountingLogHandler.Counter()
        try await withServer(server(limits, counter)) { server in
            let connection = try await EchoTests.dial(server, authority.branch)
            let stream = try await connection.open(post)
            await #expect(throws: TransportError.streamReset(code: .cancel, byPeer: true)) {
                for try await _ in stream.body {}
            }
            _ = try await connection.ping()
            await connection.close()
        }
    }

    @Test("PINGs keep no connection open that has no streams")
    func pingsAlone() async throws {
        var limits = TransportLimits.node
        limits.idleMilliseconds = 200
        limits.floodBurst = .max
        let counter = CountingLogHandler.Counter()
        try await withServer(server(limits, counter)) { server in
            let error = await failure {
                let connection = try await EchoTests.dial(server, authority.branch)
                _ = await failure { while true { _ = try await connection.ping() } }
                throw await connection.closed
            }
            guard case .goAway(_, let debug) = error else {
                return #expect(Bool(false), "\(String(describing: error))")
            }
            #expect(debug.contains("silence"))
        }
    }

    @Test("a chain of certificates longer than 16 KiB is refused before it is verified")
    func longChain() async throws {
        let counter = CountingLogHandler.Counter()
        let chain = authority.branch.certificateChainPEM
        let region = authority.region.chainPEM
        let long = TLSIdentity(
            certificateChainPEM: chain + String(repeating: region, count: 60),
            privateKeyPEM: authority.branch.privateKeyPEM)
        try await withServer(server(.node, counter)) { server in
            let error = await failure { _ = try await EchoTests.dial(server, long) }
            #expect(error != nil)
            let connection = try await EchoTests.dial(server, authority.branch)
            _ = try await connection.ping()
            await connection.close()
        }
        #expect(counter.lines.withLock { $0.first?["reason"]?.contains("excessive message size") } == true)
    }
}

/// A lock that closures may share.
final class SharedValue<Value: Sendable>: Sendable {
    let mutex: Mutex<Value>
    init(_ value: Value) { mutex = Mutex(value) }
}
