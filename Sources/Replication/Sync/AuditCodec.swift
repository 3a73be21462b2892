internal import FoundationEssentials
internal import SwiftProtobuf

// Audit messages to protobuf and back. Source: Protocols/sync.md §8.

extension WireEntityKey {
    init(_ entity: EntityID) {
        self.init()
        type = UInt32(entity.type.rawValue)
        high = entity.high
        low = entity.low
    }
}

extension EntityID {
    init(_ wire: WireEntityKey) throws(DecodingFailure) {
        guard let raw = UInt8(exactly: wire.type), let type = EntityType(rawValue: raw) else {
            throw .invalid(field: "entity_key.type")
        }
        self.init(type: type, high: wire.high, low: wire.low)
    }
}

extension WireDotList {
    init(_ dots: [Dot]) {
        self.init()
        var indexes: [ReplicaID: UInt32] = [:]
        for dot in dots {
            let index: UInt32
            if let known = indexes[dot.replica] {
                index = known
            } else {
                index = UInt32(replicas.count)
                indexes[dot.replica] = index
                replicas.append(dot.replica.rawValue)
            }
            replica.append(index)
            sequence.append(dot.sequence)
        }
    }

    func dots(countMax: Int) throws(DecodingFailure) -> [Dot] {
        guard sequence.count <= countMax else {
            throw .tooLarge(field: "dots", count: sequence.count, countMax: countMax)
        }
        guard replica.count == sequence.count else { throw .invalid(field: "dots.replica") }
        var result: [Dot] = []
        result.reserveCapacity(sequence.count)
        for (index, sequence) in zip(replica, sequence) {
            guard replicas.indices.contains(Int(index)), sequence > 0, sequence <= OperationLimits.sequenceMax else {
                throw .invalid(field: "dots")
            }
            result.append(Dot(ReplicaID(replicas[Int(index)]), sequence))
        }
        return result
    }
}

extension WireAuditRequest {
    init(_ request: AuditRequest) {
        self.init()
        number = request.number
        switch request.content {
        case .summarise(let range):
            var wire = WireAuditRange()
            if let low = range.low { wire.low = WireEntityKey(low.entity) }
            if let high = range.high { wire.high = WireEntityKey(high.entity) }
            summarise = wire
        case .list(let entities, let after):
            list.entities = entities.map(WireEntityKey.init)
            if let after {
                list.after.replica = after.replica.rawValue
                list.after.sequence = after.sequence
            }
        case .fetch(let dots): fetch = WireDotList(dots)
        }
    }
}

extension AuditRequest {
    init(_ wire: WireAuditRequest) throws(DecodingFailure) {
        let content: Content
        switch wire.content {
        case .summarise(let range):
            content = .summarise(
                AuditRange(
                    low: range.hasLow ? EntityKey(try EntityID(range.low)) : nil,
                    high: range.hasHigh ? EntityKey(try EntityID(range.high)) : nil))
        case .list(let list):
            guard list.entities.count <= AuditLimits.leafEntitiesMax else {
                throw .tooLarge(
                    field: "list.entities", count: list.entities.count, countMax: AuditLimits.leafEntitiesMax)
            }
            var entities: [EntityID] = []
            for entity in list.entities { entities.append(try EntityID(entity)) }
            content = .list(
                entities, after: list.hasAfter ? Dot(ReplicaID(list.after.replica), list.after.sequence) : nil)
        case .fetch(let list): content = .fetch(try list.dots(countMax: AuditLimits.fetchedOperationsMax))
        case nil: throw .invalid(field: "audit_request.content")
        }
        self.init(number: wire.number, content: content)
    }
}

