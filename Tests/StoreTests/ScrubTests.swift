import Replication
import Store
import TestSupport
import Testing
import Tickets

/// An office's announcement, and tickets with a note each.
func sixTickets() throws -> (log: [Operation], hashes: [ContentHash]) {
    var office = Office("hz.zj", replica: 11, announced: true)
    for minute in 0..<6 {
        let opened = try office.perform(
            .open(OpenBody(title: "宽带 \(minute)", body: "断网", category: "network", department: "service")), on: nil,
            as: "service", minute: Int64(minute * 10))
        try office.perform(.note("已联系"), on: opened[0].entity, as: "service", minute: Int64(minute * 10 + 2))
    }
    let log = [announcement("hz.zj", replica: 11)] + office.log
    var hasher = ContentHasher()
    return (log, log.map { hasher.hash($0) })
}

@Suite struct ScrubTests {
    private let store: TestStore
    private let log: [Operation]
    private let hashes: [ContentHash]

    init() throws {
        store = try TestStore("hz.zj", replica: 11, parent: "zj")
        (log, hashes) = try sixTickets()
        try store.commit(log)
    }

    private func scrub() throws -> [Int64] {
        var found: [Int64] = []
        var arrival: Int64? = 0
        while let from = arrival {
            let step = try store.reader.scrubOperations(after: from, limit: 4)
            found += step.damaged
            arrival = step.next
        }
        return found
    }

    private func wrong() throws -> [EntityID] {
        var found: [EntityID] = []
        var number: Int64? = 0
        while let from = number {
            let step = try store.reader.scrubEntities(after: from, limit: 3)
            found += step.wrong
            number = step.next
        }
        return found
    }

    @Test("whatever breaks in a row, the pass finds that row, and a sound copy heals it", arguments: RowDamage.all)
    func damage(_ change: String) throws {
        let before = try store.projection()
        // It opens a ticket that a later one belongs to.
        let arrival: Int64 = 6
        let raw = RawConnection(store.folder)
        try raw.execute("UPDATE operation SET \(change) WHERE arrival = \(arrival)")
        #expect(try scrub() == [arrival])
        #expect(try store.writer.noteDamaged([arrival], now: 7) == [arrival])
        #expect(try store.writer.noteDamaged([arrival], now: 8).isEmpty)
        let noted = try #require(try store.reader.damaged().first)
        #expect(noted.arrival == arrival && noted.since == 7)

        // Neither another operation nor a changed one takes the place.
        for (index, operation) in log.enumerated() where index != Int(arrival) - 1 {
            #expect(try !store.writer.heal(operation, hash: hashes[index]))
        }
        var changed = log[Int(arrival) - 1]
        changed.body.append(0)
        #expect(try !store.writer.heal(changed, hash: hashes[Int(arrival) - 1]))
        var hasher = ContentHasher()
        let changedHash = hasher.hash(changed)
        #expect(try !store.writer.heal(changed, hash: changedHash))

        #expect(try store.writer.heal(log[Int(arrival) - 1], hash: hashes[Int(arrival) - 1]))
        #expect(try store.reader.damaged().isEmpty && scrub().isEmpty && wrong().isEmpty)
        #expect(try store.reader.operations(after: arrival - 1, limit: 1).first?.operation == log[Int(arrival) - 1])
        #expect(try store.projection() == before)
        try store.writer.rebuild(now: 0)
        #expect(try store.projection() == before)
    }

    @Test("a rebuild goes over a damaged row and records it, and a sound copy makes it whole", arguments: RowDamage.all)
    func rebuilt(_ change: String) throws {
        let before = try store.projection()
        try RawConnection(store.folder).execute("UPDATE operation SET \(change) WHERE arrival = 6")
        try store.writer.rebuild(now: 9)
        let noted = try store.reader.damaged()
        #expect(noted.map(\.arrival) == [6] && noted.map(\.since) == [9])
        #expect(try store.writer.heal(log[5], hash: hashes[5]))
        #expect(try store.reader.damaged().isEmpty && wrong().isEmpty)
        #expect(try store.reader.entitiesMissingOperations().isEmpty)
        #expect(try store.projection() == before)
    }

    @Test("a healthy row is never touched, whatever is offered for it")
    func healthy() throws {
        #expect(try scrub().isEmpty)
        #expect(try store.writer.noteDamaged([3], now: 1).isEmpty)
        #expect(try !store.writer.heal(log[2], hash: hashes[2]))
        // Even if it is wrongly on the list.
        try RawConnection(store.folder).execute(
            "INSERT INTO damaged SELECT arrival, 11, sequence, hash, 1 FROM operation WHERE arrival = 3")
        #expect(try !store.writer.heal(log[2], hash: hashes[2]))
        try store.writer.recheckDamaged()
        #expect(try store.reader.damaged().isEmpty)
    }

    @Test("a row that does not match with a sound copy in it either is not healed, and stays on the list")
    func damagedAgain() throws {
        let raw = RawConnection(store.folder)
        try raw.execute("UPDATE operation SET body = x'' WHERE arrival = 4")
        try store.writer.noteDamaged([4], now: 1)
        let noted = try store.reader.damaged()
        // In place of a disk that damages what is written to it.
        try raw.execute(
            """
            CREATE TRIGGER breaks AFTER UPDATE ON operation
            BEGIN UPDATE operation SET body = x'01' WHERE arrival = new.arrival; END
            """)
        #expect(try !store.writer.heal(log[3], hash: hashes[3]))
        #expect(try store.reader.damaged() == noted && scrub() == [4])
        try raw.execute("DROP TRIGGER breaks")
        #expect(try store.writer.heal(log[3], hash: hashes[3]))
        #expect(try store.reader.damaged().isEmpty && scrub().isEmpty)
    }

