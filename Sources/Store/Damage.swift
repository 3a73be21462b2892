internal import struct Foundation.Data
internal import GRDB
package import Replication
package import Tickets

/// A row of the log that does not match its hash.
package struct DamagedOperation: Hashable, Sendable {
    package var arrival: Int64
    /// As the row has it; if this is what broke, the hash alone tells which operation it was.
    package var dot: Dot
    /// What the row says its hash is.
    package var hash: ContentHash
    /// UTC milliseconds: when it was found.
    package var since: Int64
}

/// The list of rows that do not match their hash.
enum Damage {
    /// - Parameter now: UTC milliseconds.
    static func note(arrival: Int64, now: Int64, _ db: Database) throws {
        try db.execute(
            sql: """
                INSERT INTO damaged (arrival, replica, sequence, hash, found)
                SELECT o.arrival, coalesce(r.replica, 0), o.sequence, o.hash, ?2
                FROM operation o LEFT JOIN replica r ON r.id = o.replica WHERE o.arrival = ?1
                ON CONFLICT (arrival) DO UPDATE SET replica = excluded.replica, sequence = excluded.sequence,
                    hash = iif(length(excluded.hash) = 32, excluded.hash, hash)
                """, arguments: [arrival, now])
    }

    /// Asks nothing for a ticket that is not frozen.
    static func freezing(_ ticket: Ticket, _ db: Database) throws -> Dot? {
        let dots = ticket.freezing
        let areAll = try dots.allSatisfy { dot in
            try Bool.fetchOne(
                db, sql: "SELECT EXISTS (SELECT 1 FROM damaged WHERE replica = ? AND sequence = ?)",
                arguments: [Int64(bitPattern: dot.replica.rawValue), Int64(bitPattern: dot.sequence)]) ?? false
        }
        return areAll ? dots.first : nil
    }
}

extension StoreReader {
    /// Rows that were found damaged and have not been healed, in order of arrival.
    package func damaged() throws -> [DamagedOperation] {
        try read { db in
            let rows = try BoundStatement(
                db, "SELECT arrival, replica, sequence, hash, found FROM damaged ORDER BY arrival", isHeld: true)
            var result: [DamagedOperation] = []
            while try rows.step() {
                result.append(
                    DamagedOperation(
                        arrival: rows.integer(0), dot: Dot(ReplicaID(rows.unsigned(1)), rows.unsigned(2)),
                        hash: ContentHash(rows.blob(3)) ?? .zero, since: rows.integer(4)))
            }
            return result
        }
    }
}

extension StoreReader {
    /// Whether a row that came behind an operation, on the same ticket, is known to be damaged: it may be what the
    /// operation seems to lack.
    package func isDamaged(behind dot: Dot, on ticket: EntityID) throws -> Bool {
        try read { db in
            try Bool.fetchOne(
                db,
                sql: """
                    SELECT EXISTS (
                        SELECT 1 FROM damaged d JOIN operation o ON o.arrival = d.arrival JOIN entity e ON e.id = o.entity
                        WHERE e.type = ?1 AND e.high = ?2 AND e.low = ?3 AND o.arrival > (
                            SELECT t.arrival FROM operation t JOIN replica r ON r.id = t.replica
                            WHERE r.replica = ?4 AND t.sequence = ?5))
                    """,
                arguments: [
                    Int(ticket.type.rawValue), Int64(bitPattern: ticket.high), Int64(bitPattern: ticket.low),
                    Int64(bitPattern: dot.replica.rawValue), Int64(bitPattern: dot.sequence),
                ]) ?? false
        }
    }

    /// The first of the damaged rows that keep people from editing a ticket.
    /// - Returns: nil if something else does too, a kind that this version does not know, or nothing does.
    package func damage(freezing ticket: Ticket) throws -> Dot? {
        try read { try Damage.freezing(ticket, $0) }
    }
}

extension StoreWriter {
    /// Remembers that rows do not match their hashes; looks at them once more before. One that SQLite cannot read, or that
    /// its dot does not lead to, is written anew as far as it is known: O(log) for all of them.
    /// - Parameter now: UTC milliseconds.
    /// - Returns: arrivals of rows that are damaged and were not known to be, also such as were made readable with these.
    /// - Throws: `StoreError.damagedFile` if pages are damaged as well; rows that can be read are remembered even so.
    @discardableResult
    package func noteDamaged(_ arrivals: [Int64], now: Int64) throws -> [Int64] {
        let known = Set(try reader.damaged().map(\.arrival))
        do {
            try straighten(arrivals, now: now)
        } catch StoreError.damagedFile(let path, let fault) {
            let readable = try reader.readPastDamage { db in
                try arrivals.filter { try RowRepair.areStraight([$0], db) }
            }
            try remember(readable, now)
            throw StoreError.damagedFile(path: path, fault: fault)
        }
        try remember(arrivals, now)
        return try reader.damaged().map(\.arrival).filter { !known.contains($0) }
    }

