import Foundation
import Replication
import Store
import TestSupport
import Testing
import Tickets

/// Sessions over real stores: what arrives, what is sent twice, what is found missing.
/// Source: Protocols/sync.md §5, §8.
@Suite struct SyncLinkTests {
    /// A branch and the region above it, with the histories of `MergeTests` at hand.
    private struct Pair {
        let branch: TestStore
        let region: TestStore
        let link: StoreLink

        init() throws {
            branch = try TestStore("xihu.hz.zj", replica: 11, parent: "hz.zj")
            region = try TestStore("hz.zj", replica: 21, parent: "zj")
            try region.commit([announcement("hz.zj", replica: 21)])
            link = StoreLink(branch, region)
        }
    }

    /// What a branch writes on its own.
    private func branchLog(tickets: Int, replica: UInt64 = 11) throws -> [Replication.Operation] {
        var office = Office("xihu.hz.zj", replica: replica, announced: true)
        for index in 0..<tickets {
            let opened = try office.perform(
                .open(OpenBody(title: "报障 \(index)", category: "network", department: "SVC")), on: nil, as: "SVC",
                minute: Int64(index * 7))
            try office.perform(.note("回访 \(index)"), on: opened[0].entity, as: "SVC", minute: Int64(index * 7 + 1))
        }
        return [announcement("xihu.hz.zj", replica: replica)] + office.log
    }

    /// The same digest over everything, which for a branch alone with its region is the same set of operations.
    private func expectSame(_ left: TestStore, _ right: TestStore, seed: UInt64) throws {
        try left.writer.catchUpProjection()
        try right.writer.catchUpProjection()
        #expect(try left.reader.counts().digest == right.reader.counts().digest, "seed \(seed)")
        #expect(try left.reader.counts().operations == right.reader.counts().operations, "seed \(seed)")
    }

    @Test(
        "whatever is lost with connections, both end with the same operations, and nothing is sent again",
        arguments: 0..<12)
    func convergence(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let pair = try Pair()
        let log = try branchLog(tickets: 30)
        var rest = log[...]
        for _ in 0..<8 {
            let count = Int.random(in: 0...12, using: &generator)
            if count > 0 { try pair.branch.commit(Array(rest.prefix(count))) }
            rest = rest.dropFirst(count)
            try pair.link.connect()
            for _ in 0..<Int.random(in: 0...60, using: &generator) {
                guard try pair.link.step(using: &generator) else { break }
                if Int.random(in: 0..<10, using: &generator) == 0, let next = rest.first {
                    try pair.branch.commit([next])
                    rest = rest.dropFirst()
                    pair.link.below.announceNews()
                }
            }
        }
        try pair.branch.commit(Array(rest))
        try pair.link.connectAndRun(using: &generator)
        #expect(pair.link.below.closed == nil && pair.link.above.closed == nil, "seed \(seed)")
        try expectSame(pair.branch, pair.region, seed: seed)
        try pair.link.connectAndRun(using: &generator)
        #expect(pair.link.below.sent.isEmpty && pair.link.above.sent.isEmpty, "seed \(seed)")
        #expect(pair.link.above.notices.contains(.receivedEverything))
        #expect(pair.link.below.notices.contains(.deliveredEverything))
    }

    @Test("a live operation overtakes the backlog, which then fills up to where it started", arguments: 0..<6)
    func overtaking(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let pair = try Pair()
        let log = try branchLog(tickets: 60)
        try pair.branch.commit(Array(log.dropLast(1)))
        pair.link.below.window = 4_096
        try pair.link.connect()
        while try pair.region.reader.counts().operations < 10 { _ = try pair.link.step(using: &generator) }
        try pair.branch.commit([log[log.count - 1]])
        pair.link.below.announceNews()
        while try pair.region.reader.operation(log[log.count - 1].dot) == nil {
            #expect(try pair.link.step(using: &generator))
        }
        #expect(try pair.region.reader.counts().operations < log.count / 2, "seed \(seed)")
        // The line goes; what has overtaken is known and not sent again.
        try pair.link.connectAndRun(using: &generator)
        #expect(!pair.link.below.sent.contains { $0.dot == log[log.count - 1].dot }, "seed \(seed)")
        try expectSame(pair.branch, pair.region, seed: seed)
        try pair.link.connectAndRun(using: &generator)
        #expect(pair.link.below.sent.isEmpty)
    }

