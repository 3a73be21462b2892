internal import struct Foundation.Data
internal import GRDB
package import Replication
package import Tickets

/// One line of a queue.
package struct TicketListing: Hashable, Sendable {
    package var id: EntityID
    package var number: String
    package var title: String
    package var status: TicketStatus
    /// UTC milliseconds; 0 while the opening is on its way.
    package var opened: Int64
    package var openedSite: String
    package var acceptingDepartment: String
    package var holderSite: String
    package var holderDepartment: String
    package var holderSince: Int64
    package var category: String
    package var urgency: Urgency
    package var conflicts: Int
    package var contested: Int
    package var unansweredChases: Int
    package var undeliveredTransfers: Int
}

/// What a queue shows; everything that is nil or empty does not restrict.
package struct TicketFilter: Hashable, Sendable {
    /// Most rows of one page.
    package static let limitMax = 500

    package var statuses: [TicketStatus] = []
    package var holderSite: String?
    package var holderDepartment: String?
    package var openedSite: String?
    /// Words or Han characters that must stand next to each other in a text of the ticket.
    package var text: String?
    package var needsAttention = false
    /// Only these; at most `limitMax` are looked at.
    package var ids: [EntityID]?
    package var limit = 100
    package var offset = 0

    package init() {}
}

/// A ticket with the operations its values point to.
package struct TicketRecord: Sendable {
    package var ticket: Ticket
    package var number: String
    package var digest: SetDigest
    /// In the order of arrival.
    package var operations: [StoredOperation]
    /// The keys that its personal values are sealed under.
    package var keys: [PersonalKeyID: PersonalKeyState] = [:]
    /// A damaged row that keeps people from editing it, if nothing else does.
    package var freezingDamage: Dot?

    package func operation(_ dot: Dot) -> Operation? {
        operations.first { $0.operation.dot == dot }?.operation
    }
}

package struct StoreCounts: Hashable, Sendable {
    package var tickets: Int
    package var operations: Int
    package var parked: Int
    package var conflicts: Int
    package var contested: Int
    package var searchBacklog: Int
    /// Of every ticket's operations together: equal at two nodes that hold the same.
    package var digest: SetDigest
}

package struct ParkedOperation: Hashable, Sendable {
    package var dot: Dot
    package var source: String
    package var reason: String
    package var since: Int64
}

extension StoreReader {
    package func operation(_ dot: Dot) throws -> Operation? {
        try read { db in try DotReader(db).operation(dot)?.operation }
    }

    /// - Returns: for each dot its operation; nil where there is none.
    package func operations(_ dots: [Dot]) throws -> [Operation?] {
        try read { db in
            let rows = try DotReader(db)
            return try dots.map { try rows.operation($0)?.operation }
        }
    }

    /// The CRDT state alone; nil if nothing of the entity has arrived.
    package func state(of id: EntityID) throws -> Ticket? {
        try read { db in try Self.entity(id, db)?.ticket }
    }

    package func record(of id: EntityID) throws -> TicketRecord? {
        try read { db in
            guard let found = try Self.entity(id, db) else { return nil }
            let rows = try DotReader(db)
            var operations = try found.ticket.operations.compactMap { try rows.operation($0) }
            operations.sort { $0.arrival < $1.arrival }
            let number = try String.fetchOne(
                db, sql: "SELECT number FROM ticket WHERE entity = ?", arguments: [found.id])
            return TicketRecord(
                ticket: found.ticket, number: number ?? "", digest: found.digest, operations: operations,
                keys: try keyStates(of: found.id, db), freezingDamage: try Damage.freezing(found.ticket, db))
        }
    }

    /// Tickets with this number: usually one, but a number is a label and not an identity.
    package func tickets(numbered number: String) throws -> [EntityID] {
        try read { db in
            let rows = try BoundStatement(
                db,
                """
                SELECT e.high, e.low FROM ticket t JOIN entity e ON e.id = t.entity
                WHERE t.number = ?1 COLLATE NOCASE ORDER BY t.opened
                """)
            rows.bind(1, number)
            var result: [EntityID] = []
            while try rows.step() {
                result.append(EntityID(type: .ticket, high: rows.unsigned(0), low: rows.unsigned(1)))
            }
            return result
        }
    }

    /// Newest first.
    package func list(_ filter: TicketFilter) throws -> [TicketListing] {
        try filter.text == nil ? read { try list(filter, $0) } : search.read { try list(filter, $0) }
    }

