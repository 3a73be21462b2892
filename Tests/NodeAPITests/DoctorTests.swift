import Foundation
import Replication
import Store
import Testing
import Tickets
import Transport

@testable import Node

@Suite struct DoctorTests {
    private func report(_ api: APINode) async throws -> DoctorReport {
        try await api.answer("GET", "doctor")
    }

    private func codes(_ api: APINode) async throws -> Set<FindingCode> {
        Set(try await report(api).findings.map(\.code))
    }

    /// An office with keys and certificates.
    private func certified(days: Int = 30) async throws -> APINode {
        let api = try await APINode("zj")
        let keys = KeyFolder(api.folder)
        let uri = try #require(NodeURI(host: "zj"))
        let now = NodeClock.system()
        let authority = try CertificateAuthority.makeRoot(
            subtree: uri, nowMilliseconds: now - 40 * 86_400_000, days: 400, privateKeyPEM: try makePrivateKeyPEM())
        let key = try makePrivateKeyPEM()
        // Signed so long ago that so many days are left.
        let chain = try authority.signLeaf(
            CertificateRequest(uri: uri, privateKeyPEM: key), expecting: uri,
            nowMilliseconds: now - Int64(30 - days) * 86_400_000 + 3_600_000, days: 30)
        try keys.write(.root, authority.chainPEM)
        try keys.write(.nodeKey, key)
        try keys.write(.node, chain)
        return api
    }

    @Test("a sound node has no findings, and every check is named")
    func sound() async throws {
        let api = try await certified()
        let report = try await report(api)
        #expect(report.findings.isEmpty, "\(report.findings)")
        #expect(report.checks == Doctor.checks.map(\.name) && Set(report.checks).count == report.checks.count)
    }

    @Test("certificates: missing, expiring, expired, and with another key")
    func certificates() async throws {
        #expect(try await codes(try await APINode()) == [.certificateMissing])
        #expect(try await codes(try await certified(days: 5)) == [.certificateExpiring])
        #expect(try await codes(try await certified(days: -2)) == [.certificateExpired])
        let api = try await certified()
        try KeyFolder(api.folder).write(.nodeKey, try makePrivateKeyPEM())
        #expect(try await codes(api) == [.keyMismatch])
    }

