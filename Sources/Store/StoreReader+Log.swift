internal import GRDB
internal import Replication

extension StoreReader {
    /// The log in its order, a piece at a time; nothing is verified.
    /// - Throws: `StoreError.corruptRow` for a row that cannot be read at all.
    package func operations(after arrival: Int64, limit: Int) throws -> [StoredOperation] {
        try read { db in
            let rows = try BoundStatement(
                db, "SELECT \(OperationRow.columns) FROM operation o WHERE o.arrival > ?1 ORDER BY o.arrival LIMIT ?2",
                isHeld: true)
            rows.bind(1, arrival)
            rows.bind(2, limit)
            let table = try InternTable(db)
            var result: [StoredOperation] = []
            while try rows.step() { result.append(try OperationRow.read(rows, table)) }
            return result
        }
    }
}
