internal import Foundation
internal import GRDB
package import Replication

extension ContentHash {
    var data: Data { Data(bytes) }
}

/// The next part of a feed.
package struct FeedPart: Sendable {
    /// Nil if there is nothing behind the cursor.
    package var batch: OutgoingBatch?
    /// The feed's last position.
    package var head: UInt64 = 0
    /// Arrivals of rows whose bytes do not match their hash: left out of the batch, to be noted and fetched again.
    package var damaged: [Int64] = []
}

// Feeds: upward everything whose source is no parent, in order of arrival, with the arrival as position; to a sibling
// everything that did not come from it; downward the child's own rows. Source: Protocols/sync.md §2.
extension StoreReader {
    private static func rows(_ role: PeerRole, _ columns: String, _ rest: String) -> String {
        switch role {
        case .parent:
            """
            SELECT \(columns), o.arrival FROM operation o
            WHERE o.arrival > ?1 AND o.arrival <= ?2 AND o.source NOT IN (SELECT id FROM peer WHERE role = 1)
                AND ?3 IS NOT NULL \(PlantedBug.relayForgotten.isActive ? "AND o.source = 0" : "") \(rest)
            """
        case .sibling:
            """
            SELECT \(columns), o.arrival FROM operation o
            WHERE o.arrival > ?1 AND o.arrival <= ?2 AND o.source <> ?3 \(rest)
            """
        case .child:
            """
            SELECT \(columns), f.position FROM feed f JOIN operation o ON o.arrival = f.arrival
            WHERE f.position > ?1 AND f.position <= ?2 AND f.child = ?3 \(rest)
            """
        }
    }

    private static let endOfFeed = UInt64(Int64.max)

    /// The next operations of the feed to a peer, each verified against its hash.
    /// - Parameter through: the position where the lane ends; the batch that reaches it says so, and may be empty. Nil
    ///   for a lane that does not end.
    /// - Parameter operationsMax: at most `SyncLimits.batchOperationsMax`.
    /// - Throws: `StoreError.outOfScope` before a child gets anything of a ticket that it takes no part in.
    package func nextBatch(
        for id: PeerID, lane: Lane = .backlog, after cursor: FeedCursor, through: UInt64? = nil,
        bytesMax: Int = SyncLimits.batchBytesMax, operationsMax: Int = SyncLimits.batchOperationsMax
    ) throws -> FeedPart {
        try read { db in
            guard let peer = try PeerRow.find(id, db) else { throw StoreError.unknownPeer(id) }
            if let through, cursor.position >= through { return FeedPart() }
            let role = peer.record.role
            let extra = role == .child ? "ORDER BY f.position LIMIT ?4" : "ORDER BY o.arrival LIMIT ?4"
            let rows = try BoundStatement(db, Self.rows(role, OperationRow.columns, extra), isHeld: true)
            rows.bind(1, cursor.position + (PlantedBug.cursorOffByOne.isActive && lane == .live ? 1 : 0))
            rows.bind(2, through ?? Self.endOfFeed)
            rows.bind(3, id.rawValue)
            rows.bind(4, operationsMax)
            let table = try InternTable(db, names: takeNames())
            defer { giveBack(table.names) }
            let scope = role == .child ? try ScopeCheck(peer.record.site, db) : nil
            var hasher = ContentHasher()
            var part = FeedPart()
            part.head = try Self.head(of: peer, db)
            var batch = OutgoingBatch(lane: lane, start: cursor, end: cursor, operations: [], remaining: 0)
            let ahead = part.head > cursor.position ? part.head - cursor.position : 0
            batch.operations.reserveCapacity(Int(min(ahead, UInt64(SyncLimits.batchOperationsMax))))
            var bytes = 0
            var rowCount = 0
            var isCut = false
            while try rows.step() {
                let position = rows.unsigned(OperationRow.columnCount)
                do {
                    let stored = try OperationRow.read(rows, table)
                    let size = stored.operation.approximateBytes
                    if bytes + size > bytesMax, rowCount > 0 {
                        isCut = true
                        break
                    }
                    bytes += size
                    guard hasher.hash(stored.operation) == stored.hash else {
                        throw StoreError.corruptRow(arrival: stored.arrival, dot: stored.operation.dot)
                    }
                    try scope?.check(stored.operation)
                    batch.operations.append(stored.operation)
                    batch.end.digest.insert(stored.hash)
                } catch StoreError.corruptRow(let arrival, _) {
                    // Its hash still counts: both ends compute the same digest of the feed.
                    let hash = OperationRow.hash(rows) ?? .zero
                    part.damaged.append(arrival)
                    batch.omitted.append(hash)
                    batch.end.digest.insert(hash)
                }
                batch.end.position = position
                rowCount += 1
            }
            rows.reset()
            if let through, !isCut, rowCount < operationsMax { batch.end.position = through }
            guard batch.end.position > cursor.position else { return part }
            let sent = batch.end.digest.count
            if lane == .backlog { batch.remaining = peer.feedLength > sent ? peer.feedLength - sent : 0 }
            batch.keys = try keys(for: batch.operations, db)
            part.batch = batch
            return part
        }
    }

