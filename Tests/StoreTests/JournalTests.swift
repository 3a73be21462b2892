import Replication
import Store
import TestSupport
import Testing
import Tickets

/// The journal's chain and its anchors in the log. Source: Protocols/audit.md.
@Suite struct JournalTests {
    private static let day: Int64 = 86_400_000
    private static let replica = ReplicaID(0xA1)
    private let actor = JournalActor(name: "wang", origin: "console 192.0.2.1")

    private func store() throws -> TestStore {
        let store = try TestStore("hz.zj", replica: Self.replica.rawValue, parent: "zj")
        try store.commit([announcement("hz.zj", replica: Self.replica.rawValue)])
        return store
    }

    /// One entry a day.
    private func fill(_ store: TestStore, _ days: ClosedRange<Int64>) throws {
        for day in days {
            try store.writer.journal(
                [JournalDraft(.logIn, by: actor, on: "wang", "day=\(day)")], now: day * Self.day)
        }
    }

    /// What the node does with `anchorJournal`.
    private func anchor(_ store: TestStore, sequence: UInt64) throws {
        let end = try store.reader.journalEnd()
        let entity = EntityID(journalOf: Self.replica)
        let previous = try store.reader.state(of: entity)?.previous(of: Self.replica) ?? 0
        let body = Body.journalAnchor(JournalAnchorBody(sequence: end.sequence, hash: end.hash, time: end.time))
        let author = Author(
            name: "node", role: .system, level: .region, site: store.reader.identity.site, department: "")
        let result = try store.commit([
            Operation(
                dot: Dot(Self.replica, sequence), entity: entity, previous: previous, seen: VersionVector(),
                time: HybridTimestamp(milliseconds: end.time, counter: 0), author: author, scope: [],
                kind: body.kind.operationKind, body: body.encoded())
        ])
        #expect(result.insertedCount == 1 && result.parkedCount == 0)
    }

    private func check(_ store: TestStore, day: Int64 = 20) throws -> JournalCheck {
        try store.reader.checkJournal(now: day * Self.day)
    }

    @Test("an untouched journal is whole, and agrees with its anchors")
    func whole() throws {
        let store = try store()
        #expect(try check(store) == JournalCheck())
        try fill(store, 1...5)
        try anchor(store, sequence: 2)
        try fill(store, 6...10)
        try anchor(store, sequence: 3)
        let found = try check(store)
        #expect(found.isIntact && found.count == 10 && found.anchorCount == 2 && found.first == 1)
        #expect(found.end.sequence == 10)
    }

    enum Tampering: CaseIterable {
        case actor, time, detail, hash, deleted, firstDeleted, swapped, inserted, renumbered
    }

    @Test("whatever is changed within the chain is found, and where", arguments: Tampering.allCases)
    func tampered(how: Tampering) throws {
        let store = try store()
        try fill(store, 1...10)
        let (sql, expected): (String, JournalFinding) =
            switch how {
            case .actor: ("UPDATE journal SET actor = 'li' WHERE sequence = 4", .changed(4))
            case .time: ("UPDATE journal SET time = time + 1 WHERE sequence = 4", .changed(4))
            case .detail: ("UPDATE journal SET detail = '' WHERE sequence = 4", .changed(4))
            case .hash: ("UPDATE journal SET hash = zeroblob(32) WHERE sequence = 4", .changed(4))
            case .deleted: ("DELETE FROM journal WHERE sequence BETWEEN 4 AND 6", .missing(4, 6))
            case .firstDeleted: ("DELETE FROM journal WHERE sequence < 4", .beginning(4))
            case .swapped:
                (
                    """
                    UPDATE journal SET sequence = -1 WHERE sequence = 4;
                    UPDATE journal SET sequence = 4 WHERE sequence = 5;
                    UPDATE journal SET sequence = 5 WHERE sequence = -1
                    """, .changed(4)
                )
            case .inserted:
                (
                    """
                    UPDATE journal SET sequence = sequence + 100 WHERE sequence > 3;
                    UPDATE journal SET sequence = sequence - 99 WHERE sequence > 100;
                    INSERT INTO journal SELECT 4, time, 'li', origin, action, subject, detail, hash
                        FROM journal WHERE sequence = 3
                    """, .changed(4)
                )
            case .renumbered:
                (
                    """
                    DELETE FROM journal WHERE sequence = 4;
                    UPDATE journal SET sequence = sequence + 100 WHERE sequence > 4;
                    UPDATE journal SET sequence = sequence - 101 WHERE sequence > 100
                    """, .changed(4)
                )
            }
        try store.writer.executeForTests(sql)
        #expect(try check(store).findings == [expected])
    }

