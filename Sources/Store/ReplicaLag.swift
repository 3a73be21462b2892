internal import GRDB
internal import Replication

/// The row in `replica` of the incarnation that this node writes under may be a few operations behind the log, which has
/// what it does not say yet: only a row without a gap, and only behind its end. Source: Protocols/operations.md §6.
enum ReplicaLag {
    /// Operations that a row may be behind.
    static let operationsMax: UInt64 = 64

    /// SQL: the highest sequence of the row `r` of `replica`.
    static let highest = """
        (SELECT coalesce(max(lag.sequence), r.highest) FROM operation lag
        WHERE lag.replica = r.id AND lag.sequence > r.highest AND lag.sequence <= r.highest + \(operationsMax))
        """

    /// SQL: up to which sequence the row `r` of `replica` has no gap; what it does not say yet has none unless a row of the
    /// log is damaged.
    static let prefix = "CASE WHEN r.prefix = r.highest THEN \(highest) ELSE r.prefix END"

    /// Brings what was read from the table up to the log. One look into the index of dots for each replica.
    ///
    /// A row that does not match its hash is a gap to the chain. Where it has been healed since, the chain is computed anew:
    /// O(operations of the replica).
    static func catchUp(
        _ replicas: some Sequence<WriterCache.ReplicaEntry>, _ hasher: inout ContentHasher, _ db: Database
    ) throws {
        let index = try BoundStatement(
            db,
            """
            SELECT sequence, arrival FROM operation INDEXED BY operation_dot
            WHERE replica = ?1 AND sequence > ?2 ORDER BY sequence
            """)
        var rows: (operation: BoundStatement, table: InternTable)?
        // Of the row that the index's entry leads to.
        func soundHash(_ hasher: inout ContentHasher) throws -> ContentHash? {
            let (row, table) =
                try rows ?? (
                    BoundStatement(db, "SELECT \(OperationRow.columns) FROM operation o WHERE o.arrival = ?1"),
                    InternTable(db)
                )
            rows = (row, table)
            row.bind(1, index.integer(1))
            defer { row.reset() }
            do {
                guard try row.step() else { return nil }
            } catch let error where StoreError.isMalformed(error) {
                return nil
            }
            let sound = try RowVerdict.of(row, table, &hasher).sound
            return sound?.operation.dot.sequence == index.unsigned(0) ? sound?.hash : nil
        }
        for replica in replicas
        where replica.prefix <= replica.highest && replica.highest <= UInt64(Int64.max) - operationsMax {
            index.bind(1, replica.id)
            index.bind(2, replica.prefix)
            defer { index.reset() }
            if replica.prefix == replica.highest {
                let end = replica.highest + operationsMax
                while try index.step(), index.unsigned(0) <= end {
                    replica.count(index.unsigned(0), hash: try soundHash(&hasher), &hasher)
                }
            } else if try index.step(), index.unsigned(0) == replica.prefix + 1, try soundHash(&hasher) != nil {
                index.reset()
                // A number that has changed on the disk would give another chain.
                replica.beginAnew()
                index.bind(2, UInt64(0))
                while try index.step(), index.unsigned(0) == replica.prefix + 1, let hash = try soundHash(&hasher) {
                    replica.lengthen(by: hash, &hasher)
                }
            }
        }
    }
}
