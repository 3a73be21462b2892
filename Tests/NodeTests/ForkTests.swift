import Foundation
import Node
import Replication
import Store
import TestSupport
import Testing
import Tickets

/// A folder that was copied: both copies write under one incarnation, until a peer proves it.
@Suite struct ForkTests {
    /// One copy of the office, opened and closed as a process would.
    final class Copy {
        let folder: DataFolder
        private(set) var writer: StoreWriter?
        private var opened: Replica?
        private var minute: Int64 = 0

        init(_ folder: DataFolder) {
            self.folder = folder
        }

        var replica: Replica { get throws { try #require(opened) } }

        func open(next: UInt64, creating: NodeIdentity? = nil) throws {
            let context = StoreContext(now: now, nextReplica: ReplicaID(next))
            let (writer, _) = try Store.open(folder, creating: creating, context: context)
            self.writer = writer
            let replica = try Replica(writer: writer)
            try replica.announceIfNew(certificateFingerprint: [], now: now)
            opened = replica
        }

        func close() {
            opened = nil
            writer = nil
        }

        var now: Int64 { Office.start + minute * 60_000 }

        /// One command drawn from the generator, if the ticket allows it.
        func act(_ generator: inout SeededGenerator) throws {
            minute += Int64.random(in: 0..<20, using: &generator)
            let replica = try replica
            let author = Author(
                name: "li", role: .dispatcher, level: .region, site: replica.identity.site, department: "service")
            let ids = try replica.reader.list(TicketFilter()).map(\.id).sorted()
            let id =
                ids.isEmpty || Int.random(in: 0..<5, using: &generator) == 0
                ? nil : ids.randomElement(using: &generator)
            let state = try id.flatMap { try replica.reader.state(of: $0) }
            let action = action(on: state, others: ids, &generator)
            _ = try? replica.execute(
                TicketCommand(ticket: id, version: state?.seen() ?? VersionVector(), action: action), by: author,
                now: now)
        }

        private func action(
            on state: Ticket?, others: [EntityID], _ generator: inout SeededGenerator
        ) -> TicketCommand.Action {
            guard let summary = state?.summary() else {
                return .open(
                    OpenBody(
                        title: "宽带 \(UInt16.random(in: 0...UInt16.max, using: &generator))", body: "断网",
                        category: "network", department: "service"))
            }
            switch Int.random(in: 0..<14, using: &generator) {
            case 0: return .note("备注 \(UInt16.random(in: 0...UInt16.max, using: &generator))")
            case 1: return .set(.title, .text("改 \(UInt16.random(in: 0...UInt16.max, using: &generator))"))
            case 2: return .tag("t\(Int.random(in: 0..<3, using: &generator))")
            case 3: return .untag("t\(Int.random(in: 0..<3, using: &generator))")
            case 4:
                return .transfer(
                    .dispatch, site: SiteCode(validated: "hz.zj"),
                    department: Bool.random(using: &generator) ? "service" : "network", reason: "", note: "")
            case 5: return .accept
            case 6: return .reply(text: "已修复", custody: nil)
            case 7: return .chase(customer: nil, promised: nil, note: "催", channel: "phone")
            case 8:
                return summary.chases.randomElement(using: &generator).map {
                    .answerChase($0.dot, text: "明日", promised: nil)
                } ?? .note("无")
            case 9: return .feedback(text: "已告知", channel: "phone", score: 4)
            case 10: return .close(reason: "完", isConfirmedByCustomer: true, score: 5)
            case 11: return .reopen(reason: "又断")
            case 12:
                return others.randomElement(using: &generator).map { .join($0, reason: "同一故障") } ?? .note("无")
            default:
                return summary.displayedWrite(.title).map { .undo(write: $0) } ?? .note("无")
            }
        }

        /// Every operation of the log, in order of arrival.
        func log() throws -> [StoredOperation] {
            try #require(writer).reader.operations(after: 0, limit: 100_000)
        }
    }

    /// What a ticket shows, without the names of its operations.
    private func shape(_ ticket: Ticket, titles: (Dot) -> String?) -> String {
        let summary = ticket.summary()
        let fields = summary.fields.map { "\($0.field.rawValue):\($0.writes.count):\(titles($0.displayed) ?? "")" }
        return [
            "\(summary.status)", "\(summary.custody?.department ?? "")", "\(summary.path.count)",
            fields.sorted().joined(separator: ","), summary.tags.joined(separator: ","),
            summary.chases.map { "\($0.isAnswered)" }.joined(separator: ","), "\(summary.notes.count)",
            "\(summary.contested.count)", "\(summary.cycles.count)", "\(summary.twins.count)",
            "\(summary.operationCount)", "\(summary.steps.count)",
        ].joined(separator: " ")
    }

    private func shapes(_ copy: Copy) throws -> [String] {
        let reader = try #require(copy.writer).reader
        return try reader.list(TicketFilter()).compactMap { listing in
            guard let record = try reader.record(of: listing.id) else { return nil }
            return listing.number + " "
                + shape(record.ticket) { dot in
                    record.operation(dot).flatMap { try? Body(decoding: $0) }.map { body in
                        switch body {
                        case .open(let open): open.title
                        case .setField(let set): set.value.text ?? ""
                        default: ""
                        }
                    }
                }
        }.sorted()
    }

    @Test(
        "what a copy wrote is issued again, once, and shows what it showed; both branches then stand together",
        arguments: 0..<12 as Range<UInt64>)
    func fork(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let root = NSTemporaryDirectory() + "banjie-fork-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: root) }
        let first = Copy(DataFolder(path: root + "/first"))
        let second = Copy(DataFolder(path: root + "/second"))
        try first.open(
            next: 1,
            creating: NodeIdentity(
                site: SiteCode(validated: "hz.zj"), replica: ReplicaID(11), parent: SiteCode(validated: "zj")))
        for _ in 0..<20 { try first.act(&generator) }
        let common = try first.replica.writtenSequence
        first.close()
        try FileManager.default.copyItem(atPath: first.folder.path, toPath: second.folder.path)
        try first.open(next: 2)
        try second.open(next: 3)
        #expect(try second.replica.identity.replica == ReplicaID(11), "the copy cannot tell by itself")
        for _ in 0..<25 { try first.act(&generator) }
        for _ in 0..<25 { try second.act(&generator) }
        while try #require(second.writer).reader.search.advance() > 0 {}

        let before = try shapes(second)
        let written = try second.log().filter { $0.operation.dot.sequence > common }
        try #require(second.writer).setPendingRecovery(PendingRecovery(reason: .forked, common: common))
        second.close()
        try second.open(next: 33)
        #expect(
            try second.log().allSatisfy {
                $0.operation.dot.replica != ReplicaID(11) || $0.operation.dot.sequence <= common
            })
        let present = try second.replica.identity.replica
        #expect(present == ReplicaID(33))
        // Cut after some of it: the rest follows at the next start.
        let part = Int.random(in: 1...5, using: &generator)
        _ = try second.replica.reissueNext(now: second.now, operationsMax: part)
        second.close()
        try second.open(next: 34)
        #expect(try second.replica.identity.replica == present)
        while try second.replica.reissueNext(now: second.now, operationsMax: part) != nil {}
        #expect(try second.replica.reader.incarnation().waitingCount == 0)

        let log = try second.log().filter { $0.operation.dot.replica == present }
        let again = log.filter { !$0.operation.extensions.isEmpty }
        #expect(
            again.map { ReissueReference.all(in: $0.operation.extensions) }
                == written.map { [ReissueReference(dot: $0.operation.dot, hash: $0.hash)] })
        #expect(again.map(\.operation.time) == written.map(\.operation.time))
        #expect(again.map(\.operation.kind) == written.map(\.operation.kind))
        #expect(log.map(\.operation.dot.sequence) == Array(1...UInt64(log.count)))
        #expect(try shapes(second) == before, "seed \(seed)")
        try expectRebuildIsSame(second)

