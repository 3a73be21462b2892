import Foundation
import Node
import Replication
import Store
import TestSupport
import Testing
import Tickets

/// A branch that nobody else goes on with, in which a row of this node's own is damaged: the only copy there is.
/// Source: Protocols/operations.md §8.
@Suite struct DamagedForkTests {
    /// Which operation of the branch breaks.
    enum Victim: CaseIterable {
        case note, chase, opening, last
    }

    private static let former = ReplicaID(11)
    private static let present = ReplicaID(33)

    /// An office with a common history, and a branch beyond it.
    private final class Branch {
        let copy = ForkTests.Copy(
            DataFolder(path: NSTemporaryDirectory() + "banjie-damaged-fork-\(UUID().uuidString)"))
        private(set) var common: UInt64 = 0
        private(set) var tickets: [EntityID] = []
        private(set) var victims: [Victim: Dot] = [:]

        init() throws {
            try copy.open(
                next: 1,
                creating: NodeIdentity(
                    site: SiteCode(validated: "hz.zj"), replica: former, parent: SiteCode(validated: "zj")))
            let first = try open("宽带")
            _ = try act(.note("共同"), on: first)
            common = try copy.replica.writtenSequence
            victims[.note] = try act(.note("甲甲"), on: first)
            let chase = try act(.chase(customer: nil, promised: nil, note: "催", channel: "phone"), on: first)
            victims[.chase] = chase
            _ = try act(.answerChase(chase, text: "明日", promised: nil), on: first)
            let second = try open("专线")
            victims[.opening] = Dot(former, second.low)
            _ = try act(.note("乙乙"), on: second)
            _ = try act(.tag("急"), on: second)
            let third = try open("固话")
            victims[.last] = try act(.note("丙丙"), on: third)
            tickets = [first, second, third]
            while try #require(copy.writer).reader.search.advance() > 0 {}
        }

        deinit { try? FileManager.default.removeItem(atPath: copy.folder.path) }

        private func open(_ title: String) throws -> EntityID {
            try execute(.open(OpenBody(title: title, category: "network", department: "service")), on: nil).ticket
        }

        private func act(_ action: TicketCommand.Action, on id: EntityID) throws -> Dot {
            try #require(try execute(action, on: id).dots.last)
        }

        private func execute(_ action: TicketCommand.Action, on id: EntityID?) throws -> Executed {
            let replica = try copy.replica
            let author = Author(
                name: "li", role: .dispatcher, level: .region, site: replica.identity.site, department: "service")
            let seen = try id.flatMap { try replica.reader.state(of: $0)?.seen() } ?? VersionVector()
            return try replica.execute(
                TicketCommand(ticket: id, version: seen, action: action), by: author, now: copy.now)
        }

