internal import GRDB
internal import Replication

/// The writer's hand on the tables of keys: finds, joins and wraps. Belongs to the writer's connection, and like all of
/// its cache is thrown away with a failed transaction.
///
/// Source: Protocols/personal-data.md §3, §5.
final class PersonalKeyTable {
    /// Keys whose rows are remembered.
    static let rememberedKeysMax = 65_536

    struct Row {
        let id: Int64
        var isKnownWhose: Bool
        var state: StateNumber
    }

    /// As the column has it; the higher wins.
    enum StateNumber: Int64 {
        case wanted = 0
        case held = 1
        case erased = 2
    }

    private let disk: DiskKey
    private var rows: [PersonalKeyID: Row] = [:]
    private var lastID: Int64
    private let find: BoundStatement
    private let insertKey: BoundStatement
    private let insertSecret: BoundStatement
    private let insertUse: BoundStatement
    private let updateKey: BoundStatement
    private let updateSecret: BoundStatement
    private let findErasure: BoundStatement

    init(_ db: Database, disk: DiskKey) throws {
        self.disk = disk
        lastID = try Int64.fetchOne(db, sql: "SELECT max(id) FROM sealing_key") ?? 0
        find = try BoundStatement(db, "SELECT id, state, type FROM sealing_key WHERE name = ?1")
        insertKey = try BoundStatement(
            db, "INSERT INTO sealing_key VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")
        insertSecret = try BoundStatement(db, "INSERT INTO sealing_secret VALUES (?1, ?2)")
        insertUse = try BoundStatement(db, "INSERT OR IGNORE INTO sealing_use VALUES (?1, ?2)")
        updateKey = try BoundStatement(
            db,
            """
            UPDATE sealing_key SET state = ?2, type = coalesce(type, ?3), high = coalesce(high, ?4),
                low = coalesce(low, ?5), erased_at = ?6, erased_replica = ?7, erased_sequence = ?8 WHERE id = ?1
            """)
        updateSecret = try BoundStatement(db, "UPDATE sealing_secret SET wrapped = ?2 WHERE id = ?1")
        findErasure = try BoundStatement(
            db, "SELECT erased_at, erased_replica, erased_sequence FROM sealing_key WHERE id = ?1")
    }

    /// Nil for a key that nothing here has named yet.
    func row(_ id: PersonalKeyID) throws -> Row? {
        if let known = rows[id] { return known }
        find.bind(1, id.bytes)
        guard try find.step() else { return nil }
        defer { find.reset() }
        let row = Row(
            id: find.integer(0), isKnownWhose: !find.isNull(2), state: StateNumber(rawValue: find.integer(1)) ?? .wanted
        )
        remember(row, id)
        return row
    }

    /// Something of an entity is sealed under the key.
    /// - Parameter offer: what has come of the key with it.
    /// - Returns: whether the key has been erased by what came.
    func use(_ id: PersonalKeyID, in entity: Int64, offer: PersonalKeyEntry?, isMadeHere: Bool) throws -> Bool {
        let row: Row
        var isErased = false
        if let known = try self.row(id) {
            row = known
            if let offer { isErased = try join(offer, into: known) }
        } else {
            row = try insert(
                offer ?? PersonalKeyEntry(id: id, subject: nil, state: .wanted), isMadeHere: isMadeHere && offer != nil)
        }
        insertUse.bind(1, entity)
        insertUse.bind(2, row.id)
        try insertUse.run()
        return isErased
    }

    @discardableResult
    func insert(_ entry: PersonalKeyEntry, isMadeHere: Bool = false) throws -> Row {
        lastID += 1
        insertKey.bind(1, lastID)
        insertKey.bind(2, entry.id.bytes)
        insertKey.bind(3, entry.state.number.rawValue)
        bind(entry.subject, to: insertKey, from: 4)
        insertKey.bind(7, isMadeHere ? 1 : 0)
        bind(entry.state, to: insertKey, from: 8)
        try insertKey.run()
        insertSecret.bind(1, lastID)
        insertSecret.bind(2, octets(of: entry))
        try insertSecret.run()
        let row = Row(id: lastID, isKnownWhose: entry.subject != nil, state: entry.state.number)
        remember(row, entry.id)
        return row
    }

    /// > *erased* wins over *held*, and *held* over *wanted*
    /// - Returns: whether the key has been erased by it.
    func join(_ entry: PersonalKeyEntry, into row: Row) throws -> Bool {
        var state = try state(of: row)
        let former = state
        state.merge(entry.state)
        guard state != former || (!row.isKnownWhose && entry.subject != nil) else { return false }
        updateKey.bind(1, row.id)
        updateKey.bind(2, state.number.rawValue)
        bind(entry.subject, to: updateKey, from: 3)
        bind(state, to: updateKey, from: 6)
        try updateKey.run()
        if state.number != row.state {
            updateSecret.bind(1, row.id)
            updateSecret.bind(2, octets(of: PersonalKeyEntry(id: entry.id, subject: nil, state: state)))
            try updateSecret.run()
        }
        remember(
            Row(id: row.id, isKnownWhose: row.isKnownWhose || entry.subject != nil, state: state.number), entry.id)
        return state.number == .erased && row.state != .erased
    }

    /// The state without the secret, which a join never compares.
    private func state(of row: Row) throws -> PersonalKeyState {
        switch row.state {
        case .wanted: return .wanted
        case .held: return .held(secret: [])
        case .erased:
            findErasure.bind(1, row.id)
            guard try findErasure.step() else { return .wanted }
            defer { findErasure.reset() }
            return .erased(
                KeyErasure(
                    confirmation: Dot(ReplicaID(findErasure.unsigned(1)), findErasure.unsigned(2)),
                    milliseconds: findErasure.integer(0)))
        }
    }

    private func octets(of entry: PersonalKeyEntry) -> [UInt8] {
        guard case .held(let secret) = entry.state else { return [UInt8](repeating: 0, count: WrappedSecret.byteCount) }
        return disk.wrap(secret, of: entry.id)
    }

    private func bind(_ subject: EntityID?, to statement: BoundStatement, from index: Int32) {
        statement.bind(index, subject.map { Int64($0.type.rawValue) })
        statement.bind(index + 1, subject.map { Int64(bitPattern: $0.high) })
        statement.bind(index + 2, subject.map { Int64(bitPattern: $0.low) })
    }

    private func bind(_ state: PersonalKeyState, to statement: BoundStatement, from index: Int32) {
        var erasure: KeyErasure?
        if case .erased(let found) = state { erasure = found }
        statement.bind(index, erasure?.milliseconds)
        statement.bind(index + 1, erasure.map { Int64(bitPattern: $0.confirmation.replica.rawValue) })
        statement.bind(index + 2, erasure.map { Int64(bitPattern: $0.confirmation.sequence) })
    }

    private func remember(_ row: Row, _ id: PersonalKeyID) {
        if rows.count >= Self.rememberedKeysMax { rows.removeAll(keepingCapacity: true) }
        rows[id] = row
    }
}

extension PersonalKeyState {
    var number: PersonalKeyTable.StateNumber {
        switch self {
        case .wanted: .wanted
        case .held: .held
        case .erased: .erased
        }
    }
}
