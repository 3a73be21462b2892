import Replication
import Store
import TestSupport
import Testing
import Tickets

/// Bundles between two stores, reduced to what they do to feeds and cursors, in turns with sessions.
/// Source: Protocols/bundle.md §2, §5.
@Suite struct BundleLinkTests {
    /// A region and a branch that have met, and the branch's tickets.
    private final class Pair {
        let branch: TestStore
        let region: TestStore
        let link: StoreLink
        private var office = Office("xihu.hz.zj", replica: 11, announced: true)
        private var minute: Int64 = 0

        init() throws {
            branch = try TestStore("xihu.hz.zj", replica: 11, parent: "hz.zj")
            region = try TestStore("hz.zj", replica: 21, parent: "zj")
            try region.commit([announcement("hz.zj", replica: 21)])
            try branch.commit([announcement("xihu.hz.zj", replica: 11)])
            link = StoreLink(branch, region)
        }

        /// What people at the branch do while there is no line.
        func work(tickets: Int) throws {
            let done = office.log.count
            for _ in 0..<tickets {
                minute += 1
                let opened = try office.perform(
                    .open(OpenBody(title: "断线 \(minute)", category: "network", department: "SVC")), on: nil,
                    as: "SVC", minute: minute)
                try office.perform(.note("记录"), on: opened[0].entity, as: "SVC", minute: minute)
            }
            try branch.commit(Array(office.log[done...]))
        }

        func session(using generator: inout SeededGenerator, stepsMax: Int = .max) throws {
            try link.connect()
            var steps = 0
            while steps < stepsMax, try link.step(using: &generator) { steps += 1 }
        }

        var parent: PeerID { get throws { try #require(try branch.reader.peer(SiteCode(validated: "hz.zj"))).id } }

        /// What a bundle of the branch for its region would hold.
        func bundle(operationsMax: Int) throws -> [OutgoingBatch] {
            let span = try branch.reader.unacknowledged(by: parent)
            #expect(span.isWhole)
            var cursor = span.start
            var batches: [OutgoingBatch] = []
            while let batch = try branch.reader.nextBatch(
                for: parent, after: cursor, through: span.head, operationsMax: operationsMax
            ).batch {
                #expect(batch.operations.count <= operationsMax)
                batches.append(batch)
                cursor = batch.end
            }
            #expect(cursor.position == span.head)
            return batches
        }

        /// - Returns: operations committed; nil if positions would be missing.
        func apply(_ batches: [OutgoingBatch]) throws -> Int? {
            let peer = try #require(try region.reader.peer(SiteCode(validated: "xihu.hz.zj")))
            var cursor = peer.received?.cursor ?? FeedCursor(feed: ReplicaID(11))
            var count = 0
            for batch in batches {
                switch cursor.placement(from: batch.start, through: batch.end) {
                case .held: continue
                case .follows:
                    try region.commit(batch.operations, from: .peer(peer.id, .backlog(batch.end)))
                    cursor = batch.end
                    count += batch.operations.count
                case .behindGap: return nil
                case .differs: Issue.record("the two agree on what came before")
                }
            }
            return count
        }
    }

    @Test("a session after a bundle sends nothing of it again, and both have the same", arguments: 0..<8)
    func nothingTwice(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let pair = try Pair()
        try pair.work(tickets: 5)
        try pair.session(using: &generator)
        try pair.work(tickets: 20)
        let batches = try pair.bundle(operationsMax: Int.random(in: 1...9, using: &generator))
        #expect(try pair.apply(batches) == 40, "seed \(seed)")
        #expect(try pair.apply(batches) == 0, "seed \(seed)")
        try pair.work(tickets: 2)
        try pair.session(using: &generator)
        #expect(pair.link.below.sent.count == 4, "only what the bundle could not have; seed \(seed)")
        #expect(pair.link.below.audited == nil && pair.link.above.audited == nil, "seed \(seed)")
        #expect(try pair.branch.reader.counts().digest == pair.region.reader.counts().digest, "seed \(seed)")
    }

    @Test("sessions that are cut and bundles in any order end with the same stores", arguments: 0..<16)
    func mixed(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let pair = try Pair()
        try pair.session(using: &generator)
        var sticks: [[OutgoingBatch]] = []
        for _ in 0..<12 {
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: try pair.work(tickets: Int.random(in: 1...6, using: &generator))
            case 1: sticks.append(try pair.bundle(operationsMax: Int.random(in: 1...7, using: &generator)))
            case 2:
                // Old ones too, and some of them twice.
                if let stick = sticks.randomElement(using: &generator) { _ = try pair.apply(stick) }
            default: try pair.session(using: &generator, stepsMax: Int.random(in: 0...40, using: &generator))
            }
        }
        try pair.session(using: &generator)
        #expect(try pair.branch.reader.counts().digest == pair.region.reader.counts().digest, "seed \(seed)")
        try pair.session(using: &generator)
        #expect(pair.link.below.sent.isEmpty, "seed \(seed)")
    }

    @Test("a part that begins behind what is held names the positions between")
    func gap() throws {
        var generator = SeededGenerator(seed: 1)
        let pair = try Pair()
        try pair.session(using: &generator)
        try pair.work(tickets: 3)
        let batches = try pair.bundle(operationsMax: 2)
        #expect(try pair.apply(Array(batches.dropFirst())) == nil)
        let held = FeedCursor(feed: ReplicaID(11), position: batches[0].start.position)
        #expect(
            held.placement(from: batches[1].start, through: batches[1].end)
                == .behindGap(first: batches[0].start.position + 1, last: batches[1].start.position))
    }

    @Test("a part that begins where the store stands has the store's digest there")
    func differing() {
        let held = FeedCursor(feed: ReplicaID(1), position: 4, digest: SetDigest(count: 4, sum: .zero))
        let end = FeedCursor(feed: ReplicaID(1), position: 9, digest: SetDigest(count: 9, sum: .zero))
        var start = held
        #expect(held.placement(from: start, through: end) == .follows)
        start.digest.insert(.zero)
        #expect(held.placement(from: start, through: end) == .differs)
        start.position = 3
        #expect(held.placement(from: start, through: end) == .follows)
        #expect(held.placement(from: start, through: held) == .held)
    }

    @Test("no bundle is made from a feed that begins behind what its child may lack")
    func notWhole() throws {
        let region = try TestStore("hz.zj", replica: 21, parent: "zj")
        try region.commit([announcement("hz.zj", replica: 21)])
        let met = try region.meet(SiteCode(validated: "xihu.hz.zj"), replica: 11)
        #expect(try !region.reader.unacknowledged(by: met).isWhole)
        // One that has been enrolled and not been met has its whole feed waiting.
        try region.writer.register(child: SiteCode(validated: "bin.hz.zj"))
        let waiting = try #require(try region.reader.peer(SiteCode(validated: "bin.hz.zj")))
        let span = try region.reader.unacknowledged(by: waiting.id)
        #expect(span.isWhole && span.operationCount == 1)
    }
}
