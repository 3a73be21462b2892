internal import GRDB
package import Replication

/// What of the feed to a peer the peer has not acknowledged: what a bundle carries. Source: Protocols/bundle.md §2.
package struct FeedSpan: Hashable, Sendable {
    /// Where the peer stands, as far as this store knows.
    package var start: FeedCursor
    /// The feed's last position.
    package var head: UInt64
    /// Operations in between.
    package var operationCount: UInt64
    /// False for the feed of a node that has not been compared with yet: it begins behind what the node may lack.
    package var isWhole: Bool
}

extension StoreReader {
    /// Operations that wait for what justifies them.
    package func parkedCount() throws -> Int {
        try read { Int(try BoundStatement.integer($0, "SELECT count(*) FROM parked")) }
    }

    package func unacknowledged(by id: PeerID) throws -> FeedSpan {
        try read { db in
            guard let peer = try PeerRow.find(id, db) else { throw StoreError.unknownPeer(id) }
            let known = peer.acknowledged
            var span = FeedSpan(
                start: FeedCursor(feed: identity.replica, position: known.position, digest: known.digest),
                head: try Self.head(of: peer, db), operationCount: peer.record.toSendCount, isWhole: true)
            if peer.record.role == .child, known.position == 0 {
                let rows =
                    try Int64.fetchOne(
                        db, sql: "SELECT count(*) FROM feed WHERE child = ?", arguments: [id.rawValue]) ?? 0
                span.isWhole = UInt64(rows) == peer.feedLength
            }
            return span
        }
    }
}
