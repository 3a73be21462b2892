internal import Assessment
internal import GRDB
internal import Replication
internal import Tickets

/// Makes the rows of some entities anew from their operations in the log: as a rebuild does for all.
///
/// For entities whose operations have changed otherwise than by growing, or whose rows are wrong. Feeds and cursors stay
/// as they are.
struct Refold {
    let catalog: Catalog
    let site: SiteCode
    let now: Int64

    /// - Parameter entities: local numbers. Those without operations lose their rows.
    /// - Parameter arrivals: of all their operations, ascending.
    /// - Returns: whose projection was written.
    /// O(operations of these entities).
    @discardableResult
    func run(
        _ entities: some Collection<Int64>, arrivals: [Int64], _ db: Database, _ cache: WriterCache
    ) throws -> MergeResult {
        precondition(cache.projectionCursor == nil, "the projection is brought up to the log before it is made anew")
        // Decoded states of them may be at hand; all are read again.
        cache.forgetWorks()
        try withdrawMeasures(of: entities, db, cache)
        for entity in entities {
            try db.execute(sql: "DELETE FROM ticket WHERE entity = ?", arguments: [entity])
            try db.execute(sql: "DELETE FROM twin WHERE entity = ?", arguments: [entity])
            try db.execute(
                sql: "UPDATE entity SET operations = 0, digest = zeroblob(32), facts = 0, state = x'' WHERE id = ?",
                arguments: [entity])
        }
        let row = try BoundStatement(db, "SELECT \(OperationRow.columns) FROM operation o WHERE o.arrival = ?1")
        let table = try InternTable(db)
        var merge = Merge(db: db, cache: cache, catalog: catalog, site: site, now: now)
        for arrival in arrivals {
            row.bind(1, arrival)
            guard try row.step() else { continue }
            defer { row.reset() }
            try merge.replay(row, table)
        }
        try merge.finish()
        for entity in entities {
            try db.execute(sql: "DELETE FROM entity WHERE id = ? AND operations = 0", arguments: [entity])
            if db.changesCount > 0 {
                try db.execute(sql: "DELETE FROM member WHERE entity = ?", arguments: [entity])
            }
        }
        // What was folded here does not know which children take part.
        cache.forgetWorks()
        return merge.result
    }

    private func withdrawMeasures(of entities: some Collection<Int64>, _ db: Database, _ cache: WriterCache) throws {
        var rollup = RollupDelta()
        let find = cache.statements.findContributions
        for entity in entities {
            find.bind(1, entity)
            guard try find.step() else { continue }
            defer { find.reset() }
            rollup.replace((try? Contribution.decode(find.blob(0))) ?? [], by: [])
        }
        try rollup.write(add: cache.statements.addRollup, dropEmpty: cache.statements.dropEmptyRollup)
    }
}