    @Test("an import into a live session does not hold up what comes after it", arguments: 0..<4)
    func bulk(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let pair = try Pair()
        let log = try branchLog(tickets: 900)
        try pair.branch.commit(Array(log.prefix(5)))
        pair.link.below.window = 4_096
        try pair.link.connectAndRun(using: &generator)
        try pair.branch.commit(Array(log[5..<log.count - 1]))
        pair.link.below.announceNews()
        for _ in 0..<Int.random(in: 5...50, using: &generator) { _ = try pair.link.step(using: &generator) }
        try pair.branch.commit([log[log.count - 1]])
        pair.link.below.announceNews()
        while try pair.region.reader.operation(log[log.count - 1].dot) == nil {
            #expect(try pair.link.step(using: &generator))
        }
        #expect(try pair.region.reader.counts().operations < log.count / 2, "seed \(seed)")
        if seed % 2 == 0 { try pair.link.connect() }
        try pair.link.run(using: &generator)
        #expect(pair.link.below.closed == nil && pair.link.above.closed == nil, "seed \(seed)")
        try expectSame(pair.branch, pair.region, seed: seed)
        try pair.link.connectAndRun(using: &generator)
        #expect(pair.link.below.sent.isEmpty, "seed \(seed)")
    }

    @Test("an audit finds what one side lacks, by dividing ranges, and moves nothing else", arguments: 0..<8)
    func audit(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let pair = try Pair()
        let log = try branchLog(tickets: 300)
        try pair.branch.commit(log)
        try pair.link.connectAndRun(using: &generator)
        try expectSame(pair.branch, pair.region, seed: seed)
        // A region that has forgotten some of them without knowing it.
        let lost = Set((0..<5).map { _ in log.indices.dropFirst().randomElement(using: &generator) ?? 1 })
        let region = try TestStore("hz.zj", replica: 22, parent: "zj")
        try region.commit([announcement("hz.zj", replica: 22)])
        try region.commit([announcement("hz.zj", replica: 21)])
        try region.commit(log.indices.filter { !lost.contains($0) }.map { log[$0] })
        let link = StoreLink(pair.branch, region)
        try link.connectAndRun(using: &generator)
        #expect(link.below.audited?.missingThere == UInt64(lost.count), "seed \(seed)")
        #expect(link.below.audited?.unresolved == 0)
        #expect(Set(link.below.sent.map(\.dot)) == Set(lost.map { log[$0].dot }), "seed \(seed)")
        #expect(try region.reader.counts().operations == log.count + 2, "the region's announcements are there too")
        // From then on cursors do.
        try link.connectAndRun(using: &generator)
        #expect(link.below.audited == nil && link.below.sent.isEmpty, "seed \(seed)")
    }

    @Test("operations that do not fit into one batch are repaired in several, whoever asks", arguments: [true, false])
    func repairOfManyBytes(isFetched: Bool) throws {
        var generator = SeededGenerator(seed: 9)
        let (whole, torn) = (try TestStore("zj", replica: 41), try TestStore("zj", replica: 42))
        for store in [whole, torn] { try store.commit([announcement("hz.zj", replica: 11)]) }
        try whole.commit([announcement("zj", replica: 41)])
        try torn.commit([announcement("zj", replica: 42)])
        var office = Office("hz.zj", replica: 11, announced: true)
        let opened = try office.perform(
            .open(OpenBody(title: "一", department: "SVC")), on: nil, as: "SVC", minute: 1)
        let ticket = opened[0].entity
        var notes: [Replication.Operation] = []
        for minute in Int64(2)..<122 {
            notes += try office.perform(
                .note(String(repeating: "备注", count: 2_500)), on: ticket, as: "SVC", minute: minute)
        }
        #expect(notes.reduce(0) { $0 + $1.body.count } > 3 * SyncLimits.batchBytesMax)
        try whole.commit(opened + notes)
        try torn.commit(opened)
        let link = isFetched ? StoreLink(torn, whole, role: .sibling) : StoreLink(whole, torn, role: .sibling)
        try link.connectAndRun(using: &generator)
        #expect(link.below.closed == nil && link.above.closed == nil)
        let outcome = try #require(link.below.audited)
        #expect(outcome.unresolved == 0)
        #expect((isFetched ? outcome.missingHere : outcome.missingThere) > UInt64(notes.count / 2))
        #expect(try torn.reader.counts().digest == whole.reader.counts().digest)
    }

