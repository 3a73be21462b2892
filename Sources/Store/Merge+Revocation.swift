internal import Assessment
internal import GRDB
internal import Replication
internal import Tickets

// Revocations take effect in the transaction that brings them, or that brings what they waited for: entities that have
// operations of the replica are written with it, however many. Source: Protocols/operations.md §10.
extension Merge {
    /// What the log's revocations say is worked out again when the transaction ends.
    mutating func note(revocationAt arrival: Int64) throws {
        try db.execute(sql: "INSERT INTO revocation (arrival) VALUES (?)", arguments: [arrival])
        cache.hasRevocations = true
        result.hasRevocations = true
        mayVoid = true
    }

    /// Works out what is void, and writes the entities for which that has changed.
    mutating func applyRevocations() throws {
        mayVoid = false
        // A revocation is read from its row, which names its entity by the number of a row.
        for work in created where work.isNew && work.ticket.id.type == .replica { try write(work) }
        for (replica, former) in try loadRules() {
            let lowest = replica.voidRules.union(former).map(\.lastSequence).min() ?? 0
            try mark(replica, from: lowest)
        }
    }

    /// Brings table and cache up to the log, without touching entities.
    /// - Returns: replicas of which other operations are void than before, with the rules that were.
    @discardableResult
    mutating func loadRules() throws -> [(replica: WriterCache.ReplicaEntry, former: Set<VoidRule>)] {
        let stated = try StatedRevocation.all(db)
        let rules = StatedRevocation.judge(stated) { cache.replicas[$0]?.site }.rules
        var changed: [(WriterCache.ReplicaEntry, Set<VoidRule>)] = []
        for entry in cache.replicas.values.sorted(by: { $0.id < $1.id })
        where entry.voidRules != rules.of(entry.replica) {
            changed.append((entry, entry.voidRules))
            entry.voidRules = rules.of(entry.replica)
            try db.execute(sql: "DELETE FROM void WHERE replica = ?", arguments: [entry.id])
            for rule in entry.voidRules {
                try db.execute(
                    sql: "INSERT INTO void VALUES (?, ?, ?)",
                    arguments: [entry.id, Int64(bitPattern: rule.lastSequence), rule.lastHash.data])
            }
        }
        return changed
    }

    private mutating func mark(_ replica: WriterCache.ReplicaEntry, from lowest: UInt64) throws {
        let rows = try BoundStatement(
            db, "SELECT entity, sequence, hash FROM operation WHERE replica = ?1 AND sequence >= ?2")
        rows.bind(1, replica.id)
        rows.bind(2, lowest)
        var events: [Int64: [(sequence: UInt64, isVoid: Bool)]] = [:]
        while try rows.step() {
            let sequence = rows.unsigned(1)
            let isVoid = replica.isVoid(sequence, ContentHash(rows.blob(2)) ?? .zero)
            events[rows.integer(0), default: []].append((sequence, isVoid))
        }
        // Those of this transaction have no row yet by which their number could be looked up.
        var fresh: [Int64: Work] = [:]
        for work in created where work.isNew { fresh[work.id] = work }
        let find = try BoundStatement(db, "SELECT type, high, low FROM entity WHERE id = ?1")
        for number in events.keys.sorted() {
            let count = touched.count
            guard let work = try fresh[number] ?? known(number, find) else { continue }
            var isOther = false
            for event in events[number] ?? [] {
                if work.ticket.setVoid(Dot(replica.replica, event.sequence), event.isVoid) { isOther = true }
            }
            guard isOther else { continue }
            try rewrite(work)
            // Written: nothing need be held until the end.
            touched.removeSubrange(count...)
            cache.works.trim()
        }
    }

    private mutating func known(_ number: Int64, _ find: BoundStatement) throws -> Work? {
        find.bind(1, number)
        guard try find.step() else { return nil }
        defer { find.reset() }
        guard let type = EntityType(rawValue: UInt8(clamping: find.integer(0))) else { return nil }
        return try work(on: EntityID(type: type, high: find.unsigned(1), low: find.unsigned(2)))
    }

    /// Nobody is to work on what nothing is left of.
    mutating func removeTicketRow(of work: Work) throws {
        guard work.facts != 0 else { return }
        let find = cache.statements.findContributions
        find.bind(1, work.id)
        if try find.step() {
            defer { find.reset() }
            rollup.replace((try? Contribution.decode(find.blob(0))) ?? [], by: [])
        }
        try db.execute(sql: "DELETE FROM ticket WHERE entity = ?", arguments: [work.id])
        try db.execute(sql: "DELETE FROM twin WHERE entity = ?", arguments: [work.id])
        work.facts = 0
        work.queueFacts = 0
        work.contributions = []
    }

    private mutating func rewrite(_ work: Work) throws {
        work.mayShowMore = true
        // Another opening may be the one that counts now, or none: the number goes with it.
        work.isRenumbered = true
        for dot in work.ticket.openings {
            guard let stored = try DotReader(db).read(dot) else { continue }
            if let number = OperationReading(stored.operation).number { work.numbers[dot] = number }
        }
        try write(work)
    }
}

extension WriterCache.ReplicaEntry {
    func isVoid(_ sequence: UInt64, _ hash: ContentHash) -> Bool {
        !voidRules.isEmpty && voidRules.contains { $0.voids(sequence, hash) }
    }
}

extension WriterCache {
    func readVoidRules(_ db: Database) throws {
        let rules = try VoidRules.read(db)
        guard !rules.isEmpty else { return }
        for entry in replicas.values { entry.voidRules = rules.of(entry.replica) }
    }
}
