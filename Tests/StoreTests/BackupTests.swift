import class Foundation.FileManager
import struct Foundation.Data
import struct Foundation.URL
import Replication
import Store
import TestSupport
import Testing
import Tickets

@Suite struct BackupTests {
    private func filled(_ site: String = "zj", tickets: Int = 3) throws -> TestStore {
        let store = try TestStore(site, replica: 13)
        try store.commit([announcement(site, replica: 13)])
        try add(tickets, to: store, from: 1)
        return store
    }

    @discardableResult
    private func add(_ count: Int, to store: TestStore, from first: UInt64) throws -> [Operation] {
        var office = Office("zj", replica: 13, announced: true)
        var made: [Operation] = []
        for minute in 0..<(Int(first) - 1 + count) {
            made += try office.perform(
                .open(OpenBody(title: "t\(minute)", category: "network", department: "service")), on: nil,
                as: "service", minute: Int64(minute))
        }
        let new = Array(made.dropFirst(Int(first) - 1))
        try store.commit(new)
        return new
    }

    private func names(_ folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    }

    @Test("a backup is one file that opens, says when it was made, and holds what the store holds")
    func create() throws {
        let store = try filled()
        let path = store.folder.backups + "/copy.db"
        var shares: [Double] = []
        let content = try store.reader.backup(to: path, now: 77) { shares.append(Double($0) / Double($1)) }
        #expect(content.findings.isEmpty && content.tickets == 3 && content.operations == 4)
        #expect(try content.digest == store.reader.counts().digest)
        #expect(try names(store.folder.backups) == ["copy.db"])
        #expect(shares == shares.sorted() && shares.last == 1)
        let header = try BackupHeader.read(path)
        #expect(header.made == 77 && header.site == "zj" && header.replica == ReplicaID(13))
        #expect((header.operations, header.tickets) == (4, 3))
        #expect(try BackupContent.read(path) { _, _ in } == content)
        #expect(try names(store.folder.backups) == ["copy.db"], "reading leaves nothing beside it")
        #expect(throws: StoreError.self) { try store.reader.backup(to: path, now: 78) { _, _ in } }
    }

    @Test("a copy that does not verify never gets its name; damage that the store knows of is copied and shown")
    func damaged() throws {
        let store = try filled()
        let path = store.folder.backups + "/copy.db"
        try RawConnection(store.folder).execute("UPDATE operation SET body = x'' WHERE arrival = 2")
        #expect(throws: StoreError.self) { try store.reader.backup(to: path, now: 1) { _, _ in } }
        #expect(try names(store.folder.backups).isEmpty)
        try store.writer.noteDamaged([2], now: 1)
        let content = try store.reader.backup(to: path, now: 1) { _, _ in }
        #expect(content.findings.isEmpty && content.known.count == 1)
    }

    /// A store that has been closed, its backup, and what was written after it.
    private func closed() throws -> (folder: DataFolder, backup: String, later: [Operation]) {
        let store = try filled()
        let folder = DataFolder(path: store.folder.path + "-restore")
        try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
        try store.writer.checkpoint()
        let backup = folder.path + "/backup.db"
        _ = try store.reader.backup(to: backup, now: 1) { _, _ in }
        let later = try add(2, to: store, from: 4)
        try store.writer.saveEpoch()
        try store.writer.checkpoint()
        for name in ["banjie.db", "epoch"] {
            try FileManager.default.copyItem(atPath: store.folder.path + "/" + name, toPath: folder.path + "/" + name)
        }
        return (folder, backup, later)
    }

    private func restore(_ folder: DataFolder, _ backup: String, force: Bool = false) throws -> Restored {
        try Store.restore(folder, from: backup, site: nil, isForced: force, stamp: "S") { _, _ in }
    }

