internal import GRDB
package import Replication

/// How an operation lies in the log: interned replica, author and entity; `previous`, `seen`, scope and flags packed.
struct PackedEnvelope {
    /// `writer` is cleared and filled with the packed form. Replicas in `seen` are local numbers.
    static func pack(_ operation: Operation, seen: [(replica: Int64, sequence: UInt64)], into writer: inout ByteWriter)
    {
        writer.removeAll()
        var flags: UInt8 = 0
        if operation.isCritical { flags |= 1 }
        if !operation.scope.isEmpty { flags |= 2 }
        if !operation.extensions.isEmpty { flags |= 4 }
        writer.byte(flags)
        writer.varint(operation.previous == 0 ? 0 : operation.dot.sequence - operation.previous)
        writer.varint(seen.count)
        for entry in seen {
            writer.varint(UInt64(entry.replica))
            writer.varint(entry.sequence)
        }
        if !operation.scope.isEmpty {
            writer.varint(operation.scope.count)
            for site in operation.scope { writer.prefixed(site.rawValue) }
        }
        if !operation.extensions.isEmpty { writer.prefixed(operation.extensions) }
    }
}

/// What local numbers stand for, as far as it has been looked up. A number never changes its meaning, so this outlives
/// connections and snapshots.
struct InternedNames {
    static let entityCountMax = 16_384
    static let authorCountMax = 4_096

    fileprivate var replicas: [Int64: ReplicaID] = [:]
    fileprivate var authors: [Int64: Author] = [:]
    fileprivate var entities: [Int64: EntityID] = [:]
}

/// A local number that stands for nothing: the row that has it is damaged.
private struct MissingNumber: Error {}

/// Local numbers back to what they stand for. Filled on demand, one per connection use.
final class InternTable {
    private(set) var names: InternedNames

    private let replicaStatement: BoundStatement
    private let authorStatement: BoundStatement
    private let entityStatement: BoundStatement

    init(_ db: Database, names: InternedNames = InternedNames()) throws {
        self.names = names
        replicaStatement = try BoundStatement(db, "SELECT replica FROM replica WHERE id = ?", isHeld: true)
        authorStatement = try BoundStatement(
            db, "SELECT name, role, level, site, department, catalog FROM author WHERE id = ?", isHeld: true)
        entityStatement = try BoundStatement(db, "SELECT type, high, low FROM entity WHERE id = ?", isHeld: true)
    }

    func replica(_ id: Int64) throws -> ReplicaID {
        if let known = names.replicas[id] { return known }
        replicaStatement.bind(1, id)
        defer { replicaStatement.reset() }
        guard try replicaStatement.step() else { throw MissingNumber() }
        let replica = ReplicaID(replicaStatement.unsigned(0))
        names.replicas[id] = replica
        return replica
    }

    func author(_ id: Int64) throws -> Author {
        if let known = names.authors[id] { return known }
        authorStatement.bind(1, id)
        defer { authorStatement.reset() }
        guard try authorStatement.step() else { throw MissingNumber() }
        let author = Author(
            name: authorStatement.text(0), role: Role(rawValue: UInt8(clamping: authorStatement.integer(1))) ?? .system,
            level: AuthorityLevel(rawValue: UInt8(clamping: authorStatement.integer(2))) ?? .branch,
            site: SiteCode(validated: authorStatement.text(3)), department: authorStatement.text(4),
            catalogVersion: UInt32(clamping: authorStatement.integer(5)))
        if names.authors.count >= InternedNames.authorCountMax { names.authors.removeAll(keepingCapacity: true) }
        names.authors[id] = author
        return author
    }

    func entity(_ id: Int64) throws -> EntityID {
        if let known = names.entities[id] { return known }
        entityStatement.bind(1, id)
        defer { entityStatement.reset() }
        guard try entityStatement.step(), let type = EntityType(rawValue: UInt8(clamping: entityStatement.integer(0)))
        else { throw MissingNumber() }
        let entity = EntityID(type: type, high: entityStatement.unsigned(1), low: entityStatement.unsigned(2))
        if names.entities.count >= InternedNames.entityCountMax { names.entities.removeAll(keepingCapacity: true) }
        names.entities[id] = entity
        return entity
    }
}

