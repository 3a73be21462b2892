import class Foundation.FileManager
import func Foundation.NSTemporaryDirectory
import struct Foundation.UUID
import Replication
import Store
import TestSupport
import Testing
import Tickets

/// How far the log goes of an incarnation, where its row is behind it. Source: Protocols/operations.md §6.
@Suite struct ReplicaHeadTests {
    private static let replica = ReplicaID(0xA1)

    private func history(_ count: Int) throws -> [Operation] {
        var office = Office("nb.zj", replica: Self.replica.rawValue, announced: true)
        while office.log.count < count {
            try office.perform(
                .open(OpenBody(title: "工单", department: "service")), on: nil, as: "service",
                minute: Int64(office.log.count))
        }
        return [announcement("nb.zj", replica: Self.replica.rawValue)] + office.log.prefix(count - 1)
    }

    /// What the row says.
    private func written(_ folder: DataFolder) throws -> Int {
        let sql = "SELECT highest FROM replica WHERE replica = \(Self.replica.rawValue)"
        return Int(try #require(try RawConnection(folder).integer(sql)))
    }

    @Test(
        "whoever asks learns what the log has, after a crash anywhere and with commits of any size",
        arguments: 1...4 as ClosedRange<UInt64>)
    func crashes(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let operations = try history(400)
        let store = try TestStore("nb.zj", replica: Self.replica.rawValue)
        var hasher = ContentHasher()
        var chain = ContentHash.zero
        var index = 0
        var behindMost = 0
        while index < operations.count {
            let count = min(Int.random(in: 0..<9, using: &random) == 0 ? 80 : 1, operations.count - index)
            let part = Array(operations[index..<index + count])
            try store.commit(part)
            for operation in part { chain = hasher.link(previous: chain, hash: hasher.hash(operation)) }
            index += count
            if Int.random(in: 0..<20, using: &random) == 0 { store.writer.forgetCacheForTests() }
            let own = try #require(try store.reader.ownHistory())
            #expect(own.sequence == UInt64(index) && own.chain == chain)
            #expect(try store.writer.lastSequence() == UInt64(index))
            #expect(try store.reader.prefix(of: Self.replica) == UInt64(index))
            behindMost = max(behindMost, index - (try written(store.folder)))
        }
        #expect((10..<64).contains(behindMost), "the row is behind, and not further than it may be")
        let listed = try #require(try store.reader.replicas(of: SiteCode(validated: "nb.zj")).first)
        #expect(listed.highest == UInt64(index) && listed.contiguous == UInt64(index))
        #expect(listed.lastTime == operations.last?.time.milliseconds)
    }

    @Test("a store that is closed has it in its row, and goes on behind it")
    func close() throws {
        let operations = try history(30)
        let folder = DataFolder(path: NSTemporaryDirectory() + "banjie-head-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        let identity = NodeIdentity(site: SiteCode(validated: "nb.zj"), replica: Self.replica, parent: nil)
        var hasher = ContentHasher()
        for part in [operations[..<20], operations[20...]] {
            let writer = try Store.open(folder, creating: part.startIndex == 0 ? identity : nil).writer
            for operation in part {
                _ = try writer.commit(
                    [MergeBatch(source: .local, operations: [operation], hashes: [hasher.hash(operation)])], now: 1)
            }
            #expect(try written(folder) < part.endIndex)
            withExtendedLifetime(writer) {}
        }
        #expect(try written(folder) == 30)
    }
}