    @Test("the end that is cut off behind an anchor is missed, and so is a journal that is gone", arguments: [7, 1])
    func cutOff(from: Int) throws {
        let store = try store()
        try fill(store, 1...10)
        try anchor(store, sequence: 2)
        try store.writer.executeForTests("DELETE FROM journal WHERE sequence >= \(from)")
        let found = try check(store).findings
        #expect(found.count == 1)
        guard case .cutOff(let end, let anchor)? = found.first else { throw Unexpected(found: found) }
        #expect(end == UInt64(from - 1) && anchor.sequence == 10 && anchor.dot == Dot(Self.replica, 2))
    }

    @Test("a chain that was computed anew from a change on does not agree with the first anchor behind it")
    func rewritten() throws {
        let store = try store()
        try fill(store, 1...4)
        try anchor(store, sequence: 2)
        try fill(store, 5...8)
        try anchor(store, sequence: 3)
        try store.writer.executeForTests("DELETE FROM journal WHERE sequence >= 6")
        try store.writer.journal(
            [
                JournalDraft(.logIn, by: actor, on: "wang", "day=6"),
                JournalDraft(.logIn, by: JournalActor(name: "li", origin: "x"), on: "li", "forged"),
                JournalDraft(.logIn, by: actor, on: "wang", "day=8"),
            ], now: 8 * Self.day)
        let check = try check(store)
        guard case .rewritten(let agreed, let anchor)? = check.findings.first else {
            throw Unexpected(found: check.findings)
        }
        #expect(check.findings.count == 1 && agreed == 4 && anchor.sequence == 8 && check.anchorCount == 1)
    }

    @Test("entries are kept for 13 months; then they go from the beginning, and an entry tells how the gone ones ended")
    func pruned() throws {
        let store = try store()
        try fill(store, 1...10)
        try anchor(store, sequence: 2)
        let hash = try #require(try store.reader.journal(AuditFilter(), .earliestFirst, behind: 3, limit: 1).first).hash
        // Entry 4 is of day 4: 397 days later it is kept to the last millisecond.
        #expect(try store.writer.pruneJournal(now: (4 + 397) * Self.day) == 3)
        #expect(try store.writer.pruneJournal(now: (4 + 397) * Self.day + 1) == 1)
        #expect(try store.writer.pruneJournal(now: (4 + 397) * Self.day + 1) == 0)
        let rest = try store.reader.journal(AuditFilter(), .earliestFirst, behind: nil, limit: 100)
        #expect(rest.map(\.sequence) == Array(5...12))
        #expect(rest.last?.action == "journalPruned" && rest.last?.subject == "4")
        #expect(rest.last?.detail == "count=1 hash=\(hash)")
        let found = try check(store, day: 500)
        #expect(found.isIntact && found.first == 5 && found.anchorCount == 1)
        // Once everything is old, only the last pruning is left, and the chain goes on.
        #expect(try store.writer.pruneJournal(now: 900 * Self.day) == 8)
        try fill(store, 901...902)
        let later = try check(store, day: 902)
        #expect(later.isIntact && later.first == 13 && later.count == 3)
    }

