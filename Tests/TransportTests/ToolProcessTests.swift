import Foundation
import NIOCore
import TestSupport
import Testing

@testable import Transport

/// Other people's clients: what our own two ends agree on may still be wrong.
@Suite("Foreign clients", .timeLimit(.minutes(1)))
struct ToolProcessTests {
    let authority: TestAuthority
    let folder: URL

    init() throws {
        authority = try TestAuthority.shared.get()
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("transport-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try write("root.pem", authority.rootPEM)
        try write("chain.pem", authority.branch.certificateChainPEM)
        try write("key.pem", authority.branch.privateKeyPEM)
    }

    private func write(_ name: String, _ text: String) throws {
        try text.write(to: folder.appendingPathComponent(name), atomically: true, encoding: .utf8)
    }

    private func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    static func find(_ tool: String) -> String? {
        ["/usr/bin/", "/usr/local/bin/"].map { $0 + tool }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// - Returns: exit status, standard output and standard error.
    private func run(_ tool: String, _ arguments: [String], input: String = "") async throws -> (Int32, String, String)
    {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Self.find(tool)))
        process.arguments = arguments
        let (standardInput, output, errors) = (Pipe(), path("output-\(UUID())"), path("errors-\(UUID())"))
        for file in [output, errors] { _ = FileManager.default.createFile(atPath: file, contents: nil) }
        process.standardInput = standardInput
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: errors))
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            process.terminationHandler = { _ in continuation.resume() }
            do {
                try process.run()
                standardInput.fileHandleForWriting.write(Data(input.utf8))
                try standardInput.fileHandleForWriting.close()
            } catch {
                continuation.resume(throwing: error)
            }
        }
        let texts = try [output, errors].map { try String(contentsOfFile: $0, encoding: .utf8) }
        return (process.terminationStatus, texts[0], texts[1])
    }

    private func identityArguments() -> [String] {
        // The node's certificate carries no DNS name, so curl checks the chain and not the name.
        ["--cacert", path("root.pem"), "--cert", path("chain.pem"), "--key", path("key.pem"), "-k"]
    }

    @Test(
        "curl posts a body over HTTP/2 with a client certificate",
        .enabled(if: ToolProcessTests.find("curl") != nil, "curl is not installed"))
    func curl() async throws {
        try await withServer(EchoTests.makeServer()) { server in
            let url = "https://127.0.0.1:\(try await server.port)/upload"
            let body = String(repeating: "0123456789", count: 30_000)
            try write("body", body)
            let (status, output, errors) = try await run(
                "curl",
                ["-sS", "--http2", "--data-binary", "@\(path("body"))", "-w", "|%{http_version} %{http_code}", url]
                    + identityArguments())
            #expect(status == 0, "\(errors)")
            #expect(output == body + "|2 200")
        }
    }

    @Test(
        "curl gets an early answer to a large upload",
        .enabled(if: ToolProcessTests.find("curl") != nil, "curl is not installed"))
    func curlEarlyAnswer() async throws {
        let server = try EchoTests.makeServer { stream, _ in
            try? stream.respond(HTTP2ResponseHead(status: 413), body: ByteBuffer(string: "too large"))
        }
        try await withServer(server) { server in
            let url = "https://127.0.0.1:\(try await server.port)/upload"
            try write("body", String(repeating: "0123456789", count: 80_000))
            let (status, output, errors) = try await run(
                "curl", ["-sS", "--http2", "--data-binary", "@\(path("body"))", url] + identityArguments())
            #expect(status == 0, "\(errors)")
            #expect(output == "too large")
        }
    }

    @Test(
        "curl without a certificate, with TLS 1.2 or without HTTP/2 is refused",
        .enabled(if: ToolProcessTests.find("curl") != nil, "curl is not installed"))
    func curlRefused() async throws {
        try await withServer(EchoTests.makeServer()) { server in
            let url = "https://127.0.0.1:\(try await server.port)/"
            for arguments in [["-k"], identityArguments() + ["--tls-max", "1.2"], identityArguments() + ["--http1.1"]] {
                let (status, output, errors) = try await run("curl", ["-sS", url] + arguments)
                #expect(status != 0)
                #expect(output.isEmpty)
                #expect(errors.contains("alert"), "\(errors)")
            }
        }
    }

    @Test(
        "a browser's listener verifies under its own certificate",
        .enabled(if: ToolProcessTests.find("curl") != nil, "curl is not installed"))
    func console() async throws {
        let identity = try makeConsoleIdentity(dnsNames: [], nowMilliseconds: TestAuthority.now)
        try write("console.pem", identity.certificateChainPEM)
        let server = HTTP2Server(
            address: .hostPort("127.0.0.1", 0),
            tls: try .server(identity: identity, trustRootsPEM: "", clientCertificate: .none), limits: .browser,
            logger: quiet, handler: EchoTests.echo)
        try await withServer(server) { server in
            let port = try await server.port
            for host in ["localhost", "127.0.0.1"] {
                let (status, output, errors) = try await run(
                    "curl",
                    [
                        "-sS4", "--http2", "--cacert", path("console.pem"), "-d", "hello", "https://\(host):\(port)/",
                    ])
                #expect(status == 0, "\(errors)")
                #expect(output == "hello")
            }
        }
    }

    @Test(
        "nghttp uploads and downloads", .enabled(if: ToolProcessTests.find("nghttp") != nil, "nghttp is not installed"))
    func nghttp() async throws {
        try await withServer(EchoTests.makeServer()) { server in
            let url = "https://127.0.0.1:\(try await server.port)/n"
            let body = String(repeating: "abcdefgh", count: 50_000)
            try write("body", body)
            let (status, output, errors) = try await run(
                "nghttp",
                ["--no-dep", "-d", path("body"), "--cert", path("chain.pem"), "--key", path("key.pem"), url])
            #expect(status == 0, "\(errors)")
            #expect(output == body)
        }
    }

    @Test(
        "h2load gets every answer of a thousand requests, sixteen at a time",
        .enabled(if: ToolProcessTests.find("h2load") != nil, "h2load is not installed"))
    func h2load() async throws {
        let path = "/tmp/transport-\(UUID()).sock"
        let server = HTTP2Server(address: .unixSocket(path), tls: nil, logger: quiet) { stream, _ in
            try? stream.respond(HTTP2ResponseHead(status: 200), body: ByteBuffer(string: "ok"))
        }
        try await withServer(server) { _ in
            _ = try await server.port
            let (status, output, errors) = try await run(
                "h2load", ["-n1000", "-c4", "-m16", "-B", "unix:\(path)", "http://localhost/"])
            #expect(status == 0, "\(errors)")
            #expect(output.contains("1000 succeeded, 0 failed, 0 errored"), "\(output)")
        }
    }

    @Test(
        "openssl s_client finds nothing below TLS 1.3",
        .enabled(if: ToolProcessTests.find("openssl") != nil, "openssl is not installed"))
    func protocolVersion() async throws {
        try await withServer(EchoTests.makeServer()) { server in
            let (status, _, errors) = try await run(
                "openssl",
                [
                    "s_client", "-connect", "127.0.0.1:\(try await server.port)", "-tls1_2", "-cert", path("chain.pem"),
                    "-key", path("key.pem"), "-alpn", "h2",
                ])
            #expect(status != 0)
            #expect(errors.contains("alert protocol version"))
        }
    }
}
