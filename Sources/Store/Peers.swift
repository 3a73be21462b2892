internal import Foundation
internal import GRDB
package import Replication
internal import Tickets

/// A peer's row in this store: one node of a site. Stays the same for as long as the peer keeps its incarnation.
package struct PeerID: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let rawValue: Int64

    package init(_ rawValue: Int64) {
        self.rawValue = rawValue
    }

    package var description: String { "\(rawValue)" }

    package static func < (left: PeerID, right: PeerID) -> Bool { left.rawValue < right.rawValue }
}

/// Where a peer stands to this node.
package enum PeerRole: Int, Hashable, Sendable {
    case child = 0
    case parent = 1
    /// Another node of the same site: the second one of a province.
    case sibling = 2
}

/// A peer's row, as the store knows it.
package struct PeerRecord: Hashable, Sendable {
    package var id: PeerID
    package var site: SiteCode
    /// The incarnation it last ran under; nil before the first meeting.
    package var node: ReplicaID?
    package var role: PeerRole
    /// What is durable here of the peer's feed.
    package var received: FeedProgress?
    package var acknowledgedPosition: UInt64
    package var acknowledgedCount: UInt64
    /// Operations that the peer still has to get.
    package var toSendCount: UInt64
    /// UTC milliseconds; 0 for never.
    package var lastContact: Int64
    /// When the last audit ended, UTC milliseconds, and what it found and could not repair; 0 for never.
    package var auditTime: Int64
    package var auditFound: UInt64
    package var auditUnresolved: UInt64

    package var isParent: Bool { role == .parent }
}

/// A peer's row with what the feeds are computed from.
struct PeerRow {
    var record: PeerRecord
    var acknowledged: FeedCursor
    var feedLength: UInt64

    static let columns = """
        id, site, node, role, received_position, received_count, received_sum, received_known, acknowledged_position,
        acknowledged_count, acknowledged_sum, feed_length, last_contact, audit_time, audit_found, audit_unresolved
        """

    static func find(_ id: PeerID, _ db: Database) throws -> PeerRow? {
        let row = try BoundStatement(db, "SELECT \(columns) FROM peer WHERE id = ?", isHeld: true)
        row.bind(1, id.rawValue)
        guard try row.step() else { return nil }
        defer { row.reset() }
        return try PeerRow(row, db)
    }

    init(_ row: BoundStatement, _ db: Database) throws {
        let node = row.unsigned(2) == 0 ? nil : ReplicaID(row.unsigned(2))
        acknowledged = FeedCursor(
            feed: ReplicaID(0), position: row.unsigned(8),
            digest: SetDigest(count: row.unsigned(9), sum: ContentHash(row.blob(10)) ?? .zero))
        record = PeerRecord(
            id: PeerID(row.integer(0)), site: SiteCode(validated: row.text(1)), node: node,
            role: PeerRole(rawValue: Int(row.integer(3))) ?? .child, received: nil,
            acknowledgedPosition: acknowledged.position, acknowledgedCount: acknowledged.digest.count, toSendCount: 0,
            lastContact: row.integer(12), auditTime: row.integer(13), auditFound: row.unsigned(14),
            auditUnresolved: row.unsigned(15))
        let known = FeedIntervals.decode(row.blob(7))
        if let node, row.unsigned(4) > 0 || !known.isEmpty {
            record.received = FeedProgress(
                cursor: FeedCursor(
                    feed: node, position: row.unsigned(4),
                    digest: SetDigest(count: row.unsigned(5), sum: ContentHash(row.blob(6)) ?? .zero)),
                intervals: known)
        }
        feedLength = row.unsigned(11)
        if record.role != .child { feedLength = try Self.upwardLength(record, db) }
        record.toSendCount =
            feedLength > acknowledged.digest.count ? feedLength - acknowledged.digest.count : 0
    }

    /// How many operations the feed to a parent or sibling has in all.
    private static func upwardLength(_ record: PeerRecord, _ db: Database) throws -> UInt64 {
        let arrivals = try OperationRow.lastArrival(db)
        let stored =
            record.role == .parent
            ? try BoundStatement.integer(db, "SELECT sum(stored) FROM peer WHERE role = 1")
            : try BoundStatement.integer(db, "SELECT stored FROM peer WHERE id = ?1", record.id.rawValue)
        return UInt64(max(0, arrivals - stored))
    }
}

