import Logging
import NIOCore
import TestSupport
import Testing

@testable import Transport

@Suite("Server and client over sockets", .timeLimit(.minutes(1)))
struct EchoTests {
    static let echo: HTTP2Server.Handler = { stream, _ in
        do {
            try stream.respond(
                HTTP2ResponseHead(status: 200, headers: [HTTP2Header("x-path", stream.requestHead.path)]))
            for try await part in stream.body { try await stream.write(part) }
            try stream.finish(trailers: [HTTP2Header("x-end", "yes")])
        } catch {
            stream.reset()
        }
    }

    static func dial(
        _ server: HTTP2Server, _ identity: TLSIdentity?, expecting: ExpectedPeer = .uri(TestAuthority.serverURI),
        limits: TransportLimits = .node
    ) async throws -> HTTP2Connection {
        try await HTTP2Client.connect(
            to: .hostPort("127.0.0.1", try await server.port),
            tls: try TestAuthority.shared.get().clientContext(identity), expectedPeer: expecting, limits: limits,
            logger: quiet)
    }

    static func makeServer(
        limits: TransportLimits = .node, handler: @escaping HTTP2Server.Handler = echo
    ) throws -> HTTP2Server {
        HTTP2Server(
            address: .hostPort("127.0.0.1", 0), tls: try TestAuthority.shared.get().serverContext(), limits: limits,
            logger: quiet, handler: handler)
    }

    @Test("a request is echoed with head, body and trailers")
    func echoes() async throws {
        try await withServer(Self.makeServer()) { server in
            let authority = try TestAuthority.shared.get()
            let connection = try await Self.dial(server, authority.branch)
            #expect(connection.peer.certificate?.nodeURI?.description == TestAuthority.serverURI)
            let stream = try await connection.open(
                HTTP2RequestHead(method: "POST", authority: "node.province", path: "/a?b=c"))
            try await stream.write(ByteBuffer(string: "hello, "))
            try await stream.write(ByteBuffer(string: "world"))
            try stream.finish()
            let head = try await stream.responseHead
            #expect(head.status == 200)
            #expect(head.headers["x-path"] == "/a?b=c")
            let body = try await stream.collect(bytesMax: 100)
            #expect(String(buffer: body) == "hello, world")
            #expect(stream.trailers["x-end"] == "yes")
            #expect(try await connection.ping() > .zero)
            await connection.close()
        }
    }

    @Test("8 MiB go both ways at once")
    func bulk() async throws {
        try await withServer(Self.makeServer()) { server in
            let connection = try await Self.dial(server, try TestAuthority.shared.get().branch)
            let stream = try await connection.open(HTTP2RequestHead(method: "POST", authority: "x", path: "/"))
            let piece = ByteBuffer(bytes: (0..<65_536).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) })
            async let written: Void = {
                for _ in 0..<128 { try await stream.write(piece) }
                try stream.finish()
            }()
            var received = ByteBuffer()
            for try await part in stream.body { received.writeImmutableBuffer(part) }
            try await written
            #expect(received.readableBytes == 128 * 65_536)
            var isSame = true
            while let part = received.readSlice(length: 65_536) { isSame = isSame && part == piece }
            #expect(isSame)
            await connection.close()
        }
    }
}
