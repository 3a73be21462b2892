internal import GRDB
package import Replication
internal import Tickets

extension StoreWriter {
    /// Builds the whole projection anew from the log: the same rows as those that grew step by step. One transaction:
    /// a rebuild that is interrupted leaves everything as it was. Rows of the log that SQLite cannot read are written anew
    /// before, as far as they are known.
    /// - Parameter progress: called with operations done and operations in all, every few thousand.
    /// - Returns: operations folded.
    @discardableResult
    package func rebuild(now: Int64, progress: (Int, Int) -> Void = { _, _ in }) throws -> Int {
        let count: Int
        do {
            count = try refoldAll(now: now, progress: progress)
        } catch let error where StoreError.isMalformed(error) {
            try straightenAll(now: now)
            count = try refoldAll(now: now, progress: progress)
        }
        reader.search.reset()
        return count
    }

    private func refoldAll(now: Int64, progress: (Int, Int) -> Void) throws -> Int {
        // Without folding what was left behind: a state that cannot be read must not keep it from being built anew.
        try transaction(folding: false) { db, cache in
            try Refold(catalog: catalog, site: reader.identity.site, now: now).all(db, cache, progress: progress)
        }
    }

    /// Folds some tickets again from their operations and compares, without changing anything.
    /// - Parameter sampleCount: how many entities to look at, spread over all.
    /// - Returns: entities whose stored state or digest differs, and all that have more or fewer operations in the log.
    package func differencesFromLog(sampleCount: Int) throws -> [EntityID] {
        try catchUpProjection()
        let differing = try reader.read { db in
            var differing: [EntityID] = []
            let total = try Int.fetchOne(db, sql: "SELECT count(*) FROM entity") ?? 0
            let entities = try BoundStatement(
                db,
                """
                SELECT type, high, low, operations, digest, state FROM entity
                WHERE id % ?1 = 0 AND operations > 0 ORDER BY id LIMIT ?2
                """)
            entities.bind(1, max(1, total / max(1, sampleCount)))
            entities.bind(2, sampleCount)
            let rows = try DotReader(db)
            let rules = try VoidRules.read(db)
            while try entities.step() {
                guard let type = EntityType(rawValue: UInt8(clamping: entities.integer(0))) else { continue }
                let id = EntityID(type: type, high: entities.unsigned(1), low: entities.unsigned(2))
                let digest = SetDigest(count: entities.unsigned(3), sum: ContentHash(entities.blob(4)) ?? .zero)
                if try !StoreReader.isWhole(id, state: entities.bytes(5), digest: digest, rows, rules) {
                    differing.append(id)
                }
            }
            return differing
        }
        // What a state does not name is not looked at above.
        return try differing + reader.entitiesMissingOperations().filter { !differing.contains($0) }
    }
}

extension Refold {
    /// Every entity.
    /// - Returns: operations folded.
    @discardableResult
    func all(
        _ db: Database, _ cache: WriterCache, progress: (Int, Int) -> Void = { _, _ in }
    ) throws -> Int {
        try db.execute(sql: "DELETE FROM ticket; DELETE FROM twin; DELETE FROM rollup")
        cache.forgetWorks()
        try findRevocations(db, cache)
        // The rows themselves stay: the log names entities by their numbers.
        try db.execute(sql: "UPDATE entity SET operations = 0, digest = zeroblob(32), facts = 0, state = x''")
        let total = try Int.fetchOne(db, sql: "SELECT count(*) FROM operation") ?? 0
        let rows = try BoundStatement(
            db, "SELECT \(OperationRow.columns) FROM operation o WHERE o.arrival > ?1 ORDER BY o.arrival LIMIT ?2")
        let table = try InternTable(db)
        var last: Int64 = 0
        var done = 0
        while done < total {
            var merge = Merge(db: db, cache: cache, catalog: catalog, site: site, now: now)
            rows.bind(1, last)
            rows.bind(2, StoreWriter.transactionOperationsMax)
            var read = 0
            while try rows.step() {
                last = rows.integer(0)
                read += 1
                try merge.replay(rows, table)
            }
            guard read > 0 else { break }
            try merge.finish()
            done += read
            progress(done, total)
        }
        // What was folded here does not know which children take part.
        cache.forgetWorks()
        return done
    }

    /// What is void has to be known before anything is folded.
    private func findRevocations(_ db: Database, _ cache: WriterCache) throws {
        try db.execute(sql: "DELETE FROM revocation")
        try db.execute(
            sql: "INSERT INTO revocation SELECT arrival FROM operation WHERE kind = ?",
            arguments: [Int(Kind.revoke.rawValue)])
        cache.hasRevocations = db.changesCount > 0
        var merge = Merge(db: db, cache: cache, catalog: catalog, site: site, now: now)
        try merge.loadRules()
    }
}

extension Ticket {
    /// Folds an operation of the log as it counts now.
    mutating func apply(_ stored: StoredOperation, _ rules: VoidRules) {
        apply(
            stored.operation, OperationReading(stored.operation),
            isVoid: rules.isVoid(stored.operation.dot, stored.hash))
    }
}
