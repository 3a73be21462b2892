import Foundation
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import Transport

/// Lets tasks wait for each other without sleeping.
struct Gate: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    init() { (stream, continuation) = AsyncStream.makeStream() }
    func open() { continuation.finish() }
    func pass() async { for await _ in stream {} }
}

@Suite("Refusals and ends over sockets", .timeLimit(.minutes(5)))
struct SocketTests {
    let authority: TestAuthority
    init() throws { authority = try TestAuthority.shared.get() }

    private let post = HTTP2RequestHead(method: "POST", authority: "x", path: "/")

    @Test("a client without a certificate is told so by connect")
    func noCertificate() async throws {
        try await withServer(EchoTests.makeServer()) { server in
            for _ in 0..<20 {
                let error = await failure { _ = try await EchoTests.dial(server, nil) }
                #expect(error == .tls(reason: "tlsv13 alert certificate required"))
            }
        }
    }

    @Test("a client of a foreign root is told so by connect")
    func foreignRoot() async throws {
        let foreign = try CertificateAuthority.makeRoot(
            subtree: NodeURI(host: "province")!, nowMilliseconds: TestAuthority.now)
        let leaf = try TestAuthority.makeLeaf(foreign, "a.province")
        try await withServer(EchoTests.makeServer()) { server in
            let error = await failure { _ = try await EchoTests.dial(server, leaf) }
            #expect(error == .tls(reason: "tlsv1 alert unknown ca"))
        }
    }

