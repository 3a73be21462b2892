import Foundation
import NIOCore
import TestSupport
import Testing

@testable import Transport

/// Numbers for people; they need a quiet machine and the whole process to themselves.
@Suite(
    "Measurements", .serialized,
    .enabled(if: ProcessInfo.processInfo.environment["MEASURE"] != nil, "set MEASURE=1 and filter for this suite"))
struct MeasureTests {
    private func residentBytes() throws -> Int {
        let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        return Int(text.split(separator: " ")[1])! * 4096
    }

    @Test("an idle TLS connection, both ends in this process, costs at most 120 KiB")
    func idle() async throws {
        var limits = TransportLimits.node
        limits.connectionsPerCertificateMax = 10_000
        try await withServer(EchoTests.makeServer(limits: limits)) { server in
            let authority = try TestAuthority.shared.get()
            // One context for all: it is several times as large as a connection.
            let context = try authority.clientContext(authority.branch)
            let address = TransportAddress.hostPort("127.0.0.1", try await server.port)
            func dial() async throws -> HTTP2Connection {
                try await HTTP2Client.connect(
                    to: address, tls: context, expectedPeer: .uri(TestAuthority.serverURI), logger: quiet)
            }
            var connections: [HTTP2Connection] = []
            for _ in 0..<50 { connections.append(try await dial()) }
            let before = try residentBytes()
            for _ in 0..<500 { connections.append(try await dial()) }
            let each = (try residentBytes() - before) / 500
            print("MEASURE idle pair: \(each / 1024) KiB")
            #expect(each <= 120 * 1024)
            for connection in connections { await connection.close(limitMilliseconds: 100) }
        }
    }

    @Test("bulk bytes over TLS on one stream")
    func bulk() async throws {
        let server = try EchoTests.makeServer { stream, _ in
            do {
                try stream.respond(HTTP2ResponseHead(status: 200))
                var count = 0
                for try await part in stream.body { count += part.readableBytes }
                try await stream.write(ByteBuffer(string: "\(count)"))
                try stream.finish()
            } catch {
                stream.reset()
            }
        }
        try await withServer(server) { server in
            let connection = try await EchoTests.dial(server, try TestAuthority.shared.get().branch)
            let stream = try await connection.open(HTTP2RequestHead(method: "POST", authority: "x", path: "/"))
            let piece = ByteBuffer(repeating: 7, count: 256 * 1024)
            let start = ContinuousClock.now
            for _ in 0..<1024 { try await stream.write(piece) }
            try stream.finish()
            #expect(String(buffer: try await stream.collect(bytesMax: 20)) == "\(1024 * 256 * 1024)")
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            print("MEASURE bulk: \(Int(256 / seconds)) MiB/s")
            await connection.close()
        }
    }
}
