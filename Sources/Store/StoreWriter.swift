internal import GRDB
internal import GRDBSQLite
package import Replication
package import Tickets

/// The one that writes: every transaction of a node goes through here, one after the other, on its owner's thread.
///
/// Not Sendable: it belongs to the node's replica. A failed transaction leaves nothing behind, in memory or on disk.
package final class StoreWriter {
    /// Operations that one transaction takes at most.
    package static let transactionOperationsMax = 5_000
    /// A transaction that has run this long takes no further batch.
    package static let transactionMillisecondsMax = 250

    /// Entities whose rows may be behind the log while a backlog comes in.
    package static let deferredEntitiesMax = 8_000
    /// Events that they may have together: about 15 MiB.
    package static let deferredEventsMax = 80_000
    /// How long a row may be behind while transactions follow each other.
    package static let deferredMillisecondsMax = 2_000

    package let reader: StoreReader
    /// A change counts from the next opening on, or the next transaction that fails.
    package var parkedLimits = ParkedLimits()
    /// Limits of steps by which rollups are kept. A change needs `rebuild`.
    package private(set) var catalog: Catalog
    /// Of the clock that transactions are timed by; it never steps.
    package var monotonic: () -> ContinuousClock.Instant = { .now }
    private let pool: DatabasePool
    private(set) var cache: WriterCache?
    /// Whose projection was written by another call than the one that took their operations in.
    private var unreported = MergeResult()
    /// UTC milliseconds.
    let openedAt: Int64
    /// Of the machine; goes into the epoch file.
    let machine: ContentHash?
    /// Entries that go into the journal with the next transaction that has a result to be told.
    var recorder: Recorder?
    /// What every transaction that takes operations in throws at its end.
    package var failureForTests: (any Error)?
    /// What the epoch file says; nil before the first time.
    var savedEpoch: Epoch?

    init(reader: StoreReader, machine: ContentHash? = nil, openedAt: Int64) throws {
        self.reader = reader
        self.openedAt = openedAt
        self.machine = machine
        pool = reader.pool
        catalog = .standard
    }

    deinit {
        // Without it the file is behind, which is allowed; whoever wants to know of a failure saves before.
        try? saveEpochAtEnd()
        // Statements are finalised before their connection is closed.
        cache = nil
    }

    /// To be called before the first commit.
    package func use(_ catalog: Catalog) {
        self.catalog = catalog
    }

    /// Makes the batches durable in one transaction, or as many of them, in order, as fit into
    /// `transactionMillisecondsMax`; `MergeResult.batchCount` says how many, at least one.
    /// - Parameter now: UTC milliseconds, for rows that say since when.
    /// - Parameter deferringProjection: entities are not written yet, since a peer waits for the log alone, and each may
    ///   be touched again by what comes next. Readers see them as they were, for `deferredMillisecondsMax` at most; call
    ///   `writeProjection` if nothing comes. Without it, what these batches touch is written in their transaction.
    /// - Throws: `StoreError.conflictingHistory` (nothing was applied), `DatabaseError`.
    @discardableResult
    package func commit(
        _ batches: [MergeBatch], now: Int64, deferringProjection: Bool = false
    ) throws -> MergeResult {
        let result = try transaction { db, cache in
            let start = monotonic()
            var merge = Merge(
                db: db, cache: cache, catalog: catalog, site: reader.identity.site, own: reader.identity.replica,
                now: now, moment: start)
            for batch in batches {
                try merge.append(batch)
                if monotonic() - start > .milliseconds(Self.transactionMillisecondsMax) { break }
            }
            try merge.finish(deferringProjection ? .overdue : .touched)
            return merge.result
        }
        // Taken in whole, and nothing that had waited with it.
        if batches.count == 1, batches[0].source == .local, result.duplicateCount + result.parkedCount == 0,
            result.insertedCount == batches[0].operations.count
        {
            reader.tail.append(batches[0])
        }
        return reporting(result)
    }

    /// The next result says it too.
    func report(_ result: MergeResult) { unreported.addTouched(result) }

    private func reporting(_ result: MergeResult) -> MergeResult {
        var result = result
        result.addTouched(unreported)
        unreported = MergeResult()
        return result
    }

    /// Whether operations are in the log that entities and tickets do not show yet; also where a transaction that failed
    /// has left that unknown.
    package var isProjectionBehind: Bool { cache.map { $0.projectionCursor != nil } ?? true }

    /// Writes what `commit` has left for later.
    /// - Returns: whose projection was written since the last result, be it by this call, by one that needs a whole
    ///   projection, or when the store was opened.
    package func writeProjection() throws -> MergeResult {
        try catchUpProjection()
        return reporting(MergeResult())
    }

    /// The same for calls that need a whole projection; the next result says what was written.
    package func catchUpProjection() throws {
        guard cache != nil else { return try read { _ in } }
        guard isProjectionBehind else { return }
        let result = try transaction { db, cache in
            var merge = Merge(db: db, cache: cache, catalog: catalog, site: reader.identity.site, now: 0)
            try merge.finish()
            return merge.result
        }
        unreported.addTouched(result)
    }

    /// What the tables hold; folds what an earlier process, or a transaction that failed, has left behind.
    private func openCache(_ db: Database) throws -> WriterCache {
        let cache = try WriterCache(db, disk: reader.disk, parked: parkedLimits)
        guard let cursor = cache.projectionCursor else { return cache }
        var result = MergeResult()
        try db.transacting(.immediate) {
            let rows = try BoundStatement(
                db, "SELECT \(OperationRow.columns) FROM operation o WHERE o.arrival > ?1 ORDER BY o.arrival")
            rows.bind(1, cursor)
            let table = try InternTable(db)
            var merge = Merge(db: db, cache: cache, catalog: catalog, site: reader.identity.site, now: openedAt)
            while try rows.step() { try merge.replay(rows, table) }
            try merge.finish()
            result = merge.result
        }
        unreported.addTouched(result)
        return cache
    }

    /// Highest sequence this node's incarnation has written.
    package func lastSequence() throws -> UInt64 {
        try reader.read { db in
            let highest = try Int64.fetchOne(
                db, sql: "SELECT \(ReplicaLag.highest) FROM replica r WHERE r.replica = ?",
                arguments: [Int64(bitPattern: reader.identity.replica.rawValue)])
            return UInt64(bitPattern: highest ?? 0)
        }
    }

    /// The CRDT state of an entity as it was last committed; nil if nothing of it has arrived. What was written lately
    /// is at hand without asking the database.
    package func state(of id: EntityID) throws -> Ticket? {
        if let recent = cache?.works[id] { return recent.ticket }
        return try read { cache in
            let find = cache.statements.findEntity
            find.bind(id)
            guard try find.step() else { return nil }
            defer { find.reset() }
            do {
                return try Ticket(decoding: find.blob(4), id: id)
            } catch {
                throw StoreError.corruptState(entity: id, reason: "\(error)")
            }
        }
    }

    /// What `Ticket.summary` gives of that state by this writer's catalog; nil where it has to be derived.
    package func summary(of id: EntityID) -> TicketSummary? { cache?.works[id]?.kept?.summary }

    /// Moves everything from the WAL into the database file and empties the WAL.
    /// - Parameter isPatient: waits for readers that hold on to it, as long as for a lock.
    /// - Throws: `DatabaseError` with SQLITE_BUSY while there are some.
    package func checkpoint(isPatient: Bool = true) throws {
        try pool.writeWithoutTransaction { db in
            if !isPatient { sqlite3_busy_timeout(db.sqliteConnection, 0) }
            defer { if !isPatient { sqlite3_busy_timeout(db.sqliteConnection, Store.busyMilliseconds) } }
            _ = try reader.checkpointer.alone { try db.checkpoint(.truncate) }
        }
    }

    /// The tables' lists have changed behind the cache: they are read again.
    func forgetCache() {
        cache = nil
    }

    /// Runs a transaction on tables that do not belong to the merge path.
    func write<Value>(_ body: (Database) throws -> Value) throws -> Value {
        try transaction { db, _ in try body(db) }
    }

    // MARK: Private

    /// - Parameter folding: first folds what an earlier process has left behind.
    func transaction<Value>(folding: Bool = true, _ body: (Database, WriterCache) throws -> Value) throws -> Value {
        if folding { try fillCache() }
        let former = cache
        cache = nil
        var kept: WriterCache?
        let arrival = former?.lastArrival
        let value = try pool.writeWithoutTransaction { db -> Value in
            let current = try former ?? WriterCache(db, disk: reader.disk, parked: parkedLimits)
            let value = try db.transacting(.immediate) {
                let value = try body(db, current)
                try record(value, db)
                if let failureForTests, current.lastArrival != arrival { throw failureForTests }
                return value
            }
            kept = current
            return value
        }
        cache = kept
        if let last = kept?.lastArrival, last != arrival { reader.tail.note(lastArrival: last) }
        return value
    }

    private func read<Value>(_ body: (WriterCache) throws -> Value) throws -> Value {
        try read { _, cache in try body(cache) }
    }

    func read<Value>(_ body: (Database, WriterCache) throws -> Value) throws -> Value {
        let cache = try fillCache()
        return try pool.writeWithoutTransaction { db in try body(db, cache) }
    }

    @discardableResult
    private func fillCache() throws -> WriterCache {
        if let cache { return cache }
        let filled: WriterCache
        do {
            filled = try pool.writeWithoutTransaction { try openCache($0) }
        } catch let error where StoreError.isMalformed(error) {
            // A row that is still to be folded.
            try straightenAll(now: openedAt)
            filled = try pool.writeWithoutTransaction { try openCache($0) }
        }
        cache = filled
        return filled
    }
}