    @Test("what a child has brought and the parent has parked is not found missing again and again")
    func parkedIsThere() throws {
        var generator = SeededGenerator(seed: 3)
        let region = try TestStore("hz.zj", replica: 21, parent: "zj")
        try region.commit([announcement("hz.zj", replica: 21)])
        // A province that was put back before it wrote what the region holds.
        let province = try TestStore("zj", replica: 42)
        try province.commit([announcement("zj", replica: 42)])
        var office = Office("zj", replica: 41, announced: true)
        let opened = try office.perform(
            .open(OpenBody(title: "宽带", department: "SVC")), on: nil, as: "SVC", minute: 1)
        try region.commit([announcement("zj", replica: 41)] + opened)
        let link = StoreLink(region, province)
        try link.connectAndRun(using: &generator)
        link.below.audit(.repair)
        try link.run(using: &generator)
        #expect(try province.reader.parkedCount() == 2)
        #expect(link.below.audited?.unresolved == 0 && link.below.audited?.found == 0)
        #expect(link.above.audited == nil || link.above.audited?.unresolved == 0)
    }

    @Test("one dot with two contents, told to two parents, does not hold up what these have for each other")
    func twoContents() throws {
        var generator = SeededGenerator(seed: 4)
        let (first, second) = (try TestStore("zj", replica: 41), try TestStore("zj", replica: 42))
        try first.commit([announcement("zj", replica: 41)])
        try second.commit([announcement("zj", replica: 42)])
        var office = Office("hz.zj", replica: 11, announced: true)
        let opened = try office.perform(
            .open(OpenBody(title: "一", department: "SVC")), on: nil, as: "SVC", minute: 1)
        let later = try office.perform(
            .open(OpenBody(title: "二", department: "SVC")), on: nil, as: "SVC", minute: 2)
        var other = opened
        other[0].time = HybridTimestamp(rawValue: opened[0].time.rawValue + 1)
        let link = StoreLink(second, first, role: .sibling)
        try first.commit([announcement("hz.zj", replica: 11)])
        try link.connectAndRun(using: &generator)
        try first.commit(opened)
        try second.commit(other + later)
        for end in [link.below, link.above] { end.announceNews() }
        try link.run(using: &generator)
        #expect(link.below.closed == nil && link.above.closed == nil)
        for (store, sound) in [(first, opened[0]), (second, other[0])] {
            #expect(try store.reader.operation(sound.dot) == sound, "each keeps what it had")
            #expect(try store.reader.operation(later[0].dot) == later[0])
            #expect(try store.reader.parked().map(\.dot) == [sound.dot])
        }
        link.below.audit(.verify)
        try link.run(using: &generator)
        #expect(link.below.audited?.conflicting == 1)
        // A release takes in what can be taken in, and leaves the other.
        #expect(try first.writer.releaseParked(nil, now: 0).insertedCount == 0)
        #expect(try first.reader.parkedCount() == 1)
    }

    @Test("another content of a dot before what both have agreed on is parked, and no session ends for it")
    func twoContentsBeforeAgreed() throws {
        var generator = SeededGenerator(seed: 6)
        let (region, province) = (try TestStore("hz.zj", replica: 21, parent: "zj"), try TestStore("zj", replica: 41))
        var office = Office("zj", replica: 41, announced: true)
        var written: [Replication.Operation] = []
        for minute in Int64(1)...2 {
            var opened = try office.perform(
                .open(OpenBody(title: "宽带", department: "SVC")), on: nil, as: "SVC", minute: minute)[0]
            opened.scope = [SiteCode(validated: "hz.zj")]
            written.append(opened)
        }
        // Of the province's history before it was put back.
        var former = written[0]
        former.time = HybridTimestamp(rawValue: former.time.rawValue + 1)
        try province.commit([announcement("zj", replica: 41), written[1]])
        try region.commit([announcement("hz.zj", replica: 21), announcement("zj", replica: 41), written[1]])
        let link = StoreLink(region, province)
        try link.connectAndRun(using: &generator)
        try province.commit([written[0]])
        try region.commit([former])
        for end in [link.below, link.above] { end.announceNews() }
        try link.run(using: &generator)
        #expect(link.below.closed == nil && link.above.closed == nil)
        for (store, sound) in [(province, written[0]), (region, former)] {
            #expect(try store.reader.operation(sound.dot) == sound, "each keeps what it had")
            #expect(try store.reader.parked().map(\.dot) == [sound.dot])
        }
    }

