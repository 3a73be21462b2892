internal import GRDB

/// What one sender may have parked here: beyond that nothing of it is taken until an administrator has looked into it.
package struct ParkedLimits: Sendable {
    package static let operationsMax = 100_000
    package static let bytesMax = 256 * 1024 * 1024

    package var operations = operationsMax
    /// Of the operations in their wire form.
    package var bytes = bytesMax

    package init() {}
}

/// How much is parked, by who brought it. Read from the table when it is first asked for, and kept up to date.
struct ParkedTally {
    private var bySource: [Int64: (operations: Int, bytes: Int)]?

    /// What is parked has changed by other ways than `add` and `remove`.
    mutating func forget() {
        bySource = nil
    }

    /// - Parameter source: the sender's number in `peer`; 0 if nobody is known to have brought it.
    /// - Throws: `StoreError.tooMuchParked`.
    mutating func add(_ source: Int64, bytes: Int, _ limits: ParkedLimits, _ db: Database) throws {
        var tally = try bySource ?? Self.read(db)
        var entry = tally[source] ?? (0, 0)
        // Of a tally that has just been read, the row is part.
        if bySource != nil { entry = (entry.operations + 1, entry.bytes + bytes) }
        tally[source] = entry
        bySource = tally
        guard entry.operations <= limits.operations, entry.bytes <= limits.bytes else {
            throw StoreError.tooMuchParked(PeerID(source), operations: limits.operations, bytes: limits.bytes)
        }
    }

    mutating func remove(_ source: Int64, bytes: Int) {
        guard let entry = bySource?[source] else { return }
        bySource?[source] = (entry.operations - 1, entry.bytes - bytes)
    }

    private static func read(_ db: Database) throws -> [Int64: (operations: Int, bytes: Int)] {
        let rows = try BoundStatement(
            db, "SELECT source, count(*), sum(length(columns)) FROM parked GROUP BY source")
        var result: [Int64: (operations: Int, bytes: Int)] = [:]
        while try rows.step() { result[rows.integer(0)] = (Int(rows.integer(1)), Int(rows.integer(2))) }
        return result
    }
}
