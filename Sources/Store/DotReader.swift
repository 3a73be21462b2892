internal import GRDB
internal import Replication

/// Operations of the log by their dots. Verifies nothing. Only one of them at a time on a connection, which keeps the
/// statement.
struct DotReader {
    private let rows: BoundStatement
    private let table: InternTable

    init(_ db: Database) throws {
        rows = try BoundStatement(
            db,
            """
            SELECT \(OperationRow.columns) FROM operation o
            WHERE o.replica = (SELECT id FROM replica WHERE replica = ?1) AND o.sequence = ?2
            """, isHeld: true)
        table = try InternTable(db)
    }

    /// - Returns: nil if there is none.
    /// - Throws: `StoreError.corruptRow` for one that cannot be read at all.
    func operation(_ dot: Dot) throws -> StoredOperation? {
        guard try find(dot) else { return nil }
        defer { rows.reset() }
        return try OperationRow.read(rows, table)
    }

    /// - Returns: nil if there is none, or none that can be read.
    func read(_ dot: Dot) throws -> StoredOperation? {
        guard try find(dot) else { return nil }
        defer { rows.reset() }
        return try OperationRow.readable(rows, table)
    }

    /// Arrival and stated hash.
    func place(of dot: Dot) throws -> (arrival: Int64, hash: ContentHash)? {
        guard try find(dot) else { return nil }
        defer { rows.reset() }
        return (rows.integer(0), ContentHash(rows.blob(8)) ?? .zero)
    }

    private func find(_ dot: Dot) throws -> Bool {
        rows.bind(1, dot.replica.rawValue)
        rows.bind(2, dot.sequence)
        return try rows.step()
    }
}