extension StoreWriter {
    /// Timestamp that the node's clock has to go on from: of the first and the latest operation of this incarnation, and
    /// of the latest of the one before, up to where this one follows it: what lies beyond is of another disk, whose clock
    /// is none of this node's. (What is issued again keeps its time, so that the latest alone may be older.)
    package func lastOwnTime() throws -> HybridTimestamp {
        let identity = reader.identity
        return try reader.read { db in
            func latest(_ replica: ReplicaID, through sequence: UInt64) throws -> UInt64 {
                let times = try Int64.fetchAll(
                    db,
                    sql: """
                        SELECT o.time FROM operation o JOIN replica r ON r.id = o.replica
                        WHERE r.replica = ?1 AND o.sequence IN (1, min(\(ReplicaLag.highest), ?2))
                        """,
                    arguments: [Int64(bitPattern: replica.rawValue), Int64(bitPattern: sequence)])
                return times.map(UInt64.init(bitPattern:)).max() ?? 0
            }
            let former = try identity.follows.map { try latest($0.replica, through: $0.sequence) } ?? 0
            return HybridTimestamp(rawValue: try max(latest(identity.replica, through: UInt64(Int64.max)), former))
        }
    }
}

extension StoreWriter {
    /// Changes tables behind the store's back, as a careless hand would; for tests of what then happens.
    package func executeForTests(_ sql: String) throws {
        try write { try $0.execute(sql: sql) }
    }

    /// Flips a bit in a row's body, as a failing disk would; for tests of what then happens.
    package func damageForTests(arrival: Int64) throws {
        try write { db in
            try db.execute(
                sql: "UPDATE operation SET body = CAST(body || x'00' AS BLOB) WHERE arrival = ?", arguments: [arrival])
        }
    }

    /// Lets the database grow no further than so many pages, as a full disk would; what it has is not taken away.
    package func boundForTests(pageCountMax: Int) throws {
        try pool.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA max_page_count = \(pageCountMax)") }
    }

    /// Forgets what is in memory, as a crash would; the next call reads what is on disk.
    package func forgetCacheForTests() {
        cache = nil
    }

    /// Makes every state that has been folded unreadable.
    package func damageStatesForTests() throws {
        try write { db in try db.execute(sql: "UPDATE entity SET state = x'00' WHERE operations > 0") }
    }
}