    @Test("a restored store goes on under a new incarnation; the database that was here is kept and opens")
    func restored() throws {
        let (folder, backup, later) = try closed()
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        let result = try restore(folder, backup)
        #expect(result.kept == folder.path + "/banjie-S.db")
        #expect(try BackupHeader.read(folder.path + "/banjie-S.db").operations == 6)
        do {
            let (writer, reader) = try Store.open(folder, context: StoreContext(now: 9, nextReplica: ReplicaID(14)))
            #expect(reader.identity.replica == ReplicaID(14))
            #expect(reader.identity.follows == Predecessor(replica: ReplicaID(13), sequence: 4))
            #expect(try reader.incarnation().reason == .restored && reader.counts().tickets == 3)
            // What a peer still has of the former incarnation comes back.
            var hasher = ContentHasher()
            var hashes: [ContentHash] = []
            for operation in later { hashes.append(hasher.hash(operation)) }
            _ = try writer.commit([MergeBatch(source: .local, operations: later, hashes: hashes)], now: 0)
            #expect(try reader.counts().tickets == 5)
        }
        // Once: it is the same incarnation from then on.
        let (_, reader) = try Store.open(folder, context: StoreContext(now: 10, nextReplica: ReplicaID(15)))
        #expect(reader.identity.replica == ReplicaID(14))
    }

    @Test("a folder whose database is missing takes a backup; a running node's folder does not")
    func missing() throws {
        let (folder, backup, _) = try closed()
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        try FileManager.default.removeItem(atPath: folder.database)
        #expect(try restore(folder, backup).kept == nil)
        let opened = try Store.open(folder)
        #expect(throws: StoreError.self) { try restore(folder, backup) }
        _ = opened
    }

    @Test("a database that cannot be opened any more is kept with its log, and replaced")
    func broken() throws {
        let (folder, backup, _) = try closed()
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        try Data("no database".utf8).write(to: URL(fileURLWithPath: folder.database))
        try Data("no log".utf8).write(to: URL(fileURLWithPath: folder.database + "-wal"))
        #expect(try restore(folder, backup).kept != nil)
        #expect(try names(folder.path).contains("banjie-S.db-wal"))
        #expect(!FileManager.default.fileExists(atPath: folder.database + "-wal"))
        let (_, reader) = try Store.open(folder)
        #expect(try reader.counts().tickets == 3)
    }

    @Test("a backup of another site is refused, and a damaged one unless forced; the folder stays as it was")
    func refused() throws {
        let (folder, backup, _) = try closed()
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        let before = try names(folder.path).filter { $0.hasSuffix(".db") }
        let other = try TestStore("hz.zj", replica: 20)
        try other.commit([announcement("hz.zj", replica: 20)])
        let foreign = folder.path + "-foreign.db"
        defer { try? FileManager.default.removeItem(atPath: foreign) }
        _ = try other.reader.backup(to: foreign, now: 1) { _, _ in }
        #expect {
            try restore(folder, foreign, force: true)
        } throws: { error in
            if case StoreError.backupOfOtherSite(_, "hz.zj", let expected) = error {
                expected.rawValue == "zj"
            } else {
                false
            }
        }
        try RawConnection(path: backup).execute("UPDATE operation SET body = x'' WHERE arrival = 3")
        #expect {
            try restore(folder, backup)
        } throws: { error in
            if case StoreError.damagedBackup = error { true } else { false }
        }
        #expect(throws: StoreError.self) { try restore(folder, folder.path + "/nothing.db") }
        #expect(try names(folder.path).filter { $0.hasSuffix(".db") || $0.hasSuffix(".restore") } == before)
        #expect(try BackupHeader.read(folder.database).operations == 6)
        #expect(try restore(folder, backup, force: true).content.findings.count == 1)
    }

    @Test("a restore that was cut before its last step leaves the old store, and the next one takes its place")
    func cut() throws {
        let (folder, backup, _) = try closed()
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        // As it stands after the second name was given and before the rename.
        try FileManager.default.copyItem(atPath: backup, toPath: folder.database + ".restore")
        try FileManager.default.linkItem(atPath: folder.database, toPath: folder.path + "/banjie-R.db")
        do {
            let (_, reader) = try Store.open(folder, context: StoreContext(now: 9, nextReplica: ReplicaID(14)))
            #expect(try reader.counts().operations == 6)
            #expect(reader.identity.replica == ReplicaID(13))
        }
        _ = try restore(folder, backup)
        let (_, reader) = try Store.open(folder, context: StoreContext(now: 9, nextReplica: ReplicaID(14)))
        #expect(reader.identity.replica == ReplicaID(14))
        #expect(!FileManager.default.fileExists(atPath: folder.database + ".restore"))
    }
}
