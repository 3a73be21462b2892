import Replication
import Store
import TestSupport
import Testing
import Tickets

/// The log against what nodes have signed. Source: Protocols/sync.md §10.
@Suite struct HeadTests {
    private static let site = SiteCode(validated: "nb.zj")
    private static let replica = ReplicaID(0xA1)

    /// An office's announcement and some of its work.
    private func history() throws -> [Operation] {
        var office = Office("nb.zj", replica: Self.replica.rawValue, announced: true)
        for number in 0..<6 {
            try office.perform(
                .open(OpenBody(title: "工单 \(number)", department: "service")), on: nil, as: "service",
                minute: Int64(number))
        }
        return [announcement("nb.zj", replica: Self.replica.rawValue)] + office.log
    }

    private func head(_ operations: [Operation], time: Int64, key: UInt8 = 1, site: SiteCode = site) -> VerifiedHead {
        var hasher = ContentHasher()
        let chain = operations.reduce(ContentHash.zero) { hasher.link(previous: $0, hash: hasher.hash($1)) }
        return VerifiedHead(
            head: SignedHead(
                replica: Self.replica, sequence: UInt64(operations.count), chain: chain, time: time,
                certificateChain: "chain", signature: [1]),
            site: site, key: [UInt8](repeating: key, count: 32))
    }

    private func check(_ store: TestStore) throws -> HeadState? {
        while try store.writer.checkHead(of: Self.replica, now: 9) {}
        return try store.reader.head(of: Self.replica)?.state
    }

    @Test("a head waits for its operations, and is sound once the log is what was signed", arguments: 1...6)
    func sound(count: Int) throws {
        let operations = try history()
        let store = try TestStore("zj", replica: 13)
        try store.commit([operations[0]])
        #expect(try store.writer.take(head(Array(operations[...count]), time: 5), now: 7) == .waiting)
        #expect(try check(store) == (count == 0 ? .sound : .waiting))
        try store.commit(Array(operations.dropFirst()))
        #expect(try check(store) == .sound)
        // A later one is compared from where the last was found to agree.
        #expect(try store.reader.head(of: Self.replica)?.checkedSequence == UInt64(count) + 1)
        #expect(try store.writer.take(head(operations, time: 6), now: 8) == (count == 6 ? .sound : .waiting))
        #expect(try check(store) == .sound)
    }

    enum Tampering: CaseIterable {
        case changed, dropped, reordered, inserted
    }

    @Test("a history that was tampered with on the way is found", arguments: Tampering.allCases)
    func tampered(how: Tampering) throws {
        let operations = try history()
        var passed = operations
        switch how {
        case .changed: passed[3].body = Body.open(OpenBody(title: "另一件事", department: "service")).encoded()
        case .dropped:
            passed.remove(at: 3)
            for index in 3..<passed.count { passed[index].dot = Dot(Self.replica, passed[index].dot.sequence - 1) }
        case .reordered:
            passed.swapAt(3, 4)
            (passed[3].dot, passed[4].dot) = (passed[4].dot, passed[3].dot)
        case .inserted:
            passed.insert(passed[3], at: 3)
            for index in 4..<passed.count { passed[index].dot = Dot(Self.replica, passed[index].dot.sequence + 1) }
        }
        for index in passed.indices where passed[index].entity.type == .ticket {
            passed[index].entity = EntityID(ticketOpenedBy: passed[index].dot)
        }
        let store = try TestStore("zj", replica: 13)
        try store.commit(passed)
        let signed = how == .dropped ? Array(operations.dropLast()) : operations
        #expect(try store.writer.take(head(signed, time: 5), now: 7) == .waiting)
        #expect(try check(store) == .differs)
        // It stays, also if a head that agrees comes behind it.
        #expect(try store.writer.take(head(Array(passed[..<signed.count]), time: 6), now: 8) != .sound)
        #expect(try check(store)?.isAlarm == true)
    }

    @Test("a replayed head changes nothing; another key, or going back, is an alarm")
    func contradictions() throws {
        let operations = try history()
        func store() throws -> TestStore {
            let store = try TestStore("zj", replica: 13)
            try store.commit(operations)
            _ = try store.writer.take(head(operations, time: 5), now: 7)
            #expect(try check(store) == .sound)
            return store
        }
        let replayed = try store()
        #expect(try replayed.writer.take(head(Array(operations.prefix(3)), time: 4), now: 8) == nil)
        #expect(try replayed.writer.take(head(operations, time: 5), now: 8) == nil)
        #expect(try check(replayed) == .sound)
        #expect(try store().writer.take(head(operations, time: 6, key: 2), now: 8) == .otherKey)
        #expect(try store().writer.take(head(Array(operations.prefix(3)), time: 6), now: 8) == .forked)
        var other = operations
        other[2].body = []
        #expect(try store().writer.take(head(other, time: 6), now: 8) == .forked)
        let forgotten = try store()
        #expect(try forgotten.writer.forgetHead(of: Self.replica))
        #expect(try forgotten.writer.take(head(operations, time: 6, key: 2), now: 8) == .waiting)
        #expect(try check(forgotten) == .sound)
    }

    @Test("nobody signs for a replica that has announced another site, or none")
    func unannounced() throws {
        let operations = try history()
        let store = try TestStore("zj", replica: 13)
        #expect(try store.writer.take(head(operations, time: 5), now: 7) == nil)
        try store.commit(operations)
        let foreign = head(operations, time: 5, site: SiteCode(validated: "hz.zj"))
        #expect(try store.writer.take(foreign, now: 7) == nil)
        #expect(try store.reader.heads().isEmpty)
    }

    @Test("heads are passed on in the order in which they changed")
    func changes() throws {
        let operations = try history()
        let store = try TestStore("zj", replica: 13)
        try store.commit(operations)
        _ = try store.writer.take(head(Array(operations.prefix(2)), time: 5), now: 7)
        let first = try #require(try store.reader.heads().first)
        #expect(try store.reader.heads(after: first.change).isEmpty)
        _ = try store.writer.take(head(operations, time: 6), now: 7)
        #expect(try store.reader.heads(after: first.change).map(\.head.time) == [6])
    }
}
