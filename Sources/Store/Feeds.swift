internal import Foundation
internal import GRDB
package import Replication

extension ContentHash {
    var data: Data { Data(bytes) }
}

/// A peer's row, as the store knows it.
package struct PeerRecord: Hashable, Sendable {
    package var site: SiteCode
    package var isParent: Bool
    /// What is durable here of the peer's feed.
    package var received: FeedCursor?
    package var acknowledgedPosition: UInt64
    package var acknowledgedCount: UInt64
    /// Operations that the peer still has to get.
    package var toSendCount: UInt64
    /// UTC milliseconds; 0 for never.
    package var lastContact: Int64
}

// Feeds: upward everything whose source is not the parent, in order of arrival, with the arrival as position; downward
// the child's own rows. Source: Protocols/sync.md §2.
extension StoreReader {
    /// The next operations of the feed to a peer, each verified against its hash.
    /// - Returns: nil if there is nothing behind the cursor.
    /// - Throws: `StoreError.corruptRow` for a row whose bytes have changed on disk.
    package func nextBatch(for site: SiteCode, after cursor: FeedCursor) throws -> OutgoingBatch? {
        try read { db in
            guard let peer = try Peer(site, db) else { return nil }
            let rows = try BoundStatement(
                db,
                peer.isParent
                    ? """
                    SELECT \(OperationRow.columns), o.arrival FROM operation o
                    WHERE o.arrival > ?1 AND o.source <> ?2 ORDER BY o.arrival LIMIT ?3
                    """
                    : """
                    SELECT \(OperationRow.columns), f.position FROM feed f JOIN operation o ON o.arrival = f.arrival
                    WHERE f.position > ?1 AND f.child = ?2 ORDER BY f.position LIMIT ?3
                    """)
            rows.bind(1, cursor.position)
            rows.bind(2, peer.id)
            rows.bind(3, SyncLimits.batchOperationsMax)
            let table = try InternTable(db, names: takeNames())
            defer { giveBack(table.names) }
            var hasher = ContentHasher()
            var batch = OutgoingBatch(start: cursor, end: cursor, operations: [], remaining: 0)
            batch.operations.reserveCapacity(SyncLimits.batchOperationsMax)
            var bytes = 0
            while try rows.step() {
                let stored = try OperationRow.read(rows, table)
                let size = stored.operation.approximateBytes
                if bytes + size > SyncLimits.batchBytesMax, !batch.operations.isEmpty { break }
                guard hasher.hash(stored.operation) == stored.hash else {
                    throw StoreError.corruptRow(arrival: stored.arrival, dot: stored.operation.dot)
                }
                bytes += size
                batch.operations.append(stored.operation)
                batch.end.position = rows.unsigned(11)
                batch.end.digest.insert(stored.hash)
            }
            rows.reset()
            guard !batch.operations.isEmpty else { return nil }
            let length = try Self.feedLength(of: peer, db)
            batch.remaining = length > batch.end.digest.count ? length - batch.end.digest.count : 0
            return batch
        }
    }

    /// From where the feed to a peer goes on: the presented cursor if this store can vouch for it, otherwise the
    /// beginning. Costs a scan of what lies between the presented and the last acknowledged position.
    package func vouch(for presented: FeedCursor?, by site: SiteCode) throws -> FeedCursor {
        let beginning = FeedCursor(feed: identity.replica)
        guard let presented, presented.feed == identity.replica, presented != beginning else { return beginning }
        return try read { db in
            guard let peer = try Peer(site, db) else { return beginning }
            // Digests are sums: what lies between two positions can be added or taken away.
            let (low, high) = (
                min(presented.position, peer.acknowledged.position), max(presented.position, peer.acknowledged.position)
            )
            let between = try Self.digest(of: peer, after: low, through: high, db)
            var expected: SetDigest
            if presented.position >= peer.acknowledged.position {
                expected = peer.acknowledged.digest
                expected.merge(disjoint: between)
                return expected == presented.digest ? presented : beginning
            }
            expected = presented.digest
            expected.merge(disjoint: between)
            return expected == peer.acknowledged.digest ? presented : beginning
        }
    }

    package func peers() throws -> [PeerRecord] {
        try read { db in
            try String.fetchAll(db, sql: "SELECT site FROM peer ORDER BY is_parent DESC, site").compactMap { text in
                guard let peer = try Peer(SiteCode(validated: text), db) else { return nil }
                let length = try Self.feedLength(of: peer, db)
                return PeerRecord(
                    site: peer.site, isParent: peer.isParent, received: peer.received,
                    acknowledgedPosition: peer.acknowledged.position,
                    acknowledgedCount: peer.acknowledged.digest.count,
                    toSendCount: length > peer.acknowledged.digest.count ? length - peer.acknowledged.digest.count : 0,
                    lastContact: peer.lastContact)
            }
        }
    }

    package func peer(_ site: SiteCode) throws -> PeerRecord? {
        try peers().first { $0.site == site }
    }

    private struct Peer {
        var id: Int64
        var site: SiteCode
        var isParent: Bool
        var received: FeedCursor?
        var acknowledged: FeedCursor
        var feedLength: UInt64
        var stored: UInt64
        var lastContact: Int64

        init?(_ site: SiteCode, _ db: Database) throws {
            let row = try BoundStatement(
                db,
                """
                SELECT id, is_parent, received_feed, received_position, received_count, received_sum,
                    acknowledged_position, acknowledged_count, acknowledged_sum, feed_length, stored, last_contact
                FROM peer WHERE site = ?
                """)
            row.bind(1, site.rawValue)
            guard try row.step() else { return nil }
            defer { row.reset() }
            self.site = site
            id = row.integer(0)
            isParent = row.integer(1) != 0
            if row.integer(2) != 0 {
                received = FeedCursor(
                    feed: ReplicaID(row.unsigned(2)), position: row.unsigned(3),
                    digest: SetDigest(count: row.unsigned(4), sum: ContentHash(row.blob(5)) ?? .zero))
            }
            acknowledged = FeedCursor(
                feed: ReplicaID(0), position: row.unsigned(6),
                digest: SetDigest(count: row.unsigned(7), sum: ContentHash(row.blob(8)) ?? .zero))
            feedLength = row.unsigned(9)
            stored = row.unsigned(10)
            lastContact = row.integer(11)
        }
    }

    /// How many operations the feed to a peer has in all.
    private static func feedLength(of peer: Peer, _ db: Database) throws -> UInt64 {
        guard peer.isParent else { return peer.feedLength }
        let arrivals = try Int64.fetchOne(db, sql: "SELECT max(arrival) FROM operation") ?? 0
        return UInt64(arrivals) - peer.stored
    }

    private static func digest(of peer: Peer, after low: UInt64, through high: UInt64, _ db: Database) throws
        -> SetDigest
    {
        var digest = SetDigest.empty
        guard low < high else { return digest }
        let rows = try BoundStatement(
            db,
            peer.isParent
                ? "SELECT hash FROM operation WHERE arrival > ?1 AND arrival <= ?2 AND source <> ?3"
                : """
                SELECT o.hash FROM feed f JOIN operation o ON o.arrival = f.arrival
                WHERE f.position > ?1 AND f.position <= ?2 AND f.child = ?3
                """)
        rows.bind(1, low)
        rows.bind(2, high)
        rows.bind(3, peer.id)
        while try rows.step() { digest.insert(ContentHash(rows.blob(0)) ?? .zero) }
        return digest
    }
}