    @Test("another content of a dot behind what both have agreed on ends the session: the next meeting tells")
    func twoContentsBehindAgreed() throws {
        var generator = SeededGenerator(seed: 7)
        let (region, province) = (try TestStore("hz.zj", replica: 21, parent: "zj"), try TestStore("zj", replica: 41))
        var office = Office("zj", replica: 41, announced: true)
        let opened = try office.perform(
            .open(OpenBody(title: "宽带", department: "SVC")), on: nil, as: "SVC", minute: 1)
        var other = opened
        other[0].time = HybridTimestamp(rawValue: opened[0].time.rawValue + 1)
        try province.commit([announcement("zj", replica: 41)])
        try region.commit([announcement("hz.zj", replica: 21), announcement("zj", replica: 41)])
        let link = StoreLink(region, province)
        try link.connectAndRun(using: &generator)
        try province.commit(opened)
        try region.commit(other)
        link.below.announceNews()
        #expect(throws: StoreError.self) { try link.run(using: &generator) }
        #expect(try province.reader.parkedCount() == 0)
        let again = StoreLink(region, province)
        try again.connectAndRun(using: &generator)
        #expect(again.above.recovery?.0 == .forked && again.above.recovery?.1 == 1)
    }

    @Test("two histories that waited for one announcement do not keep it out")
    func twoContentsParked() throws {
        let store = try TestStore("zj", replica: 41)
        let child = BatchSource.peer(try store.meet(SiteCode(validated: "hz.zj"), replica: 77), .repair)
        var office = Office("hz.zj", replica: 11, announced: true)
        let opened = try office.perform(
            .open(OpenBody(title: "一", department: "SVC")), on: nil, as: "SVC", minute: 1)
        var other = opened
        other[0].time = HybridTimestamp(rawValue: opened[0].time.rawValue + 1)
        for operations in [opened, other] { try store.commit(operations, from: child) }
        #expect(try store.reader.parkedCount() == 2)
        try store.commit([announcement("hz.zj", replica: 11)], from: child)
        #expect(try store.reader.operation(opened[0].dot) == opened[0])
        #expect(try store.reader.parkedCount() == 1)
    }

    @Test("what was parked is fed to the child that brought it too: it may have been put back since")
    func parkedComesBack() throws {
        let store = try TestStore("zj", replica: 41)
        let site = SiteCode(validated: "hz.zj")
        let child = try store.meet(site, replica: 77)
        let own = announcement("zj", replica: 42)
        try store.commit([own], from: .peer(child, .repair))
        #expect(try store.reader.parkedCount() == 1, "a child speaks for its own subtree only")
        let (again, _) = try store.writer.meet(
            SyncMessage.Hello(
                version: 1, site: site, replica: ReplicaID(78), wallMilliseconds: 0, run: 1, follows: ReplicaID(77)),
            role: .child, now: Office.start)
        let cursor = FeedCursor(feed: ReplicaID(41), position: 1)
        #expect(try store.reader.nextBatch(for: again, after: cursor).batch == nil)
        #expect(try store.writer.releaseParked(nil, now: 0).insertedCount == 1)
        #expect(try store.reader.nextBatch(for: again, after: cursor).batch?.operations == [own])
    }

