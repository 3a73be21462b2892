import Foundation
import Replication
import Store
import TestSupport
import Testing
import Tickets

/// The write-ahead log's file is longer than what is written in it. Source: Protocols/operations.md §6.
@Suite struct LogReserveTests {
    private static func logBytes(_ folder: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: folder + "/banjie.db-wal")
        return try #require(attributes[.size] as? Int)
    }

    @Test("small commits leave the file's length alone, and what lies behind them is no frame")
    func reserve() throws {
        let store = try TestStore("zj", replica: 13)
        let log = try MergeTests().history(tickets: 8).flatMap { $0 }
        // The tables were a large commit; the first small one finds out how long the file is.
        for operation in log.prefix(2) { try store.commit([operation]) }
        let length = try Self.logBytes(store.folder.path)
        #expect(length >= 1 << 20)
        for operation in log[2..<10] { try store.commit([operation]) }
        #expect(try Self.logBytes(store.folder.path) == length)

        // As a loss of power would leave it.
        let copy = DataFolder(path: store.folder.path + "-copy")
        defer { try? FileManager.default.removeItem(atPath: copy.path) }
        try FileManager.default.copyItem(atPath: store.folder.path, toPath: copy.path)
        try? FileManager.default.removeItem(atPath: copy.path + "/banjie.db-shm")
        let (_, reader) = try Store.open(copy)
        for operation in log.prefix(10) { #expect(try reader.operation(operation.dot) == operation) }
    }

    @Test("a log that was emptied gets its reserve again")
    func emptied() throws {
        let store = try TestStore("zj", replica: 13)
        let log = try MergeTests().history(tickets: 8).flatMap { $0 }
        for operation in log.prefix(5) { try store.commit([operation]) }
        try store.writer.checkpoint()
        #expect(try Self.logBytes(store.folder.path) == 0)
        for operation in log[5..<7] { try store.commit([operation]) }
        let length = try Self.logBytes(store.folder.path)
        #expect(length >= 1 << 20)
        for operation in log[7..<12] { try store.commit([operation]) }
        #expect(try Self.logBytes(store.folder.path) == length)
    }

    /// Of the log's header: others once it has begun anew.
    private static func salts(_ folder: String) throws -> Data {
        let file = try #require(FileHandle(forReadingAtPath: folder + "/banjie.db-wal"))
        defer { try? file.close() }
        try file.seek(toOffset: 16)
        return try #require(try file.read(upToCount: 8))
    }

    @Test("a long log goes into the database on another thread, and begins anew with what the writer adds")
    func checkpointed() async throws {
        let store = try TestStore("zj", replica: 13)
        let log = try MergeTests().history(tickets: 2).flatMap { $0 }
        try store.commit(log)
        let salts = try Self.salts(store.folder.path)
        try store.writer.executeForTests(
            "CREATE TABLE filler AS SELECT zeroblob(\(Store.checkpointPages * Store.pageBytes)) AS octets")
        var turn = 0
        try await eventually("the log has begun anew", within: 120) {
            turn += 1
            try store.writer.executeForTests("REPLACE INTO meta VALUES ('turn', \(turn))")
            return try Self.salts(store.folder.path) != salts
        }
        #expect(try store.reader.quickCheck().isEmpty)
        for operation in log { #expect(try store.reader.operation(operation.dot) == operation) }
    }
}
