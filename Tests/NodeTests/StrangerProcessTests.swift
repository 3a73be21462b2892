import Foundation
import Replication
import Store
import TestSupport
import Testing

@testable import Node
@testable import Transport

/// Strangers with other people's tools at a node that is a process. Source: Protocols/trust.md §3.
@Suite(.timeLimit(.minutes(5))) struct StrangerProcessTests {
    private static func tool(_ name: String) -> String? {
        let path = "/usr/bin/" + name
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }

    private static var canRun: Bool {
        NodeProcess.program != nil && ["openssl", "curl", "nghttp"].allSatisfy { tool($0) != nil }
    }

    /// One who tries, and what the one line about him has to say.
    private struct Stranger {
        var name: String
        var tool: String
        var arguments: [String]
        var reason: String
    }

    @Test(
        "openssl, curl and nghttp without the right certificate get nothing but a line each in the log, and sync goes on",
        .enabled(if: canRun, "needs the built program, openssl, curl and nghttp"))
    func strangers() async throws {
        let province = try ProcessProvince()
        defer { province.remove() }
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj", below: zj)
        try await eventually("the child is connected") { try await zj.isConnected(to: "hz.zj") }
        for stranger in try strangers(province, zj) {
            let before = zj.journal.lines.count
            let outcome = try await NodeProcess.run(
                try #require(Self.tool(stranger.tool)), stranger.arguments, input: "")
            // curl says what it was answered: nothing, or that it may not.
            #expect(!outcome.output.contains("HTTP 200"), "\(stranger.name): \(outcome)")
            try await eventually("\(stranger.name) is in the log") {
                zj.journal.lines.dropFirst(before).contains { $0.text.contains("refused") }
            }
            let lines = zj.journal.lines.dropFirst(before).map(\.text)
            #expect(lines.count == 1 && lines.first?.contains(stranger.reason) == true, "\(stranger.name): \(lines)")
            #expect(zj.isRunning)
        }
        let ticket = try await hz.value(
            ["ticket", "id"], of: "ticket", "open", "照常", "--as", "小王", "--department", "SVC", "--role", "dispatcher")
        try await eventually("the child's ticket arrives") { try await zj.has(ticket) }
        #expect(try await zj.isConnected(to: "hz.zj"))
        for office in [hz, zj] { try await office.stop() }
    }

    private func strangers(_ province: ProcessProvince, _ zj: NodeProcess) throws -> [Stranger] {
        let keys = KeyFolder(zj.folder)
        let authority = try #require(try keys.authority(subtree: SiteCode(validated: "zj")))
        let foreign = try CertificateAuthority.makeRoot(
            subtree: NodeURI(host: "zj")!, nowMilliseconds: NodeClock.system())
        let now = NodeClock.system()
        let address = "\(try zj.address())"
        let url = "https://\(address)/sync/v1"
        func write(_ name: String, _ identity: TLSIdentity) throws -> [String] {
            let (chain, key) = (province.root + "/\(name).pem", province.root + "/\(name).key")
            try identity.certificateChainPEM.write(toFile: chain, atomically: true, encoding: .utf8)
            try identity.privateKeyPEM.write(toFile: key, atomically: true, encoding: .utf8)
            return ["--cert", chain, "--key", key]
        }
        func curl(_ name: String, _ identity: TLSIdentity, _ reason: String) throws -> Stranger {
            Stranger(
                name: name, tool: "curl",
                arguments: [
                    "-sk", "--http2", "--max-time", "10", "-X", "POST", "-o", "/dev/null", "-w", "HTTP %{http_code}",
                ] + (try write(name, identity)) + [url], reason: reason)
        }
        func signed(_ names: String?, at start: Int64 = now) throws -> TLSIdentity {
            try Forgery.leaf(of: authority, names: names, nowMilliseconds: start)
        }
        func openssl(_ name: String, _ arguments: [String], _ reason: String) -> Stranger {
            Stranger(
                name: name, tool: "openssl", arguments: ["s_client", "-connect", address] + arguments, reason: reason)
        }
        let proper = try write("proper", signed("URI:banjie://nb.zj/"))
        let shown = ["-cert", proper[1], "-key", proper[3]]
        return [
            openssl("no certificate", ["-alpn", "h2"], "did not return a certificate"),
            Stranger(
                name: "nghttp without one", tool: "nghttp", arguments: ["-n", "--timeout=10", url],
                reason: "did not return a certificate"),
            try curl(
                "self-signed", Forgery.selfSigned(names: "URI:banjie://nb.zj/", nowMilliseconds: now), "self-signed"),
            try curl(
                "another authority's",
                Forgery.leaf(of: foreign, names: "URI:banjie://nb.zj/", nowMilliseconds: now), "signature failure"),
            try curl("expired", signed("URI:banjie://nb.zj/", at: now - 31 * 86_400_000), "expired"),
            try curl("no name", signed(nil), "exactly one name"),
            try curl("two names", signed("URI:banjie://nb.zj/,URI:banjie://hz.zj/"), "exactly one name"),
            try curl("a grandchild's", signed("URI:banjie://xihu.hz.zj/"), "neither child nor sibling"),
            openssl("another protocol", ["-alpn", "http/1.1"] + shown, "ALPN h2"),
            openssl("no protocol", shown, "ALPN h2"),
            openssl("TLS 1.2", ["-tls1_2", "-alpn", "h2"] + shown, "unsupported protocol"),
        ]
    }
}