    private func list(_ filter: TicketFilter, _ db: Database) throws -> [TicketListing] {
        var conditions: [String] = []
        var arguments: [(any DatabaseValueConvertible)?] = []
        func equal(_ column: String, _ value: String?) {
            guard let value else { return }
            conditions.append("t.\(column) = ?")
            arguments.append(value)
        }
        if !filter.statuses.isEmpty {
            conditions.append("t.status IN (\(filter.statuses.map { String($0.rawValue) }.joined(separator: ",")))")
        }
        equal("holder_site", filter.holderSite)
        equal("holder_department", filter.holderDepartment)
        equal("opened_site", filter.openedSite)
        if let ids = filter.ids {
            guard !ids.isEmpty else { return [] }
            let values = ids.prefix(TicketFilter.limitMax).map {
                "(\(Int64(bitPattern: $0.high)), \(Int64(bitPattern: $0.low)))"
            }
            conditions.append(
                """
                t.entity IN (SELECT id FROM entity WHERE type = \(EntityType.ticket.rawValue)
                AND (high, low) IN (VALUES \(values.joined(separator: ", "))))
                """)
        }
        if filter.needsAttention { conditions.append("(t.conflicts > 0 OR t.contested > 0)") }
        if let text = filter.text {
            guard let query = SearchText.query(text) else { return [] }
            conditions.append(
                """
                t.entity IN (SELECT o.entity FROM \(SearchIndex.schemaName).search s JOIN operation o ON o.arrival = s.rowid
                WHERE search MATCH ? AND NOT \(VoidRules.condition("o")))
                """)
            arguments.append(query)
        }
        let condition = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        arguments.append(min(filter.limit, TicketFilter.limitMax))
        arguments.append(filter.offset)
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT t.*, e.high, e.low,
                    (SELECT o.body FROM operation o WHERE o.sequence = t.title_sequence AND o.replica =
                        (SELECT id FROM replica WHERE replica = t.title_replica)) AS title_body,
                    (SELECT o.kind FROM operation o WHERE o.sequence = t.title_sequence AND o.replica =
                        (SELECT id FROM replica WHERE replica = t.title_replica)) AS title_kind
                FROM ticket t JOIN entity e ON e.id = t.entity \(condition)
                ORDER BY t.opened DESC, t.entity DESC LIMIT ? OFFSET ?
                """,
            arguments: StatementArguments(arguments))
        return rows.map(Self.listing)
    }

    private static func listing(_ row: Row) -> TicketListing {
        let body = (row["title_body"] as Data?).map { Array($0) } ?? []
        let kind = (row["title_kind"] as Int64?).map { OperationKind(rawValue: UInt16(truncatingIfNeeded: $0)) }
        return TicketListing(
            id: EntityID(
                type: .ticket, high: UInt64(bitPattern: row["high"] as Int64),
                low: UInt64(bitPattern: row["low"] as Int64)),
            number: row["number"], title: kind.flatMap { TitleText.read(kind: $0, body: body) } ?? "",
            status: TicketStatus(rawValue: UInt8(clamping: row["status"] as Int64)) ?? .open, opened: row["opened"],
            openedSite: row["opened_site"], acceptingDepartment: row["accepting_department"],
            holderSite: row["holder_site"], holderDepartment: row["holder_department"],
            holderSince: row["holder_since"], category: row["category"],
            urgency: Urgency(rawValue: UInt8(clamping: row["urgency"] as Int64)) ?? .unknown,
            conflicts: row["conflicts"], contested: row["contested"], unansweredChases: row["chases"],
            undeliveredTransfers: row["undelivered"])
    }

    /// Decoded tickets that match an SQL condition on `ticket`, visited one by one in local order.
    private func forEach(where condition: String, _ body: (Ticket) throws -> Void) throws {
        try read { db in
            let rows = try BoundStatement(
                db,
                """
                SELECT e.high, e.low, e.state FROM ticket t JOIN entity e ON e.id = t.entity
                WHERE \(condition) ORDER BY t.entity
                """)
            while try rows.step() {
                let id = EntityID(type: .ticket, high: rows.unsigned(0), low: rows.unsigned(1))
                do {
                    try body(try Ticket(decoding: rows.blob(2), id: id))
                } catch let failure as DecodingFailure {
                    throw StoreError.corruptState(entity: id, reason: "\(failure)")
                }
            }
        }
    }

    /// Tickets that are not closed, for deadlines and the overdue part of assessment. O(open tickets).
    package func forEachOpenTicket(_ body: (Ticket) throws -> Void) throws {
        try forEach(where: "t.status <> \(TicketStatus.closed.rawValue)", body)
    }

    /// Tickets with a transfer or a chase that may have no receipt yet.
    package func forEachAwaitingReceipt(_ body: (Ticket) throws -> Void) throws {
        try forEach(where: "t.undelivered > 0 OR t.chases > 0", body)
    }

    /// Tickets with concurrent values or contested transfers.
    package func forEachNeedingAttention(_ body: (Ticket) throws -> Void) throws {
        try forEach(where: "t.conflicts > 0 OR t.contested > 0", body)
    }

    /// Every ticket, for whoever must look at all of them.
    package func forEachTicket(_ body: (Ticket) throws -> Void) throws {
        try forEach(where: "1", body)
    }

    /// Whether operations are in the log that lists do not show yet.
    package func isProjectionBehind() throws -> Bool {
        try read { try Meta.integer(Meta.projectionCursor, $0) != nil }
    }

    package func counts() throws -> StoreCounts {
        let searchBacklog = try search.backlog()
        return try read { db in
            func count(_ sql: String) throws -> Int { try Int.fetchOne(db, sql: sql) ?? 0 }
            var digest = SetDigest.empty
            let rows = try BoundStatement(
                db, "SELECT operations, digest FROM entity WHERE type = \(EntityType.ticket.rawValue)")
            while try rows.step() {
                digest.merge(
                    disjoint: SetDigest(count: rows.unsigned(0), sum: ContentHash(rows.blob(1)) ?? .zero))
            }
            let last = try OperationRow.lastArrival(db)
            return StoreCounts(
                tickets: try count("SELECT count(*) FROM ticket"), operations: Int(last),
                parked: try count("SELECT count(*) FROM parked"),
                conflicts: try count("SELECT count(*) FROM ticket WHERE conflicts > 0"),
                contested: try count("SELECT count(*) FROM ticket WHERE contested > 0"),
                searchBacklog: searchBacklog, digest: digest)
        }
    }

    package func parked() throws -> [ParkedOperation] {
        try read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT p.replica, p.sequence, p.reason, p.since, coalesce(s.site, '') AS source
                    FROM parked p LEFT JOIN peer s ON s.id = p.source ORDER BY p.id LIMIT 1000
                    """
            ).map { row in
                ParkedOperation(
                    dot: Dot(
                        ReplicaID(UInt64(bitPattern: row["replica"] as Int64)),
                        UInt64(bitPattern: row["sequence"] as Int64)),
                    source: row["source"], reason: row["reason"], since: row["since"])
            }
        }
    }

    static func entity(_ id: EntityID, _ db: Database) throws -> (id: Int64, ticket: Ticket, digest: SetDigest)? {
        let rows = try BoundStatement(
            db, "SELECT id, operations, digest, state FROM entity WHERE type = ?1 AND high = ?2 AND low = ?3")
        rows.bind(1, Int(id.type.rawValue))
        rows.bind(2, id.high)
        rows.bind(3, id.low)
        guard try rows.step() else { return nil }
        defer { rows.reset() }
        // Its first operations are in the log and not yet folded.
        guard rows.integer(1) > 0 else { return nil }
        do {
            return (
                rows.integer(0), try Ticket(decoding: rows.blob(3), id: id),
                SetDigest(count: rows.unsigned(1), sum: ContentHash(rows.blob(2)) ?? .zero)
            )
        } catch {
            throw StoreError.corruptState(entity: id, reason: "\(error)")
        }
    }
}