    private func remember(_ arrivals: [Int64], _ now: Int64) throws {
        try write { db in
            for arrival in arrivals {
                if try RowVerdict.of(arrival, db).isSound {
                    try db.execute(sql: "DELETE FROM damaged WHERE arrival = ?", arguments: [arrival])
                } else {
                    try Damage.note(arrival: arrival, now: now, db)
                }
            }
        }
    }

    /// Strikes off the rows that are sound again (a disk may give back today what it did not yesterday).
    package func recheckDamaged() throws {
        let sound = try reader.readPastDamage { db in
            try Int64.fetchAll(db, sql: "SELECT arrival FROM damaged").filter { arrival in
                do {
                    return try RowVerdict.of(arrival, db).isSound
                } catch let error where StoreError.isMalformed(error) {
                    return false
                }
            }
        }
        guard !sound.isEmpty else { return }
        try write { db in
            for arrival in sound { try db.execute(sql: "DELETE FROM damaged WHERE arrival = ?", arguments: [arrival]) }
        }
    }

    /// Puts a sound copy in the place of a damaged row, if it is surely the same operation: its hash is the one that the
    /// row states, or the one that the row's bytes have (then it is the stated hash that broke), or what the entity's digest
    /// lacks. The entity is folded again. Nothing else is ever changed.
    /// - Parameter hash: the operation's; it is computed again here.
    /// - Parameter now: UTC milliseconds, for rows that say since when.
    /// - Returns: whether a row was healed.
    package func heal(_ operation: Operation, hash: ContentHash, now: Int64 = 0) throws -> Bool {
        var hasher = ContentHasher()
        guard hasher.hash(operation) == hash else { return false }
        // What is folded again must not be behind the log in memory.
        try catchUpProjection()
        let arrival = try reader.read { try damagedRow(of: operation, hash: hash, $0) }
        if let arrival { try straighten([arrival], now: now) }
        do {
            guard try replaceRow(of: operation, hash: hash, now: now) else { return false }
        } catch is StillDamaged {
            return false
        }
        // Where the row was a gap to its replica's chain, this goes on behind it.
        if let replica = cache?.replicas[operation.dot.replica], replica.prefix + 1 == operation.dot.sequence {
            forgetCache()
        }
        return true
    }

    /// The row is what the copy says, and does not match: what its numbers stand for is damaged.
    private struct StillDamaged: Error {}

    private func replaceRow(of operation: Operation, hash: ContentHash, now: Int64) throws -> Bool {
        try transaction { db, cache in
            guard let arrival = try damagedRow(of: operation, hash: hash, db),
                case .damaged(let readable) = try RowVerdict.of(arrival, db)
            else { return false }
            let stated = try Row.fetchOne(
                db, sql: "SELECT hash, entity FROM operation WHERE arrival = ?", arguments: [arrival])
            guard let stated else { return false }
            // What the row stated before it was emptied, if that could be read.
            let before = try Data.fetchOne(db, sql: "SELECT hash FROM damaged WHERE arrival = ?", arguments: [arrival])
            let isLeft = before?.count == ContentHash.byteCount && (stated["hash"] as Data).isEmpty
            let isSame =
                try stated["hash"] == hash.data || readable?.contents == hash
                || (isLeft ? before == hash.data : Self.completes(operation, hash: hash, arrival: arrival, db))
            guard isSame else { return false }
            let entity = try localNumber(of: operation.entity, db, cache)
            try rewrite(operation, hash: hash, arrival: arrival, entity: entity, db, cache)
            guard try RowVerdict.of(arrival, db).isSound else { throw StillDamaged() }
            try db.execute(sql: "DELETE FROM damaged WHERE arrival = ?", arguments: [arrival])
            // A copy that came before was parked: it was not what stood here.
            try db.execute(
                sql: "DELETE FROM parked WHERE replica = ? AND sequence = ? AND hash = ?",
                arguments: [
                    Int64(bitPattern: operation.dot.replica.rawValue), Int64(bitPattern: operation.dot.sequence),
                    hash.data,
                ])
            cache.parkedTally.forget()
            try refold(entity, including: arrival, now: now, db, cache)
            let former: Int64 = stated["entity"]
            if former != entity { try refold(former, now: now, db, cache) }
            return true
        }
    }

