internal import GRDB
package import Replication
internal import Tickets

/// What one step of reading the store again has found.
package struct ScrubStep: Hashable, Sendable {
    /// Arrival, or local number of an entity, that the next step goes on behind; nil at the end.
    package var next: Int64?
    package var rowCount = 0
    /// Arrivals of rows that do not match their hash, that cannot be read, or that their dots do not lead to.
    package var damaged: [Int64] = []
    /// Entities whose rows are not what their operations give.
    package var wrong: [EntityID] = []
}

// The pass that reads everything again: a flipped bit passes SQLite's own check. Rows against their hashes, in the order
// of arrival; then entities against their operations. Each step is one snapshot. Source: Protocols/operations.md §9.
extension StoreReader {
    /// Verifies rows of the log against their hashes. O(rows).
    /// - Parameter arrival: the last one that has been looked at.
    package func scrubOperations(after arrival: Int64, limit: Int) throws -> ScrubStep {
        try readPastDamage { db in
            var rows = try LogRows(db, after: arrival)
            let table = try InternTable(db)
            let index = try IndexOfDots(db)
            var hasher = ContentHasher()
            var step = ScrubStep()
            while step.rowCount < limit, let (arrival, isMalformed) = try rows.next() {
                step.rowCount += 1
                step.next = arrival
                if try isMalformed || !index.leads(to: arrival, from: rows.row.integer(1), rows.row.integer(2))
                    || !RowVerdict.of(rows.row, table, &hasher).isSound
                {
                    step.damaged.append(arrival)
                }
            }
            if step.rowCount < limit { step.next = nil }
            return step
        }
    }

    /// Compares entities with what their operations give: the state's bytes, and the digest with the operations' hashes.
    /// O(operations of these entities).
    /// - Parameter number: the last one that has been looked at, as the step before gave it; 0 to begin.
    package func scrubEntities(after number: Int64, limit: Int) throws -> ScrubStep {
        try read { db in
            let entities = try BoundStatement(
                db,
                """
                SELECT id, type, high, low, operations, digest, state FROM entity WHERE id > ?1 ORDER BY id LIMIT ?2
                """)
            entities.bind(1, number)
            entities.bind(2, limit)
            let rows = try DotReader(db)
            let rules = try VoidRules.read(db)
            var step = ScrubStep()
            while try entities.step() {
                step.rowCount += 1
                step.next = entities.integer(0)
                guard let type = EntityType(rawValue: UInt8(clamping: entities.integer(1))) else { continue }
                let id = EntityID(type: type, high: entities.unsigned(2), low: entities.unsigned(3))
                // Named by the log and still to be folded.
                if entities.integer(4) == 0 { continue }
                let digest = SetDigest(count: entities.unsigned(4), sum: ContentHash(entities.blob(5)) ?? .zero)
                if try !Self.isWhole(id, state: entities.bytes(6), digest: digest, rows, rules) {
                    step.wrong.append(id)
                }
            }
            if step.rowCount < limit { step.next = nil }
            return step
        }
    }

    static func isWhole(
        _ id: EntityID, state: [UInt8], digest: SetDigest, _ rows: DotReader, _ rules: VoidRules
    ) throws -> Bool {
        guard let stored = try? state.withUnsafeBytes({ try Ticket(decoding: $0, id: id) }) else { return false }
        var folded = Ticket(id: id)
        var sum = SetDigest.empty
        for dot in stored.operations {
            // Where it is the row that is damaged, folding again waits for its healing.
            guard let operation = try rows.read(dot), operation.operation.entity == id else { return false }
            folded.apply(operation, rules)
            sum.insert(operation.hash)
        }
        return sum == digest && folded.encoded() == state
    }

    /// Whether all entities together have as many operations as the log; those that do not. Costs a pass over the log's
    /// entities if they differ, a count otherwise. Tells nothing while a backlog comes in.
    package func entitiesMissingOperations() throws -> [EntityID] {
        try read { db in
            // While the projection is behind, some entities have more than the cursor says and others less.
            guard try Meta.integer(Meta.projectionCursor, db) == nil else { return [] }
            let inLog = try Int64.fetchOne(db, sql: "SELECT count(*) FROM operation")
            let inEntities = try Int64.fetchOne(db, sql: "SELECT coalesce(sum(operations), 0) FROM entity")
            guard inLog != inEntities else { return [] }
            let rows = try BoundStatement(
                db,
                """
                SELECT e.type, e.high, e.low FROM entity e
                LEFT JOIN (SELECT entity, count(*) AS n FROM operation GROUP BY entity) o ON o.entity = e.id
                WHERE e.operations <> coalesce(o.n, 0)
                """)
            var result: [EntityID] = []
            while try rows.step() {
                guard let type = EntityType(rawValue: UInt8(clamping: rows.integer(0))) else { continue }
                result.append(EntityID(type: type, high: rows.unsigned(1), low: rows.unsigned(2)))
            }
            return result
        }
    }
}

