internal import GRDB
package import Replication
package import Tickets

/// A key as people see it: never its octets.
package struct PersonalKeyRecord: Hashable, Sendable {
    package var id: PersonalKeyID
    package var subject: EntityID?
    package var isErased: Bool
    package var isHeld: Bool
}

// Looking keys up. What a peer may have is decided here, by the scope of the operations that are sealed under a key.
// Source: Protocols/personal-data.md §4.
extension StoreReader {
    private static let columns =
        """
        k.name, k.state, k.type, k.high, k.low, k.erased_at, k.erased_replica, k.erased_sequence,
            (SELECT s.wrapped FROM sealing_secret s WHERE s.id = k.id)
        """
    /// Of a child: something sealed under the key is in an entity that its subtree takes part in.
    private static let inScope =
        "EXISTS (SELECT 1 FROM sealing_use u JOIN member m ON m.entity = u.entity WHERE u.key = k.id AND m.site = ?2)"

    /// What goes with these operations: the keys of their entities, held or erased.
    func keys(for operations: [Operation], _ db: Database) throws -> [PersonalKeyEntry] {
        var entities: Set<EntityID> = []
        for operation in operations where Self.mayBeSealed(operation) { entities.insert(operation.entity) }
        guard !entities.isEmpty else { return [] }
        let any = try BoundStatement(db, "SELECT 1 FROM sealing_use LIMIT 1", isHeld: true)
        defer { any.reset() }
        guard try any.step() else { return [] }
        let rows = try BoundStatement(
            db,
            """
            SELECT \(Self.columns) FROM entity e JOIN sealing_use u ON u.entity = e.id JOIN sealing_key k ON k.id = u.key
            WHERE e.type = ?1 AND e.high = ?2 AND e.low = ?3
            """, isHeld: true)
        var result: [PersonalKeyID: PersonalKeyEntry] = [:]
        for entity in entities {
            rows.bind(entity)
            while try rows.step() { if let entry = entry(rows) { result[entry.id] = entry } }
        }
        return result.values.sorted { $0.id < $1.id }
    }

    static func mayBeSealed(_ operation: Operation) -> Bool {
        operation.kind == Kind.open.operationKind || operation.kind == Kind.setField.operationKind
    }

    /// The same for operations that leave outside a feed.
    package func keys(for operations: [StoredOperation]) throws -> [PersonalKeyEntry] {
        try read { db in try keys(for: operations.map(\.operation), db) }
    }

    /// Erased keys that the peer may still have.
    package func erasedKeys(for id: PeerID) throws -> [PersonalKeyEntry] {
        try entries(for: id, "k.state = 2")
    }

    /// Keys that something here is sealed under, that are not here, and that the peer may have.
    package func wantedKeys(for id: PeerID) throws -> [PersonalKeyID] {
        try read { db in
            let rows = try peerRows(for: id, "k.state = 0", db)
            var result: [PersonalKeyID] = []
            while result.count < SyncLimits.keysMax, try rows.step() {
                if let id = PersonalKeyID(rows.bytes(0)) { result.append(id) }
            }
            rows.reset()
            return result
        }
    }

    /// Of keys that a peer asks for, those that it may have and that are not wanted here too.
    package func keys(named ids: [PersonalKeyID], for id: PeerID) throws -> [PersonalKeyEntry] {
        try read { db in
            let rows = try peerRows(for: id, "k.name = ?1", db)
            var result: [PersonalKeyEntry] = []
            for id in ids.prefix(SyncLimits.keysMax) {
                rows.bind(1, id.bytes)
                while try rows.step() { if let entry = entry(rows) { result.append(entry) } }
            }
            return result
        }
    }

    private func entries(for id: PeerID, _ condition: String) throws -> [PersonalKeyEntry] {
        try read { db in
            let rows = try peerRows(for: id, condition, db)
            var result: [PersonalKeyEntry] = []
            while try rows.step() { if let entry = entry(rows) { result.append(entry) } }
            return result
        }
    }

    private func peerRows(for id: PeerID, _ condition: String, _ db: Database) throws -> BoundStatement {
        guard let peer = try PeerRow.find(id, db) else { throw StoreError.unknownPeer(id) }
        let isChild = peer.record.role == .child
        let rows = try BoundStatement(
            db,
            """
            SELECT \(Self.columns) FROM sealing_key k
            WHERE \(condition) AND \(isChild ? Self.inScope : "?2 IS NOT NULL") ORDER BY k.id
            """, isHeld: true)
        rows.bind(2, peer.record.site.rawValue)
        return rows
    }

