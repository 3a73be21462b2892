internal import GRDB
internal import Replication

/// What this node wrote beyond where its history and that of its peers part: only what is sound is issued again. A
/// damaged operation would get a hash that fits what is left of it, and be sound for ever after.
/// Source: Protocols/operations.md §8.
struct OwnBranch {
    /// Where a row lies in the log, and which peer it came from.
    struct Place {
        var arrival: Int64
        var source: Int64
    }

    /// An operation whose row is damaged, or that no row has any more.
    struct Lost {
        /// As the row states it.
        var sequence: UInt64
        /// Nil if there is no such row.
        var place: Place?
        /// What the row says its hash is.
        var hash: ContentHash?
    }

    private(set) var taken: [StoredOperation] = []
    private(set) var lost: [Lost] = []

    /// Rows that leave the log.
    var places: [Place] {
        taken.map { Place(arrival: $0.arrival, source: $0.source) } + lost.compactMap(\.place)
    }

    static func read(_ own: WriterCache.ReplicaEntry, beyond common: UInt64, _ db: Database) throws -> OwnBranch {
        let rows = try BoundStatement(
            db,
            """
            SELECT \(OperationRow.columns) FROM operation o
            WHERE o.replica = ?1 AND o.sequence > ?2 ORDER BY o.sequence
            """)
        rows.bind(1, own.id)
        rows.bind(2, common)
        let table = try InternTable(db)
        var hasher = ContentHasher()
        var branch = OwnBranch()
        var stated: Set<UInt64> = []
        // Up to here each had a row: a sound one is proof of those before it.
        var written = own.prefix
        while try rows.step() {
            let sequence = rows.unsigned(2)
            stated.insert(sequence)
            if case .sound(let stored) = try RowVerdict.of(rows, table, &hasher) {
                branch.taken.append(stored)
                written = max(written, sequence)
            } else {
                branch.lost.append(
                    Lost(
                        sequence: sequence, place: Place(arrival: rows.integer(0), source: rows.integer(7)),
                        hash: OperationRow.hash(rows)))
            }
        }
        // Where there is none now, dot and row have come apart.
        var sequence = common
        while sequence < written {
            sequence += 1
            if !stated.contains(sequence) { branch.lost.append(Lost(sequence: sequence)) }
        }
        try branch.findStrays(behind: written, db)
        return branch
    }

    /// Rows of no known replica: it is the replica that broke. They are at a sequence that has none, or they were written
    /// here behind the last that is known. One pass over the log.
    private mutating func findStrays(behind written: UInt64, _ db: Database) throws {
        let rows = try BoundStatement(
            db, "SELECT sequence, arrival, source, hash FROM operation WHERE replica NOT IN (SELECT id FROM replica)")
        while try rows.step() {
            let sequence = rows.unsigned(0)
            let place = Place(arrival: rows.integer(1), source: rows.integer(2))
            if let index = lost.firstIndex(where: { $0.sequence == sequence && $0.place == nil }) {
                lost[index].place = place
                lost[index].hash = ContentHash(rows.blob(3))
            } else if place.source == 0, sequence > written, sequence - written <= ReplicaLag.operationsMax {
                lost.append(Lost(sequence: sequence, place: place, hash: ContentHash(rows.blob(3))))
            }
        }
    }

    /// Tells the journal what is lost, and those that are issued again what they named. After the others have left the
    /// log.
    func noteLost(of replica: ReplicaID, under next: ReplicaID, now: Int64, _ db: Database) throws {
        guard !lost.isEmpty else { return }
        let insert = try BoundStatement(db, "INSERT OR REPLACE INTO reissued VALUES (?1, ?2, ?3, ?4, ?5)")
        var drafts: [JournalDraft] = []
        for lost in lost {
            let dot = Dot(replica, lost.sequence)
            insert.bind(1, replica.rawValue)
            insert.bind(2, lost.sequence)
            insert.bind(3, next.rawValue)
            insert.bind(4, Successor.lostSequence)
            insert.bind(5, try Reissue.isWorkedOn(EntityID(ticketOpenedBy: dot), db) ? 0 : 1)
            try insert.run()
            drafts.append(
                JournalDraft(
                    .operationLost, by: .node, on: "\(dot)", lost.hash.map { "hash=\($0)" } ?? "hash=unknown"))
        }
        try Journal.append(drafts, now: now, db)
    }
}
