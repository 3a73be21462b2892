internal import GRDB
package import Replication

extension StoreReader {
    /// Whether an operation waits for what would justify it.
    package func isParked(_ dot: Dot) throws -> Bool {
        try read { db in
            try Bool.fetchOne(
                db, sql: "SELECT EXISTS (SELECT 1 FROM parked WHERE replica = ? AND sequence = ?)",
                arguments: [Int64(bitPattern: dot.replica.rawValue), Int64(bitPattern: dot.sequence)]) ?? false
        }
    }

    /// Up to which sequence an incarnation's stream is here without a hole.
    package func prefix(of replica: ReplicaID) throws -> UInt64 {
        try read { db in
            let prefix = try Int64.fetchOne(
                db, sql: "SELECT prefix FROM replica WHERE replica = ?",
                arguments: [Int64(bitPattern: replica.rawValue)])
            return UInt64(bitPattern: prefix ?? 0)
        }
    }
}
