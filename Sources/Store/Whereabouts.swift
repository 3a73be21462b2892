internal import GRDB
package import Replication
internal import SwiftProtobuf
internal import Tickets

/// Where an operation is, as far as this store knows. Source: Protocols/sync.md §2.
package struct OperationPlace: Sendable {
    package enum State: String, Sendable, CaseIterable {
        /// It came from that peer.
        case origin
        /// The peer has said that it holds it.
        case held
        /// An audit has found it there, or the peer was given it before its feed began.
        case audited
        /// It stands in the feed and has not been acknowledged.
        case waiting
        /// It came from another parent, which passes it on itself.
        case elsewhere
        /// The peer's subtree takes no part in the ticket.
        case outside
    }

    package var stored: StoredOperation
    /// The row's bytes do not match its hash.
    package var isDamaged: Bool
    /// By peer, in the order of `Whereabouts.peers`.
    package var states: [State]
}

/// What this store holds of one entity, and what each peer does.
package struct Whereabouts: Sendable {
    package var peers: [PeerRecord]
    package var operations: [OperationPlace]
    /// Operations on it that wait for what justifies them.
    package var parked: [ParkedOperation]
}

extension StoreReader {
    /// Looks up where each operation of an entity is. Costs a scan of every child's feed.
    package func whereabouts(of id: EntityID) throws -> Whereabouts {
        let peers = try peers()
        return try read { db in
            guard let (number, state, _) = try Self.entity(id, db) else {
                return Whereabouts(peers: peers, operations: [], parked: try Self.parked(on: id, db))
            }
            let rows = try DotReader(db)
            var hasher = ContentHasher()
            var places: [OperationPlace] = []
            for dot in state.operations {
                guard let stored = try rows.operation(dot) else { continue }
                places.append(
                    OperationPlace(
                        stored: stored, isDamaged: hasher.hash(stored.operation) != stored.hash, states: []))
            }
            places.sort { $0.stored.arrival < $1.stored.arrival }
            let parents = Set(peers.filter(\.isParent).map(\.id.rawValue))
            for peer in peers {
                let positions = try Self.positions(of: places, for: peer, db)
                let isMember = try Self.takesPart(peer, in: number, id.type, db)
                for index in places.indices {
                    let source = places[index].stored.source
                    let state: OperationPlace.State
                    if source == peer.id.rawValue {
                        state = .origin
                    } else if peer.isParent, parents.contains(source) {
                        state = .elsewhere
                    } else if !isMember {
                        state = .outside
                    } else if let position = positions[places[index].stored.arrival] {
                        state = position <= peer.acknowledgedPosition ? .held : .waiting
                    } else {
                        state = .audited
                    }
                    places[index].states.append(state)
                }
            }
            return Whereabouts(peers: peers, operations: places, parked: try Self.parked(on: id, db))
        }
    }

    private static func positions(
        of places: [OperationPlace], for peer: PeerRecord, _ db: Database
    ) throws -> [Int64: UInt64] {
        var result: [Int64: UInt64] = [:]
        guard peer.role == .child else {
            for place in places { result[place.stored.arrival] = UInt64(place.stored.arrival) }
            return result
        }
        let wanted = Set(places.map(\.stored.arrival))
        guard let first = wanted.min(), let last = wanted.max() else { return result }
        let rows = try BoundStatement(
            db, "SELECT position, arrival FROM feed WHERE child = ?1 AND arrival BETWEEN ?2 AND ?3")
        rows.bind(1, peer.id.rawValue)
        rows.bind(2, first)
        rows.bind(3, last)
        while try rows.step() {
            if wanted.contains(rows.integer(1)) { result[rows.integer(1)] = rows.unsigned(0) }
        }
        return result
    }

    private static func takesPart(
        _ peer: PeerRecord, in entity: Int64, _ type: EntityType, _ db: Database
    ) throws -> Bool {
        guard peer.role == .child, type == .ticket else { return true }
        return try Bool.fetchOne(
            db, sql: "SELECT EXISTS (SELECT 1 FROM member WHERE site = ? AND entity = ?)",
            arguments: [peer.site.rawValue, entity]) ?? false
    }

    private static func parked(on id: EntityID, _ db: Database) throws -> [ParkedOperation] {
        let rows = try BoundStatement(
            db,
            """
            SELECT p.columns, p.reason, p.since, coalesce(s.site, '')
            FROM parked p LEFT JOIN peer s ON s.id = p.source ORDER BY p.id
            """)
        var result: [ParkedOperation] = []
        while try rows.step() {
            guard let operation = ParkedColumns.decode(rows.bytes(0)), operation.entity == id else { continue }
            result.append(
                ParkedOperation(
                    dot: operation.dot, source: rows.text(3), reason: rows.text(1), since: rows.integer(2)))
        }
        return result
    }
}

/// An operation in its wire form, as it waits in a table.
enum ParkedColumns {
    static func decode(_ bytes: [UInt8]) -> Operation? {
        guard let columns = try? WireOperationColumns(serializedBytes: bytes) else { return nil }
        return try? OperationColumns.decode(columns).first
    }
}

extension StoreWriter {
    /// Takes parked operations in on an administrator's word; those whose incarnation has announced no site stay.
    /// - Parameter dot: nil for all.
    /// - Returns: how many were taken in, and whose projection was written.
    package func releaseParked(_ dot: Dot?, now: Int64) throws -> MergeResult {
        try catchUpProjection()
        return try transaction { db, cache in
            var merge = Merge(db: db, cache: cache, catalog: catalog, site: reader.identity.site, now: now)
            try merge.releaseParked(dot)
            try merge.finish()
            return merge.result
        }
    }
}