/// The title that an operation wrote.
enum TitleText {
    static func read(kind: OperationKind, body: [UInt8]) -> String? {
        switch try? Body(kind: kind, bytes: body) {
        case .open(let open): return open.title
        case .setField(let set): return set.value.text
        default: return nil
        }
    }
}

extension StoreReader {
    private static let projectionTables = ["entity", "ticket", "twin", "rollup"]

    /// What `projectionForTests` shows, for comparing: bytes cost less to make.
    package func projectionBytesForTests() throws -> [UInt8] {
        try read { db in
            var bytes: [UInt8] = []
            for table in Self.projectionTables {
                let rows = try BoundStatement(db, "SELECT * FROM \(table) ORDER BY 1, 2")
                while try rows.step() { rows.appendRow(to: &bytes) }
                bytes.append(.max)
            }
            return bytes
        }
    }

    /// Rows of the projection as text, for comparing a grown one with a rebuilt one. Costs all of it.
    package func projectionForTests() throws -> String {
        try read { db in
            var text = ""
            for table in Self.projectionTables {
                let rows = try Row.fetchAll(db, sql: "SELECT * FROM \(table) ORDER BY 1, 2")
                text += table + "\n"
                for row in rows {
                    text +=
                        row.map { "\($0)=\(Data.fromDatabaseValue($1).map { [UInt8]($0).description } ?? "\($1)")" }
                        .joined(separator: " ") + "\n"
                }
            }
            return text
        }
    }
}
