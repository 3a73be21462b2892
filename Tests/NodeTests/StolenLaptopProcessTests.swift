import Foundation
import Node
import Replication
import Store
import TestSupport
import Testing
import Transport

#if canImport(Glibc)
    import Glibc
#endif

/// A branch's folder is copied and run by a thief, all nodes being processes. Source: Protocols/trust.md §8 and §9.
@Suite(.timeLimit(.minutes(5))) struct StolenLaptopProcessTests {
    private static let cutMillisecondsMax = 1_000.0
    /// Where more wants to run than there are cores, which says nothing of the node.
    private static let busyMillisecondsMax = 10_000.0
    private static let number = "13800138000"

    private static var isBusy: Bool {
        var load = 0.0
        return getloadavg(&load, 1) == 1 && load > Double(ProcessInfo.processInfo.activeProcessorCount)
    }

    /// Every file below a folder, but for one.
    private func bytes(of folder: DataFolder, without excluded: String) -> [(path: String, content: Data)] {
        let files = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? []
        return files.filter { $0 != excluded }.compactMap { file in
            FileManager.default.contents(atPath: folder.path + "/" + file).map { (file, $0) }
        }
    }

    @Test(
        "a stolen branch is cut within a second, gets in no more by any way, and what it writes is nowhere",
        .enabled(if: NodeProcess.program != nil, "the program was not built: swift build"))
    func stolen() async throws {
        let province = try ProcessProvince()
        defer { province.remove() }
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj", below: zj)
        let xihu = try await province.add("xihu.hz.zj", below: hz)
        let sister = try await province.add("binjiang.hz.zj", below: hz)
        let shared = try await xihu.value(
            ["ticket", "id"], of: "ticket", "open", "断网", "--customer", Self.number, "--as", "小王", "--department",
            "SVC", "--role", "dispatcher")
        try await xihu.command(
            "ticket", "transfer", shared, "--to", "NET@binjiang.hz.zj", "--as", "小王", "--department", "SVC",
            "--role", "dispatcher")
        try await eventually("the sister and the province have the shared ticket") {
            let isAtSister = try await sister.has(shared)
            return try await zj.has(shared) && isAtSister
        }
        // The disk, while the write-ahead log is in use: whoever has it without the key reads no personal field.
        for (path, content) in bytes(of: xihu.folder, without: "tls/sealing.key") {
            #expect(content.range(of: Data(Self.number.utf8)) == nil, "\(path)")
        }
        #expect(FileManager.default.fileExists(atPath: xihu.folder.path + "/banjie.db-wal"))
        try await xihu.stop()
        let thief = NodeProcess(province.root + "/thief")
        try FileManager.default.copyItem(atPath: xihu.folder.path, toPath: thief.folder.path)
        try await thief.start()
        try await eventually("the thief is connected") {
            let isSession = try await thief.isConnected(to: "hz.zj")
            return try await hz.isConnected(to: "xihu.hz.zj") && isSession
        }

        // A connection that does not go by itself, whatever it is told.
        let keys = KeyFolder(thief.folder)
        let held = try await HTTP2Client.connect(
            to: hz.address(), tls: keys.clientContext(), expectedPeer: .uri("banjie://hz.zj/"), logger: quiet)
        let end = Task { () -> Double in
            _ = await held.closed
            return NodeProcess.now
        }
        let (before, heard) = (thief.journal.lines.count, hz.journal.lines.count)
        try await hz.command("peers", "revoke", "xihu.hz.zj", "--reason", "laptop stolen", "--yes")
        try await eventually("the parent says that it knows") {
            hz.journal.first("a replica is revoked", after: heard) != nil
        }
        let known = try #require(hz.journal.first("a replica is revoked", after: heard)).at
        let cut = await end.value - known
        try await eventually("the thief's own session has ended") {
            thief.journal.first("no session", after: before) != nil
        }
        let told = try #require(thief.journal.first("no session", after: before)).at - known
        print(
            "revocation.cutMilliseconds \(Int(cut.rounded(.up))), revocation.toldMilliseconds \(Int(told.rounded(.up)))"
        )
        let limit = Self.isBusy ? Self.busyMillisecondsMax : Self.cutMillisecondsMax
        #expect(cut < limit && told < limit)

        try await refused(thief, by: hz, keys)
        let forged = try await thief.value(
            ["ticket", "id"], of: "ticket", "open", "偷来的单", "--as", "小王", "--department", "SVC", "--role",
            "dispatcher")
        let bundle = province.root + "/stolen.bundle"
        try await thief.command("sync", "bundle", "create", "hz.zj", bundle)
        let applied = try await hz.command("sync", "bundle", "apply", bundle, failing: true)
        #expect(applied.errors.contains("revoked"), "\(applied)")

        // The others work on; what has come since shows that the thief's had its time to come.
        let proper = try await sister.value(
            ["ticket", "id"], of: "ticket", "open", "照常", "--as", "小李", "--department", "SVC", "--role", "dispatcher")
        try await eventually("the sister's ticket is at the province") { try await zj.has(proper) }
        for office in [zj, hz, sister] { #expect(try await !office.has(forged), "\(office.folder.path)") }
        #expect(try await !hz.isConnected(to: "xihu.hz.zj"))
        for office in [thief, sister, hz, zj] { try await office.stop() }
    }

    private func refused(_ thief: NodeProcess, by parent: NodeProcess, _ keys: KeyFolder) async throws {
        let before = parent.journal.lines.count
        try await thief.command("sync", "now")
        try await eventually("the parent has refused it") {
            parent.journal.lines.dropFirst(before).contains { $0.text.contains("refused") }
        }
        await #expect(throws: (any Error).self) {
            let connection = try await HTTP2Client.connect(
                to: parent.address(), tls: keys.clientContext(), expectedPeer: .uri("banjie://hz.zj/"), logger: quiet)
            // In TLS 1.3 the refusal may come behind the handshake.
            let stream = try await connection.open(
                HTTP2RequestHead(method: "POST", authority: "hz.zj", path: "/renew"), endStream: true)
            let status = try await stream.responseHead.status
            #expect(status == 403)
            throw CancellationError()
        }
    }
}