    /// The same of the live lane to a parent or a sibling, from the end of the log that this node has written itself; nil
    /// where the store has to be asked. Does not wait.
    func ownPart(after cursor: FeedCursor, bytesMax: Int) -> FeedPart? {
        let after = cursor.position + (PlantedBug.cursorOffByOne.isActive ? 1 : 0)
        guard let tail = tail.operations(after: Int64(after)), let last = tail.last,
            // Keys may have to go with them.
            tail.allSatisfy({ !Self.mayBeSealed($0.operation) })
        else { return nil }
        var batch = OutgoingBatch(lane: .live, start: cursor, end: cursor, operations: [], remaining: 0)
        var bytes = 0
        for stored in tail {
            bytes += stored.operation.approximateBytes
            if bytes > bytesMax, !batch.operations.isEmpty { break }
            batch.operations.append(stored.operation)
            batch.end.digest.insert(stored.hash)
            batch.end.position = UInt64(stored.arrival)
        }
        return FeedPart(batch: batch, head: UInt64(last.arrival))
    }

    /// Announcements of incarnations among these positions of the feed, so that live operations need not wait for them.
    package func announcements(for id: PeerID, after: UInt64, through: UInt64) throws -> [StoredOperation] {
        try read { db in
            guard let peer = try PeerRow.find(id, db) else { throw StoreError.unknownPeer(id) }
            let rows = try BoundStatement(
                db,
                Self.rows(
                    peer.record.role, OperationRow.columns,
                    "AND o.entity IN (SELECT id FROM entity WHERE type = 4) LIMIT ?4"))
            rows.bind(1, after)
            rows.bind(2, through)
            rows.bind(3, id.rawValue)
            rows.bind(4, SyncLimits.batchOperationsMax)
            // What does not fit any more comes with the backlog.
            return try Self.sound(rows, bytesMax: SyncLimits.batchBytesMax, db)
        }
    }

    /// Operations by their dots, for a peer, up to what a batch may have; those that it takes no part in, or that are
    /// damaged, are left out.
    /// - Returns: the operations, and how many of the dots they stand for: all, or the first that fit.
    package func operations(
        _ dots: [Dot], for id: PeerID
    ) throws -> (operations: [StoredOperation], dotCount: Int) {
        try read { db in
            guard let peer = try PeerRow.find(id, db) else { throw StoreError.unknownPeer(id) }
            let rows = try DotReader(db)
            let scope = peer.record.role == .child ? try ScopeCheck(peer.record.site, db) : nil
            var hasher = ContentHasher()
            var result: [StoredOperation] = []
            var bytes = 0
            for (index, dot) in dots.enumerated() {
                guard let stored = try rows.read(dot), hasher.hash(stored.operation) == stored.hash,
                    try scope?.contains(stored.operation.entity) ?? true
                else { continue }
                bytes += stored.operation.approximateBytes
                guard bytes <= SyncLimits.batchBytesMax || result.isEmpty else { return (result, index) }
                result.append(stored)
            }
            return (result, dots.count)
        }
    }

