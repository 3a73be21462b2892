internal import GRDB
internal import Replication

/// Rows of the log that stand in SQLite's way: it calls their record malformed, or the index of dots does not lead to them.
///
/// The index lies in pages of its own and says a second time which dot a row has. From it such a row is given its dot
/// again; whatever else cannot be read of it is left empty, for a sound copy to fill. Without this a change of such a row
/// would fail, or take another row's entry out of the index. Source: Protocols/operations.md §9.
struct RowRepair {
    private struct Place {
        var replica: Int64
        var sequence: Int64
    }

    private enum Defect {
        case malformed
        /// Its dot does not lead to it. If it is sound, it is the index that broke.
        case misplaced(isSound: Bool)
    }

    private var defects: [(arrival: Int64, defect: Defect)] = []
    private var places: [Int64: Place] = [:]

    /// Finds all such rows. Two passes over the log's keys, one over its rows.
    /// - Parameter db: in a transaction that ends with a rollback, as `StoreReader.readPastDamage` gives it.
    init(_ db: Database) throws {
        var rows = try LogRows(db, after: 0)
        let index = try IndexOfDots(db)
        let table = try InternTable(db)
        var hasher = ContentHasher()
        while let (arrival, isMalformed) = try rows.next() {
            if isMalformed {
                defects.append((arrival, .malformed))
            } else if try !index.leads(to: arrival, from: rows.row.integer(1), rows.row.integer(2)) {
                let isSound = try RowVerdict.of(rows.row, table, &hasher).isSound
                defects.append((arrival, .misplaced(isSound: isSound)))
            }
        }
        let arrivals = Set(defects.map(\.arrival))
        let entries = try BoundStatement(
            db, "SELECT arrival, replica, sequence FROM operation INDEXED BY operation_dot")
        while try entries.step() {
            guard arrivals.contains(entries.integer(0)) else { continue }
            places[entries.integer(0)] = Place(replica: entries.integer(1), sequence: entries.integer(2))
        }
    }

    /// The first row of which neither the table nor the index says anything.
    var lost: Int64? {
        defects.first { entry in
            if case .malformed = entry.defect { places[entry.arrival] == nil } else { false }
        }?.arrival
    }

    /// Whether a line of SQLite's own check speaks of one record and not of how pages hang together.
    static func isOfOneRecord(_ fault: String) -> Bool {
        fault == "database disk image is malformed" || fault.contains(" value in ")
    }

    /// Whether rows can be read and are found by their dots. O(log n) each.
    /// - Parameter db: as above.
    static func areStraight(_ arrivals: [Int64], _ db: Database) throws -> Bool {
        let row = try BoundStatement(
            db, "SELECT \(OperationRow.columns) FROM operation o NOT INDEXED WHERE o.arrival = ?1")
        let index = try IndexOfDots(db)
        return try arrivals.allSatisfy { arrival in
            row.bind(1, arrival)
            do {
                guard try row.step() else { return true }
            } catch let error where StoreError.isMalformed(error) {
                return false
            }
            defer { row.reset() }
            return try index.leads(to: arrival, from: row.integer(1), row.integer(2))
        }
    }

    /// Writes them anew, and then the index. Reads nothing malformed: SQLite would not commit after that.
    /// - Parameter now: UTC milliseconds.
    /// - Throws: `DatabaseError` if two rows claim one dot even so.
    func run(now: Int64, _ db: Database) throws {
        guard
            let definition = try String.fetchOne(db, sql: "SELECT sql FROM sqlite_schema WHERE name = 'operation_dot'")
        else { return }
        // While it stands, SQLite reads from a row which of its entries to take out.
        try db.execute(sql: "DROP INDEX operation_dot")
        for (arrival, defect) in defects {
            guard let place = places[arrival] else { continue }
            switch defect {
            case .misplaced(isSound: true): break
            case .misplaced(isSound: false):
                do {
                    try db.execute(
                        sql: "UPDATE operation SET replica = ?, sequence = ? WHERE arrival = ?",
                        arguments: [place.replica, place.sequence, arrival])
                } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
                    // Columns have changed their types.
                    try Self.empty(arrival, at: place, db)
                }
            case .malformed: try Self.empty(arrival, at: place, db)
            }
        }
        try db.execute(sql: definition)
        for (arrival, _) in defects {
            try Self.guessSource(of: arrival, db)
            // From now on nothing but the list tells of it.
            if try !RowVerdict.of(arrival, db).isSound { try Damage.note(arrival: arrival, now: now, db) }
        }
    }

    private static func empty(_ arrival: Int64, at place: Place, _ db: Database) throws {
        try db.execute(sql: "DELETE FROM operation WHERE arrival = ?", arguments: [arrival])
        try db.execute(
            sql: """
                INSERT INTO operation (
                    arrival, replica, sequence, entity, kind, time, author, source, hash, envelope, body)
                VALUES (?1, ?2, ?3, 0, 0, 0, 0, 0, x'', x'', x'')
                """, arguments: [arrival, place.replica, place.sequence])
    }

    /// Whether nothing is left of a row but its dot, and no state knows its operation either: the states have fewer
    /// operations than the log by just these rows, and no other is damaged. O(log).
    static func isForgotten(_ arrival: Int64, _ db: Database) throws -> Bool {
        guard
            try BoundStatement.integer(
                db, "SELECT count(*) FROM operation WHERE arrival = ?1 AND \(isEmpty)", arrival) == 1
        else { return false }
        let inLog = try BoundStatement.integer(db, "SELECT count(*) FROM operation")
        let inStates = try BoundStatement.integer(db, "SELECT coalesce(sum(operations), 0) FROM entity")
        let damaged = try BoundStatement.integer(db, "SELECT count(*) FROM damaged")
        let empty = try BoundStatement.integer(
            db, "SELECT count(*) FROM operation WHERE arrival IN (SELECT arrival FROM damaged) AND \(isEmpty)")
        return damaged == empty && inLog - inStates == empty
    }

    private static let isEmpty = "hash = x'' AND envelope = x'' AND body = x''"

    /// An empty row came from where its replica's operation before it came from, or the one behind it.
    private static func guessSource(of arrival: Int64, _ db: Database) throws {
        try db.execute(
            sql: """
                UPDATE operation AS o SET source = coalesce(
                    (SELECT n.source FROM operation n WHERE n.replica = o.replica AND n.sequence < o.sequence
                        ORDER BY n.sequence DESC LIMIT 1),
                    (SELECT n.source FROM operation n WHERE n.replica = o.replica AND n.sequence > o.sequence
                        ORDER BY n.sequence LIMIT 1), 0)
                WHERE arrival = ? AND envelope = x''
                """, arguments: [arrival])
    }
}

