internal import GRDB
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

    package let reader: StoreReader
    /// Limits of steps by which rollups are kept. A change needs `rebuild`.
    package private(set) var catalog: Catalog
    private let pool: DatabasePool
    private var cache: WriterCache?
    /// Of the machine; goes into the epoch file.
    let machine: ContentHash?
    /// What the epoch file says; nil before the first time.
    var savedEpoch: Epoch?

    init(reader: StoreReader, machine: ContentHash? = nil) throws {
        self.reader = reader
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
    /// - Throws: `StoreError.conflictingHistory` (nothing was applied), `DatabaseError`.
    package func commit(_ batches: [MergeBatch], now: Int64) throws -> MergeResult {
        try transaction { db, cache in
            var merge = Merge(db: db, cache: cache, catalog: catalog, site: reader.identity.site, now: now)
            let start = ContinuousClock.now
            for batch in batches {
                try merge.append(batch)
                if ContinuousClock.now - start > .milliseconds(Self.transactionMillisecondsMax) { break }
            }
            try merge.finish()
            return merge.result
        }
    }

    /// Highest sequence this node's incarnation has written.
    package func lastSequence() throws -> UInt64 {
        try read { cache in cache.replicas[reader.identity.replica]?.highest ?? 0 }
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

    /// Adds a child, and fills its feed with what its subtree takes part in. Does nothing if it is known.
    package func register(child site: SiteCode) throws {
        try transaction { db, _ in
            try db.execute(
                sql: "INSERT INTO peer (site, is_parent) VALUES (?, 0) ON CONFLICT (site) DO NOTHING",
                arguments: [site.rawValue])
            guard db.changesCount > 0 else { return }
            let child = db.lastInsertedRowID
            let entities = try Self.entities(in: site, db)
            try db.execute(
                sql: """
                    INSERT INTO feed (child, position, arrival)
                    SELECT ?1, row_number() OVER (ORDER BY arrival), arrival FROM operation
                    WHERE entity IN (SELECT value FROM json_each(?2))
                    """,
                arguments: [child, "[" + entities.map(String.init).joined(separator: ",") + "]"])
            try db.execute(
                sql: "UPDATE peer SET feed_length = (SELECT count(*) FROM feed WHERE child = ?1) WHERE id = ?1",
                arguments: [child])
        }
        // The list of children has changed: read it again.
        cache = nil
    }

    /// Local numbers of the entities that a subtree takes part in, and of those that everybody has.
    private static func entities(in site: SiteCode, _ db: Database) throws -> [Int64] {
        let rows = try BoundStatement(db, "SELECT id, type, high, low, state FROM entity ORDER BY id")
        var result: [Int64] = []
        while try rows.step() {
            guard let type = EntityType(rawValue: UInt8(clamping: rows.integer(1))) else { continue }
            switch type {
            case .catalog, .replica: result.append(rows.integer(0))
            case .ticket, .customer:
                let id = EntityID(type: type, high: rows.unsigned(2), low: rows.unsigned(3))
                guard let ticket = try? Ticket(decoding: rows.blob(4), id: id) else {
                    throw StoreError.corruptState(entity: id, reason: "undecodable")
                }
                if ticket.isLetIn(within: site) { result.append(rows.integer(0)) }
            }
        }
        return result
    }

    /// What the peer has said it holds durably of this node's feed to it.
    package func saveAcknowledged(_ cursor: FeedCursor, by site: SiteCode, now: Int64) throws {
        try transaction { db, _ in
            try db.execute(
                sql: """
                    UPDATE peer SET acknowledged_position = ?, acknowledged_count = ?, acknowledged_sum = ?,
                        last_contact = ? WHERE site = ?
                    """,
                arguments: [
                    Int64(bitPattern: cursor.position), Int64(bitPattern: cursor.digest.count),
                    cursor.digest.sum.data, now, site.rawValue,
                ])
        }
    }

    /// - Parameter at: UTC milliseconds of the last sign of life.
    package func saveContact(with site: SiteCode, at: Int64) throws {
        try transaction { db, _ in
            try db.execute(sql: "UPDATE peer SET last_contact = ? WHERE site = ?", arguments: [at, site.rawValue])
        }
    }

    /// Moves everything from the WAL into the database file and empties the WAL.
    package func checkpoint() throws {
        try pool.writeWithoutTransaction { db in _ = try db.checkpoint(.truncate) }
    }

    /// Runs a transaction on tables that do not belong to the merge path.
    func write<Value>(_ body: (Database) throws -> Value) throws -> Value {
        try transaction { db, _ in try body(db) }
    }

    // MARK: Private

    func transaction<Value>(_ body: (Database, WriterCache) throws -> Value) throws -> Value {
        let former = cache
        cache = nil
        var kept: WriterCache?
        let value = try pool.writeWithoutTransaction { db -> Value in
            var value: Value?
            let current = try former ?? WriterCache(db)
            try db.inTransaction(.immediate) {
                value = try body(db, current)
                return .commit
            }
            kept = current
            guard let value else { preconditionFailure("a committed transaction has a value") }
            return value
        }
        cache = kept
        return value
    }

    private func read<Value>(_ body: (WriterCache) throws -> Value) throws -> Value {
        let current = cache
        let (value, kept) = try pool.writeWithoutTransaction { db -> (Value, WriterCache) in
            let cache = try current ?? WriterCache(db)
            return (try body(cache), cache)
        }
        cache = kept
        return value
    }
}

extension StoreWriter {
    /// Timestamp that the node's clock has to go on from: of the first and the latest operation of this incarnation, and
    /// of the latest of the one before. (What is issued again keeps its time, so that the latest alone may be older.)
    package func lastOwnTime() throws -> HybridTimestamp {
        let identity = reader.identity
        return try write { db in
            func latest(_ replica: ReplicaID?) throws -> UInt64 {
                guard let replica else { return 0 }
                let times = try Int64.fetchAll(
                    db,
                    sql: """
                        SELECT o.time FROM operation o JOIN replica r ON r.id = o.replica
                        WHERE r.replica = ? AND o.sequence IN (1, r.highest)
                        """,
                    arguments: [Int64(bitPattern: replica.rawValue)])
                return times.map(UInt64.init(bitPattern:)).max() ?? 0
            }
            return HybridTimestamp(rawValue: try max(latest(identity.replica), latest(identity.follows?.replica)))
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
}