/// Intervals of a feed as bytes in a peer's row.
enum FeedIntervals {
    static func encode(_ intervals: [FeedInterval]) -> [UInt8] {
        var writer = ByteWriter(reserving: intervals.count * 64)
        for interval in intervals {
            writer.varint(interval.start)
            writer.varint(interval.end)
            writer.varint(interval.digest.count)
            writer.raw(interval.digest.sum.bytes)
        }
        return writer.bytes
    }

    /// What cannot be read is forgotten: its operations come once more.
    static func decode(_ bytes: UnsafeRawBufferPointer) -> [FeedInterval] {
        var reader = ByteReader(bytes)
        var result: [FeedInterval] = []
        while !reader.isAtEnd {
            guard let start = try? reader.varint(), let end = try? reader.varint(), let count = try? reader.varint(),
                let raw = try? reader.raw(ContentHash.byteCount), let sum = ContentHash(raw)
            else { return [] }
            result.append(FeedInterval(start: start, end: end, digest: SetDigest(count: count, sum: sum)))
        }
        return result
    }
}

extension StoreReader {
    /// Every peer: parents first, then siblings, then children.
    package func peers() throws -> [PeerRecord] {
        try read { db in
            let rows = try BoundStatement(
                db,
                """
                SELECT \(PeerRow.columns) FROM peer
                ORDER BY CASE role WHEN 1 THEN 0 WHEN 2 THEN 1 ELSE 2 END, site, last_contact DESC, id
                """)
            var result: [PeerRecord] = []
            while try rows.step() { result.append(try PeerRow(rows, db).record) }
            return result
        }
    }

    package func peer(_ id: PeerID) throws -> PeerRecord? {
        try read { try PeerRow.find(id, $0)?.record }
    }

    /// The node of a site that was met last.
    package func peer(_ site: SiteCode) throws -> PeerRecord? {
        try peers().first { $0.site == site }
    }

    /// The highest operation that is stored of an incarnation, not above a sequence. Its row matches its hash: whoever
    /// hears of another one takes his own history for forked.
    package func held(of replica: ReplicaID, upTo sequence: UInt64) throws -> HeldOperation? {
        try read { try Self.soundHeld(of: replica, upTo: sequence, $0) }
    }

    static func soundHeld(of replica: ReplicaID, upTo sequence: UInt64, _ db: Database) throws -> HeldOperation? {
        let rows = try BoundStatement(
            db,
            """
            SELECT \(OperationRow.columns) FROM operation o
            WHERE o.replica = (SELECT id FROM replica WHERE replica = ?1) AND o.sequence <= ?2 ORDER BY o.sequence DESC
            """, isHeld: true)
        rows.bind(1, replica.rawValue)
        rows.bind(2, min(sequence, UInt64(Int64.max)))
        defer { rows.reset() }
        let table = try InternTable(db)
        var hasher = ContentHasher()
        while try rows.step() {
            if case .sound(let stored) = try RowVerdict.of(rows, table, &hasher) {
                return HeldOperation(sequence: stored.operation.dot.sequence, hash: stored.hash)
            }
        }
        return nil
    }

    /// The same without a look at the row; of one whose hash cannot be read that is zero.

    static func held(of replica: ReplicaID, upTo sequence: UInt64, _ db: Database) throws -> HeldOperation? {
        let row = try BoundStatement(
            db,
            """
            SELECT sequence, hash FROM operation
            WHERE replica = (SELECT id FROM replica WHERE replica = ?1) AND sequence <= ?2
            ORDER BY sequence DESC LIMIT 1
            """, isHeld: true)
        row.bind(1, replica.rawValue)
        row.bind(2, min(sequence, UInt64(Int64.max)))
        guard try row.step() else { return nil }
        defer { row.reset() }
        return HeldOperation(sequence: row.unsigned(0), hash: ContentHash(row.blob(1)) ?? .zero)
    }

    /// What a peer's knowledge of this store's present incarnation says about the store.
    package func judge(_ held: HeldOperation) throws -> SyncSession.HistoryVerdict {
        try read { db in
            let last = try Self.held(of: identity.replica, upTo: UInt64(Int64.max), db)
            guard let last, held.sequence <= last.sequence else { return .behind(last: last?.sequence ?? 0) }
            return try PlantedBug.forkNotNoticed.isActive || isSame(held, db) ? .sound : .differs(at: held.sequence)
        }
    }

