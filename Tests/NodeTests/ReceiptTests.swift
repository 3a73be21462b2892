import class Foundation.FileManager
import func Foundation.NSTemporaryDirectory
import struct Foundation.UUID
@testable import Node
import Replication
import Store
import TestSupport
import Testing
import Tickets

/// Source: Protocols/sync.md §11.
@Suite struct ReceiptTests {
    private static let site = SiteCode(validated: "zj")

    /// A province to which a region has transferred a ticket: the receipt is to be written.
    private final class Desk {
        let folder = DataFolder(path: NSTemporaryDirectory() + "banjie-receipt-\(UUID().uuidString)")
        let writer: StoreWriter
        let reader: StoreReader
        let replica: Replica
        let ticket: EntityID
        private var region = Office("hz.zj", replica: 11, announced: true)
        private var hasher = ContentHasher()

        init() throws {
            (writer, reader) = try Store.open(
                folder, creating: NodeIdentity(site: site, replica: ReplicaID(1), parent: nil))
            replica = try Replica(writer: writer, provinceKey: nil)
            try replica.announceIfNew(certificateFingerprint: [], now: Office.start)
            let opened = try region.perform(
                .open(OpenBody(title: "断网", department: "service")), on: nil, as: "service", minute: 0)
            ticket = opened[0].entity
            try take([announcement("hz.zj", replica: 11)] + opened)
            _ = try act(.transfer(.onward, site: site, department: "service", reason: "转", note: ""))
        }

        deinit { try? FileManager.default.removeItem(atPath: folder.path) }

        /// Something that the region does, and that has come here.
        func act(_ action: TicketCommand.Action) throws -> [Operation] {
            let made = try region.perform(action, on: ticket, as: "service", minute: Int64(region.log.count))
            try take(made)
            return made
        }

        private func take(_ operations: [Operation]) throws {
            try writer.commit(
                [MergeBatch(source: .local, operations: operations, hashes: operations.map { hasher.hash($0) })], now: 1
            )
        }

        func log() throws -> [StoredOperation] { try reader.operations(after: 0, limit: 100) }

        func receipts() throws -> [StoredOperation] {
            try log().filter { $0.operation.kind == Kind.delivered.operationKind }
        }

        func isOwing() throws -> Bool {
            try writer.state(of: ticket)?.summary().receiptsOwed(by: site).isEmpty == false
        }
    }

    @Test("a receipt whose row is damaged is not written a second time when the log is folded anew")
    func damaged() throws {
        let desk = try Desk()
        _ = try desk.replica.writeReceipts(for: [desk.ticket], now: 3)
        let receipt = try #require(try desk.receipts().first)

        // What an upgrade does when it folds the log anew.
        try desk.writer.damageForTests(arrival: receipt.arrival)
        try desk.writer.rebuild(now: 4)
        #expect(try desk.isOwing())
        _ = try desk.replica.writeWaitingReceipts(now: 5)
        #expect(try desk.receipts().count == 1, "the damaged row may be the receipt")

        // A chase that has come behind it has none for certain.
        let next = try desk.act(.chase(customer: nil, promised: nil, note: "催", channel: "phone"))
        _ = try desk.replica.writeReceipts(for: [desk.ticket], now: 6)
        let last = try #require(try desk.receipts().last)
        #expect(try desk.receipts().count == 2)
        #expect(try Body(decoding: last.operation) == .delivered(DeliveredBody(target: next[0].dot)))

        #expect(try desk.writer.heal(receipt.operation, hash: receipt.hash, now: 7))
        #expect(try !desk.isOwing())
    }

    @Test("a receipt that waits for a damaged row is told as owed once that is healed")
    func owedOnceHealed() throws {
        let desk = try Desk()
        _ = try desk.act(.note("已联系"))
        let note = try #require(try desk.log().last)
        try desk.writer.damageForTests(arrival: note.arrival)
        #expect(try desk.writer.noteDamaged([note.arrival], now: 3) == [note.arrival])
        _ = try desk.replica.writeReceipts(for: [desk.ticket], now: 4)
        #expect(try desk.receipts().isEmpty)

        #expect(try desk.writer.heal(note.operation, hash: note.hash, now: 5))
        let effects = try desk.replica.writeProjection()
        #expect(effects.owingReceipts == [desk.ticket])
        _ = try desk.replica.writeReceipts(for: effects.owingReceipts, now: 6)
        #expect(try desk.receipts().count == 1)
    }

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
            "CREATE TEMP TRIGGER full BEFORE INSERT ON main.operation BEGIN SELECT RAISE(ABORT, 'no room'); END")
        #expect(throws: (any Error).self) { try replica.writeReceipts(for: effects.owingReceipts, now: Office.start) }
        #expect(replica.owedReceipts == [id])
        try writer.executeForTests("DROP TRIGGER temp.full")
        #expect(try replica.writeReceipts(for: [], now: Office.start).insertedCount == 1)
        #expect(replica.owedReceipts.isEmpty)
        #expect(try replica.reader.state(of: id)?.summary().custody?.delivered != nil)
        #expect(try replica.writeReceipts(for: [id], now: Office.start).insertedCount == 0, "it is written once")
    }
}