    @Test("one release takes in what came before its incarnation's announcement, and loses nothing of what waits")
    func releasedAtOnce() throws {
        let store = try TestStore("hz.zj", replica: 42, parent: "zj")
        let child = BatchSource.peer(try store.meet(SiteCode(validated: "xihu.hz.zj"), replica: 77), .repair)
        // Of the region's former incarnation, which a branch holds and may not bring.
        var office = Office("hz.zj", replica: 41, announced: true)
        var written: [Replication.Operation] = []
        for minute in Int64(1)...4 {
            written += try office.perform(
                .open(OpenBody(title: "宽带", department: "SVC")), on: nil, as: "SVC", minute: minute)
        }
        for operations in [written, [announcement("hz.zj", replica: 41)]] { try store.commit(operations, from: child) }
        #expect(try store.reader.parkedCount() == 5)
        #expect(try store.writer.releaseParked(nil, now: 0).insertedCount == 5)
        #expect(try store.reader.parkedCount() == 0)
        for operation in written { #expect(try store.reader.operation(operation.dot) == operation) }
    }

    @Test("what a peer holds behind its cursor and this feed has not there is another history: it is compared")
    func foreignInterval() throws {
        let store = try TestStore("hz.zj", replica: 21, parent: "zj")
        let (parent, _) = try store.writer.meet(
            SyncMessage.Hello(
                version: 1, site: SiteCode(validated: "zj"), replica: ReplicaID(41), wallMilliseconds: 0, run: 1),
            role: .parent, now: Office.start)
        let log = try branchLog(tickets: 4)
        try store.commit(log)
        var hasher = ContentHasher()
        func digest(_ range: Range<Int>) -> SetDigest {
            var digest = SetDigest.empty
            for operation in log[range] { digest.insert(hasher.hash(operation)) }
            return digest
        }
        let cursor = FeedCursor(feed: ReplicaID(21), position: 2, digest: digest(0..<2))
        func vouched(_ interval: FeedInterval) throws -> SyncSession.Resumption {
            try store.reader.vouch(
                for: FeedProgress(cursor: cursor, intervals: [interval]), isPeerEmpty: false, by: parent)
        }
        let sound = FeedInterval(start: 4, end: 6, digest: digest(4..<6))
        #expect(try vouched(sound).cursor == cursor && vouched(sound).known == [sound])
        #expect(try vouched(FeedInterval(start: 4, end: 6, digest: digest(3..<5))).cursor == nil)
        let end = UInt64(log.count)
        #expect(try vouched(FeedInterval(start: end, end: end + 2, digest: digest(0..<2))).cursor == nil)
    }

    @Test("a parent that knows others gets a child's first feed in order, not by comparing")
    func firstMeeting() throws {
        var generator = SeededGenerator(seed: 2)
        let province = try TestStore("zj", replica: 13)
        for log in try MergeTests().history(tickets: 3) { try province.commit(log) }
        let child = try TestStore("wz.zj", replica: 51, parent: "zj")
        var office = Office("wz.zj", replica: 51, announced: true)
        for minute in 0..<20 {
            try office.perform(
                .open(OpenBody(title: "t\(minute)", department: "SVC")), on: nil, as: "SVC", minute: Int64(minute))
        }
        try child.commit([announcement("wz.zj", replica: 51)] + office.log)
        let link = StoreLink(child, province)
        try link.connectAndRun(using: &generator)
        #expect(link.below.audited == nil && link.above.audited == nil)
        #expect(try province.reader.peers().first { $0.site.rawValue == "wz.zj" }?.received?.cursor.digest.count == 21)
        try link.connectAndRun(using: &generator)
        #expect(link.below.sent.isEmpty && link.below.audited == nil)
    }

    @Test("to verify moves nothing")
    func verify() throws {
        var generator = SeededGenerator(seed: 1)
        let pair = try Pair()
        try pair.branch.commit(try branchLog(tickets: 20))
        try pair.link.connectAndRun(using: &generator)
        pair.link.above.audit(.verify)
        try pair.link.run(using: &generator)
        #expect(pair.link.above.audited == AuditOutcome())
    }

    @Test("a branch gets nothing of a ticket that it takes no part in, and the whole history of one that it enters")
    func scope() throws {
        var generator = SeededGenerator(seed: 3)
        let province = try TestStore("zj", replica: 13)
        let logs = try MergeTests().history(tickets: 6)
        let hz = try TestStore("hz.zj", replica: 31, parent: "zj")
        try hz.commit([announcement("hz.zj", replica: 31)])
        let wz = try TestStore("wz.zj", replica: 32, parent: "zj")
        try wz.commit([announcement("wz.zj", replica: 32)])
        for log in logs { try province.commit(log) }
        let first = StoreLink(hz, province)
        let second = StoreLink(wz, province)
        for link in [first, second] { try link.connectAndRun(using: &generator) }
        #expect(try hz.reader.counts().tickets == 6)
        #expect(try wz.reader.counts().tickets == 0)
        #expect(second.above.sent.allSatisfy { $0.entity.type == .replica })
        // Also not when it audits.
        second.below.audit(.repair)
        try second.run(using: &generator)
        #expect(second.below.audited == AuditOutcome())
        #expect(second.above.sent.allSatisfy { $0.entity.type == .replica })
    }

    @Test("a child that moves to the second parent compares, and sends nothing that the first has passed on")
    func secondParent() throws {
        var generator = SeededGenerator(seed: 5)
        let first = try TestStore("zj", replica: 41)
        try first.commit([announcement("zj", replica: 41)])
        let second = try TestStore("zj", replica: 42)
        try second.commit([announcement("zj", replica: 42)])
        let child = try TestStore("hz.zj", replica: 11, parent: "zj")
        var office = Office("hz.zj", replica: 11, announced: true)
        for index in 0..<40 {
            try office.perform(
                .open(OpenBody(title: "t\(index)", department: "SVC")), on: nil, as: "SVC", minute: Int64(index))
        }
        try child.commit([announcement("hz.zj", replica: 11)] + office.log)
        let upward = StoreLink(child, first)
        let between = StoreLink(second, first, role: .sibling)
        for link in [upward, between] { try link.connectAndRun(using: &generator) }
        #expect(try second.reader.counts().operations == 43)
        let late = try office.perform(
            .open(OpenBody(title: "late", department: "SVC")), on: nil, as: "SVC", minute: 100)
        try child.commit(late)
        let moved = StoreLink(child, second)
        try moved.connectAndRun(using: &generator)
        #expect(moved.below.audited?.missingThere == 1 && moved.below.audited?.missingHere == 1)
        #expect(moved.below.sent.map(\.dot) == late.map(\.dot))
        #expect(moved.above.sent.map(\.dot) == [Dot(ReplicaID(42), 1)])
        // And back: the first one gets the late one from its sibling or from the child, once.
        try upward.connectAndRun(using: &generator)
        #expect(upward.below.sent.map(\.dot) == late.map(\.dot))
        try between.connectAndRun(using: &generator)
        #expect(between.above.sent.isEmpty || between.above.sent.map(\.dot) == late.map(\.dot))
        #expect(try first.reader.counts().digest == second.reader.counts().digest)
    }

    @Test("a peer that holds more of this store's incarnation than the store itself shows that it was rolled back")
    func rolledBack() throws {
        var generator = SeededGenerator(seed: 7)
        let pair = try Pair()
        let log = try branchLog(tickets: 20)
        try pair.branch.commit(log)
        try pair.link.connectAndRun(using: &generator)
        let older = try TestStore("xihu.hz.zj", replica: 11, parent: "hz.zj")
        try older.commit(Array(log.prefix(17)))
        let link = StoreLink(older, pair.region)
        try link.connectAndRun(using: &generator)
        #expect(link.below.recovery?.reason == .rolledBack && link.below.recovery?.common == 17)
        #expect(link.below.closed?.code == .recovering)
    }

    @Test(
        "a store that was rolled back and written on knows up to where its history is the peer's",
        arguments: [1, 5, 16, 30])
    func forked(common: Int) throws {
        var generator = SeededGenerator(seed: 9)
        let pair = try Pair()
        let log = try branchLog(tickets: 20)
        try pair.branch.commit(log)
        try pair.link.connectAndRun(using: &generator)
        let older = try TestStore("xihu.hz.zj", replica: 11, parent: "hz.zj")
        var rewritten = Array(log.prefix(common))
        for operation in log.dropFirst(common).prefix(8) {
            var other = operation
            other.time = HybridTimestamp(rawValue: operation.time.rawValue + 1)
            rewritten.append(other)
        }
        try older.commit(rewritten)
        let link = StoreLink(older, pair.region)
        try link.connectAndRun(using: &generator)
        #expect(link.below.recovery?.reason == .forked && link.below.recovery?.common == UInt64(common))
    }
}