    /// Whether what this store has of itself is what a peer says it has; a row that is damaged here contradicts nobody.
    func isSame(_ held: HeldOperation) throws -> Bool { try read { try isSame(held, $0) } }

    private func isSame(_ held: HeldOperation, _ db: Database) throws -> Bool {
        let own = try Self.held(of: identity.replica, upTo: held.sequence, db)
        return try own == held || !Self.isEvidence(own, of: identity.replica, against: held, db)
    }

    /// Whether what this store has instead of a held operation is something else, and not a damaged row.
    static func isEvidence(
        _ own: HeldOperation?, of replica: ReplicaID, against held: HeldOperation, _ db: Database
    ) throws -> Bool {
        guard let own, own.sequence == held.sequence else { return true }
        let arrival = try Int64.fetchOne(
            db,
            sql: """
                SELECT arrival FROM operation
                WHERE replica = (SELECT id FROM replica WHERE replica = ?) AND sequence = ?
                """,
            arguments: [Int64(bitPattern: replica.rawValue), Int64(bitPattern: own.sequence)])
        return try arrival.map { try RowVerdict.of($0, db).isSound } ?? true
    }
}

extension StoreWriter {
    /// Absence after which two nodes compare before they go on: 7 days.
    package static let absenceMillisecondsMax: Int64 = 7 * 86_400_000

    /// Adds a place for a child that has been enrolled and not been met, with everything that its subtree takes part
    /// in. Does nothing if one waits already.
    package func register(child site: SiteCode) throws {
        try catchUpProjection()
        try transaction { db, _ in
            try db.execute(
                sql: "INSERT INTO peer (site, node, role) VALUES (?, 0, ?) ON CONFLICT (site, node) DO NOTHING",
                arguments: [site.rawValue, PeerRole.child.rawValue])
            guard db.changesCount > 0 else { return }
            try Self.fill(PeerID(db.lastInsertedRowID), of: site, db)
        }
        // The list of children has changed: read it again.
        forgetCache()
    }

    /// Finds the row of a peer that has said who it is, or makes one.
    /// - Parameter now: UTC milliseconds.
    /// - Parameter keepsFormer: a node still runs under the incarnation that the peer follows: the two were copies.
    /// - Returns: the row, and what the session needs to know of it.
    package func meet(
        _ hello: SyncMessage.Hello, role: PeerRole, now: Int64, keepsFormer: Bool = false
    ) throws -> (id: PeerID, standing: SyncSession.PeerStanding) {
        try catchUpProjection()
        var listChanged = false
        let met = try transaction { db, _ in
            let id = try Self.row(of: hello, role: role, keepsFormer: keepsFormer, listChanged: &listChanged, db)
            guard let row = try PeerRow.find(id, db) else { throw DatabaseError(message: "peer \(id) is missing") }
            let lastParent = try Meta.integer("parent.last", db)
            let node = Int64(bitPattern: hello.replica.rawValue)
            if role == .parent { try Meta.set("parent.last", node, db) }
            let wasElsewhere = role == .parent && lastParent != nil && lastParent != node
            let wasAway = row.record.lastContact > 0 && now - row.record.lastContact > Self.absenceMillisecondsMax
            try db.execute(sql: "UPDATE peer SET last_contact = ? WHERE id = ?", arguments: [now, id.rawValue])
            let others =
                try Int.fetchOne(
                    db, sql: "SELECT count(*) FROM replica WHERE replica <> ? AND stored > 0",
                    arguments: [Int64(bitPattern: reader.identity.replica.rawValue)]) ?? 0
            return (
                id,
                SyncSession.PeerStanding(
                    received: row.record.received,
                    held: try StoreReader.soundHeld(of: hello.replica, upTo: UInt64(Int64.max), db),
                    isEmpty: others == 0,
                    wantsAudit: wasAway || wasElsewhere, auditsFirst: wasElsewhere)
            )
        }
        if listChanged { forgetCache() }
        return met
    }

