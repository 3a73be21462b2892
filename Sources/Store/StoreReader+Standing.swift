internal import GRDB
package import Replication

extension StoreReader {
    /// Whether an operation waits for what would justify it.
    package func isParked(_ dot: Dot) throws -> Bool {
        try read { db in
            try BoundStatement.integer(
                db, "SELECT EXISTS (SELECT 1 FROM parked WHERE replica = ?1 AND sequence = ?2)",
                Int64(bitPattern: dot.replica.rawValue), Int64(bitPattern: dot.sequence)) == 1
        }
    }

    /// Up to which sequence an incarnation's stream is here without a hole.
    package func prefix(of replica: ReplicaID) throws -> UInt64 {
        try read { db in
            UInt64(
                bitPattern: try BoundStatement.integer(
                    db, "SELECT \(ReplicaLag.prefix) FROM replica r WHERE r.replica = ?1",
                    Int64(bitPattern: replica.rawValue)))
        }
    }
}