        /// Breaks a row, and opens the store anew as one whose peers go on with another branch.
        /// - Parameter isRowBehind: the process had ended before it wrote the row of its incarnation, which says as much as
        ///   after the announcement.
        func fork(breaking victim: Dot, by change: String, isRowBehind: Bool = false) throws {
            let announcement = try #require(try copy.log().first)
            try #require(copy.writer).executeForTests(
                """
                UPDATE operation SET \(change) WHERE sequence = \(victim.sequence)
                    AND replica = (SELECT id FROM replica WHERE replica = \(victim.replica.rawValue))
                """)
            if isRowBehind {
                var hasher = ContentHasher()
                let chain = hasher.link(previous: .zero, hash: announcement.hash)
                try #require(copy.writer).executeForTests(
                    """
                    UPDATE replica SET prefix = 1, highest = 1, stored = 1, chain = x'\(chain)'
                    WHERE replica = \(DamagedForkTests.former.rawValue)
                    """)
                try #require(copy.writer).forgetCacheForTests()
            }
            try reopen(under: present, common: common)
        }

        func reopen(under next: ReplicaID, common: UInt64) throws {
            try #require(copy.writer).setPendingRecovery(PendingRecovery(reason: .forked, common: common))
            copy.close()
            try copy.open(next: next.rawValue)
            while try copy.replica.reissueNext(now: copy.now) != nil {}
        }
    }

    @Test(
        "a damaged row of the branch is not issued again, whatever broke in it, and takes nothing else with it",
        arguments: Victim.allCases.flatMap { [($0, false), ($0, true)] }, RowDamage.all)
    func damaged(_ at: (victim: Victim, isRowBehind: Bool), _ change: String) throws {
        let victim = at.victim
        let branch = try Branch()
        let lost = try #require(branch.victims[victim])
        let written = try branch.copy.log().filter { $0.operation.dot.sequence > branch.common }
        try branch.fork(breaking: lost, by: change, isRowBehind: at.isRowBehind)

        let log = try branch.copy.log()
        let again = log.filter { $0.operation.dot.replica == Self.present && !$0.operation.extensions.isEmpty }
        #expect(
            again.map { ReissueReference.all(in: $0.operation.extensions) }
                == written.filter { $0.operation.dot != lost }.map {
                    [ReissueReference(dot: $0.operation.dot, hash: $0.hash)]
                })
        #expect(
            log.allSatisfy {
                $0.operation.dot.replica == Self.present || $0.operation.dot.sequence <= branch.common
            })
        let writer = try #require(branch.copy.writer)
        let entries = try writer.reader.journal(
            AuditFilter(journalAction: "operationLost"), .earliestFirst, behind: nil, limit: 9)
        // The last of all: only its row said that it was written, and says another sequence now.
        let isUnknown = at.isRowBehind && victim == .last && change.hasPrefix("sequence")
        let stated = isUnknown ? Dot(lost.replica, lost.sequence + 100) : lost
        #expect(entries.contains { $0.subject == "\(stated)" })
        #expect(try writer.reader.incarnation().lostCount >= 1)
        for listing in try writer.reader.list(TicketFilter()) {
            let state = try #require(try writer.state(of: listing.id))
            #expect(!state.summary().isFrozenForEditing && state.summary().opaqueCount == 0)
        }
        try expectWhole(writer)
        if victim == .opening { try expectNamedAnew(branch, writer) }
    }

    private func ids(saying text: String, _ writer: StoreWriter) throws -> [EntityID] {
        var filter = TicketFilter()
        filter.text = text
        return try writer.reader.list(filter).map(\.id)
    }

    /// Log, projection and search index agree, and nothing in them is damaged.
    private func expectWhole(_ writer: StoreWriter) throws {
        #expect(try writer.reader.scrubOperations(after: 0, limit: 1_000).damaged.isEmpty)
        #expect(try writer.reader.damaged().isEmpty)
        #expect(try writer.differencesFromLog(sampleCount: 1_000).isEmpty)
        while try writer.reader.search.advance() > 0 {}
        #expect(try writer.reader.search.fault() == nil)
        let texts = ["宽带", "共同", "甲甲", "乙乙", "丙丙", "专线", "固话"]
        let found = try texts.map { try ids(saying: $0, writer) }
        let grown = try writer.reader.projectionForTests()
        try writer.rebuild(now: 0)
        #expect(try writer.reader.projectionForTests() == grown)
        while try writer.reader.search.advance() > 0 {}
        #expect(try texts.map { try ids(saying: $0, writer) } == found)
    }

    /// The other branch may have opened another ticket at the same dot: none of what was written here belongs to it.
    private func expectNamedAnew(_ branch: Branch, _ writer: StoreWriter) throws {
        let former = branch.tickets[1]
        #expect(try writer.state(of: former) == nil)
        let kept = try branch.copy.log().filter {
            $0.operation.kind == Kind.note.operationKind || $0.operation.kind == Kind.tag.operationKind
        }.map(\.operation)
        let moved = Set(kept.map(\.entity)).subtracting([branch.tickets[0]]).filter { id in
            kept.contains { $0.entity == id && $0.kind == Kind.tag.operationKind }
        }
        let ticket = try #require(try moved.first.flatMap { try writer.state(of: $0) })
        #expect(moved.count == 1 && ticket.operationCount == 2, "what followed stays together")
    }

    @Test("what answers a lost operation names none of the other branch")
    func answered() throws {
        let branch = try Branch()
        let lost = try #require(branch.victims[.chase])
        try branch.fork(breaking: lost, by: "body = x''")
        let answer = try #require(
            try branch.copy.log().first { $0.operation.kind == Kind.answerChase.operationKind })
        guard case .answerChase(let body) = try Body(decoding: answer.operation) else {
            Issue.record("the answer is another kind")
            return
        }
        #expect(body.chase == Dot(Self.present, 1), "the announcement, which is on no ticket")
    }

    @Test("an operation of the common history that has lost its place is taken in again from a peer")
    func displaced() throws {
        let branch = try Branch()
        let common = try #require(
            try branch.copy.log().first { $0.operation.dot == Dot(Self.former, branch.common) })
        try branch.fork(breaking: common.operation.dot, by: "sequence = sequence + 100")
        let writer = try #require(branch.copy.writer)
        #expect(try writer.reader.operation(common.operation.dot) == nil)
        try expectWhole(writer)
        let batch = MergeBatch(source: .local, operations: [common.operation], hashes: [common.hash])
        #expect(try writer.commit([batch], now: 0).insertedCount == 1)
        #expect(try writer.reader.operation(common.operation.dot) == common.operation)
        try expectWhole(writer)
    }

    @Test("a second fork before all is issued again loses nothing more, and the renamed ticket stays one")
    func twice() throws {
        let branch = try Branch()
        let lost = try #require(branch.victims[.opening])
        try branch.fork(breaking: lost, by: "body = x''")
        try branch.reopen(under: ReplicaID(44), common: 2)
        let tagged = try #require(
            try branch.copy.log().first { $0.operation.kind == Kind.tag.operationKind }?.operation.entity)
        let again = try #require(branch.copy.writer)
        #expect(try again.reader.incarnation().lostCount == 0)
        #expect(try again.state(of: tagged)?.operationCount == 2)
        try expectWhole(again)
    }
}
