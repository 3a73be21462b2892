import Replication
import Store
import TestSupport
import Testing
import Tickets

/// What a replica has written beyond the last operation that counts is void, whenever it arrives.
/// Source: Protocols/operations.md §10.
@Suite struct RevocationTests {
    /// An operation that revokes; its author's stream has `sequence − 1` operations before it.
    static func revocation(
        of site: String, replica: UInt64, last: Operation?, by author: String, at dot: Dot, role: Role = .system
    ) -> Operation {
        var hasher = ContentHasher()
        let code = SiteCode(validated: author)
        let body = Body.revoke(
            RevokeBody(
                site: SiteCode(validated: site), replica: ReplicaID(replica),
                lastSequence: last?.dot.sequence ?? 0, lastHash: last.map { hasher.hash($0) } ?? .zero,
                reason: "笔记本被盗", certificatesBefore: Office.start))
        return Operation(
            dot: dot, entity: EntityID(announcementOf: ReplicaID(replica)), previous: 0, seen: VersionVector(),
            time: HybridTimestamp(milliseconds: Office.start + 10_000_000 + Int64(dot.sequence)),
            author: Author(name: "node", role: role, level: AuthorityLevel(of: code), site: code, department: ""),
            scope: [], kind: Kind.revoke.operationKind, isCritical: true, body: body.encoded())
    }

    private func logs(tickets: Int) throws -> [[Operation]] { try MergeTests().history(tickets: tickets) }

    private func next(_ log: [Operation]) -> Dot {
        guard let last = log.last else { return Dot(ReplicaID(1), 1) }
        return Dot(last.dot.replica, last.dot.sequence + 1)
    }

    private func isVoid(_ store: TestStore, _ operation: Operation) throws -> Bool {
        try store.reader.state(of: operation.entity)?.isVoid(operation.dot) == true
    }

    @Test("what a revoked replica wrote beyond the last good operation is void, and what others wrote stands")
    func void() throws {
        let logs = try logs(tickets: 4)
        let revoke = Self.revocation(
            of: "xihu.hz.zj", replica: 11, last: logs[0][4], by: "zj", at: next(logs[2]))
        let store = try TestStore("zj", replica: 13)
        for log in logs { try store.commit(log) }
        while try store.writer.reader.search.advance() > 0 {}
        let digest = try store.reader.counts().digest
        var filter = TicketFilter()
        filter.text = "宽带断网"
        #expect(try store.reader.list(filter).count == 4)
        let result = try store.commit([revoke])
        #expect(result.hasRevocations && result.parkedCount == 0)
        for operation in logs[0] where operation.entity.type == .ticket {
            #expect(try isVoid(store, operation) == (operation.dot.sequence > logs[0][4].dot.sequence))
        }
        for operation in logs[1] + logs[2] where operation.entity.type == .ticket {
            #expect(try !isVoid(store, operation))
        }
        // Digests do not change by it, so stores stay comparable.
        #expect(try store.reader.counts().digest == digest)
        let standing = Set(logs[0][...4].filter { $0.kind == Kind.open.operationKind }.map(\.entity))
        #expect(try Set(store.reader.list(filter).map(\.id)) == standing)
        for log in logs {
            for operation in log where operation.entity.type == .ticket && !standing.contains(operation.entity) {
                #expect(try store.reader.state(of: operation.entity)?.summary().opening == nil)
                #expect(try store.reader.record(of: operation.entity)?.number == "")
            }
        }
    }