/// Rows of the log in order of arrival, also those whose record SQLite calls malformed.
struct LogRows {
    /// Of `OperationRow.columns`; stands on the row that `next` gave, unless that is malformed.
    let row: BoundStatement
    private let arrivals: BoundStatement
    private var last: Int64

    /// - Parameter arrival: the last one that is passed over.
    init(_ db: Database, after arrival: Int64) throws {
        row = try BoundStatement(
            db, "SELECT \(OperationRow.columns) FROM operation o WHERE o.arrival > ?1 ORDER BY o.arrival")
        arrivals = try BoundStatement(
            db, "SELECT arrival FROM operation NOT INDEXED WHERE arrival > ?1 ORDER BY arrival LIMIT 1")
        last = arrival
        row.bind(1, arrival)
    }

    /// - Throws: `DatabaseError` where a page is damaged.
    mutating func next() throws -> (arrival: Int64, isMalformed: Bool)? {
        do {
            guard try row.step() else { return nil }
            last = row.integer(0)
            return (last, false)
        } catch let error where StoreError.isMalformed(error) {
            // Of a damaged page this fails as well.
            arrivals.bind(1, last)
            defer { arrivals.reset() }
            guard try arrivals.step() else { throw error }
            last = arrivals.integer(0)
            row.bind(1, last)
            return (last, true)
        }
    }
}

/// Looks rows up by their dots without reading them.
struct IndexOfDots {
    private let entry: BoundStatement

    init(_ db: Database) throws {
        entry = try BoundStatement(
            db, "SELECT arrival FROM operation INDEXED BY operation_dot WHERE replica = ?1 AND sequence = ?2")
    }

    /// - Parameter replica: its local number.
    func leads(to arrival: Int64, from replica: Int64, _ sequence: Int64) throws -> Bool {
        entry.bind(1, replica)
        entry.bind(2, sequence)
        defer { entry.reset() }
        return try entry.step() && entry.integer(0) == arrival
    }
}

extension StoreError {
    /// Whether SQLite calls a record or a page malformed.
    package static func isMalformed(_ error: any Error) -> Bool {
        (error as? DatabaseError)?.resultCode == .SQLITE_CORRUPT
    }
}

extension StoreReader {
    /// `read` for a body that goes on after SQLite has called something malformed: it does not commit after that.
    func readPastDamage<Value>(_ body: (Database) throws -> Value) throws -> Value {
        try pool.unsafeRead { db in
            try db.beginTransaction(.deferred)
            let result = Result { try body(db) }
            try db.rollback()
            return try result.get()
        }
    }
}

extension StoreWriter {
    /// Makes the rows readable that an opening compares with others' memory of this node: its first and its last one, and
    /// the one that the epoch file names. Of a malformed row SQLite may give one column for another.
    func straightenOwn(upTo epoch: UInt64?) {
        let arrivals = try? reader.read { db -> [Int64] in
            let entries = try BoundStatement(
                db,
                """
                SELECT arrival FROM operation INDEXED BY operation_dot
                WHERE replica = (SELECT id FROM replica WHERE replica = ?1) AND sequence <= ?2
                ORDER BY sequence DESC LIMIT 1
                """)
            return try [1, epoch ?? 1, UInt64(Int64.max)].compactMap { sequence in
                entries.bind(1, reader.identity.replica.rawValue)
                entries.bind(2, min(sequence, UInt64(Int64.max)))
                defer { entries.reset() }
                return try entries.step() ? entries.integer(0) : nil
            }
        }
        // Where it does not succeed, what reads them says why.
        try? straighten(arrivals ?? [], now: openedAt)
    }

    /// If one of these rows cannot be read, or its dot does not lead to it: makes all rows of the log that are so readable
    /// again. The others stay as they are.
    /// - Throws: `StoreError.damagedFile` if pages are damaged as well: nothing is written to those.
    func straighten(_ arrivals: [Int64], now: Int64) throws {
        if try reader.readPastDamage({ try !RowRepair.areStraight(arrivals, $0) }) { try straightenAll(now: now) }
    }

    /// - Throws: `StoreError.damagedFile`, as above.
    func straightenAll(now: Int64) throws {
        let faults = try reader.quickCheck().filter { !RowRepair.isOfOneRecord($0) }
        if let fault = faults.first { throw StoreError.damagedFile(path: reader.folder.database, fault: fault) }
        let repair = try reader.readPastDamage { try RowRepair($0) }
        if let arrival = repair.lost {
            throw StoreError.damagedFile(
                path: reader.folder.database, fault: "row \(arrival) of the log, and its entry in the index of dots")
        }
        let isFilled = cache != nil
        try transaction(folding: false) { db, _ in try repair.run(now: now, db) }
        // Otherwise what is still to be folded would be forgotten.
        if !isFilled { forgetCache() }
    }
}
