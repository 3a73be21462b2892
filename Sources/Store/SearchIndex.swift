internal import GRDB
internal import Replication
internal import Tickets

extension StoreWriter {
    /// Operations that one step of indexing takes in.
    package static let searchStepOperationsMax = 8_000

    /// Takes the next operations of the log into the search index, behind its own cursor.
    /// - Returns: how many operations the index is still behind.
    package func advanceSearch() throws -> Int {
        try write { db in
            let cursor = try Meta.integer("search_cursor", db) ?? 0
            let rows = try BoundStatement(
                db, "SELECT arrival, kind, body FROM operation WHERE arrival > ?1 ORDER BY arrival LIMIT ?2")
            rows.bind(1, cursor)
            rows.bind(2, Self.searchStepOperationsMax)
            let insert = try BoundStatement(db, "INSERT INTO search (rowid, text) VALUES (?1, ?2)")
            var last = cursor
            var spaced: [UInt8] = []
            while try rows.step() {
                last = rows.integer(0)
                let kind = OperationKind(rawValue: UInt16(truncatingIfNeeded: rows.integer(1)))
                guard let body = try? Body(kind: kind, bytes: rows.bytes(2)), let text = SearchText.text(of: body)
                else { continue }
                insert.bind(1, last)
                spaced.removeAll(keepingCapacity: true)
                SearchText.space(text, into: &spaced)
                insert.bindText(2, spaced)
                try insert.run()
            }
            if last != cursor { try Meta.set("search_cursor", last, db) }
            return Int((try Int64.fetchOne(db, sql: "SELECT max(arrival) FROM operation") ?? 0) - last)
        }
    }

    /// Empties the index; it is built again from the log's beginning.
    func resetSearch() throws {
        try write { db in
            try db.execute(sql: "INSERT INTO search (search) VALUES ('delete-all')")
            try Meta.set("search_cursor", 0, db)
        }
    }
}

extension StoreReader {
    /// Operations that the search index is behind the log.
    package func searchBacklog() throws -> Int {
        try read { db in
            let last = try Int64.fetchOne(db, sql: "SELECT max(arrival) FROM operation") ?? 0
            return Int(last - (try Meta.integer("search_cursor", db) ?? 0))
        }
    }
}