    @Test(
        "any order of arrival, with crashes between, gives the rows of a rebuild and the same states", arguments: 0..<12
    )
    func order(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var logs = try logs(tickets: 5)
        let cut = Int.random(in: 1..<logs[0].count, using: &random)
        var region = [announcement("hz.zj", replica: 15)]
        region.append(
            Self.revocation(
                of: "xihu.hz.zj", replica: 11, last: logs[0][Int.random(in: 0..<logs[0].count, using: &random)],
                by: "hz.zj", at: next(region)))
        if Bool.random(using: &random) {
            logs[2].append(
                Self.revocation(of: "xihu.hz.zj", replica: 11, last: logs[0][cut], by: "zj", at: next(logs[2])))
        }
        if Bool.random(using: &random) {
            // The region's revocation is void then, and what it made void counts again.
            logs[2].append(
                Self.revocation(of: "hz.zj", replica: 15, last: region[0], by: "zj", at: next(logs[2])))
        }
        logs.append(region)
        let first = try TestStore("zj", replica: 13)
        for log in logs { try first.commit(log) }
        let second = try shuffled(logs, &random)
        defer { withExtendedLifetime(second) {} }
        let grown = try second.projection()
        #expect(try second.writer.differencesFromLog(sampleCount: 1_000).isEmpty)
        #expect(try second.reader.scrubEntities(after: 0, limit: 1_000).wrong.isEmpty)
        try second.writer.rebuild(now: 0)
        #expect(try second.projection() == grown, "seed \(seed)")
        #expect(try second.reader.counts().digest == first.reader.counts().digest, "seed \(seed)")
        for id in Set(logs.joined().map(\.entity)) {
            #expect(try first.reader.state(of: id) == second.reader.state(of: id), "seed \(seed)")
        }
    }

    /// The streams interleaved at random, each in its order, partly with the projection behind.
    private func shuffled(_ logs: [[Operation]], _ random: inout SeededGenerator) throws -> TestStore {
        let store = try TestStore("zj", replica: 14)
        var rest = logs
        while rest.contains(where: { !$0.isEmpty }) {
            let index = Int.random(in: 0..<rest.count, using: &random)
            guard !rest[index].isEmpty else { continue }
            let part = Array(rest[index].prefix(Int.random(in: 1...4, using: &random)))
            let isDeferring = Int.random(in: 0..<3, using: &random) > 0
            try store.writer.commit([store.batch(part)], now: 0, deferringProjection: isDeferring)
            rest[index].removeFirst(part.count)
            // What was left behind is folded again by whoever comes after a crash.
            if Int.random(in: 0..<4, using: &random) == 0 { store.writer.forgetCacheForTests() }
        }
        try store.writer.catchUpProjection()
        _ = try store.writer.writeProjection()
        return store
    }

    @Test("only a site above may revoke")
    func authority() throws {
        let store = try TestStore("zj", replica: 13)
        let region = try store.meet(SiteCode(validated: "hz.zj"), replica: 15)
        try store.commit([
            announcement("zj", replica: 13), announcement("hz.zj", replica: 15), announcement("nb.zj", replica: 12),
            announcement("xihu.hz.zj", replica: 11), announcement("yuhang.hz.zj", replica: 16),
        ])
        let forged = [
            // A sister, a child, oneself, and the second node of one's own site.
            Self.revocation(of: "xihu.hz.zj", replica: 11, last: nil, by: "nb.zj", at: Dot(ReplicaID(12), 2)),
            Self.revocation(of: "xihu.hz.zj", replica: 11, last: nil, by: "yuhang.hz.zj", at: Dot(ReplicaID(16), 2)),
            Self.revocation(of: "hz.zj", replica: 15, last: nil, by: "xihu.hz.zj", at: Dot(ReplicaID(11), 2)),
            Self.revocation(of: "hz.zj", replica: 15, last: nil, by: "hz.zj", at: Dot(ReplicaID(15), 2)),
            // A person without the role, and a site that the replica does not work for.
            Self.revocation(
                of: "hz.zj", replica: 15, last: nil, by: "zj", at: Dot(ReplicaID(13), 2), role: .supervisor),
            Self.revocation(of: "yuhang.hz.zj", replica: 11, last: nil, by: "zj", at: Dot(ReplicaID(13), 3)),
        ]
        for operation in forged {
            let result = try store.commit([operation])
            #expect(result.parkedCount == 1 && !result.hasRevocations)
        }
        // A region speaks for its own subtree, also to its parent; its parent's word it cannot take.
        let other = Self.revocation(
            of: "nb.zj", replica: 12, last: nil, by: "zj", at: Dot(ReplicaID(13), 4))
        #expect(try store.commit([other], from: .peer(region, .repair)).parkedCount == 1)
        let own = Self.revocation(
            of: "xihu.hz.zj", replica: 11, last: nil, by: "hz.zj", at: Dot(ReplicaID(15), 3))
        let result = try store.commit([own], from: .peer(region, .repair))
        #expect(result.parkedCount == 0 && result.hasRevocations)
        #expect(try store.reader.revocations().map(\.isInForce) == [true])
    }

