import Replication
import Store
import TestSupport
import Testing
import Tickets

/// How far an incarnation's stream goes, where its row is behind the log. Source: Protocols/operations.md §6.
@Suite struct ReplicaLagTests {
    private static let site = SiteCode(validated: "hz.zj")
    private static let replica = ReplicaID(11)

    private let store: TestStore
    private let log: [Operation]

    init() throws {
        store = try TestStore("hz.zj", replica: Self.replica.rawValue, parent: "zj")
        var office = Office("hz.zj", replica: Self.replica.rawValue, announced: true)
        for number in 0..<180 {
            try office.perform(
                .open(OpenBody(title: "工单 \(number)", department: "service")), on: nil, as: "service",
                minute: Int64(number))
        }
        log = [announcement("hz.zj", replica: Self.replica.rawValue)] + office.log
    }

    private func chain(_ count: Int) -> ContentHash {
        var hasher = ContentHasher()
        return log[..<count].reduce(ContentHash.zero) { hasher.link(previous: $0, hash: hasher.hash($1)) }
    }

    private func row(_ column: String) throws -> Int {
        Int(try RawConnection(store.folder).integer("SELECT \(column) FROM replica WHERE replica = 11"))
    }

    /// What everybody is told who asks, however far the row is.
    private func expectAll(_ count: Int) throws {
        #expect(try store.writer.lastSequence() == UInt64(count))
        #expect(try store.reader.prefix(of: Self.replica) == UInt64(count))
        #expect(try store.writer.lastOwnTime() == log[count - 1].time)
        let known = try #require(try store.reader.replicas(of: Self.site).first)
        #expect(known.highest == UInt64(count) && known.contiguous == UInt64(count))
        #expect(known.lastTime == log[count - 1].time.milliseconds)
        let history = try #require(try store.writer.ownHistory())
        #expect(history.sequence == UInt64(count) && history.chain == chain(count))
    }

    @Test("a row that is behind says the same as the log, also to a process that begins anew", arguments: 1...12)
    func behind(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var count = 0
        var lags: Set<Int> = []
        while count < log.count {
            let portion = Bool.random(using: &random) ? 1 : Int.random(in: 1...80, using: &random)
            let batch = Array(log[count..<min(count + portion, log.count)])
            try store.commit(batch)
            count += batch.count
            try expectAll(count)
            lags.insert(count - (try row("highest")))
            #expect(try row("stored") == row("highest") && row("prefix") == row("highest"))
            guard Int.random(in: 0..<4, using: &random) == 0 else { continue }
            store.writer.forgetCacheForTests()
            try expectAll(count)
        }
        #expect(lags.count > 1 && lags.allSatisfy { (0..<64).contains($0) })
    }

    @Test("the row is written with the announcement, and again before it is more than 64 operations behind")
    func bound() throws {
        for operation in log[..<66] { try store.commit([operation]) }
        #expect(try row("highest") == 65)
        for operation in log[66..<128] { try store.commit([operation]) }
        #expect(try row("highest") == 65)
        for operation in log[128..<130] { try store.commit([operation]) }
        #expect(try row("highest") == 129)
    }

    @Test("the row is brought up to the log when that is asked for")
    func saved() throws {
        for operation in log[..<20] { try store.commit([operation]) }
        #expect(try row("highest") == 1)
        try store.writer.writeOwnRow()
        #expect(try row("highest") == 20 && row("prefix") == 20)
        try store.commit([log[20]])
        #expect(try row("highest") == 20)
        try store.writer.writeOwnRow()
        try expectAll(21)
        #expect(try row("highest") == 21)
    }

    @Test("a damaged row that the stream's row does not count ends the chain, not the stream, until it is healed")
    func damaged() throws {
        for operation in log[..<11] { try store.commit([operation]) }
        #expect(try row("highest") == 1)
        try store.writer.damageForTests(arrival: 8)
        store.writer.forgetCacheForTests()
        #expect(try store.writer.lastSequence() == 11)
        #expect(try store.writer.ownHistory()?.sequence == 7)
        // Not a second time under a dot that is taken.
        #expect(try store.commit([log[7]]).duplicateCount == 1)
        try store.commit([log[11]])
        #expect(try store.writer.lastSequence() == 12)
        #expect(try store.writer.ownHistory()?.chain == chain(7))
        store.writer.forgetCacheForTests()
        #expect(try store.writer.ownHistory()?.sequence == 7)

        #expect(try store.writer.noteDamaged([8], now: 1) == [8])
        var hasher = ContentHasher()
        #expect(try store.writer.heal(log[7], hash: hasher.hash(log[7])))
        #expect(try store.writer.ownHistory()?.sequence == 12)
        try store.commit([log[12]])
        try expectAll(13)
    }

    @Test("a number of the row that has changed on the disk gives no other chain, and stops nobody")
    func flipped() throws {
        for operation in log[..<70] { try store.commit([operation]) }
        for (column, value) in [("prefix", "3"), ("prefix", "-1"), ("highest", "-1"), ("prefix", "500")] {
            try store.writer.writeOwnRow()
            try store.writer.executeForTests("UPDATE replica SET \(column) = \(value) WHERE replica = 11")
            store.writer.forgetCacheForTests()
            let history = try store.writer.ownHistory()
            if value == "3" { #expect(history?.sequence == 70 && history?.chain == chain(70)) }
            try store.writer.executeForTests("UPDATE replica SET prefix = 3, highest = 70 WHERE replica = 11")
            store.writer.forgetCacheForTests()
            #expect(try store.writer.ownHistory()?.chain == chain(70))
        }
    }

    @Test("a malformed record in it keeps the store from nothing")
    func malformed() throws {
        for operation in log[..<11] { try store.commit([operation]) }
        // A hash that is none, as straightening leaves it.
        try store.writer.executeForTests("UPDATE operation SET hash = x'' WHERE arrival = 5")
        store.writer.forgetCacheForTests()
        #expect(try store.writer.lastSequence() == 11)
        #expect(try store.writer.ownHistory()?.sequence == 4)
        try store.commit([log[11]])
        #expect(try row("highest") == 12 && row("prefix") == 4)
    }
}
