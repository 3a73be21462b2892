import class Foundation.FileManager
import func Foundation.NSTemporaryDirectory
import struct Foundation.UUID
import Node
import Replication
import Store
import TestSupport
import Testing
import Tickets

/// Source: Protocols/operations.md §9.
@Suite struct FrozenByDamageTests {
    /// A node at which somebody has opened a ticket.
    private final class Desk {
        let folder = DataFolder(path: NSTemporaryDirectory() + "banjie-frozen-\(UUID().uuidString)")
        let replica: Replica
        let ticket: EntityID
        let opening: StoredOperation

        init() throws {
            let (writer, reader) = try Store.open(
                folder,
                creating: NodeIdentity(site: SiteCode(validated: "zj"), replica: ReplicaID(1), parent: nil))
            replica = try Replica(writer: writer)
            try replica.announceIfNew(certificateFingerprint: [], now: Office.start)
            ticket = try replica.execute(
                TicketCommand(
                    ticket: nil, version: VersionVector(),
                    action: .open(OpenBody(title: "断网", department: "service"))), by: Self.author, now: Office.start
            ).ticket
            opening = try #require(try reader.operations(after: 0, limit: 9).last)
        }

        deinit { try? FileManager.default.removeItem(atPath: folder.path) }

        private static let author = Author(
            name: "li", role: .dispatcher, level: .province, site: SiteCode(validated: "zj"), department: "service")

        func note() throws {
            let seen = try replica.reader.state(of: ticket)?.seen() ?? VersionVector()
            _ = try replica.execute(
                TicketCommand(ticket: ticket, version: seen, action: .note("已联系")), by: Self.author, now: Office.start)
        }

        /// What an upgrade does with a damaged row.
        func breakOpening() throws {
            try replica.writer.damageForTests(arrival: opening.arrival)
            try replica.writer.rebuild(now: 2)
        }
    }

    @Test("a ticket that is frozen by a damaged row says so, and is free when the row is healed")
    func damaged() throws {
        let desk = try Desk()
        try desk.note()
        #expect(try desk.replica.reader.record(of: desk.ticket)?.freezingDamage == nil)
        try desk.breakOpening()
        #expect(throws: Refusal.frozenByDamage(desk.opening.operation.dot)) { try desk.note() }
        #expect(try desk.replica.reader.record(of: desk.ticket)?.freezingDamage == desk.opening.operation.dot)

        #expect(try desk.replica.writer.heal(desk.opening.operation, hash: desk.opening.hash))
        #expect(try desk.replica.reader.record(of: desk.ticket)?.freezingDamage == nil)
        try desk.note()
    }

    @Test("an unknown critical kind beside the damaged row asks for the upgrade that it takes")
    func both() throws {
        let desk = try Desk()
        try desk.breakOpening()
        let unknown = Operation(
            dot: Dot(ReplicaID(9), 2), entity: desk.ticket, previous: 0, seen: VersionVector(), time: .zero,
            author: desk.opening.operation.author, scope: [], kind: OperationKind(rawValue: 500), isCritical: true,
            body: [1])
        var hasher = ContentHasher()
        // Its replica is introduced, so that it is not parked.
        let batch = [announcement("zj", replica: 9), unknown]
        try desk.replica.writer.commit(
            [MergeBatch(source: .local, operations: batch, hashes: batch.map { hasher.hash($0) })], now: 3)
        #expect(throws: Refusal.frozen) { try desk.note() }
        #expect(try desk.replica.reader.record(of: desk.ticket)?.freezingDamage == nil)
    }
}