    @Test("after two breaks in one row the entity's digest tells its operation; if that broke too, it is left alone")
    func twice() throws {
        let before = try store.projection()
        let raw = RawConnection(store.folder)
        try raw.execute("UPDATE operation SET body = x'', hash = zeroblob(32) WHERE arrival = 4")
        #expect(try store.writer.noteDamaged([4], now: 1) == [4])
        try raw.execute(
            "CREATE TABLE former AS SELECT id, digest FROM entity; UPDATE entity SET digest = zeroblob(32)")
        #expect(try !store.writer.heal(log[3], hash: hashes[3]))
        #expect(try store.reader.damaged().count == 1)
        try raw.execute("UPDATE entity SET digest = (SELECT f.digest FROM former f WHERE f.id = entity.id)")
        #expect(try store.writer.heal(log[3], hash: hashes[3]))
        #expect(try store.reader.damaged().isEmpty && wrong().isEmpty)
        #expect(try store.projection() == before)
    }

    @Test(
        "a wrong digest or state is found and folded again",
        arguments: [
            "digest = zeroblob(32)", "operations = operations + 1", "state = x''",
            "state = (SELECT state FROM entity WHERE id = 4)",
            "state = CAST(substr(state, 1, length(state) - 1) || x'7F' AS BLOB)",
        ])
    func entities(_ change: String) throws {
        let before = try store.projection()
        try RawConnection(store.folder).execute("UPDATE entity SET \(change) WHERE id = 3")
        let found = try wrong()
        let id = try #require(found.first)
        #expect(found.count == 1)
        #expect(try store.writer.refold(id, now: 0))
        #expect(try wrong().isEmpty)
        #expect(try store.projection() == before)
    }

    @Test("a state that misses an operation, digest and all, is found by the count")
    func missing() throws {
        let first = log[1].entity
        try RawConnection(store.folder).execute("DELETE FROM operation WHERE arrival = 3")
        let shorter = try #require(try wrong().first)
        #expect(shorter == first)
        #expect(try store.writer.refold(first, now: 0))
        #expect(try wrong().isEmpty)
        #expect(try store.reader.entitiesMissingOperations().isEmpty)
        try RawConnection(store.folder).execute(
            "INSERT INTO operation SELECT 100, replica, 100, 2, kind, time, author, source, hash, envelope, body FROM operation WHERE arrival = 2"
        )
        #expect(try wrong().isEmpty)
        #expect(try store.reader.entitiesMissingOperations() == [first])
        #expect(try store.writer.differencesFromLog(sampleCount: 100) == [first])
    }

    @Test("a state that lacks an operation of the log is told from it, and is folded from the log and not from itself")
    func stale() throws {
        let other = try TestStore("hz.zj", replica: 11, parent: "zj")
        try other.commit(log.dropLast())
        let raw = RawConnection(other.folder)
        try raw.execute("CREATE TABLE former AS SELECT id, operations, digest, state FROM entity")
        let last = try #require(log.last)
        try other.commit([last])
        try raw.execute(
            """
            UPDATE entity SET (operations, digest, state) =
                (SELECT f.operations, f.digest, f.state FROM former f WHERE f.id = entity.id)
            """)
        other.writer.forgetCacheForTests()
        #expect(try other.reader.scrubEntities(after: 0, limit: 100).wrong.isEmpty)
        #expect(try other.writer.differencesFromLog(sampleCount: 100) == [last.entity])
        #expect(try other.writer.refold(last.entity, now: 0))
        #expect(try other.writer.differencesFromLog(sampleCount: 100) == [last.entity])
        #expect(try other.writer.refold(last.entity, now: 0, trustsState: false))
        #expect(try other.writer.differencesFromLog(sampleCount: 100).isEmpty)
    }

    @Test("rows are healed and entities folded again while the projection is behind the log")
    func behind() throws {
        let other = try TestStore("hz.zj", replica: 11, parent: "zj")
        try other.writer.commit([other.batch(log)], now: 0, deferringProjection: true)
        #expect(other.writer.isProjectionBehind)
        try RawConnection(other.folder).execute("UPDATE operation SET body = x'' WHERE arrival = 5")
        #expect(try other.reader.scrubOperations(after: 0, limit: 100).damaged == [5])
        #expect(try other.reader.scrubEntities(after: 0, limit: 100).wrong.isEmpty)
        #expect(try other.reader.entitiesMissingOperations().isEmpty)
        try other.writer.noteDamaged([5], now: 0)
        #expect(try other.writer.heal(log[4], hash: hashes[4]))
        #expect(!other.writer.isProjectionBehind)
        #expect(try other.projection() == store.projection())
        #expect(try other.writer.refold(log[1].entity, now: 0))
        #expect(try other.projection() == store.projection())
    }

    @Test("an entity with a damaged row is not folded before the row is healed")
    func waiting() throws {
        let raw = RawConnection(store.folder)
        try raw.execute("UPDATE operation SET body = x'' WHERE arrival = 2")
        try raw.execute("UPDATE entity SET digest = zeroblob(32) WHERE id = 2")
        #expect(try wrong() == [log[1].entity])
        #expect(try !store.writer.refold(log[1].entity, now: 0))
        #expect(try store.writer.noteDamaged([2], now: 0) == [2])
        #expect(try store.writer.heal(log[1], hash: hashes[1]))
        #expect(try wrong().isEmpty)
    }
}
