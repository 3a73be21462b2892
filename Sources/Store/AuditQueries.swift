internal import GRDB
package import Replication
internal import Tickets

/// Digests of what this store shares with a peer. Source: Protocols/sync.md §8.
///
/// With a parent or sibling everything is shared; with a child what its subtree takes part in and what everyone has.
/// Every call reads the projection: bring it up to the log first (`StoreWriter.catchUpProjection`).
extension StoreReader {
    /// Answers a peer's question.
    /// - Returns: the reply, and for a fetch the operations that go before it.
    package func answer(
        _ request: AuditRequest, for id: PeerID
    ) throws -> (reply: AuditReply, operations: [StoredOperation]) {
        switch request.content {
        case .summarise(let range):
            let content = try read { db in try AuditScan(for: id, db).summarise(range) }
            return (AuditReply(number: request.number, content: content), [])
        case .list(let entities, let after):
            let (lists, isCut) = try read { db in try AuditScan(for: id, db).list(entities, after: after) }
            return (AuditReply(number: request.number, content: .operations(lists, isCut: isCut)), [])
        case .fetch(let dots):
            let (found, dotCount) = try operations(dots, for: id)
            return (AuditReply(number: request.number, content: .sent(UInt64(dotCount))), found)
        }
    }

    /// Compares a peer's reply with what is stored here.
    package func compare(_ reply: AuditReply, with request: AuditRequest, for id: PeerID) throws -> AuditComparison {
        try read { db in
            let scan = try AuditScan(for: id, db)
            switch (reply.content, request.content) {
            case (.parts(let parts), _): return .differing(parts: try scan.differing(parts), entities: [])
            case (.leaf(let entities), .summarise(let range)):
                return .differing(parts: [], entities: try scan.differing(entities, in: range))
            case (.operations(let lists, let isCut), .list(_, let after)):
                return .operations(try scan.differences(lists, after: after, isCut: isCut))
            case (.leaf, _), (.operations, _), (.sent, _): return .operations(OperationDifferences())
            }
        }
    }
}

/// One look at the entities that a peer shares, in the order of `EntityKey`.
struct AuditScan {
    private let db: Database
    private let peer: PeerID
    private let scope: ScopeCheck?
    private let rows: BoundStatement
    private let findOperation: BoundStatement

    init(for id: PeerID, _ db: Database) throws {
        guard let peer = try PeerRow.find(id, db) else { throw StoreError.unknownPeer(id) }
        self.db = db
        self.peer = id
        scope = peer.record.role == .child ? try ScopeCheck(peer.record.site, db) : nil
        // Row values compare like the key; the index on (type, high, low) gives the order.
        rows = try BoundStatement(
            db,
            """
            SELECT e.type, e.high, e.low, e.operations, e.digest FROM entity e
            WHERE (e.type, e.high, e.low) >= (?1, ?2, ?3) AND (e.type, e.high, e.low) < (?4, ?5, ?6)
                AND e.operations > 0
            """
                + (peer.record.role == .child
                    ? """
                     AND (\(Scope.condition) OR EXISTS (
                        SELECT 1 FROM member m WHERE m.site = ?7 AND m.entity = e.id))
                    """ : "") + " ORDER BY e.type, e.high, e.low")
        if peer.record.role == .child { rows.bind(7, peer.record.site.rawValue) }
        findOperation = try BoundStatement(
            db,
            """
            SELECT hash FROM operation
            WHERE replica = (SELECT id FROM replica WHERE replica = ?1) AND sequence = ?2
            """)
    }

    private func forEach(in range: AuditRange, _ body: (EntityDigest) throws -> Void) throws {
        if let low = range.low?.entity {
            rows.bind(low)
        } else {
            rows.bind(1, 0)
            rows.bind(2, Int64.min)
            rows.bind(3, Int64.min)
        }
        if let high = range.high?.entity {
            rows.bind(4, Int(high.type.rawValue))
            rows.bind(5, high.high)
            rows.bind(6, high.low)
        } else {
            rows.bind(4, 256)
            rows.bind(5, Int64.min)
            rows.bind(6, Int64.min)
        }
        defer { rows.reset() }
        while try rows.step() {
            guard let type = EntityType(rawValue: UInt8(clamping: rows.integer(0))) else { continue }
            try body(
                EntityDigest(
                    entity: EntityID(type: type, high: rows.unsigned(1), low: rows.unsigned(2)),
                    digest: SetDigest(count: rows.unsigned(3), sum: ContentHash(rows.blob(4)) ?? .zero)))
        }
    }

    /// The entities of a range if they are few, otherwise the digests of its parts, of equal numbers of entities.
    func summarise(_ range: AuditRange) throws -> AuditReply.Content {
        var count = 0
        var first: [EntityDigest] = []
        try forEach(in: range) { entity in
            count += 1
            if first.count < AuditLimits.leafEntitiesMax { first.append(entity) }
        }
        guard count > AuditLimits.leafEntitiesMax else { return .leaf(first) }
        let size = (count + AuditLimits.partsMax - 1) / AuditLimits.partsMax
        var parts: [RangeDigest] = []
        var part = RangeDigest(range: AuditRange(low: range.low, high: nil), entityCount: 0, digest: .empty)
        try forEach(in: range) { entity in
            if part.entityCount == size {
                let bound = EntityKey(entity.entity)
                part.range.high = bound
                parts.append(part)
                part = RangeDigest(range: AuditRange(low: bound, high: nil), entityCount: 0, digest: .empty)
            }
            part.entityCount += 1
            part.digest.merge(disjoint: entity.digest)
        }
        part.range.high = range.high
        parts.append(part)
        return .parts(parts)
    }

