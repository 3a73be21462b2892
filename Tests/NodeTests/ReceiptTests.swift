import Foundation
import Node
import Replication
import Store
import TestSupport
import Testing
import Tickets

/// Source: Protocols/sync.md §11.
@Suite struct ReceiptTests {
    @Test("a receipt for which the disk had no room is owed, and goes with the next, whatever that is for")
    func owed() throws {
        let folder = DataFolder(path: NSTemporaryDirectory() + "banjie-receipts-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        let zj = SiteCode(validated: "zj")
        let writer = try Store.open(
            folder, creating: NodeIdentity(site: zj, replica: ReplicaID(41), parent: nil)
        ).writer
        let replica = try Replica(writer: writer)
        try replica.announceIfNew(certificateFingerprint: [], now: Office.start)
        var office = Office("hz.zj", replica: 11, announced: true)
        let id = try office.perform(
            .open(OpenBody(title: "宽带", department: "SVC")), on: nil, as: "SVC", minute: 1)[0].entity
        try office.perform(
            .transfer(.dispatch, site: zj, department: "network", reason: "", note: "请处理"), on: id, as: "SVC", minute: 2
        )
        let (child, _) = try writer.meet(
            SyncMessage.Hello(
                version: 1, site: office.site, replica: office.replica, wallMilliseconds: 0, run: 1),
            role: .child, now: Office.start)
        let operations = [announcement("hz.zj", replica: 11)] + office.log
        var hasher = ContentHasher()
        let batch = MergeBatch(
            source: .peer(child, .repair), operations: operations, hashes: operations.map { hasher.hash($0) })
        var effects = try replica.merge([batch], now: Office.start)
        if effects.owingReceipts.isEmpty { effects = try replica.writeProjection() }
        #expect(effects.owingReceipts == [id])

        try writer.executeForTests(
            "CREATE TEMP TRIGGER full BEFORE UPDATE ON main.replica BEGIN SELECT RAISE(ABORT, 'no room'); END")
        #expect(throws: (any Error).self) { try replica.writeReceipts(for: effects.owingReceipts, now: Office.start) }
        #expect(replica.owedReceipts == [id])
        try writer.executeForTests("DROP TRIGGER temp.full")
        #expect(try replica.writeReceipts(for: [], now: Office.start).insertedCount == 1)
        #expect(replica.owedReceipts.isEmpty)
        #expect(try replica.reader.state(of: id)?.summary().custody?.delivered != nil)
        #expect(try replica.writeReceipts(for: [id], now: Office.start).insertedCount == 0, "it is written once")
    }
}
