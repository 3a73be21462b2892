internal import GRDB
internal import Replication
internal import SwiftProtobuf
internal import Tickets

/// Operations of a branch of this node's history that nobody else goes on with: out of the log, and again into it under
/// the next incarnation. Source: Protocols/operations.md §8.
enum Reissue {
    /// Takes an incarnation's operations beyond a sequence out of the log and keeps those that are sound for being issued
    /// again. What is computed from the log then follows from what remains.
    /// - Parameter next: the incarnation that they will be issued under.
    static func takeOut(
        _ own: WriterCache.ReplicaEntry, beyond common: UInt64, under next: ReplicaID, db: Database,
        cache: WriterCache, refold: Refold
    ) throws {
        let branch = try OwnBranch.read(own, beyond: common, db)
        let places = branch.places
        if branch.lost.isEmpty {
            let entities = try numbers(of: places.map(\.arrival), db)
            try delete(places, db)
            try refold.run(entities, arrivals: try remaining(of: entities, db), db, cache)
            // What they revoked counts until they are issued again.
            var merge = Merge(db: db, cache: cache, catalog: refold.catalog, site: refold.site, now: refold.now)
            try merge.applyRevocations()
            try merge.finish()
        } else {
            // Which entity holds a damaged row cannot be told from it.
            try delete(places, db)
            try refold.all(db, cache)
            try dropEmptyEntities(db)
        }
        try keep(branch.taken, common: common, db)
        try shorten(own, to: common, db)
        try branch.noteLost(of: own.replica, under: next, now: refold.now, db)
    }

    // MARK: Reading

    private static func numbers(of arrivals: [Int64], _ db: Database) throws -> [Int64] {
        try Self.arrivals(arrivals, db) { list in
            try Int64.fetchAll(db, sql: "SELECT DISTINCT entity FROM operation WHERE arrival IN \(list) ORDER BY 1")
        }
    }

    /// One pass over the log: there is no index by entity, and a fork is rare.
    private static func remaining(of entities: [Int64], _ db: Database) throws -> [Int64] {
        try arrivals(entities, db) { list in
            try Int64.fetchAll(db, sql: "SELECT arrival FROM operation WHERE entity IN \(list) ORDER BY arrival")
        }
    }

    /// Gives a list of numbers to a statement, however long it is.
    private static func arrivals<Value>(
        _ numbers: [Int64], _ db: Database, _ body: (String) throws -> Value
    ) throws -> Value {
        try db.execute(sql: "CREATE TEMP TABLE IF NOT EXISTS listed (number INTEGER PRIMARY KEY)")
        try db.execute(sql: "DELETE FROM temp.listed")
        let insert = try BoundStatement(db, "INSERT INTO temp.listed VALUES (?1)")
        for number in numbers {
            insert.bind(1, number)
            try insert.run()
        }
        return try body("(SELECT number FROM temp.listed)")
    }

    // MARK: Writing

    private static func delete(_ places: [OwnBranch.Place], _ db: Database) throws {
        try arrivals(places.map(\.arrival), db) { list in
            try db.execute(sql: "DELETE FROM operation WHERE arrival IN \(list)")
            try db.execute(sql: "DELETE FROM damaged WHERE arrival IN \(list)")
            try db.execute(sql: "DELETE FROM revocation WHERE arrival IN \(list)")
        }
        try closeArrivals(places, db)
    }

    private static func dropEmptyEntities(_ db: Database) throws {
        try db.execute(
            sql: """
                DELETE FROM entity WHERE operations = 0 AND id NOT IN (SELECT entity FROM operation);
                DELETE FROM member WHERE entity NOT IN (SELECT id FROM entity)
                """)
    }