    private static func row(
        of hello: SyncMessage.Hello, role: PeerRole, keepsFormer: Bool, listChanged: inout Bool, _ db: Database
    ) throws -> PeerID {
        func find(_ node: UInt64) throws -> Int64? {
            try Int64.fetchOne(
                db, sql: "SELECT id FROM peer WHERE site = ? AND node = ?",
                arguments: [hello.site.rawValue, Int64(bitPattern: node)])
        }
        if let id = try find(hello.replica.rawValue) { return PeerID(id) }
        listChanged = true
        var replaced: Int64?
        if let waiting = try find(0) {
            try db.execute(
                sql: "UPDATE peer SET node = ?, role = ? WHERE id = ?",
                arguments: [Int64(bitPattern: hello.replica.rawValue), role.rawValue, waiting])
            return PeerID(waiting)
        }
        // A child under a new incarnation: an audit finds out what it has, the old feed is of no use to anybody.
        if role == .child, !keepsFormer, let follows = hello.follows, let former = try find(follows.rawValue) {
            try db.execute(sql: "DELETE FROM feed WHERE child = ?", arguments: [former])
            try db.execute(sql: "DELETE FROM peer WHERE id = ?", arguments: [former])
            replaced = former
        }
        // Position 1 stands for everything before the row was made: a cursor that an audit gives is never at 0.
        try db.execute(
            sql: "INSERT INTO peer (site, node, role, feed_length) VALUES (?, ?, ?, 1)",
            arguments: [hello.site.rawValue, Int64(bitPattern: hello.replica.rawValue), role.rawValue])
        let id = PeerID(db.lastInsertedRowID)
        if let replaced {
            // It is still that child who has brought what waits.
            try db.execute(sql: "UPDATE parked SET source = ? WHERE source = ?", arguments: [id.rawValue, replaced])
        }
        if role == .child { try recordMembers(of: hello.site, db) }
        return id
    }

    /// Puts the whole of what a child's subtree takes part in into its feed, in order of arrival.
    package func fillFeed(of id: PeerID) throws {
        try catchUpProjection()
        try transaction { db, _ in
            guard let row = try PeerRow.find(id, db), row.record.role == .child, !PlantedBug.feedNotFilled.isActive
            else { return }
            try Self.fill(id, of: row.record.site, db)
        }
        forgetCache()
    }

    private static func fill(_ id: PeerID, of site: SiteCode, _ db: Database) throws {
        try recordMembers(of: site, db)
        try db.execute(sql: "DELETE FROM feed WHERE child = ?", arguments: [id.rawValue])
        try db.execute(
            sql: """
                INSERT INTO feed (child, position, arrival)
                SELECT ?1, row_number() OVER (ORDER BY o.arrival), o.arrival FROM operation o
                WHERE o.entity IN (SELECT entity FROM member WHERE site = ?2 UNION ALL \(Scope.everyonesEntities))
                """,
            arguments: [id.rawValue, site.rawValue])
        try db.execute(
            sql: """
                UPDATE peer SET feed_length = (SELECT count(*) FROM feed WHERE child = ?1), acknowledged_position = 0,
                    acknowledged_count = 0, acknowledged_sum = zeroblob(32) WHERE id = ?1
                """,
            arguments: [id.rawValue])
    }

    /// Records for a subtree, once, which entities it takes part in; from then on every merge keeps that up to date.
    private static func recordMembers(of site: SiteCode, _ db: Database) throws {
        let key = "members." + site.rawValue
        guard try Meta.integer(key, db) == nil else { return }
        try Meta.set(key, 1, db)
        let rows = try BoundStatement(
            db, "SELECT id, type, high, low, state FROM entity WHERE operations > 0 ORDER BY id")
        let insert = try BoundStatement(db, "INSERT OR IGNORE INTO member (site, entity) VALUES (?1, ?2)")
        insert.bind(1, site.rawValue)
        while try rows.step() {
            guard let type = EntityType(rawValue: UInt8(clamping: rows.integer(1))) else { continue }
            let entity = EntityID(type: type, high: rows.unsigned(2), low: rows.unsigned(3))
            guard !Scope.isForEveryone(entity) else { continue }
            guard let ticket = try? Ticket(decoding: rows.blob(4), id: entity) else {
                throw StoreError.corruptState(entity: entity, reason: "undecodable")
            }
            guard ticket.isLetIn(within: site) else { continue }
            insert.bind(2, rows.integer(0))
            try insert.run()
        }
    }