    /// Nil for a key that is wanted, or whose octets this disk's key does not open.
    private func entry(_ rows: BoundStatement) -> PersonalKeyEntry? {
        guard let id = PersonalKeyID(rows.bytes(0)) else { return nil }
        let type = rows.isNull(2) ? nil : EntityType(rawValue: UInt8(clamping: rows.integer(2)))
        let subject = type.map { EntityID(type: $0, high: rows.unsigned(3), low: rows.unsigned(4)) }
        switch state(rows, id) {
        case .wanted: return nil
        case .held where subject == nil: return nil
        case let state: return PersonalKeyEntry(id: id, subject: subject, state: state)
        }
    }

    private func state(_ rows: BoundStatement, _ id: PersonalKeyID) -> PersonalKeyState {
        switch PersonalKeyTable.StateNumber(rawValue: rows.integer(1)) {
        case .held: disk.unwrap(rows.bytes(8), of: id).map { .held(secret: $0) } ?? .wanted
        case .erased:
            .erased(
                KeyErasure(
                    confirmation: Dot(ReplicaID(rows.unsigned(6)), rows.unsigned(7)), milliseconds: rows.integer(5)))
        case .wanted, nil: .wanted
        }
    }

    // MARK: Reading what is sealed

    /// The keys that an entity's values are sealed under.
    func keyStates(of entity: Int64, _ db: Database) throws -> [PersonalKeyID: PersonalKeyState] {
        let rows = try BoundStatement(
            db,
            "SELECT \(Self.columns) FROM sealing_use u JOIN sealing_key k ON k.id = u.key WHERE u.entity = ?1")
        rows.bind(1, entity)
        var result: [PersonalKeyID: PersonalKeyState] = [:]
        while try rows.step() {
            if let id = PersonalKeyID(rows.bytes(0)) { result[id] = state(rows, id) }
        }
        return result
    }

    /// Keys of a customer or ticket, erased ones too.
    package func keys(of subject: EntityID) throws -> [PersonalKeyRecord] {
        try records("k.type = ?1 AND k.high = ?2 AND k.low = ?3") { $0.bind(subject) }
    }

    /// Keys that a ticket's values are sealed under.
    package func keys(usedBy ticket: EntityID) throws -> [PersonalKeyRecord] {
        try records(
            """
            k.id IN (SELECT u.key FROM entity e JOIN sealing_use u ON u.entity = e.id
            WHERE e.type = ?1 AND e.high = ?2 AND e.low = ?3)
            """
        ) { $0.bind(ticket) }
    }

    package func key(named id: PersonalKeyID) throws -> PersonalKeyRecord? {
        try records("k.name = ?1") { $0.bind(1, id.bytes) }.first
    }

    private func records(_ condition: String, _ bind: (BoundStatement) -> Void) throws -> [PersonalKeyRecord] {
        try read { db in
            let rows = try BoundStatement(
                db, "SELECT \(Self.columns) FROM sealing_key k WHERE \(condition) ORDER BY k.id")
            bind(rows)
            var result: [PersonalKeyRecord] = []
            while try rows.step() {
                guard let id = PersonalKeyID(rows.bytes(0)) else { continue }
                let type = rows.isNull(2) ? nil : EntityType(rawValue: UInt8(clamping: rows.integer(2)))
                let state = state(rows, id).number
                result.append(
                    PersonalKeyRecord(
                        id: id, subject: type.map { EntityID(type: $0, high: rows.unsigned(3), low: rows.unsigned(4)) },
                        isErased: state == .erased, isHeld: state == .held))
            }
            return result
        }
    }

    /// Tickets that have something sealed under a key of the customer's; those whose fields are erased too.
    package func tickets(of customer: EntityID, limit: Int) throws -> [EntityID] {
        try read { db in
            let rows = try BoundStatement(
                db,
                """
                SELECT DISTINCT e.high, e.low FROM sealing_key k JOIN sealing_use u ON u.key = k.id
                    JOIN entity e ON e.id = u.entity
                WHERE k.type = ?1 AND k.high = ?2 AND k.low = ?3 AND e.type = \(EntityType.ticket.rawValue)
                ORDER BY e.id DESC LIMIT ?4
                """)
            rows.bind(customer)
            rows.bind(4, limit)
            var result: [EntityID] = []
            while try rows.step() {
                result.append(EntityID(type: .ticket, high: rows.unsigned(0), low: rows.unsigned(1)))
            }
            return result
        }
    }