extension StoreWriter {
    /// Folds an entity again from its operations in the log.
    /// - Parameter trustsState: looks for the operations that a sound state names; false reads the whole log, for one that
    ///   may lack some.
    /// - Returns: false if it has a damaged row, which must be healed before, or is not known.
    package func refold(_ id: EntityID, now: Int64, trustsState: Bool = true) throws -> Bool {
        try catchUpProjection()
        return try transaction { db, cache in
            let find = cache.statements.findEntity
            find.bind(id)
            guard try find.step() else { return false }
            let number = find.integer(0)
            find.reset()
            return try refold(number, now: now, trustsState: trustsState, db, cache)
        }
    }

    /// - Parameter healed: arrival of a row of it that its state may lack, since it could not be read.
    @discardableResult
    func refold(
        _ number: Int64, including healed: Int64? = nil, now: Int64, trustsState: Bool = true, _ db: Database,
        _ cache: WriterCache
    ) throws -> Bool {
        var arrivals = try Refold.arrivals(of: number, trustsState: trustsState, db)
        if let healed, !arrivals.contains(healed) { arrivals = (arrivals + [healed]).sorted() }
        let row = try BoundStatement(db, "SELECT \(OperationRow.columns) FROM operation o WHERE o.arrival = ?1")
        let table = try InternTable(db)
        var hasher = ContentHasher()
        // A damaged row may not say any more what it is part of.
        for arrival in try Set(arrivals).union(Refold.arrivalsNamed(byStateOf: number, db)) {
            row.bind(1, arrival)
            guard try row.step() else { continue }
            defer { row.reset() }
            guard try RowVerdict.of(row, table, &hasher).isSound else { return false }
        }
        let refold = Refold(catalog: catalog, site: reader.identity.site, now: now)
        report(try refold.run([number], arrivals: arrivals, db, cache))
        return true
    }
}

extension Refold {
    /// Where an entity's operations are in the log. Its state says so if it is whole; otherwise the log is read.
    static func arrivals(of number: Int64, trustsState: Bool = true, _ db: Database) throws -> [Int64] {
        if trustsState, let known = try arrivalsByState(of: number, db) { return known }
        return try Int64.fetchAll(
            db, sql: "SELECT arrival FROM operation WHERE entity = ? ORDER BY arrival", arguments: [number])
    }

    /// Of all operations that a state names and the log has, whether it is whole or not.
    static func arrivalsNamed(byStateOf number: Int64, _ db: Database) throws -> [Int64] {
        guard let (ticket, _) = try state(of: number, db) else { return [] }
        let rows = try DotReader(db)
        return try ticket.operations.compactMap { try rows.place(of: $0)?.arrival }
    }

    /// - Returns: nil for none, or one that cannot be read.
    private static func state(of number: Int64, _ db: Database) throws -> (ticket: Ticket, digest: SetDigest)? {
        let entity = try BoundStatement(
            db, "SELECT type, high, low, operations, digest, state FROM entity WHERE id = ?1")
        entity.bind(1, number)
        guard try entity.step(), let type = EntityType(rawValue: UInt8(clamping: entity.integer(0))) else { return nil }
        defer { entity.reset() }
        let id = EntityID(type: type, high: entity.unsigned(1), low: entity.unsigned(2))
        let digest = SetDigest(count: entity.unsigned(3), sum: ContentHash(entity.blob(4)) ?? .zero)
        guard let ticket = try? Ticket(decoding: entity.blob(5), id: id) else { return nil }
        return (ticket, digest)
    }

    private static func arrivalsByState(of number: Int64, _ db: Database) throws -> [Int64]? {
        guard let (ticket, digest) = try state(of: number, db) else { return nil }
        let rows = try DotReader(db)
        var sum = SetDigest.empty
        var arrivals: [Int64] = []
        for dot in ticket.operations {
            guard let (arrival, hash) = try rows.place(of: dot) else { return nil }
            arrivals.append(arrival)
            sum.insert(hash)
        }
        return sum == digest ? arrivals.sorted() : nil
    }
}