    private static func sound(_ rows: BoundStatement, bytesMax: Int, _ db: Database) throws -> [StoredOperation] {
        let table = try InternTable(db)
        var hasher = ContentHasher()
        var result: [StoredOperation] = []
        var bytes = 0
        while try rows.step() {
            guard let stored = try RowVerdict.of(rows, table, &hasher).sound else { continue }
            bytes += stored.operation.approximateBytes
            guard bytes <= bytesMax || result.isEmpty else { break }
            result.append(stored)
        }
        return result
    }

    /// From where the feed to a peer goes on: the presented place if this store can vouch for it.
    ///
    /// Costs a scan of what lies between the presented and the last acknowledged position.
    package func vouch(
        for presented: FeedProgress?, isPeerEmpty: Bool, by id: PeerID
    ) throws -> SyncSession.Resumption {
        try read { db in
            guard let peer = try PeerRow.find(id, db) else { throw StoreError.unknownPeer(id) }
            let head = try Self.head(of: peer, db)
            var resumption = SyncSession.Resumption(cursor: nil, head: head, headCount: peer.feedLength)
            guard let presented, presented.cursor.position > 0 || !presented.intervals.isEmpty else {
                // Whoever has nothing at all gets everything; whoever has something compares.
                if isPeerEmpty { resumption.cursor = FeedCursor(feed: identity.replica) }
                return resumption
            }
            guard presented.cursor.feed == identity.replica, presented.cursor.position <= head,
                presented.cursor.position > 0 || isPeerEmpty,
                try Self.vouches(for: presented.cursor, peer, db)
            else { return resumption }
            for interval in presented.intervals {
                // Of a copy of this store the peer may have something that stands elsewhere in this feed, or nowhere.
                guard interval.end <= head,
                    try Self.digest(of: peer, after: interval.start, through: interval.end, db) == interval.digest
                else { return resumption }
            }
            resumption.cursor = presented.cursor
            resumption.known = presented.intervals
            return resumption
        }
    }

    static func head(of peer: PeerRow, _ db: Database) throws -> UInt64 {
        guard peer.record.role != .child else { return peer.feedLength }
        return UInt64(try OperationRow.lastArrival(db))
    }

    /// Digests are sums: what lies between two positions can be added or taken away.
    private static func vouches(for presented: FeedCursor, _ peer: PeerRow, _ db: Database) throws -> Bool {
        let known = peer.acknowledged
        let (low, high) = (min(presented.position, known.position), max(presented.position, known.position))
        let between = try digest(of: peer, after: low, through: high, db)
        var expected = presented.position >= known.position ? known.digest : presented.digest
        expected.merge(disjoint: between)
        return expected == (presented.position >= known.position ? presented.digest : known.digest)
    }

    private static func digest(of peer: PeerRow, after low: UInt64, through high: UInt64, _ db: Database) throws
        -> SetDigest
    {
        var digest = SetDigest.empty
        guard low < high else { return digest }
        let rows = try BoundStatement(db, Self.rows(peer.record.role, "o.hash", ""))
        rows.bind(1, low)
        rows.bind(2, high)
        rows.bind(3, peer.record.id.rawValue)
        while try rows.step() { digest.insert(ContentHash(rows.blob(0)) ?? .zero) }
        return digest
    }
}

/// The last look before an operation leaves for a child. Source: Protocols/sync.md §2.
final class ScopeCheck {
    private let site: SiteCode
    private let find: BoundStatement
    private var known: [EntityID: Bool] = [:]

    init(_ site: SiteCode, _ db: Database) throws {
        self.site = site
        find = try BoundStatement(
            db,
            """
            SELECT 1 FROM member m JOIN entity e ON e.id = m.entity
            WHERE e.type = ?1 AND e.high = ?2 AND e.low = ?3 AND m.site = ?4
            """, isHeld: true)
    }

    func contains(_ entity: EntityID) throws -> Bool {
        if Scope.isForEveryone(entity) { return true }
        if let answer = known[entity] { return answer }
        find.bind(entity)
        find.bind(4, site.rawValue)
        let answer = try find.step()
        find.reset()
        known[entity] = answer
        return answer
    }

    func check(_ operation: Replication.Operation) throws {
        guard try contains(operation.entity) else {
            throw StoreError.outOfScope(dot: operation.dot, child: site)
        }
    }
}