    /// Arrival numbers at the end are given again, those in between stay empty and are nobody's. The feeds begin anew with
    /// the incarnation anyway.
    private static func closeArrivals(_ taken: [OwnBranch.Place], _ db: Database) throws {
        let last = try OperationRow.lastArrival(db)
        for peer in try Row.fetchAll(db, sql: "SELECT id FROM peer WHERE role <> 0") {
            let id: Int64 = peer["id"]
            let gone = taken.count { $0.arrival > last && $0.source == id }
            let empty = taken.count { $0.arrival < last && $0.source != id }
            try db.execute(sql: "UPDATE peer SET stored = stored + ? WHERE id = ?", arguments: [empty - gone, id])
        }
    }

    private static func keep(_ taken: [StoredOperation], common: UInt64, _ db: Database) throws {
        // What still waits from an earlier fork was written after these: they go before it.
        let first = try Int64.fetchOne(db, sql: "SELECT min(position) FROM reissue") ?? 1
        let insert = try BoundStatement(db, "INSERT INTO reissue VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
        // A new incarnation announces itself, and anchors its journal anew.
        let own = [Kind.announce.operationKind, Kind.journalAnchor.operationKind]
        for (index, stored) in taken.enumerated() where !own.contains(stored.operation.kind) {
            let operation = stored.operation
            insert.bind(1, first - Int64(taken.count) + Int64(index))
            insert.bind(2, operation.dot.replica.rawValue)
            insert.bind(3, operation.dot.sequence)
            insert.bind(4, common)
            insert.bind(5, try opensAlone(operation, db) ? 1 : 0)
            stored.hash.withBytes { insert.bind(6, $0) }
            insert.bind(7, try OperationColumns.encode([operation]).serializedBytes())
            try insert.run()
        }
    }

    /// Another branch may open another ticket at the same dot, which then has the same name. The ticket gets a new one,
    /// unless somebody else has worked on it, whose operations cannot be renamed.
    private static func opensAlone(_ operation: Operation, _ db: Database) throws -> Bool {
        guard operation.kind == Kind.open.operationKind, operation.entity == EntityID(ticketOpenedBy: operation.dot)
        else { return false }
        return try !isWorkedOn(operation.entity, db)
    }

    /// What remains in the log has it.
    static func isWorkedOn(_ entity: EntityID, _ db: Database) throws -> Bool {
        try Bool.fetchOne(
            db, sql: "SELECT EXISTS (SELECT 1 FROM entity WHERE type = ? AND high = ? AND low = ?)",
            arguments: [
                Int(entity.type.rawValue), Int64(bitPattern: entity.high), Int64(bitPattern: entity.low),
            ]) ?? false
    }

    private static func shorten(_ own: WriterCache.ReplicaEntry, to common: UInt64, _ db: Database) throws {
        own.highest = common
        own.stored = UInt64(
            try Int64.fetchOne(db, sql: "SELECT count(*) FROM operation WHERE replica = ?", arguments: [own.id]) ?? 0)
        // A row that has lost its place leaves a hole, also before the branch.
        let rows = try BoundStatement(
            db, "SELECT sequence, hash FROM operation WHERE replica = ?1 AND sequence <= ?2 ORDER BY sequence")
        rows.bind(1, own.id)
        rows.bind(2, min(own.prefix, common))
        own.prefix = 0
        own.chain = .zero
        var hasher = ContentHasher()
        while try rows.step(), rows.unsigned(0) == own.prefix + 1, let hash = ContentHash(rows.blob(1)) {
            own.lengthen(by: hash, &hasher)
        }
        rows.reset()
        try db.execute(
            sql: "UPDATE replica SET prefix = ?, chain = ?, highest = ?, stored = ? WHERE id = ?",
            arguments: [
                Int64(bitPattern: own.prefix), own.chain.data, Int64(bitPattern: own.highest),
                Int64(bitPattern: own.stored), own.id,
            ])
        // An incarnation whose announcement is among what left has not announced itself.
        if common == 0 {
            try db.execute(sql: "UPDATE replica SET site = NULL WHERE id = ?", arguments: [own.id])
        }
        own.noteWritten()
    }
}
