import Foundation
import Node
import Replication
import Testing
import Tickets
import Transport

/// The console over a real socket, TLS and HTTP/2.
@Suite struct ListenerProcessTests {
    @Test("curl gets the log-in page over TLS 1.3 and HTTP/2, and nothing over TLS 1.2 or HTTP/1.1")
    func curl() async throws {
        let console = try await TestConsole()
        let identity = try makeConsoleIdentity(dnsNames: ["localhost"], nowMilliseconds: NodeClock.system())
        let service = try ConsoleService(
            node: console.node, address: .hostPort("127.0.0.1", 0), identity: identity, logger: testLogger)
        let task = Task { try await service.run() }
        let port = try await service.port
        let page = try await run([
            "--http2", "-k", "-s", "-i", "--tlsv1.3", "https://127.0.0.1:\(port)/queue",
        ])
        #expect(page.hasPrefix("HTTP/2 303"))
        #expect(page.contains("location: /login"))
        let login = try await run(["--http2", "-k", "-s", "-i", "https://127.0.0.1:\(port)/login"])
        #expect(login.hasPrefix("HTTP/2 200") && login.contains("content-security-policy: default-src 'none'"))
        #expect(try await run(["-k", "-s", "--tls-max", "1.2", "https://127.0.0.1:\(port)/login"]).isEmpty)
        #expect(try await run(["-k", "-s", "--http1.1", "https://127.0.0.1:\(port)/login"]).isEmpty)
        task.cancel()
        _ = await task.result
    }

    private func run(_ arguments: [String]) async throws -> String {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                let process = Process()
                let output = Pipe()
                process.executableURL = URL(fileURLWithPath: "/usr/bin/curl")
                process.arguments = ["--max-time", "10"] + arguments
                process.standardOutput = output
                process.standardError = FileHandle.nullDevice
                do {
                    try process.run()
                } catch {
                    continuation.resume(throwing: error)
                    return
                }
                let data = output.fileHandleForReading.readDataToEndOfFile()
                process.waitUntilExit()
                continuation.resume(returning: String(decoding: data, as: UTF8.self))
            }
        }
    }
}
