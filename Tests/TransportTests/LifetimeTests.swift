import Foundation
import Logging
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import Transport

/// Keeps the metadata of warnings; how they are worded is not a test's business.
struct CountingLogHandler: LogHandler {
    final class Counter: Sendable {
        let lines = Mutex<[[String: String]]>([])
        var count: Int { lines.withLock { $0.count } }
    }
    static func logger(_ counter: Counter) -> Logger {
        Logger(label: "test", factory: { _ in CountingLogHandler(counter: counter) })
    }
    let counter: Counter
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.debug

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        guard event.level >= .warning else { return }
        counter.lines.withLock { $0.append((event.metadata ?? [:]).mapValues { "\($0)" }) }
    }
}

@Suite("Lifetimes and unfriendly peers", .timeLimit(.minutes(5)))
struct LifetimeTests {
    let authority: TestAuthority
    init() throws { authority = try TestAuthority.shared.get() }

    private let post = HTTP2RequestHead(method: "POST", authority: "x", path: "/")

    @Test("a stream keeps its connection; when both are gone the server sees it close")
    func keeping() async throws {
        try await withServer(EchoTests.makeServer()) { server in
            func openAndForget() async throws -> HTTP2Stream {
                try await EchoTests.dial(server, authority.branch).open(post)
            }
            do {
                let stream = try await openAndForget()
                try await stream.write(ByteBuffer(string: "kept"))
                try stream.finish()
                #expect(String(buffer: try await stream.collect(bytesMax: 10)) == "kept")
            }
            try await eventually("the server sees it close") { server.connectionCount == 0 }
        }
    }

    @Test("a client that goes away cancels the handlers of its streams")
    func cancelsHandlers() async throws {
        let arrived = Gate()
        let cancelled = Gate()
        let server = try EchoTests.makeServer { _, _ in
            arrived.open()
            await withTaskCancellationHandler {
                await Gate().pass()
            } onCancel: {
                cancelled.open()
            }
        }
        try await withServer(server) { server in
            let connection = try await EchoTests.dial(server, authority.branch)
            let stream = try await connection.open(post)
            await arrived.pass()
            await connection.close(limitMilliseconds: 0)
            await cancelled.pass()
            await #expect(throws: TransportError.self) { try await stream.responseHead }
        }
    }

    @Test("an upload that nobody reads is read away up to a bound, then the client is told to stop")
    func drainingBound() async throws {
        var limits = TransportLimits.node
        limits.drainBytesMax = 300_000
        limits.drainMilliseconds = 60_000
        let server = try EchoTests.makeServer(limits: limits) { stream, _ in
            try? stream.respond(HTTP2ResponseHead(status: 413), endStream: true)
        }
        try await withServer(server) { server in
            let connection = try await EchoTests.dial(server, authority.branch)
            let stream = try await connection.open(post)
            let error = await failure {
                while true { try await stream.write(ByteBuffer(repeating: 0, count: 64 * 1024)) }
            }
            #expect(error == .streamReset(code: .noError, byPeer: true))
            #expect(try await stream.responseHead.status == 413)
            await connection.close()
        }
    }

    @Test("a peer that speaks something else is cut and logged once")
    func otherProtocol() async throws {
        let counter = CountingLogHandler.Counter()
        let path = "/tmp/transport-\(UUID()).sock"
        let server = HTTP2Server(
            address: .unixSocket(path), tls: nil,
            logger: CountingLogHandler.logger(counter),
            handler: EchoTests.echo)
        try await withServer(server) { server in
            _ = try await server.port
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(unixDomainSocketPath: path).get()
            try await channel.writeAndFlush(ByteBuffer(string: "GET / HTTP/1.1\r\nhost: x\r\n\r\n and more of it"))
                .get()
            try await channel.closeFuture.get()
            try await eventually("the server sees it close") { server.connectionCount == 0 }
        }
        #expect(counter.count == 1)
    }

    @Test("a refused certificate is logged once")
    func loggedOnce() async throws {
        let counter = CountingLogHandler.Counter()
        let server = HTTP2Server(
            address: .hostPort("127.0.0.1", 0), tls: try authority.serverContext(),
            logger: CountingLogHandler.logger(counter),
            handler: EchoTests.echo)
        try await withServer(server) { server in
            _ = await failure { _ = try await EchoTests.dial(server, nil) }
            try await eventually("the server sees it close") { server.connectionCount == 0 }
        }
        #expect(counter.count == 1)
    }

    @Test("a handshake that was under way when the certificates were replaced does not get through")
    func replacedMeanwhile() async throws {
        try await withServer(EchoTests.makeServer()) { server in
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: try await server.port).get()
            try await eventually("the server has accepted it") { server.connectionCount > 0 }
            server.replaceTLS(try authority.serverContext())
            try await channel.closeFuture.get()
            let connection = try await EchoTests.dial(server, authority.branch)
            _ = try await connection.ping()
            await connection.close()
        }
    }

    @Test("the answer to a request without a body, and heads alone, arrive")
    func headsAlone() async throws {
        let server = try EchoTests.makeServer { stream, _ in
            let body = try? await stream.collect(bytesMax: 10)
            try? stream.respond(HTTP2ResponseHead(status: body?.readableBytes == 0 ? 204 : 500), endStream: true)
        }
        try await withServer(server) { server in
            let connection = try await EchoTests.dial(server, authority.branch)
            for _ in 0..<50 {
                let stream = try await connection.open(HTTP2RequestHead(authority: "x", path: "/"), endStream: true)
                #expect(try await stream.responseHead.status == 204)
                #expect(try await stream.collect(bytesMax: 0).readableBytes == 0)
                await #expect(throws: TransportError.self) { try await stream.write(ByteBuffer(string: "x")) }
            }
            await connection.close()
        }
    }
}
