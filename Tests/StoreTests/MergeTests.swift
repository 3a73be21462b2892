import Replication
import Store
import TestSupport
import Testing
import Tickets

@Suite struct MergeTests {
    /// A branch opens tickets, transfers them to another region, which answers; the province chases.
    func history(tickets: Int) throws -> [[Operation]] {
        var branch = Office("xihu.hz.zj", replica: 11, announced: true)
        var region = Office("nb.zj", replica: 12, announced: true)
        var province = Office("zj", replica: 13, announced: true)
        for index in 0..<tickets {
            let minute = Int64(index * 10)
            let opened = try branch.perform(
                .open(OpenBody(title: "宽带断网 \(index)", body: "用户报障", category: "network", department: "service")),
                on: nil, as: "service", minute: minute)
            let id = opened[0].entity
            let transfer = try branch.perform(
                .transfer(.dispatch, site: region.site, department: "network", reason: "", note: "请处理"), on: id,
                as: "service", minute: minute + 5)
            Office.exchange(&branch, &region)
            region.confirm(transfer[0].dot, on: id, minute: minute + 7)
            try region.perform(.accept, on: id, as: "network", minute: minute + 8)
            Office.exchange(&branch, &province)
            if index % 2 == 0 {
                try province.perform(
                    .chase(customer: nil, promised: nil, note: "客户催办", channel: "phone"), on: id, as: "service",
                    minute: minute + 20)
            }
            if index % 3 == 0 {
                try region.perform(.reply(text: "已修复龘", custody: nil), on: id, as: "network", minute: minute + 60)
            }
        }
        return [
            [announcement("xihu.hz.zj", replica: 11)] + branch.log.filter { $0.dot.replica == branch.replica },
            [announcement("nb.zj", replica: 12)] + region.log.filter { $0.dot.replica == region.replica },
            [announcement("zj", replica: 13)] + province.log.filter { $0.dot.replica == province.replica },
        ]
    }

    @Test("a rebuilt projection has the same rows as the one that grew step by step")
    func rebuild() throws {
        let store = try TestStore("zj", replica: 13)
        for log in try history(tickets: 12) {
            for start in stride(from: 0, to: log.count, by: 3) {
                try store.commit(Array(log[start..<min(start + 3, log.count)]))
            }
        }
        let grown = try store.projection()
        #expect(try store.reader.counts().tickets == 12)
        try store.writer.rebuild(now: 0)
        #expect(try store.projection() == grown)
    }

