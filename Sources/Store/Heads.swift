internal import GRDB
package import Replication

/// How the log stands to what a node has signed of its own history.
package enum HeadState: Int, Sendable, Codable, CaseIterable {
    /// The log does not reach up to the head yet.
    case waiting = 0
    case sound = 1
    /// The log holds another history: what passed it on has changed, dropped or reordered operations, or the node wrote
    /// two histories under one incarnation.
    case differs = 2
    /// A head came that was signed with another key than those before it.
    case otherKey = 3
    /// A head came that goes back behind an earlier one, or contradicts it.
    case forked = 4

    /// Stays until an administrator has looked into it.
    package var isAlarm: Bool {
        switch self {
        case .waiting, .sound: false
        case .differs, .otherKey, .forked: true
        }
    }
}

/// The latest head of an incarnation, as it is stored.
package struct HeadRecord: Sendable, Hashable {
    package var head: SignedHead
    package var site: SiteCode
    package var state: HeadState
    /// UTC milliseconds: since when it stands like that.
    package var since: Int64
    /// Up to where the log has been compared.
    package var checkedSequence: UInt64
    package var change: Int64
}

/// A head whose certificate and signature have been found in order.
package struct VerifiedHead: Sendable, Hashable {
    package var head: SignedHead
    /// That the certificate names.
    package var site: SiteCode
    /// SHA-256 of the public key.
    package var key: [UInt8]

    package init(head: SignedHead, site: SiteCode, key: [UInt8]) {
        self.head = head
        self.site = site
        self.key = key
    }
}

extension StoreReader {
    /// Heads that were written behind a change, in the order of their changes.
    /// - Parameter change: of the last head that is known already; 0 for all.
    package func heads(after change: Int64 = 0) throws -> [HeadRecord] {
        try read { db in
            let rows = try BoundStatement(
                db, "SELECT \(HeadRow.columns) FROM head WHERE change > ?1 ORDER BY change")
            rows.bind(1, change)
            var result: [HeadRecord] = []
            while try rows.step() { result.append(HeadRow.read(rows)) }
            return result
        }
    }

    package func head(of replica: ReplicaID) throws -> HeadRecord? {
        try read { try HeadRow.find(replica, $0)?.record }
    }

}

extension StoreWriter {
    /// Operations whose hashes one call of `checkHead` follows.
    package static let headStepMax = 20_000

    /// What this node's own incarnation has written, up to its end; nil before its announcement.
    package func ownHistory() throws -> (sequence: UInt64, chain: ContentHash)? {
        try read { _, cache in
            guard let own = cache.replicas[reader.identity.replica], own.prefix > 0 else { return nil }
            return (own.prefix, own.chain)
        }
    }

    /// Takes in a head that has been verified. One that is no newer than the known one changes nothing, nor does one of
    /// an incarnation that has not announced that site here: it is sent again.
    /// - Returns: how the incarnation stands now; nil if nothing was taken.
    package func take(_ verified: VerifiedHead, now: Int64) throws -> HeadState? {
        try transaction { db, cache in
            guard let history = cache.replicas[verified.head.replica], history.site == verified.site else {
                return nil
            }
            guard let known = try HeadRow.find(verified.head.replica, db) else {
                try HeadRow.insert(verified, now: now, db)
                return .waiting
            }
            guard verified.head.time > known.record.head.time else { return nil }
            if let alarm = Self.contradiction(of: verified, to: known) {
                try HeadRow.set(alarm, of: verified.head.replica, now: now, db)
                return alarm
            }
            try HeadRow.update(verified, db)
            if known.record.state == .sound, verified.head.sequence > known.record.head.sequence {
                try HeadRow.set(.waiting, of: verified.head.replica, now: now, db)
                return .waiting
            }
            return known.record.state
        }
    }

    private static func contradiction(of verified: VerifiedHead, to known: HeadRow) -> HeadState? {
        if verified.key != known.key { return .otherKey }
        let (head, former) = (verified.head, known.record.head)
        guard head.sequence >= former.sequence else { return .forked }
        return head.sequence == former.sequence && head.chain != former.chain ? .forked : nil
    }

    /// Compares an incarnation's log with its head, some of it at a time.
    /// - Returns: false once there is nothing more to compare.
    package func checkHead(of replica: ReplicaID, now: Int64) throws -> Bool {
        try transaction { db, cache in
            guard let row = try HeadRow.find(replica, db), row.record.state == .waiting,
                let history = cache.replicas[replica]
            else { return false }
            let head = row.record.head
            guard history.prefix >= head.sequence else { return false }
            if history.prefix == head.sequence {
                try HeadRow.conclude(head, history.chain, now: now, db)
                return false
            }
            let reached = try history.follow(
                from: (row.record.checkedSequence, row.checkedChain), to: head.sequence, countMax: Self.headStepMax, db)
            guard reached.sequence == head.sequence else {
                // Only a row that cannot be read stops it before: that is the scrub's to report.
                guard reached.sequence > row.record.checkedSequence else { return false }
                try HeadRow.setChecked(reached.sequence, reached.chain, of: replica, db)
                return true
            }
            try HeadRow.conclude(head, reached.chain, now: now, db)
            return false
        }
    }