/// An operation as it was read from the log.
package struct StoredOperation: Sendable {
    package var arrival: Int64
    package var source: Int64
    package var operation: Operation
    package var hash: ContentHash

    package init(arrival: Int64, source: Int64, operation: Operation, hash: ContentHash) {
        self.arrival = arrival
        self.source = source
        self.operation = operation
        self.hash = hash
    }
}

/// Reads rows of `operation`. The statement that it is stepped with selects `OperationRow.columns` first.
struct OperationRow {
    static let columns =
        "o.arrival, o.replica, o.sequence, o.entity, o.kind, o.time, o.author, o.source, o.hash, o.envelope, o.body"

    /// Columns of a statement that selects more begin here.
    static let columnCount: Int32 = 11

    /// Arrival of the latest row; 0 for an empty log.
    static func lastArrival(_ db: Database) throws -> Int64 {
        try BoundStatement.integer(db, "SELECT max(arrival) FROM operation")
    }

    /// The stored hash, whatever else is wrong with the row.
    static func hash(_ row: BoundStatement) -> ContentHash? { ContentHash(row.blob(8)) }

    /// - Throws: `StoreError.corruptRow` if the row has bytes that do not fit, or numbers that stand for nothing.
    static func read(_ row: BoundStatement, _ table: InternTable) throws -> StoredOperation {
        var dot = Dot(ReplicaID(0), row.unsigned(2))
        do {
            dot = Dot(try table.replica(row.integer(1)), dot.sequence)
            return try read(row, dot, table)
        } catch is MissingNumber {
            throw StoreError.corruptRow(arrival: row.integer(0), dot: dot)
        }
    }

    /// The same for those to whom whatever keeps a row from being read is damage to it: a number that stands for nothing,
    /// bytes that do not fit, a record that SQLite calls malformed.
    /// - Returns: nil for such a row.
    /// - Throws: `DatabaseError` where the database cannot be read, which says nothing of the row.
    static func readable(_ row: BoundStatement, _ table: InternTable) throws -> StoredOperation? {
        do {
            return try read(row, table)
        } catch let error as DatabaseError where !StoreError.isMalformed(error) {
            throw error
        } catch {
            return nil
        }
    }

    private static func read(_ row: BoundStatement, _ dot: Dot, _ table: InternTable) throws -> StoredOperation {
        let arrival = row.integer(0)
        guard let hash = ContentHash(row.blob(8)) else { throw StoreError.corruptRow(arrival: arrival, dot: dot) }
        let envelope = row.bytes(9)
        let unpacked: Unpacked
        do {
            unpacked = try envelope.withUnsafeBytes { try Unpacked($0, sequence: dot.sequence) }
        } catch {
            throw StoreError.corruptRow(arrival: arrival, dot: dot)
        }
        var seen: [Dot] = []
        seen.reserveCapacity(unpacked.seen.count)
        for entry in unpacked.seen { seen.append(Dot(try table.replica(entry.0), entry.1)) }
        let operation = Operation(
            dot: dot, entity: try table.entity(row.integer(3)), previous: unpacked.previous,
            seen: VersionVector(seen), time: HybridTimestamp(rawValue: row.unsigned(5)),
            author: try table.author(row.integer(6)), scope: unpacked.scope,
            kind: OperationKind(rawValue: UInt16(truncatingIfNeeded: row.integer(4))), isCritical: unpacked.isCritical,
            body: row.bytes(10), extensions: unpacked.extensions)
        return StoredOperation(arrival: arrival, source: row.integer(7), operation: operation, hash: hash)
    }

    private struct Unpacked {
        var previous: UInt64
        var seen: [(Int64, UInt64)] = []
        var scope: [SiteCode] = []
        var isCritical: Bool
        var extensions: [UInt8] = []

        init(_ buffer: UnsafeRawBufferPointer, sequence: UInt64) throws(DecodingFailure) {
            var reader = ByteReader(buffer)
            let flags = try reader.byte()
            isCritical = flags & 1 != 0
            let back = try reader.varint()
            previous = back == 0 ? 0 : sequence &- back
            let count = try reader.count("seen")
            for _ in 0..<count { seen.append((Int64(clamping: try reader.varint()), try reader.varint())) }
            if flags & 2 != 0 {
                let count = try reader.count("scope")
                for _ in 0..<count { scope.append(SiteCode(validated: try reader.prefixedString("scope"))) }
            }
            if flags & 4 != 0 { extensions = try reader.prefixedBytes("extensions") }
            try reader.finish()
        }
    }
}