    @Test("any order of arrival ends in the same tickets and digests", arguments: 0..<6)
    func order(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let logs = try history(tickets: 6)
        let first = try TestStore("zj", replica: 13)
        for log in logs { try first.commit(log) }
        let second = try TestStore("zj", replica: 14)
        // Each replica's own stream keeps its order, as on a line; the streams interleave and repeat.
        var rest = logs
        while rest.contains(where: { !$0.isEmpty }) {
            let index = Int.random(in: 0..<rest.count, using: &generator)
            guard !rest[index].isEmpty else { continue }
            let count = Int.random(in: 1...min(4, rest[index].count), using: &generator)
            let part = Array(rest[index].prefix(count))
            try second.commit(part)
            if Bool.random(using: &generator) {
                #expect(try second.commit(part).insertedCount == 0)
            }
            rest[index].removeFirst(count)
        }
        #expect(try second.reader.counts().digest == first.reader.counts().digest)
        let ids = try first.reader.list(TicketFilter()).map(\.id)
        for id in ids { #expect(try first.reader.state(of: id) == second.reader.state(of: id)) }
    }

    @Test("operations of an incarnation that has not announced itself wait, visible, and are applied when it does")
    func parking() throws {
        let store = try TestStore("zj", replica: 13)
        let log = try history(tickets: 1)[0]
        let result = try store.commit(Array(log.dropFirst()))
        #expect(result.insertedCount == 0 && result.parkedCount == log.count - 1)
        #expect(try store.reader.parked().first?.reason.contains("announced") == true)
        try store.commit([log[0]])
        #expect(try store.reader.counts().parked == 0)
        #expect(try store.reader.counts().tickets == 1)
    }

    @Test("a child cannot bring operations of a site outside its subtree")
    func foreignOrigin() throws {
        let store = try TestStore("zj", replica: 13)
        let child = SiteCode(validated: "hz.zj")
        try store.writer.register(child: child)
        let peer = try store.meet(child, replica: 99)
        let foreign = try history(tickets: 1)[1]
        let cursor = FeedCursor(feed: ReplicaID(99), position: 3, digest: .empty)
        let result = try store.commit(foreign, from: .peer(peer, .backlog(cursor)))
        #expect(result.insertedCount == 0 && result.parkedCount == foreign.count)
        #expect(try store.reader.peer(child)?.received == FeedProgress(cursor: cursor))
    }

    @Test("the same dot with other bytes is refused, and nothing of its batch is applied")
    func forgery() throws {
        let store = try TestStore("zj", replica: 13)
        let log = try history(tickets: 2)[0]
        try store.commit(Array(log.prefix(2)))
        var forged = log[1]
        forged.time = HybridTimestamp(rawValue: forged.time.rawValue + 1)
        #expect(throws: StoreError.self) { try store.commit([log[2], forged]) }
        #expect(try store.reader.operation(log[2].dot) == nil)
        // The writer goes on.
        #expect(try store.commit([log[2]]).insertedCount == 1)
    }

    @Test("a branch's feed holds the tickets it takes part in, from their first operation on, and no other")
    func feeds() throws {
        let store = try TestStore("zj", replica: 13)
        let hz = SiteCode(validated: "hz.zj")
        let nb = SiteCode(validated: "nb.zj")
        let wz = SiteCode(validated: "wz.zj")
        for child in [hz, nb, wz] { try store.writer.register(child: child) }
        let logs = try history(tickets: 2)
        let source = try store.meet(hz, replica: 11)
        try store.commit(logs[0], from: .peer(source, .backlog(FeedCursor(feed: ReplicaID(11), position: 1))))
        func feed(_ site: SiteCode) throws -> [Replication.Operation] {
            let peer = try #require(try store.reader.peer(site))
            return try store.reader.nextBatch(for: peer.id, after: FeedCursor(feed: store.reader.identity.replica))
                .batch?.operations ?? []
        }
        // What came from a child is not sent back to it; the other region gets the history behind the announcement.
        #expect(try feed(hz).isEmpty)
        #expect(try feed(nb).map(\.kind) == logs[0].map(\.kind))
        #expect(try feed(wz).map(\.entity.type) == [.replica])
        // A child that is registered later gets the same from the beginning.
        let late = SiteCode(validated: "nb.zj")
        #expect(try store.reader.peer(late)?.toSendCount == UInt64(logs[0].count))
    }

    @Test("a cursor is vouched for by its digest, before and behind the acknowledged position")
    func vouching() throws {
        let store = try TestStore("hz.zj", replica: 11, parent: "zj")
        let parent = SiteCode(validated: "zj")
        try store.commit([announcement("hz.zj", replica: 11)])
        var office = Office("hz.zj", replica: 11, announced: true)
        for minute in 0..<5 {
            try office.perform(
                .open(OpenBody(title: "t\(minute)", department: "service")), on: nil, as: "service",
                minute: Int64(minute))
        }
        try store.commit(office.log)
        let start = FeedCursor(feed: ReplicaID(11))
        let peer = try #require(try store.reader.peer(parent)).id
        let all = try #require(try store.reader.nextBatch(for: peer, after: start).batch)
        func vouched(_ cursor: FeedCursor) throws -> FeedCursor? {
            try store.reader.vouch(for: FeedProgress(cursor: cursor), isPeerEmpty: false, by: peer).cursor
        }
        #expect(all.operations.count == 6 && all.end.position == 6)
        #expect(try vouched(all.end) == all.end)
        try store.writer.saveAcknowledged(all.end, by: peer, now: 0)
        var wrong = all.end
        wrong.digest = SetDigest(count: 6, sum: .zero)
        #expect(try vouched(wrong) == nil)
        var other = all.end
        other.feed = ReplicaID(12)
        #expect(try vouched(other) == nil)
        // Only who has nothing at all gets everything.
        #expect(try vouched(start) == nil)
        #expect(try store.reader.vouch(for: nil, isPeerEmpty: true, by: peer).cursor == start)
        #expect(try store.reader.peer(parent)?.toSendCount == 0)
    }

    @Test(
        "search finds single Han characters, parts of runs, and whole words",
        arguments: [
            ("宽带", 12), ("龘", 4), ("断网", 12), ("带断", 12), ("宽网", 0), ("11", 1),
        ])
    func search(text: String, count: Int) throws {
        let store = try TestStore("zj", replica: 13)
        for log in try history(tickets: 12) { try store.commit(log) }
        while try store.writer.reader.search.advance() > 0 {}
        var filter = TicketFilter()
        filter.text = text
        #expect(try store.reader.list(filter).count == count)
        #expect(try store.reader.counts().searchBacklog == 0)
    }

    @Test(
        "a row with whatever damage is left out of its batch, and the batch goes on behind it", arguments: RowDamage.all
    )
    func damage(_ change: String) throws {
        let store = try TestStore("hz.zj", replica: 11, parent: "zj")
        var office = Office("hz.zj", replica: 11, announced: true)
        for minute in 0..<3 {
            try office.perform(
                .open(OpenBody(title: "宽带", body: "断网", category: "network", department: "service")), on: nil,
                as: "service", minute: Int64(minute))
        }
        try store.commit([announcement("hz.zj", replica: 11)] + office.log)
        try RawConnection(store.folder).execute("UPDATE operation SET \(change) WHERE arrival = 3")
        let peer = try #require(try store.reader.peer(SiteCode(validated: "zj")))
        let part = try store.reader.nextBatch(for: peer.id, after: FeedCursor(feed: ReplicaID(11)))
        #expect(part.damaged == [3] && part.batch?.omitted.count == 1)
        #expect(part.batch?.operations == [announcement("hz.zj", replica: 11), office.log[0], office.log[2]])
    }

    @Test("a row whose bytes have changed on disk is left out of its batch, which says so by the row's hash")
    func corruption() throws {
        let store = try TestStore("hz.zj", replica: 11, parent: "zj")
        try store.commit([announcement("hz.zj", replica: 11)])
        try store.writer.damageForTests(arrival: 1)
        let peer = try #require(try store.reader.peer(SiteCode(validated: "zj")))
        let part = try store.reader.nextBatch(for: peer.id, after: FeedCursor(feed: ReplicaID(11)))
        #expect(part.damaged == [1] && part.batch?.operations.isEmpty == true && part.batch?.omitted.count == 1)
        #expect(part.batch?.end.digest.count == 1)
    }

    @Test("a second process on the same folder is refused and the first is named")
    func lock() throws {
        let store = try TestStore("zj", replica: 13)
        #expect {
            _ = try Store.open(store.folder)
        } throws: { error in
            "\(error)".contains("process")
        }
    }

    @Test("a transaction that has run for 250 ms takes one batch more, a longer one none")
    func transactionTime() throws {
        let store = try TestStore("zj")
        let operations = try history(tickets: 3)[0]
        var now = ContinuousClock.now
        store.writer.monotonic = {
            defer { now += .milliseconds(StoreWriter.transactionMillisecondsMax / 2) }
            return now
        }
        let result = try store.writer.commit(operations.map { store.batch([$0]) }, now: Office.start)
        #expect(operations.count > 3 && result.batchCount == 3)
        #expect(try store.reader.counts().operations == 3)
    }
}