    @Test("the store: rows, states, search, feeds, parked operations")
    func store() async throws {
        let api = try await certified()
        for index in 0..<3 { _ = try await api.open("宽带 \(index)") }
        try await api.node.administer { writer in
            try writer.register(child: SiteCode(validated: "hz.zj"))
            while try writer.reader.search.advance() > 0 {}
        }
        #expect(try await codes(api).isEmpty)
        try await api.node.administer { writer in
            try writer.damageForTests(arrival: 2)
            _ = try writer.noteDamaged([2], now: 1)
            try writer.executeForTests("UPDATE entity SET state = x'' WHERE id = 3")
            try writer.executeForTests("UPDATE peer SET feed_length = feed_length + 1")
            try writer.reader.search.executeForTests("UPDATE search_data SET block = x'00000000' WHERE id > 100")
            try writer.executeForTests("INSERT INTO parked VALUES (1, 7, 1, 0, 'its reason', 1, zeroblob(32), x'')")
        }
        let report = try await report(api)
        #expect(
            Set(report.findings.map(\.code))
                == [.rowsDamaged, .stateWrong, .feedLengthWrong, .searchDamaged, .operationsParked])
        #expect(report.findings.allSatisfy { !$0.message.isEmpty && !$0.next.isEmpty && !$0.check.isEmpty })
        let chinese = await api.call("GET", "doctor", language: .chinese)
        #expect(String(decoding: chinese.body, as: UTF8.self).contains("哈希不符"))
        try await api.node.administer {
            try $0.executeForTests("INSERT INTO feed SELECT child, position + 5, arrival FROM feed")
        }
        #expect(try await codes(api).contains(.feedHole))
    }

    @Test("the incarnation: a missing or foreign epoch file, a recovery that waits, operations to be issued again")
    func incarnation() async throws {
        let api = try await certified()
        try await api.node.administer { writer in
            try writer.executeForTests(
                "INSERT INTO meta VALUES ('epoch_missing', 1) ON CONFLICT DO UPDATE SET value = 1")
            try writer.executeForTests("INSERT INTO reissue VALUES (1, 5, 5, 4, 0, zeroblob(32), x'')")
            try writer.setPendingRecovery(PendingRecovery(reason: .forked, common: 1))
        }
        try Data("{}".utf8).write(to: URL(fileURLWithPath: api.folder.epoch))
        #expect(try await codes(api) == [.epochMissing, .epochOther, .recoveryPending, .reissueWaiting])
    }

    @Test("what was damaged when the incarnation began, and is gone, is said for thirty days", arguments: [30, 31])
    func lost(days: Int64) async throws {
        let api = try await certified()
        let since = api.node.clock.now() - days * 86_400_000 + 60_000
        try await api.node.administer { writer in
            try writer.executeForTests(
                """
                INSERT INTO meta VALUES ('incarnation_since', \(since));
                INSERT INTO reissued SELECT 5, 5, value, \(Successor.lostSequence), 1 FROM meta WHERE key = 'replica'
                """)
        }
        #expect(try await codes(api).contains(.operationsLost) == (days == 30))
    }

    @Test("the machine: clock, folder, backups, and peers that were not heard of")
    func machine() async throws {
        let api = try await certified()
        _ = try await api.open()
        try await api.node.administer { writer in
            try writer.executeForTests("UPDATE operation SET time = (\(APINode.now + 120_000) << 16) WHERE arrival = 2")
            try writer.executeForTests(
                "UPDATE operation SET time = (\(APINode.now - 8 * 86_400_000) << 16) WHERE arrival = 1")
            try writer.executeForTests(
                "INSERT INTO peer (site, role, last_contact) VALUES ('hz.zj', 0, \(APINode.now - 90_000_000))")
        }
        #expect(chmod(api.folder.path, 0o750) == 0)
        // The states still have the times that were written first.
        #expect(try await codes(api) == [.clockBehind, .folderOpen, .backupOld, .peerSilent, .stateWrong])
        let path = api.folder.path + "/elsewhere.db"
        // Times were changed under their hashes: known damage does not keep a backup from being made.
        try await api.node.administer { writer in
            _ = try writer.noteDamaged([1, 2], now: 1)
        }
        let job = try await api.finished(try await api.answer("POST", "jobs/backup", #"{"path":"\#(path)"}"#))
        #expect(job.error == nil)
        #expect(try await !codes(api).contains(.backupOld))
    }

    @Test("with less than five percent free doctor says that the node is read-only, and what makes it write again")
    func readOnly() async throws {
        let api = try await certified()
        api.node.disk.measure { DiskGuard.freePercentMin - 0.1 }
        let report = try await report(api)
        #expect(report.findings.map(\.code) == [.diskLow])
        #expect(report.findings[0].message.contains("read-only") && report.findings[0].next.contains("writes again"))
        api.node.disk.measure { DiskGuard.freePercentMin }
        #expect(try await codes(api).isEmpty)
    }

    @Test("a check that fails is a finding, and the others are made all the same")
    func failing() async throws {
        let api = try await certified()
        try await api.node.administer { try $0.executeForTests("DROP TABLE damaged") }
        let report = try await report(api)
        #expect(report.findings.map(\.code) == [.checkFailed] && report.findings[0].check == "log")
    }

    @Test("every code is in the page of the API")
    func codesAreListed() throws {
        let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = try String(contentsOf: repository.appending(path: "Protocols/api.yaml"), encoding: .utf8)
        let line = try #require(page.split(separator: "\n").first { $0.contains("enum: [checkFailed") })
        let listed = line.drop { $0 != "[" }.dropFirst().prefix { $0 != "]" }.split(separator: ",")
            .map { $0.trimmingCharacters(in: .whitespaces) }
        #expect(listed == FindingCode.allCases.map(\.rawValue))
    }
}