    @Test("a server with another name is not connected to")
    func wrongName() async throws {
        try await withServer(EchoTests.makeServer()) { server in
            let error = await failure {
                _ = try await EchoTests.dial(server, authority.branch, expecting: .uri("banjie://other.province/"))
            }
            #expect(
                error == .peerNameMismatch(expected: "banjie://other.province/", presented: TestAuthority.serverURI))
        }
    }

    @Test("nobody listening is a clear error, and so is an address in use")
    func nobody() async throws {
        try await withServer(EchoTests.makeServer()) { server in
            let port = try await server.port
            let second = HTTP2Server(
                address: .hostPort("127.0.0.1", port), tls: try authority.serverContext(), logger: quiet,
                handler: EchoTests.echo)
            let error = await failure { try await second.run() }
            guard case .listenFailed = error else { return #expect(Bool(false), "\(String(describing: error))") }
            await #expect(throws: TransportError.self) { try await second.port }
        }
        let error = await failure {
            _ = try await HTTP2Client.connect(
                to: .unixSocket("/tmp/nobody-\(UUID()).sock"), tls: nil, logger: quiet)
        }
        guard case .connectFailed = error else { return #expect(Bool(false), "\(String(describing: error))") }
    }

    @Test("a peer that accepts and stays silent runs into the handshake's limit")
    func silence() async throws {
        // A server in clear on a local socket has nothing to say to a TLS hello but closes; so a bare listener is used.
        var limits = TransportLimits.node
        limits.handshakeMilliseconds = 50
        let listener = try BareListener()
        defer { listener.close() }
        let error = await failure {
            _ = try await HTTP2Client.connect(
                to: .hostPort("127.0.0.1", listener.port), tls: authority.clientContext(authority.branch),
                expectedPeer: .uri("banjie://a/"), limits: limits, logger: quiet)
        }
        #expect(error == .timedOut(phase: "TLS handshake", milliseconds: 50))
    }

    @Test("a third connection with one certificate is refused; after one has closed another passes")
    func perCertificate() async throws {
        try await withServer(EchoTests.makeServer()) { server in
            let first = try await EchoTests.dial(server, authority.branch)
            let second = try await EchoTests.dial(server, authority.branch)
            let error = await failure {
                let third = try await EchoTests.dial(server, authority.branch)
                throw await third.closed
            }
            guard case .goAway(.enhanceYourCalm, let debug) = error else {
                return #expect(Bool(false), "\(String(describing: error))")
            }
            #expect(debug.contains("2 connections"))
            _ = try await first.ping()
            await second.close()
            try await eventually("the second is gone") { server.connectionCount == 1 }
            let fourth = try await EchoTests.dial(server, authority.branch)
            _ = try await fourth.ping()
            await first.close()
            await fourth.close()
        }
    }

    @Test("more connections than the limit are refused")
    func connectionsMax() async throws {
        var limits = TransportLimits.node
        limits.connectionsMax = 1
        try await withServer(EchoTests.makeServer(limits: limits)) { server in
            let first = try await EchoTests.dial(server, authority.branch)
            let error = await failure { _ = try await EchoTests.dial(server, authority.server) }
            #expect(error != nil)
            _ = try await first.ping()
            await first.close()
        }
    }

    @Test("a slow reader holds the sender at the window, and manual credit lets it go on")
    func slowReader() async throws {
        var limits = TransportLimits.node
        limits.streamWindowBytes = 256 * 1024
        limits.connectionWindowBytes = 512 * 1024
        limits.writeQueueBytesMax = 64 * 1024
        let sentBytes = Mutex(0)
        let server = try EchoTests.makeServer { stream, _ in
            do {
                try stream.respond(HTTP2ResponseHead(status: 200))
                for _ in 0..<128 {
                    try await stream.write(ByteBuffer(repeating: 5, count: 64 * 1024))
                    sentBytes.withLock { $0 += 64 * 1024 }
                }
                try stream.finish()
            } catch {
                stream.reset()
            }
        }
        try await withServer(server) { [limits] server in
            let connection = try await EchoTests.dial(server, authority.branch, limits: limits)
            let stream = try await connection.open(post, endStream: true)
            let (calls, caller) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
            stream.whenReadable { caller.yield() }
            var called = calls.makeAsyncIterator()
            func next() async throws -> ByteBuffer? {
                while true {
                    switch try stream.take() {
                    case .nothing: await called.next()
                    case .bytes(let part): return part
                    case .end: return nil
                    }
                }
            }
            var received = 0
            while received < 256 * 1024 { received += try await next()?.readableBytes ?? 0 }
            #expect(received == 256 * 1024)
            for _ in 0..<5 { _ = try await connection.ping() }
            // Window, write queue of the default limits, and one piece: nothing else may have left the writer.
            #expect(sentBytes.withLock { $0 } <= (256 + 256 + 64) * 1024)
            stream.consume(bytes: received)
            while let part = try await next() {
                received += part.readableBytes
                stream.consume(bytes: part.readableBytes)
            }
            #expect(received == 8 * 1024 * 1024)
            await connection.close()
        }
    }

    @Test("a graceful shutdown lets a running stream finish, then the server returns")
    func gracefulShutdown() async throws {
        let arrived = Gate()
        let mayGoOn = Gate()
        let server = try EchoTests.makeServer { stream, _ in
            arrived.open()
            await mayGoOn.pass()
            try? stream.respond(HTTP2ResponseHead(status: 200), body: ByteBuffer(string: "late"))
        }
        let group = ServiceGroup(
            configuration: .init(services: [.init(service: server)], logger: quiet))
        let running = Task { try await group.run() }
        let connection = try await EchoTests.dial(server, authority.branch)
        let stream = try await connection.open(post, endStream: true)
        await arrived.pass()
        await group.triggerGracefulShutdown()
        // The GOAWAY has arrived when the connection takes no more streams.
        try await eventually("it takes no more streams") { (try? await connection.open(post, endStream: true)) == nil }
        mayGoOn.open()
        #expect(try await stream.responseHead.status == 200)
        #expect(String(buffer: try await stream.collect(bytesMax: 10)) == "late")
        #expect(await connection.closed == .goAway(code: .noError, debug: ""))
        try await running.value
    }

    @Test("a stream that does not finish is cut when the shutdown's time is over")
    func boundedShutdown() async throws {
        var limits = TransportLimits.node
        limits.shutdownMilliseconds = 50
        let arrived = Gate()
        let server = try EchoTests.makeServer(limits: limits) { stream, _ in
            arrived.open()
            _ = try? await stream.collect(bytesMax: 1)
        }
        let group = ServiceGroup(
            configuration: .init(services: [.init(service: server)], logger: quiet))
        let running = Task { try await group.run() }
        let connection = try await EchoTests.dial(server, authority.branch)
        let stream = try await connection.open(post)
        await arrived.pass()
        await group.triggerGracefulShutdown()
        await #expect(throws: (any Error).self) { try await stream.responseHead }
        try await running.value
        await connection.close()
    }

    @Test("connections are cut by a predicate over their certificate")
    func cutting() async throws {
        try await withServer(EchoTests.makeServer()) { server in
            let kept = try await EchoTests.dial(server, authority.server)
            let doomed = try await EchoTests.dial(server, authority.branch)
            let stream = try await doomed.open(post)
            _ = try await stream.responseHead
            let serial = try PeerCertificate(pem: authority.branch.certificateChainPEM).serialHex
            #expect(server.closeConnections { $0.certificate?.serialHex == serial } == 1)
            guard case .goAway(_, let debug) = await doomed.closed else { return #expect(Bool(false), "no GOAWAY") }
            #expect(debug.contains("operator"))
            await #expect(throws: TransportError.self) { try await stream.collect(bytesMax: 1) }
            _ = try await kept.ping()
            await kept.close()
        }
    }

    @Test("a context with a newer revocation list holds for new connections")
    func replacing() async throws {
        try await withServer(EchoTests.makeServer()) { server in
            let before = try await EchoTests.dial(server, authority.branch)
            let serial = try PeerCertificate(pem: authority.branch.certificateChainPEM).serialHex
            let list = try authority.region.signRevocationList(
                [RevokedCertificate(serialHex: serial, revokedAtMilliseconds: TestAuthority.now)], number: 1,
                nowMilliseconds: TestAuthority.now - 1000)
            server.replaceTLS(try authority.serverContext(crls: [list]))
            let error = await failure { _ = try await EchoTests.dial(server, authority.branch) }
            #expect(error == .tls(reason: "sslv3 alert certificate revoked"))
            _ = try await before.ping()
            await before.close()
        }
    }

    @Test("a local socket tells the server who the other process is")
    func localSocket() async throws {
        let path = "/tmp/transport-\(UUID()).sock"
        let server = HTTP2Server(address: .unixSocket(path), tls: nil, logger: quiet) { stream, peer in
            let text = "\(peer.process?.uid ?? 99_999) \(peer.process?.pid ?? 0) \(peer.remoteAddress)"
            try? stream.respond(HTTP2ResponseHead(status: 200), body: ByteBuffer(string: text))
        }
        try await withServer(server) { server in
            #expect(try await server.port == 0)
            let connection = try await HTTP2Client.connect(to: .unixSocket(path), tls: nil, logger: quiet)
            let stream = try await connection.open(
                HTTP2RequestHead(scheme: "http", authority: "local", path: "/"), endStream: true)
            let text = String(buffer: try await stream.collect(bytesMax: 100))
            #expect(text == "\(getuid()) \(getpid()) unix")
            await connection.close()
        }
        unlink(path)
    }

    @Test("a handler that returns without an answer, or with half of one, resets the stream")
    func unfinished() async throws {
        let server = try EchoTests.makeServer { stream, _ in
            guard stream.requestHead.path == "/half" else { return }
            try? stream.respond(HTTP2ResponseHead(status: 200))
            try? await stream.write(ByteBuffer(string: "half"))
        }
        try await withServer(server) { server in
            let connection = try await EchoTests.dial(server, authority.branch)
            let none = try await connection.open(post)
            let first = await failure { _ = try await none.responseHead }
            #expect(first == .streamReset(code: .internalError, byPeer: true))
            let half = try await connection.open(HTTP2RequestHead(authority: "x", path: "/half"))
            let second = await failure { _ = try await half.collect(bytesMax: 9) }
            #expect(second == .streamReset(code: .internalError, byPeer: true))
            await connection.close()
        }
    }

    @Test("an early answer reaches a client that is still sending")
    func earlyAnswer() async throws {
        let server = try EchoTests.makeServer { stream, _ in
            try? stream.respond(HTTP2ResponseHead(status: 413), body: ByteBuffer(string: "too large"))
        }
        try await withServer(server) { server in
            let connection = try await EchoTests.dial(server, authority.branch)
            let stream = try await connection.open(post)
            for _ in 0..<8 { try await stream.write(ByteBuffer(repeating: 0, count: 64 * 1024)) }
            try stream.finish()
            #expect(try await stream.responseHead.status == 413)
            #expect(String(buffer: try await stream.collect(bytesMax: 20)) == "too large")
            await connection.close()
        }
    }

    @Test("a cancelled reader and a cancelled writer throw, and the connection lives on")
    func cancellation() async throws {
        let server = try EchoTests.makeServer { stream, _ in
            try? stream.respond(HTTP2ResponseHead(status: 200))
            // Reads nothing and writes nothing until the stream is gone.
            try? await eventually("the stream is gone") { stream.core.withState { $0.isClosed } }
        }
        try await withServer(server) { server in
            let connection = try await EchoTests.dial(server, authority.branch)
            let stream = try await connection.open(post)
            _ = try await stream.responseHead
            let reader = Task { try await stream.collect(bytesMax: 1) }
            reader.cancel()
            await #expect(throws: CancellationError.self) { try await reader.value }
            let writer = Task {
                while true { try await stream.write(ByteBuffer(repeating: 0, count: 1024 * 1024)) }
            }
            for _ in 0..<3 { _ = try await connection.ping() }
            writer.cancel()
            await #expect(throws: CancellationError.self) { try await writer.value }
            stream.reset()
            _ = try await connection.ping()
            await connection.close()
        }
    }

    @Test("an idle connection is closed, one with a running stream is asked and kept")
    func idleness() async throws {
        var limits = TransportLimits.node
        limits.idleMilliseconds = 2_000
        try await withServer(EchoTests.makeServer(limits: limits)) { server in
            let (used, stream) = try await dialAndOpen(server, authority.server)
            let idle = try await EchoTests.dial(server, authority.branch)
            guard case .goAway = await idle.closed else { return #expect(Bool(false), "not closed") }
            let next = try await EchoTests.dial(server, authority.branch)
            _ = await next.closed
            try await stream.write(ByteBuffer(string: "still here"))
            try stream.finish()
            #expect(String(buffer: try await stream.collect(bytesMax: 20)) == "still here")
            await used.close()
        }
    }

    /// A machine that is busy enough may take longer from one to the other than a connection may be idle.
    private func dialAndOpen(
        _ server: HTTP2Server, _ identity: TLSIdentity
    ) async throws -> (HTTP2Connection, HTTP2Stream) {
        for _ in 0..<20 {
            let connection = try await EchoTests.dial(server, identity)
            guard let stream = try? await connection.open(post), (try? await stream.responseHead) != nil else {
                continue
            }
            return (connection, stream)
        }
        throw TransportError.timedOut(phase: "opening", milliseconds: 40_000)
    }

    @Test("many streams at once, beyond the server's limit, are all answered")
    func manyStreams() async throws {
        try await withServer(EchoTests.makeServer()) { server in
            let connection = try await EchoTests.dial(server, authority.branch)
            let answered = try await withThrowingTaskGroup(of: Int.self) { group in
                for index in 0..<200 {
                    group.addTask {
                        let stream = try await connection.open(post)
                        try await stream.write(ByteBuffer(string: "n\(index)"))
                        try stream.finish()
                        return String(buffer: try await stream.collect(bytesMax: 10)) == "n\(index)" ? 1 : 0
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(answered == 200)
            await connection.close()
        }
    }
}

/// A socket that accepts connections in its backlog and never says anything.
final class BareListener {
    let descriptor: Int32
    let port: Int

    init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, length) == 0 && listen(descriptor, 4) == 0
                    && getsockname(descriptor, pointer, &length) == 0
            }
        }
        guard result else { throw POSIXError(.EADDRINUSE) }
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    func close() { Foundation.close(descriptor) }
}
