internal import GRDB
package import Replication
internal import Tickets

/// Which entries of the journal and operations of the log are asked for. Nil does not restrict.
package struct AuditFilter: Sendable, Hashable {
    /// UTC milliseconds, the first included, the last not.
    package var from: Int64?
    package var to: Int64?
    package var actor: String?
    /// Of the journal; no operations then.
    package var journalAction: String?
    /// Kind of operations; no journal then.
    package var kind: UInt16?
    /// Of the journal as it stands there; of operations the entity that has this id.
    package var subject: String?

    package init(
        from: Int64? = nil, to: Int64? = nil, actor: String? = nil, journalAction: String? = nil, kind: UInt16? = nil,
        subject: String? = nil
    ) {
        self.from = from
        self.to = to
        self.actor = actor
        self.journalAction = journalAction
        self.kind = kind
        self.subject = subject
    }

    package var isEverything: Bool { self == AuditFilter() }
}

package enum AuditOrder: Sendable {
    case latestFirst, earliestFirst
}

extension StoreReader {
    package func journalEnd() throws -> JournalEnd { try read { try Journal.end($0) } }

    package func journalCount() throws -> Int {
        try read { try Int.fetchOne($0, sql: "SELECT count(*) FROM journal") ?? 0 }
    }

    /// - Parameter place: entries behind this sequence, in the order that is asked for; nil from its beginning.
    package func journal(
        _ filter: AuditFilter, _ order: AuditOrder, behind place: UInt64?, limit: Int
    ) throws -> [JournalEntry] {
        guard filter.kind == nil else { return [] }
        return try read { db in
            let isLatest = order == .latestFirst
            let rows = try BoundStatement(
                db,
                """
                SELECT \(Journal.columns) FROM journal
                WHERE sequence \(isLatest ? "<" : ">") ?1 AND time >= ?2 AND time < ?3
                    AND (?4 IS NULL OR actor = ?4) AND (?5 IS NULL OR action = ?5) AND (?6 IS NULL OR subject = ?6)
                ORDER BY sequence \(isLatest ? "DESC" : "ASC") LIMIT ?7
                """)
            rows.bind(1, place.map { Int64(clamping: $0) } ?? (isLatest ? Int64.max : 0))
            rows.bind(2, filter.from ?? Int64.min)
            rows.bind(3, filter.to ?? Int64.max)
            rows.bind(4, filter.actor)
            rows.bind(5, filter.journalAction)
            rows.bind(6, filter.subject)
            rows.bind(7, limit)
            var result: [JournalEntry] = []
            while try rows.step() { result.append(Journal.read(rows)) }
            return result
        }
    }

    /// Operations of the log in the order in which they arrived, whoever wrote them. O(operations that are passed over).
    package func operations(
        _ filter: AuditFilter, _ order: AuditOrder, behind place: Int64?, limit: Int
    ) throws -> [StoredOperation] {
        guard filter.journalAction == nil else { return [] }
        let entity = filter.subject.map { EntityID($0) }
        // A subject that is no entity names nothing in the log.
        if case .some(.none) = entity { return [] }
        return try read { db in
            let isLatest = order == .latestFirst
            let rows = try BoundStatement(
                db,
                """
                SELECT \(OperationRow.columns) FROM operation o
                WHERE o.arrival \(isLatest ? "<" : ">") ?1 AND o.time >= ?2 AND o.time < ?3
                    AND (?4 IS NULL OR o.author IN (SELECT id FROM author WHERE name = ?4))
                    AND (?5 IS NULL OR o.kind = ?5)
                    AND (?6 IS NULL OR o.entity = (SELECT id FROM entity WHERE type = ?6 AND high = ?7 AND low = ?8))
                ORDER BY o.arrival \(isLatest ? "DESC" : "ASC") LIMIT ?9
                """)
            rows.bind(1, place ?? (isLatest ? Int64.max : 0))
            rows.bind(2, filter.from.map(Self.stamp) ?? Int64.min)
            rows.bind(3, filter.to.map(Self.stamp) ?? Int64.max)
            rows.bind(4, filter.actor)
            rows.bind(5, filter.kind.map(Int64.init))
            if let entity = entity ?? nil {
                rows.bind(6, Int(entity.type.rawValue))
                rows.bind(7, entity.high)
                rows.bind(8, entity.low)
            }
            rows.bind(9, limit)
            let table = try InternTable(db)
            var result: [StoredOperation] = []
            while try rows.step() { result.append(try OperationRow.read(rows, table)) }
            return result
        }
    }

    private static func stamp(_ milliseconds: Int64) -> Int64 {
        milliseconds.multipliedReportingOverflow(by: 65_536).overflow ? .max : max(0, milliseconds) * 65_536
    }
}

extension StoreReader {
    /// The hash that an entry follows; zero for the first, and where what was pruned does not tell.
    package func journalHash(before sequence: UInt64) throws -> ContentHash {
        try read { db in
            let rows = try BoundStatement(
                db, "SELECT \(Journal.columns) FROM journal WHERE sequence = ?1 OR action = ?2 ORDER BY sequence")
            rows.bind(1, sequence - 1)
            rows.bind(2, JournalAction.journalPruned.rawValue)
            var result = ContentHash.zero
            while try rows.step() {
                let entry = Journal.read(rows)
                if entry.sequence + 1 == sequence {
                    rows.reset()
                    return entry.hash
                }
                if let pruning = JournalPruning(entry), pruning.last + 1 == sequence { result = pruning.hash }
            }
            return result
        }
    }
}
