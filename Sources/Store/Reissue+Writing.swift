internal import GRDB
package import Replication
internal import SwiftProtobuf
internal import Tickets

/// An operation that waits for being written again.
package struct WaitingOperation: Sendable {
    package let position: Int64
    package let operation: Operation
    /// The hash it had.
    package let hash: ContentHash
    /// Up to where the history of its incarnation stands.
    package let common: UInt64
    /// The ticket that it opened gets a new name with it.
    package let moves: Bool
}

/// An operation that has been written again, and whether the ticket it opened was renamed with it.
package struct Successor: Hashable, Sendable {
    package var dot: Dot
    package var moves: Bool

    /// Of the dot of what was damaged and is not issued again. No operation has it.
    package static let lostSequence: UInt64 = 0

    package var isLost: Bool { dot.sequence == Self.lostSequence }

    package init(dot: Dot, moves: Bool) {
        self.dot = dot
        self.moves = moves
    }
}

extension StoreWriter {
    /// The next of those that wait, in the order they were written in.
    package func waitingOperations(limit: Int) throws -> [WaitingOperation] {
        try write { db in
            let rows = try BoundStatement(
                db, "SELECT position, hash, common, moves, columns FROM reissue ORDER BY position LIMIT ?1")
            rows.bind(1, limit)
            var result: [WaitingOperation] = []
            while try rows.step() {
                let columns = try? WireOperationColumns(serializedBytes: rows.bytes(4))
                guard let hash = ContentHash(rows.blob(1)),
                    let operation = try columns.flatMap({ try OperationColumns.decode($0).first })
                else {
                    throw DatabaseError(message: "row \(rows.integer(0)) of reissue cannot be read: restore a backup")
                }
                result.append(
                    WaitingOperation(
                        position: rows.integer(0), operation: operation, hash: hash, common: rows.unsigned(2),
                        moves: rows.integer(3) != 0))
            }
            return result
        }
    }

    /// What has become of an operation; nil if it is in the log, waits, or was never here.
    package func successor(of dot: Dot) throws -> Successor? {
        try write { db in
            let row = try Row.fetchOne(
                db, sql: "SELECT to_replica, to_sequence, moves FROM reissued WHERE replica = ? AND sequence = ?",
                arguments: [Int64(bitPattern: dot.replica.rawValue), Int64(bitPattern: dot.sequence)])
            guard let row else { return nil }
            return Successor(
                dot: Dot(ReplicaID(UInt64(bitPattern: row["to_replica"])), UInt64(bitPattern: row["to_sequence"])),
                moves: (row["moves"] as Int64) != 0)
        }
    }

    /// The latest operation of a replica at or below a sequence that has been issued again.
    package func latestReissued(of replica: ReplicaID, upTo sequence: UInt64) throws -> Dot? {
        try write { db in
            try Int64.fetchOne(
                db,
                sql: """
                    SELECT sequence FROM reissued WHERE replica = ? AND sequence <= ? AND to_sequence <> ?
                    ORDER BY sequence DESC LIMIT 1
                    """,
                arguments: [
                    Int64(bitPattern: replica.rawValue), Int64(bitPattern: sequence),
                    Int64(bitPattern: Successor.lostSequence),
                ]
            ).map { Dot(replica, UInt64(bitPattern: $0)) }
        }
    }

    /// Writes operations again, and takes what they were out of those that wait, in one transaction.
    package func commit(_ batch: MergeBatch, reissuing waiting: [WaitingOperation], now: Int64) throws -> MergeResult {
        precondition(batch.operations.count == waiting.count, "each is issued again once")
        return try transaction { db, cache in
            var merge = Merge(db: db, cache: cache, catalog: catalog, site: reader.identity.site, now: now)
            try merge.append(batch)
            try merge.finish()
            let delete = try BoundStatement(db, "DELETE FROM reissue WHERE position = ?1")
            let insert = try BoundStatement(db, "INSERT INTO reissued VALUES (?1, ?2, ?3, ?4, ?5)")
            for (former, operation) in zip(waiting, batch.operations) {
                delete.bind(1, former.position)
                try delete.run()
                insert.bind(1, former.operation.dot.replica.rawValue)
                insert.bind(2, former.operation.dot.sequence)
                insert.bind(3, operation.dot.replica.rawValue)
                insert.bind(4, operation.dot.sequence)
                insert.bind(5, former.moves ? 1 : 0)
                try insert.run()
            }
            return merge.result
        }
    }
}