    /// Whether the hash is what an entity's digest has beyond the hashes of all other operations that its state names. If
    /// nothing but its dot is left of an operation, neither in the log nor in any state, any copy under that dot is it.
    private static func completes(
        _ operation: Operation, hash: ContentHash, arrival: Int64, _ db: Database
    ) throws -> Bool {
        let id = operation.entity
        let entity = try BoundStatement(
            db, "SELECT operations, digest, state FROM entity WHERE type = ?1 AND high = ?2 AND low = ?3")
        entity.bind(id)
        guard try entity.step(), entity.integer(0) > 0 else { return try RowRepair.isForgotten(arrival, db) }
        defer { entity.reset() }
        let digest = SetDigest(count: entity.unsigned(0), sum: ContentHash(entity.blob(1)) ?? .zero)
        guard let ticket = try? Ticket(decoding: entity.blob(2), id: id) else { return false }
        guard ticket.contains(operation.dot) else { return try RowRepair.isForgotten(arrival, db) }
        let rows = try DotReader(db)
        var sum = SetDigest.empty
        sum.insert(hash)
        for dot in ticket.operations where dot != operation.dot {
            guard let (_, stated) = try rows.place(of: dot) else { return false }
            sum.insert(stated)
        }
        return sum == digest
    }

    /// By its dot, or by its hash where the dot is what broke.
    private func damagedRow(of operation: Operation, hash: ContentHash, _ db: Database) throws -> Int64? {
        try Int64.fetchOne(
            db,
            sql: """
                SELECT arrival FROM damaged WHERE (replica = ? AND sequence = ?) OR hash = ?
                ORDER BY hash = ? DESC LIMIT 1
                """,
            arguments: [
                Int64(bitPattern: operation.dot.replica.rawValue), Int64(bitPattern: operation.dot.sequence),
                hash.data, hash.data,
            ])
    }

    private func localNumber(of id: EntityID, _ db: Database, _ cache: WriterCache) throws -> Int64 {
        let find = cache.statements.findEntity
        find.bind(id)
        if try find.step() {
            defer { find.reset() }
            return find.integer(0)
        }
        cache.lastEntity += 1
        try db.execute(
            sql: "INSERT INTO entity VALUES (?, ?, ?, ?, 0, zeroblob(32), 0, x'')",
            arguments: [
                cache.lastEntity, Int(id.type.rawValue), Int64(bitPattern: id.high), Int64(bitPattern: id.low),
            ])
        return cache.lastEntity
    }

    private func rewrite(
        _ operation: Operation, hash: ContentHash, arrival: Int64, entity: Int64, _ db: Database, _ cache: WriterCache
    ) throws {
        var seen: [(replica: Int64, sequence: UInt64)] = []
        for entry in operation.seen.entries { seen.append((try cache.replica(entry.replica).id, entry.sequence)) }
        var envelope = ByteWriter()
        PackedEnvelope.pack(operation, seen: seen, into: &envelope)
        let row = try BoundStatement(
            db,
            """
            UPDATE operation SET replica = ?2, sequence = ?3, entity = ?4, kind = ?5, time = ?6, author = ?7, hash = ?8,
                envelope = ?9, body = ?10, source = iif(typeof(source) = 'integer', source, 0) WHERE arrival = ?1
            """)
        row.bind(1, arrival)
        row.bind(2, try cache.replica(operation.dot.replica).id)
        row.bind(3, operation.dot.sequence)
        row.bind(4, entity)
        row.bind(5, Int(operation.kind.rawValue))
        row.bind(6, operation.time.rawValue)
        row.bind(7, try cache.author(operation.author))
        hash.withBytes { row.bind(8, $0) }
        row.bind(9, envelope.bytes)
        row.bind(10, operation.body)
        try row.run()
    }
}

/// Whether a row of the log is what its hash says.
enum RowVerdict {
    case missing
    case sound(StoredOperation)
    /// With what it says, if it can be read, and the hash of that.
    case damaged((stored: StoredOperation, contents: ContentHash)?)

    var isSound: Bool {
        switch self {
        case .missing, .sound: true
        case .damaged: false
        }
    }

    /// What it says, if it matches its hash.
    var sound: StoredOperation? { if case .sound(let stored) = self { stored } else { nil } }

    /// What can be read of it.
    var stored: StoredOperation? {
        switch self {
        case .missing: nil
        case .sound(let stored): stored
        case .damaged(let readable): readable?.stored
        }
    }

    static func of(_ arrival: Int64, _ db: Database) throws -> RowVerdict {
        let row = try BoundStatement(db, "SELECT \(OperationRow.columns) FROM operation o WHERE o.arrival = ?1")
        row.bind(1, arrival)
        var hasher = ContentHasher()
        guard try row.step() else { return .missing }
        defer { row.reset() }
        return try of(row, try InternTable(db), &hasher)
    }

    /// - Throws: `DatabaseError` where the database cannot be read.
    static func of(
        _ row: BoundStatement, _ table: InternTable, _ hasher: inout ContentHasher
    ) throws -> RowVerdict {
        guard let stored = try OperationRow.readable(row, table) else { return .damaged(nil) }
        let hash = hasher.hash(stored.operation)
        return hash == stored.hash ? .sound(stored) : .damaged((stored, hash))
    }
}