        // The other branch arrives: no dot has two meanings, and no ticket of one branch is mixed into another's.
        let writer = try #require(second.writer)
        let other = try first.log().filter { $0.operation.dot.sequence > common }
        let tickets = try writer.reader.counts().tickets
        let opened = other.count { $0.operation.entity == EntityID(ticketOpenedBy: $0.operation.dot) }
        let batch = MergeBatch(
            source: .local, operations: other.map(\.operation), hashes: other.map(\.hash))
        #expect(try writer.commit([batch], now: 0).insertedCount == other.count)
        #expect(try writer.reader.counts().tickets == tickets + opened)
        try expectRebuildIsSame(second)
        #expect(try writer.reader.peers().first?.toSendCount == UInt64(try second.log().count))
    }

    private func expectRebuildIsSame(_ copy: Copy) throws {
        let writer = try #require(copy.writer)
        #expect(try writer.differencesFromLog(sampleCount: 10_000).isEmpty)
        let grown = try writer.reader.projectionForTests()
        try writer.rebuild(now: 0)
        let built = try writer.reader.projectionForTests()
        let differing = zip(grown.split(separator: "\n"), built.split(separator: "\n")).first { $0 != $1 }
        #expect(built == grown, "\(differing.map { "\($0)" } ?? "more rows")")
    }

    @Test(
        "a branch that forks a second time before it has issued all again loses nothing",
        arguments: 0..<6 as Range<UInt64>)
    func twice(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let root = NSTemporaryDirectory() + "banjie-fork-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: root) }
        let office = Copy(DataFolder(path: root + "/office"))
        try office.open(
            next: 1, creating: NodeIdentity(site: SiteCode(validated: "hz.zj"), replica: ReplicaID(11), parent: nil))
        for _ in 0..<10 { try office.act(&generator) }
        let common = try office.replica.writtenSequence
        for _ in 0..<20 { try office.act(&generator) }
        let before = try shapes(office)
        let count = try office.log().count
        for (replica, common) in [(22, common), (23, 3)] as [(UInt64, UInt64)] {
            try #require(office.writer).setPendingRecovery(PendingRecovery(reason: .forked, common: common))
            office.close()
            try office.open(next: replica)
            _ = try office.replica.reissueNext(now: office.now, operationsMax: 7)
        }
        while try office.replica.reissueNext(now: office.now, operationsMax: 4) != nil {}
        #expect(try shapes(office) == before, "seed \(seed)")
        // Two announcements more; nothing else.
        #expect(try office.log().count == count + 2)
        try expectRebuildIsSame(office)
    }
}