    @Test("a revocation comes into force with the announcement of the replica that it is about")
    func beforeAnnouncement() throws {
        let logs = try logs(tickets: 2)
        let store = try TestStore("nb.zj", replica: 20)
        try store.commit(logs[2])
        try store.commit([
            Self.revocation(of: "xihu.hz.zj", replica: 11, last: nil, by: "zj", at: next(logs[2]))
        ])
        #expect(try store.reader.revocations().map(\.isInForce) == [false])
        let result = try store.commit(logs[0])
        #expect(result.hasRevocations)
        for operation in logs[0] { #expect(try isVoid(store, operation)) }
        // One ticket has a chase of the province's; of the other nothing is left to work on.
        #expect(try store.reader.counts().tickets == 1)
        let grown = try store.projection()
        try store.writer.rebuild(now: 0)
        #expect(try store.projection() == grown)
    }

    @Test("all of it in one transaction, in any order of the replicas", arguments: 0..<6)
    func together(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var logs = try logs(tickets: 2)
        logs[2].append(
            Self.revocation(of: "xihu.hz.zj", replica: 11, last: logs[0][2], by: "zj", at: next(logs[2])))
        let store = try TestStore("nb.zj", replica: 20)
        let isDeferring = Bool.random(using: &random)
        try store.writer.commit(
            [store.batch(Array(logs.shuffled(using: &random).joined()))], now: 0, deferringProjection: isDeferring)
        _ = try store.writer.writeProjection()
        for operation in logs[0] where operation.entity.type == .ticket {
            #expect(try isVoid(store, operation) == (operation.dot.sequence > 3), "seed \(seed)")
        }
        let grown = try store.projection()
        try store.writer.rebuild(now: 0)
        #expect(try store.projection() == grown, "seed \(seed)")
    }

    @Test("another operation at the place of the last good one is void, and reported")
    func otherHistory() throws {
        let logs = try logs(tickets: 2)
        var other = logs[0][3]
        other.time = HybridTimestamp(rawValue: other.time.rawValue + 1)
        let store = try TestStore("zj", replica: 13)
        for log in logs { try store.commit(log) }
        try store.commit([
            Self.revocation(of: "xihu.hz.zj", replica: 11, last: other, by: "zj", at: next(logs[2]))
        ])
        #expect(try isVoid(store, logs[0][3]))
        #expect(try !isVoid(store, logs[0][2]))
        let record = try #require(try store.reader.revocations().first)
        #expect(record.isInForce && record.differs)
    }

    @Test("what was thrown away is not parked again, and is taken in from who may bring it")
    func discarded() throws {
        let logs = try logs(tickets: 1)
        let store = try TestStore("zj", replica: 13)
        let nb = try store.meet(SiteCode(validated: "nb.zj"), replica: 12)
        let hz = try store.meet(SiteCode(validated: "hz.zj"), replica: 15)
        let foreign = logs[0].filter { $0.dot.sequence > 1 }
        #expect(try store.commit(foreign, from: .peer(nb, .repair)).parkedCount == foreign.count)
        #expect(try store.writer.discardParked(foreign[0].dot, now: 1) == 1)
        #expect(try store.reader.counts().parked == foreign.count - 1)
        #expect(try store.writer.discardParked(nil, now: 1) == foreign.count - 1)
        #expect(try store.commit(foreign, from: .peer(nb, .repair)).parkedCount == 0)
        #expect(try store.reader.counts().parked == 0)
        #expect(try store.commit(logs[0], from: .peer(hz, .repair)).insertedCount == logs[0].count)
    }
}