    /// What the peer has said it holds durably of this node's feed to it.
    package func saveAcknowledged(_ cursor: FeedCursor, by id: PeerID, now: Int64) throws {
        try transaction { db, _ in
            try db.execute(
                sql: """
                    UPDATE peer SET acknowledged_position = ?, acknowledged_count = ?, acknowledged_sum = ?,
                        last_contact = ? WHERE id = ?
                    """,
                arguments: [
                    Int64(bitPattern: cursor.position), Int64(bitPattern: cursor.digest.count),
                    cursor.digest.sum.data, now, id.rawValue,
                ])
        }
    }

    /// From where the peer's feed goes on after an audit.
    package func saveReceived(_ progress: FeedProgress, from id: PeerID, now: Int64) throws {
        try transaction { db, _ in
            try db.execute(
                sql: """
                    UPDATE peer SET received_position = ?, received_count = ?, received_sum = ?, received_known = ?,
                        last_contact = ? WHERE id = ?
                    """,
                arguments: [
                    Int64(bitPattern: progress.cursor.position), Int64(bitPattern: progress.cursor.digest.count),
                    progress.cursor.digest.sum.data, Data(FeedIntervals.encode(progress.intervals)), now, id.rawValue,
                ])
        }
    }

    /// What an audit with a peer has come to.
    package func saveAudit(with id: PeerID, found: UInt64, unresolved: UInt64, now: Int64) throws {
        try transaction { db, _ in
            try db.execute(
                sql: "UPDATE peer SET audit_time = ?, audit_found = ?, audit_unresolved = ? WHERE id = ?",
                arguments: [now, Int64(clamping: found), Int64(clamping: unresolved), id.rawValue])
        }
    }

    /// Puts the store below another parent: from the next opening on it works for another site, under a new incarnation.
    package func move(to site: SiteCode, below parent: SiteCode) throws {
        try transaction { db, _ in
            try db.execute(sql: "DELETE FROM feed; DELETE FROM member; DELETE FROM meta WHERE key LIKE 'members.%'")
            // Rows of former parents stay as sources: what came from them need not go up again.
            try db.execute(sql: "DELETE FROM peer WHERE role <> 1")
            try db.execute(
                sql: "INSERT INTO peer (site, node, role) VALUES (?, 0, 1) ON CONFLICT (site, node) DO NOTHING",
                arguments: [parent.rawValue])
            try Meta.set("site", site.rawValue, db)
            try Meta.set("parent", parent.rawValue, db)
            try Meta.set("parent.last", nil, db)
            try Incarnation.setPending(PendingRecovery(reason: .requested), db)
        }
        forgetCache()
    }

    /// Forgets a node that will not come back, and its feed.
    /// - Returns: false if there is no such peer.
    package func forget(_ id: PeerID) throws -> Bool {
        let found = try transaction { db, _ in
            try db.execute(sql: "DELETE FROM feed WHERE child = ?", arguments: [id.rawValue])
            let site = try String.fetchOne(
                db, sql: "DELETE FROM peer WHERE id = ? AND role <> 1 RETURNING site", arguments: [id.rawValue])
            guard let site else { return false }
            // Without a child of that site nobody keeps its list of entities.
            let others = try Int.fetchOne(
                db, sql: "SELECT count(*) FROM peer WHERE site = ? AND role = 0", arguments: [site])
            if others == 0 {
                try db.execute(sql: "DELETE FROM member WHERE site = ?", arguments: [site])
                try Meta.set("members." + site, nil, db)
            }
            return true
        }
        forgetCache()
        return found
    }
}

/// Who takes part in what. Source: Protocols/sync.md §2.
enum Scope {
    /// Numbers of the entities that every node has.
    static let everyonesEntities = "SELECT id FROM entity WHERE \(condition)"

    /// The same of a row's columns `type` and `low`: all that are no tickets, but journals.
    static let condition = "(type IN (2, 3) OR (type = 4 AND low = 0))"

    static func isForEveryone(_ entity: EntityID) -> Bool {
        switch entity.type {
        // Anchors of journals are for those above their author.
        case .replica where entity.isJournal: false
        // Of a customer there is only who asked that he be erased, by a name that says nothing.
        case .customer, .catalog, .replica: true
        case .ticket: false
        }
    }
}
