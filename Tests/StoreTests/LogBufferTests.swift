import FaultVFS
import Foundation
import Replication
import Store
import TestSupport
import Testing
import Tickets

/// What the writer puts into its write-ahead log reaches the file in long pieces. Source: Protocols/operations.md §6.
@Suite struct LogBufferTests {
    private static func store(_ folder: DataFolder) throws -> StoreWriter {
        let identity = NodeIdentity(site: SiteCode(validated: "zj"), replica: ReplicaID(13), parent: nil)
        return try Store.open(folder, creating: identity).writer
    }

    @Test("a short commit is one write and one flush")
    func short() throws {
        let folder = DataFolder(path: NSTemporaryDirectory() + "banjie-buffer-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        let disk = FaultDisk(folder: folder.path)
        defer { disk.remove() }
        let writer = try Self.store(folder)
        // The first ones make the log longer.
        for turn in 0..<4 { try writer.executeForTests("REPLACE INTO meta VALUES ('turn', \(turn))") }
        for turn in 4..<12 {
            let before = disk.counts.operations
            try writer.executeForTests(
                "REPLACE INTO meta VALUES ('turn', \(turn)), ('filler', zeroblob(\(turn * 4_096)))")
            #expect(disk.counts.operations - before == 2)
        }
    }

    /// More than the writer's cache holds: pages go into the log before the commit, are read from there and written over.
    @Test("a transaction that reads back what it has spilled, and takes some of it back, leaves what it should")
    func spilled() throws {
        let store = try TestStore("zj", replica: 13)
        let rows = 2 * Store.cacheKibibytes
        try store.writer.executeForTests(
            """
            CREATE TABLE filler (id INTEGER PRIMARY KEY, turn INTEGER NOT NULL, octets BLOB NOT NULL);
            INSERT INTO filler WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(rows))
                SELECT i, 0, zeroblob(1000) FROM n;
            UPDATE filler SET turn = 1 WHERE id % 3 = 0;
            SAVEPOINT other;
            UPDATE filler SET turn = 2, octets = zeroblob(1100);
            ROLLBACK TO other;
            UPDATE filler SET turn = turn + 10 WHERE id % 5 = 0;
            INSERT INTO meta VALUES ('fact.sum', (SELECT sum(turn * id) FROM filler));
            """)
        let sum = (1...rows).reduce(0) { $0 + $1 * (($1 % 3 == 0 ? 1 : 0) + ($1 % 5 == 0 ? 10 : 0)) }
        let stored = "(SELECT sum(turn * id) FROM filler)"
        // Readers find it in the log, and after it has been moved in the database.
        for _ in 0..<2 {
            #expect(try store.reader.fact("sum") == "\(sum)")
            try store.writer.executeForTests("REPLACE INTO meta VALUES ('fact.sum', \(stored))")
            #expect(try store.reader.fact("sum") == "\(sum)")
            #expect(try store.reader.quickCheck().isEmpty)
            try store.writer.checkpoint()
        }
    }
}