    func differing(_ parts: [RangeDigest]) throws -> [AuditRange] {
        var result: [AuditRange] = []
        for part in parts {
            var own = RangeDigest(range: part.range, entityCount: 0, digest: .empty)
            try forEach(in: part.range) { entity in
                own.entityCount += 1
                own.digest.merge(disjoint: entity.digest)
            }
            if own != part { result.append(part.range) }
        }
        return result
    }

    func differing(_ entities: [EntityDigest], in range: AuditRange) throws -> [EntityID] {
        var theirs: [EntityID: SetDigest] = [:]
        for entity in entities { theirs[entity.entity] = entity.digest }
        var result: [EntityID] = []
        try forEach(in: range) { own in
            if theirs.removeValue(forKey: own.entity) != own.digest { result.append(own.entity) }
        }
        if PlantedBug.auditSkipsLast.isActive { return result.dropLast() + theirs.keys.sorted().dropLast() }
        return result + theirs.keys.sorted()
    }

    /// The operations of entities, by dot, until a message is full.
    func list(_ entities: [EntityID], after: Dot?) throws -> (lists: [EntityOperations], isCut: Bool) {
        var lists: [EntityOperations] = []
        var count = 0
        let parked = try parkedOfPeer()
        for (index, entity) in entities.enumerated() {
            if count >= AuditLimits.listedOperationsMax { return (lists, false) }
            var entries = try operations(of: entity)
            if let waiting = parked[entity] { entries = (entries + waiting).sorted { $0.dot < $1.dot } }
            if index == 0, let after { entries.removeAll { $0.dot <= after } }
            let room = AuditLimits.listedOperationsMax - count
            lists.append(EntityOperations(entity: entity, entries: Array(entries.prefix(room))))
            count += min(entries.count, room)
            if entries.count > room { return (lists, true) }
        }
        return (lists, false)
    }

    private func operations(of entity: EntityID) throws -> [EntityOperations.Entry] {
        guard try scope?.contains(entity) ?? true else { return [] }
        let find = try BoundStatement(
            db, "SELECT state FROM entity WHERE type = ?1 AND high = ?2 AND low = ?3", isHeld: true)
        find.bind(entity)
        guard try find.step() else { return [] }
        defer { find.reset() }
        guard find.blob(0).count > 0 else { return [] }
        guard let state = try? Ticket(decoding: find.blob(0), id: entity) else {
            throw StoreError.corruptState(entity: entity, reason: "undecodable")
        }
        var entries: [EntityOperations.Entry] = []
        for dot in state.operations.sorted() {
            guard let hash = try hash(of: dot) else { continue }
            entries.append(EntityOperations.Entry(dot: dot, hash: hash))
        }
        return entries
    }

    /// What the peer has brought and waits here for what justifies it is here: the peer need not bring it again. Nobody
    /// else hears of it.
    private func parkedOfPeer() throws -> [EntityID: [EntityOperations.Entry]] {
        let rows = try BoundStatement(
            db, "SELECT replica, sequence, hash, columns FROM parked WHERE source = ?1 ORDER BY id LIMIT ?2")
        rows.bind(1, peer.rawValue)
        rows.bind(2, AuditLimits.listedOperationsMax)
        var result: [EntityID: [EntityOperations.Entry]] = [:]
        while try rows.step() {
            let dot = Dot(ReplicaID(rows.unsigned(0)), rows.unsigned(1))
            guard let hash = ContentHash(rows.blob(2)), let operation = ParkedColumns.decode(rows.bytes(3)),
                // It may have come in since by another way.
                try self.hash(of: dot) == nil
            else { continue }
            result[operation.entity, default: []].append(EntityOperations.Entry(dot: dot, hash: hash))
        }
        return result
    }

    private func hash(of dot: Dot) throws -> ContentHash? {
        findOperation.bind(1, dot.replica.rawValue)
        findOperation.bind(2, dot.sequence)
        guard try findOperation.step() else { return nil }
        defer { findOperation.reset() }
        return ContentHash(findOperation.blob(0))
    }

    func differences(_ lists: [EntityOperations], after: Dot?, isCut: Bool) throws -> OperationDifferences {
        var result = OperationDifferences()
        let parked = try BoundStatement(
            db,
            """
            SELECT 1 FROM parked WHERE replica = ?1 AND sequence = ?2 AND hash = ?3
            UNION ALL SELECT 1 FROM discarded WHERE replica = ?1 AND sequence = ?2 AND hash = ?3
            """)
        for (index, list) in lists.enumerated() {
            var theirs: [Dot: ContentHash] = [:]
            for entry in list.entries { theirs[entry.dot] = entry.hash }
            let last = isCut && index == lists.count - 1 ? list.entries.last?.dot : nil
            for own in try operations(of: list.entity) {
                if index == 0, let after, own.dot <= after { continue }
                if let last, own.dot > last { continue }
                switch theirs.removeValue(forKey: own.dot) {
                case nil: result.missingThere.append(own.dot)
                case own.hash?: break
                case .some: result.conflicting.append(own.dot)
                }
            }
            for (dot, hash) in theirs.sorted(by: { $0.key < $1.key }) {
                // What is parked here is here: it waits for what justifies it, not for another copy. What was thrown
                // away is not wanted.
                parked.bind(1, dot.replica.rawValue)
                parked.bind(2, dot.sequence)
                hash.withBytes { parked.bind(3, $0) }
                let isParked = try parked.step()
                parked.reset()
                if !isParked { result.missingHere.append(dot) }
            }
        }
        return result
    }
}
