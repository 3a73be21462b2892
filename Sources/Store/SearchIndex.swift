internal import GRDB
internal import Replication
internal import Tickets

/// What the search index takes in next, made ready on a reader's thread: the writer only hands it to the index.
package struct SearchStep: Sendable {
    /// Operations that one step takes in.
    package static let operationsMax = 8_000

    /// Arrival of the last operation before it.
    package let start: Int64
    /// Arrival of its last operation.
    package fileprivate(set) var end: Int64
    /// Arrivals of operations that say something, and where their text ends in `bytes`.
    fileprivate var texts: [(arrival: Int64, end: Int)] = []
    fileprivate var bytes: [UInt8] = []

    fileprivate init(after start: Int64) {
        self.start = start
        end = start
    }

    /// There is nothing behind the cursor.
    package var isEmpty: Bool { end == start }
}

enum SearchIndex {
    /// Empties it; it is built again from the log's beginning.
    static func reset(_ db: Database) throws {
        try db.execute(sql: "INSERT INTO search (search) VALUES ('delete-all')")
        try Meta.set(Meta.searchCursor, 0, db)
    }
}

extension StoreReader {
    /// Reads the operations behind a cursor.
    /// - Parameter cursor: an arrival; nil for that of the index.
    package func searchStep(after cursor: Int64? = nil) throws -> SearchStep {
        try read { db in
            var step = SearchStep(after: try cursor ?? Meta.integer(Meta.searchCursor, db) ?? 0)
            let rows = try BoundStatement(
                db, "SELECT arrival, kind, body FROM operation WHERE arrival > ?1 ORDER BY arrival LIMIT ?2")
            rows.bind(1, step.start)
            rows.bind(2, SearchStep.operationsMax)
            while try rows.step() {
                step.end = rows.integer(0)
                let kind = OperationKind(rawValue: UInt16(truncatingIfNeeded: rows.integer(1)))
                guard let body = try? Body(kind: kind, bytes: rows.bytes(2)) else { continue }
                let start = step.bytes.count
                for text in SearchText.texts(of: body) { SearchText.space(text, into: &step.bytes) }
                if step.bytes.count > start { step.texts.append((step.end, step.bytes.count)) }
            }
            return step
        }
    }

    /// Operations that the search index is behind the log.
    package func searchBacklog() throws -> Int {
        try read { db in
            let last = try OperationRow.lastArrival(db)
            return Int(last - (try Meta.integer(Meta.searchCursor, db) ?? 0))
        }
    }
}

extension StoreWriter {
    /// Pages that one call of `mergeSearch` writes, about.
    static let searchMergePages = 256

    /// Takes a step into the index; does nothing if it is not the next one.
    package func advanceSearch(_ step: SearchStep) throws {
        guard !step.isEmpty else { return }
        try write { db in
            guard try Meta.integer(Meta.searchCursor, db) ?? 0 == step.start else { return }
            let insert = try BoundStatement(db, "INSERT INTO search (rowid, text) VALUES (?1, ?2)")
            try step.bytes.withUnsafeBytes { bytes in
                var start = 0
                for text in step.texts {
                    insert.bind(1, text.arrival)
                    try insert.run(2, utf8: UnsafeRawBufferPointer(rebasing: bytes[start..<text.end]))
                    start = text.end
                }
            }
            try Meta.set(Meta.searchCursor, step.end, db)
        }
    }

    /// Takes the next operations of the log into the search index, behind its own cursor.
    /// - Returns: how many operations the index is still behind.
    package func advanceSearch() throws -> Int {
        try advanceSearch(reader.searchStep())
        return try reader.searchBacklog()
    }

    /// Joins segments of the index, some at a time, so that a search looks into few. For when nothing else is to do:
    /// new entries are found without it.
    /// - Returns: whether there may be more to join.
    package func mergeSearch() throws -> Bool {
        try write { db in
            let before = db.totalChangesCount
            try db.execute(
                sql: "INSERT INTO search (search, rank) VALUES ('merge', ?)", arguments: [Self.searchMergePages])
            // SQLite counts one change for the command itself.
            return db.totalChangesCount - before >= 2
        }
    }

    /// Empties the index; it is built again from the log's beginning.
    func resetSearch() throws {
        try write { try SearchIndex.reset($0) }
    }
}