    /// Lets the next head of an incarnation begin anew, with whatever key it is signed.
    /// - Returns: false if there was none.
    package func forgetHead(of replica: ReplicaID) throws -> Bool {
        try write { db in
            try db.execute(sql: "DELETE FROM head WHERE replica = ?", arguments: [Int64(bitPattern: replica.rawValue)])
            return db.changesCount > 0
        }
    }
}

extension WriterCache.ReplicaEntry {
    /// The chain from a known place on. O(operations in between).
    fileprivate func follow(
        from start: (sequence: UInt64, chain: ContentHash), to end: UInt64, countMax: Int, _ db: Database
    ) throws -> (sequence: UInt64, chain: ContentHash) {
        let rows = try BoundStatement(
            db,
            """
            SELECT sequence, hash FROM operation WHERE replica = ?1 AND sequence > ?2 AND sequence <= ?3
            ORDER BY sequence LIMIT ?4
            """)
        rows.bind(1, id)
        rows.bind(2, start.sequence)
        rows.bind(3, end)
        rows.bind(4, countMax)
        var reached = start
        var hasher = ContentHasher()
        while try rows.step() {
            guard rows.unsigned(0) == reached.sequence + 1, let hash = ContentHash(rows.blob(1)) else { break }
            reached = (reached.sequence + 1, hasher.link(previous: reached.chain, hash: hash))
        }
        return reached
    }
}

private struct HeadRow {
    static let columns = """
        replica, site, sequence, chain, time, certificate, signature, state, since, checked_sequence, change, key, \
        checked_chain
        """

    let record: HeadRecord
    let key: [UInt8]
    let checkedChain: ContentHash

    static func read(_ row: BoundStatement) -> HeadRecord {
        HeadRecord(
            head: SignedHead(
                replica: ReplicaID(row.unsigned(0)), sequence: row.unsigned(2),
                chain: ContentHash(row.blob(3)) ?? .zero, time: row.integer(4), certificateChain: row.text(5),
                signature: row.bytes(6)),
            site: SiteCode(validated: row.text(1)), state: HeadState(rawValue: Int(row.integer(7))) ?? .waiting,
            since: row.integer(8), checkedSequence: row.unsigned(9), change: row.integer(10))
    }

    static func find(_ replica: ReplicaID, _ db: Database) throws -> HeadRow? {
        let row = try BoundStatement(db, "SELECT \(columns) FROM head WHERE replica = ?1")
        row.bind(1, replica.rawValue)
        guard try row.step() else { return nil }
        defer { row.reset() }
        return HeadRow(
            record: read(row), key: row.bytes(11), checkedChain: ContentHash(row.blob(12)) ?? .zero)
    }

    static func insert(_ verified: VerifiedHead, now: Int64, _ db: Database) throws {
        let head = verified.head
        let insert = try BoundStatement(
            db,
            """
            INSERT INTO head (replica, site, sequence, chain, time, key, certificate, signature, since, change)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, (SELECT coalesce(max(change), 0) + 1 FROM head))
            """)
        insert.bind(1, head.replica.rawValue)
        insert.bind(2, verified.site.rawValue)
        bind(head, to: insert, from: 3)
        insert.bind(6, verified.key)
        insert.bind(7, head.certificateChain)
        insert.bind(8, head.signature)
        insert.bind(9, now)
        try insert.run()
    }

    static func update(_ verified: VerifiedHead, _ db: Database) throws {
        let head = verified.head
        let update = try BoundStatement(
            db,
            """
            UPDATE head SET sequence = ?2, chain = ?3, time = ?4, certificate = ?5, signature = ?6,
                change = (SELECT max(change) + 1 FROM head)
            WHERE replica = ?1
            """)
        update.bind(1, head.replica.rawValue)
        bind(head, to: update, from: 2)
        update.bind(5, head.certificateChain)
        update.bind(6, head.signature)
        try update.run()
    }

    /// Sequence, chain and time.
    private static func bind(_ head: SignedHead, to statement: BoundStatement, from index: Int32) {
        statement.bind(index, head.sequence)
        statement.bind(index + 1, head.chain.bytes)
        statement.bind(index + 2, head.time)
    }

    static func set(_ state: HeadState, of replica: ReplicaID, now: Int64, _ db: Database) throws {
        try db.execute(
            sql: "UPDATE head SET state = ?, since = ? WHERE replica = ?",
            arguments: [state.rawValue, now, Int64(bitPattern: replica.rawValue)])
    }

    static func setChecked(
        _ sequence: UInt64, _ chain: ContentHash, of replica: ReplicaID, _ db: Database
    ) throws {
        let update = try BoundStatement(
            db, "UPDATE head SET checked_sequence = ?2, checked_chain = ?3 WHERE replica = ?1")
        update.bind(1, replica.rawValue)
        update.bind(2, sequence)
        update.bind(3, chain.bytes)
        try update.run()
    }

    /// The log's chain at the head's sequence is known.
    static func conclude(_ head: SignedHead, _ chain: ContentHash, now: Int64, _ db: Database) throws {
        if chain == head.chain { try setChecked(head.sequence, chain, of: head.replica, db) }
        try set(chain == head.chain ? .sound : .differs, of: head.replica, now: now, db)
    }
}