    /// Every proposal to erase somebody, the earliest first.
    package func erasures() throws -> [Erasure] {
        try read { db in
            let entities = try BoundStatement(
                db,
                """
                SELECT DISTINCT e.type, e.high, e.low FROM erasure x JOIN entity e ON e.id = x.entity ORDER BY e.id
                """)
            var result: [Erasure] = []
            while try entities.step() {
                guard let type = EntityType(rawValue: UInt8(clamping: entities.integer(0))) else { continue }
                let id = EntityID(type: type, high: entities.unsigned(1), low: entities.unsigned(2))
                result += Erasure.all(of: try Self.erasureOperations(on: id, db))
            }
            return result.sorted { ($0.proposed, $0.proposal) < ($1.proposed, $1.proposal) }
        }
    }

    private static func erasureOperations(on id: EntityID, _ db: Database) throws -> [Operation] {
        guard let found = try entity(id, db) else { return [] }
        let rows = try DotReader(db)
        return try found.ticket.dots(of: [.proposeErasure, .confirmErasure]).compactMap {
            try rows.read($0)?.operation
        }
    }

    /// Whether octets of erased keys may still lie in the write-ahead log.
    package func hasErasedPending() throws -> Bool {
        try read { try Meta.integer(Meta.erasedPending, $0) != nil }
    }

    /// The operations by which people have asked for, or agreed to, an erasure.
    package func erasureOperations(on id: EntityID) throws -> [Operation] {
        try read { db in try Self.erasureOperations(on: id, db) }
    }
}

extension StoreWriter {
    /// The key that a subject's values are sealed under from now on: the latest that is held.
    package func personalKey(of subject: EntityID) throws -> PersonalKey? {
        try read { db, _ in
            let rows = try BoundStatement(
                db,
                """
                SELECT k.name, s.wrapped FROM sealing_key k JOIN sealing_secret s ON s.id = k.id
                WHERE k.type = ?1 AND k.high = ?2 AND k.low = ?3 AND k.state = 1 ORDER BY k.id DESC
                """, isHeld: true)
            rows.bind(subject)
            while try rows.step() {
                guard let id = PersonalKeyID(rows.bytes(0)), let secret = reader.disk.unwrap(rows.bytes(1), of: id)
                else { continue }
                return PersonalKey(subject: subject, secret: secret)
            }
            return nil
        }
    }

    /// Whose a key is; nil for one that is not known.
    package func subject(of id: PersonalKeyID) throws -> EntityID? {
        try reader.key(named: id)?.subject
    }

    /// The secret of a key that is held.
    package func secret(of id: PersonalKeyID) throws -> [UInt8]? {
        try read { db, _ in
            let rows = try BoundStatement(
                db,
                """
                SELECT s.wrapped FROM sealing_key k JOIN sealing_secret s ON s.id = k.id
                WHERE k.name = ?1 AND k.state = 1
                """)
            rows.bind(1, id.bytes)
            guard try rows.step() else { return nil }
            defer { rows.reset() }
            return reader.disk.unwrap(rows.bytes(0), of: id)
        }
    }

    /// What a peer says of keys, without operations.
    /// - Returns: what it has changed.
    package func saveKeys(_ entries: [PersonalKeyEntry], from id: PeerID, now: Int64) throws -> MergeResult {
        try transaction { db, cache in
            guard let peer = cache.peers[id.rawValue] else { throw StoreError.unknownPeer(id) }
            var merge = Merge(db: db, cache: cache, catalog: catalog, site: reader.identity.site, now: now)
            for entry in entries { try merge.save(entry, isFromAbove: peer.role != .child, site: peer.site) }
            return merge.result
        }
    }

    /// Moves the zeros that stand where erased keys were into the database file, and empties the log that has the keys.
    /// - Returns: false while a reader holds on to the log: try again.
    package func scrubErased() throws -> Bool {
        guard try reader.hasErasedPending() else { return true }
        do {
            // A backup reads for minutes: nobody waits for its end here.
            try checkpoint(isPatient: false)
        } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY || error.resultCode == .SQLITE_LOCKED
        {
            return false
        }
        try write { try Meta.set(Meta.erasedPending, nil, $0) }
        return true
    }
}

extension StoreReader {
    /// Every secret that is held, as it is and as the disk has it; for tests that look for what must not be there.
    package func secretsForTests() throws -> [(id: PersonalKeyID, secret: [UInt8], wrapped: [UInt8])] {
        try read { db in
            let rows = try BoundStatement(
                db,
                "SELECT k.name, s.wrapped FROM sealing_key k JOIN sealing_secret s ON s.id = k.id WHERE k.state = 1")
            var result: [(id: PersonalKeyID, secret: [UInt8], wrapped: [UInt8])] = []
            while try rows.step() {
                guard let id = PersonalKeyID(rows.bytes(0)) else { continue }
                let wrapped = rows.bytes(1)
                guard let secret = disk.unwrap(wrapped, of: id) else { continue }
                result.append((id, secret, wrapped))
            }
            return result
        }
    }
}