    @Test("a pruning before its time is found by the anchors of what went")
    func prunedEarly() throws {
        let store = try store()
        try fill(store, 1...10)
        try anchor(store, sequence: 2)
        #expect(try store.writer.pruneJournal(now: 11 * Self.day, keeping: 0) == 10)
        let found = try check(store).findings
        guard case .prunedEarly(let anchor)? = found.first else { throw Unexpected(found: found) }
        #expect(found.count == 1 && anchor.sequence == 10)
    }

    @Test("an entry shares the transaction of what it tells of: neither is there without the other")
    func together() throws {
        let store = try store()
        let account = Account(name: "li", role: .agent, department: "SVC", verifier: "v", created: 0)
        try store.writer.recording(now: 1, { (_: Void) in [JournalDraft(.accountSaved, by: actor, on: "li")] }) {
            try $0.save(account)
        }
        #expect(try store.reader.journalCount() == 1)
        let isGone = try store.writer.recording(now: 2) {
            $0 ? [JournalDraft(.accountRemoved, by: actor, on: "nobody")] : []
        } _: {
            try $0.removeAccount("nobody")
        }
        #expect(!isGone)
        #expect(try store.reader.journalCount() == 1, "nothing was done, nothing is told")
        try store.writer.executeForTests("DROP TABLE journal")
        #expect(throws: (any Error).self) {
            try store.writer.recording(now: 3, { $0 ? [JournalDraft(.accountRemoved, by: actor, on: "li")] : [] }) {
                try $0.removeAccount("li")
            }
        }
        #expect(try store.reader.accounts().map(\.name) == ["li"], "what cannot be told is not done")
        // And what follows is not told of by what was left over.
        try store.writer.setFact("x", "y")
    }

    @Test("an anchor that speaks of another incarnation's journal is parked")
    func foreignAnchor() throws {
        let store = try store()
        let body = Body.journalAnchor(JournalAnchorBody(sequence: 1, hash: .zero, time: 1))
        let author = Author(
            name: "node", role: .system, level: .region, site: store.reader.identity.site, department: "")
        let result = try store.commit([
            Operation(
                dot: Dot(Self.replica, 2), entity: EntityID(journalOf: ReplicaID(9)), previous: 0,
                seen: VersionVector(), time: .zero, author: author, scope: [], kind: body.kind.operationKind,
                body: body.encoded())
        ])
        #expect(result.parkedCount == 1)
    }

    @Test("texts of entries are cut at their limit and hold no control characters")
    func clipped() throws {
        let store = try store()
        let long = String(repeating: "长", count: 400)
        try store.writer.journal(
            [JournalDraft(.logInFailed, by: JournalActor(name: "a\u{1b}[2Jb\nc", origin: "x"), on: long)], now: 1)
        let entry = try #require(try store.reader.journal(AuditFilter(), .latestFirst, behind: nil, limit: 1).first)
        #expect(entry.actor == "a[2Jbc")
        #expect(entry.subject.utf8.count <= JournalLimits.textBytesMax && entry.subject.utf8.count > 500)
        #expect(try check(store).isIntact)
    }

    @Test("the chain's bytes are those of the page")
    func vector() {
        let entry = JournalEntry(
            sequence: 1, time: 1_800_000_000_000, actor: "wang", origin: "console 192.0.2.1", action: "logIn",
            subject: "wang", detail: "role=agent")
        var bytes = [UInt8](repeating: 0, count: 32) + [1]
        bytes += [0, 0, 0, 0, 0, 0, 0, 1] + [0, 0, 1, 0xA3, 0x18, 0x5C, 0x50, 0]
        for text in ["wang", "console 192.0.2.1", "logIn", "wang", "role=agent"] {
            bytes += [0, 0, 0, UInt8(text.utf8.count)] + Array(text.utf8)
        }
        var hasher = ContentHasher()
        #expect(entry.chained(to: .zero) == hasher.hash(bytes))
    }
}

private struct Unexpected: Error {
    var found: [JournalFinding]
}
