internal import GRDB
package import Replication

/// A new incarnation that the store has to begin when it is opened next.
package struct PendingRecovery: Hashable, Sendable {
    package var reason: IncarnationReason
    /// Up to where this incarnation's history is the one that others go on with; nil: all that is here. What was written
    /// beyond is issued again under the new incarnation.
    package var common: UInt64?

    package init(reason: IncarnationReason, common: UInt64? = nil) {
        self.reason = reason
        self.common = common
    }
}

/// What is remembered of the present incarnation's beginning.
package struct IncarnationRecord: Hashable, Sendable {
    package var replica: ReplicaID
    /// Nil for a node's first.
    package var follows: Predecessor?
    package var reason: IncarnationReason?
    /// UTC milliseconds; 0 for a node's first.
    package var since: Int64
    /// How often the store has been opened.
    package var startCount: UInt64
    /// Operations of the predecessor that still have to be issued again.
    package var waitingCount: Int
    /// Operations of the predecessor that were damaged when this incarnation began, and are not issued again.
    package var lostCount: Int
    /// The file outside the database was missing when the store was opened last.
    package var wasEpochMissing: Bool
}

/// Facts of the incarnation in `meta`, and the step from one to the next.
///
/// An incarnation is one unbroken history of a node under one `ReplicaID`. Whenever the store cannot be sure to hold the
/// end of that history, it goes on under a new one, so that no dot is ever written twice.
/// Source: Protocols/operations.md §8.
enum Incarnation {
    static func identity(_ db: Database) throws -> NodeIdentity? {
        guard let site = try Meta.text("site", db).flatMap(SiteCode.init),
            let replica = try Meta.integer("replica", db)
        else { return nil }
        return NodeIdentity(
            site: site, replica: ReplicaID(UInt64(bitPattern: replica)),
            parent: try Meta.text("parent", db).flatMap(SiteCode.init), follows: try predecessor(db))
    }

    static func predecessor(_ db: Database) throws -> Predecessor? {
        guard let replica = try Meta.integer("follows_replica", db),
            let sequence = try Meta.integer("follows_sequence", db)
        else { return nil }
        return Predecessor(
            replica: ReplicaID(UInt64(bitPattern: replica)), sequence: UInt64(bitPattern: sequence))
    }

    static func pending(_ db: Database) throws -> PendingRecovery? {
        guard let reason = try Meta.text("pending_reason", db).flatMap(IncarnationReason.init) else { return nil }
        return PendingRecovery(
            reason: reason, common: try Meta.integer("pending_common", db).map(UInt64.init(bitPattern:)))
    }

    static func setPending(_ recovery: PendingRecovery?, _ db: Database) throws {
        try Meta.set("pending_reason", recovery?.reason.rawValue, db)
        try Meta.set("pending_common", recovery?.common.map(Int64.init(bitPattern:)), db)
    }

    static func startCount(_ db: Database) throws -> UInt64 {
        UInt64(bitPattern: try Meta.integer("start_count", db) ?? 0)
    }

    /// Goes on under a new incarnation: the one step after which nothing is written under the old one any more.
    /// - Parameter replica: the new incarnation, drawn by the caller.
    /// - Returns: who the node is now.
    static func begin(
        _ recovery: PendingRecovery, replica: ReplicaID, now: Int64, db: Database, cache: WriterCache, refold: Refold
    ) throws -> NodeIdentity {
        guard var identity = try identity(db) else {
            preconditionFailure("a store that is open has an identity")
        }
        precondition(replica != identity.replica, "a new incarnation has a new name")
        if let own = cache.replicas[identity.replica], own.highest > 0 {
            let common = min(recovery.common ?? own.highest, own.highest)
            if common < own.highest {
                try Reissue.takeOut(own, beyond: common, under: replica, db: db, cache: cache, refold: refold)
            }
            identity.follows = Predecessor(replica: identity.replica, sequence: common)
        }
        // An incarnation that has written nothing is not followed by anybody: the one before it is.
        identity.replica = replica
        try Meta.set("replica", Int64(bitPattern: replica.rawValue), db)
        try Meta.set("follows_replica", identity.follows.map { Int64(bitPattern: $0.replica.rawValue) }, db)
        try Meta.set("follows_sequence", identity.follows.map { Int64(bitPattern: $0.sequence) }, db)
        try Meta.set("incarnation_reason", recovery.reason.rawValue, db)
        try Meta.set("incarnation_since", now, db)
        try setPending(nil, db)
        try resetFeeds(db)
        return identity
    }

    /// This node's feeds have a new name with a new incarnation: what peers have acknowledged was said of the old ones.
    /// The next meeting with each of them begins with an audit.
    static func resetFeeds(_ db: Database) throws {
        try db.execute(
            sql: """
                UPDATE peer SET acknowledged_position = 0, acknowledged_count = 0, acknowledged_sum = zeroblob(32);
                DELETE FROM feed;
                UPDATE peer SET feed_length = 1 WHERE role = 0
                """)
    }
}

extension StoreReader {
    package func incarnation() throws -> IncarnationRecord {
        try read { db in
            IncarnationRecord(
                replica: identity.replica, follows: identity.follows,
                reason: try Meta.text("incarnation_reason", db).flatMap(IncarnationReason.init),
                since: try Meta.integer("incarnation_since", db) ?? 0, startCount: try Incarnation.startCount(db),
                waitingCount: try Int.fetchOne(db, sql: "SELECT count(*) FROM reissue") ?? 0,
                lostCount: try Int.fetchOne(
                    db, sql: "SELECT count(*) FROM reissued WHERE to_replica = ? AND to_sequence = ?",
                    arguments: [
                        Int64(bitPattern: identity.replica.rawValue), Int64(bitPattern: Successor.lostSequence),
                    ]) ?? 0,
                wasEpochMissing: try Meta.integer("epoch_missing", db) == 1)
        }
    }

    package func pendingRecovery() throws -> PendingRecovery? {
        try read { try Incarnation.pending($0) }
    }
}

extension StoreWriter {
    /// Notes that the store has to go on under a new incarnation; it does so when it is opened next. Nil takes that back.
    /// Whoever learns it stops writing and opens the store anew.
    package func setPendingRecovery(_ recovery: PendingRecovery?) throws {
        try write { try Incarnation.setPending(recovery, $0) }
    }
}
