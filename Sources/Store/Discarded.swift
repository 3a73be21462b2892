internal import GRDB
package import Replication

// Parked operations that an administrator has thrown away. Source: Protocols/operations.md §7.
extension StoreWriter {
    /// Throws parked operations away and remembers them, so that they are not parked again. One that comes again from
    /// who may bring it is taken in all the same.
    /// - Parameter dot: nil for all.
    /// - Returns: how many.
    package func discardParked(_ dot: Dot?, now: Int64) throws -> Int {
        try transaction { db, cache in
            let condition = dot == nil ? "" : "WHERE replica = ? AND sequence = ?"
            let arguments: StatementArguments =
                dot.map { [Int64(bitPattern: $0.replica.rawValue), Int64(bitPattern: $0.sequence)] } ?? []
            try db.execute(
                sql: """
                    INSERT OR IGNORE INTO discarded
                    SELECT replica, sequence, hash, \(now) FROM parked \(condition)
                    """, arguments: arguments)
            try db.execute(sql: "DELETE FROM parked \(condition)", arguments: arguments)
            let count = db.changesCount
            cache.parkedTally.forget()
            if count > 0 { cache.hasDiscarded = true }
            return count
        }
    }
}

extension Merge {
    func isDiscarded(_ dot: Dot, _ hash: ContentHash) throws -> Bool {
        try Bool.fetchOne(
            db, sql: "SELECT EXISTS (SELECT 1 FROM discarded WHERE replica = ? AND sequence = ? AND hash = ?)",
            arguments: [Int64(bitPattern: dot.replica.rawValue), Int64(bitPattern: dot.sequence), hash.data]) ?? false
    }
}