extension WireAuditReply {
    init(_ reply: AuditReply) {
        self.init()
        number = reply.number
        switch reply.content {
        case .parts(let ranges):
            parts = ranges.map { part in
                var wire = WireRangeDigest()
                if let high = part.range.high { wire.high = WireEntityKey(high.entity) }
                wire.entities = part.entityCount
                wire.count = part.digest.count
                wire.sum = .init(part.digest.sum.bytes)
                return wire
            }
        case .leaf(let entities):
            isLeaf = true
            self.entities = entities.map { entity in
                var wire = WireEntityDigest()
                wire.entity = WireEntityKey(entity.entity)
                wire.count = entity.digest.count
                wire.sum = .init(entity.digest.sum.bytes)
                return wire
            }
        case .operations(let lists, let isCut):
            self.isCut = isCut
            operations = lists.map { list in
                var wire = WireEntityOperations()
                wire.entity = WireEntityKey(list.entity)
                wire.dots = WireDotList(list.entries.map(\.dot))
                wire.hashes = .init(list.entries.flatMap(\.hash.bytes))
                return wire
            }
        case .sent(let count): sent = count
        }
    }
}

extension AuditReply {
    /// The ranges of parts are those between their upper bounds; the first begins where the request's did.
    init(_ wire: WireAuditReply) throws(DecodingFailure) {
        let content: Content
        if wire.isLeaf {
            guard wire.entities.count <= AuditLimits.leafEntitiesMax else {
                throw .tooLarge(
                    field: "audit_reply.entities", count: wire.entities.count, countMax: AuditLimits.leafEntitiesMax)
            }
            var entities: [EntityDigest] = []
            for entity in wire.entities {
                guard let sum = ContentHash(entity.sum) else { throw .invalid(field: "entity_digest.sum") }
                entities.append(
                    EntityDigest(
                        entity: try EntityID(entity.entity), digest: SetDigest(count: entity.count, sum: sum)))
            }
            content = .leaf(entities)
        } else if !wire.parts.isEmpty {
            content = .parts(try Self.parts(wire.parts))
        } else if !wire.operations.isEmpty {
            content = .operations(try Self.operations(wire.operations), isCut: wire.isCut)
        } else {
            content = .sent(wire.sent)
        }
        self.init(number: wire.number, content: content)
    }

    private static func parts(_ wire: [WireRangeDigest]) throws(DecodingFailure) -> [RangeDigest] {
        guard wire.count <= AuditLimits.partsMax else {
            throw .tooLarge(field: "audit_reply.parts", count: wire.count, countMax: AuditLimits.partsMax)
        }
        var parts: [RangeDigest] = []
        var low: EntityKey?
        for part in wire {
            guard let sum = ContentHash(part.sum) else { throw .invalid(field: "range_digest.sum") }
            let high = part.hasHigh ? EntityKey(try EntityID(part.high)) : nil
            if let low, let high, high <= low { throw .invalid(field: "range_digest.high") }
            parts.append(
                RangeDigest(
                    range: AuditRange(low: low, high: high), entityCount: part.entities,
                    digest: SetDigest(count: part.count, sum: sum)))
            low = high
        }
        return parts
    }

    private static func operations(_ wire: [WireEntityOperations]) throws(DecodingFailure) -> [EntityOperations] {
        var lists: [EntityOperations] = []
        var total = 0
        for list in wire {
            total += list.dots.sequence.count
            guard total <= AuditLimits.listedOperationsMax else {
                throw .tooLarge(field: "operations", count: total, countMax: AuditLimits.listedOperationsMax)
            }
            let dots = try list.dots.dots(countMax: AuditLimits.listedOperationsMax)
            guard list.hashes.count == dots.count * ContentHash.byteCount else {
                throw .invalid(field: "operations.hashes")
            }
            let bytes = [UInt8](list.hashes)
            var entries: [EntityOperations.Entry] = []
            entries.reserveCapacity(dots.count)
            for (index, dot) in dots.enumerated() {
                let start = index * ContentHash.byteCount
                guard let hash = ContentHash(bytes[start..<start + ContentHash.byteCount]) else {
                    throw .invalid(field: "operations.hashes")
                }
                entries.append(EntityOperations.Entry(dot: dot, hash: hash))
            }
            lists.append(EntityOperations(entity: try EntityID(list.entity), entries: entries))
        }
        return lists
    }
}
