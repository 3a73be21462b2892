internal import FoundationEssentials
internal import SwiftProtobuf

/// Operations to columns and back. Dictionaries and differences live for one run, so that every run stands alone.
///
/// Source: Protocols/sync.md §4. About 2 µs an operation each way.
package enum OperationColumns {
    /// Operations in one run; also what one message may carry.
    package static let operationCountMax = 1_000

    package static func encode(_ operations: some Collection<Operation>) -> WireOperationColumns {
        var encoder = Encoder()
        for operation in operations { encoder.append(operation) }
        return encoder.finish()
    }

    /// - Throws: `DecodingFailure` naming the column that cannot be read.
    package static func decode(_ columns: WireOperationColumns) throws(DecodingFailure) -> [Operation] {
        var decoder = try Decoder(columns)
        return try decoder.operations()
    }
}

extension OperationColumns {
    /// The columns as plain arrays. A field of the message itself would be copied whole for every value appended to it,
    /// since the message hands out its fields by value.
    private struct Columns {
        var replicas: [UInt64] = []
        var authors: [WireAuthor] = []
        var sites: [String] = []
        var entityType: [UInt32] = []
        var entityReplica: [UInt32] = []
        var entityHigh: [UInt64] = []
        var entityLow: [UInt64] = []
        var entityLowRaw: [UInt64] = []
        var replica: [UInt32] = []
        var sequence: [Int64] = []
        var entity: [UInt32] = []
        var previous: [UInt64] = []
        var seenCount: [UInt32] = []
        var seenReplica: [UInt32] = []
        var seenSequence: [Int64] = []
        var timeMilliseconds: [Int64] = []
        var timeCounter: [UInt32] = []
        var author: [UInt32] = []
        var scopeCount: [UInt32] = []
        var scopeSite: [UInt32] = []
        var kind: [UInt32] = []
        var critical: [Bool] = []
        var bodyBytes: [UInt32] = []
        var extensionBytes: [UInt32] = []

        init() {}

        init(_ wire: WireOperationColumns) {
            replicas = wire.replicas
            authors = wire.authors
            sites = wire.sites
            entityType = wire.entityType
            entityReplica = wire.entityReplica
            entityHigh = wire.entityHigh
            entityLow = wire.entityLow
            entityLowRaw = wire.entityLowRaw
            replica = wire.replica
            sequence = wire.sequence
            entity = wire.entity
            previous = wire.previous
            seenCount = wire.seenCount
            seenReplica = wire.seenReplica
            seenSequence = wire.seenSequence
            timeMilliseconds = wire.timeMilliseconds
            timeCounter = wire.timeCounter
            author = wire.author
            scopeCount = wire.scopeCount
            scopeSite = wire.scopeSite
            kind = wire.kind
            critical = wire.critical
            bodyBytes = wire.bodyBytes
            extensionBytes = wire.extensionBytes
        }

        /// Everything but bodies and extensions.
        var wire: WireOperationColumns {
            var wire = WireOperationColumns()
            wire.replicas = replicas
            wire.authors = authors
            wire.sites = sites
            wire.entityType = entityType
            wire.entityReplica = entityReplica
            wire.entityHigh = entityHigh
            wire.entityLow = entityLow
            wire.entityLowRaw = entityLowRaw
            wire.replica = replica
            wire.sequence = sequence
            wire.entity = entity
            wire.previous = previous
            wire.seenCount = seenCount
            wire.seenReplica = seenReplica
            wire.seenSequence = seenSequence
            wire.timeMilliseconds = timeMilliseconds
            wire.timeCounter = timeCounter
            wire.author = author
            wire.scopeCount = scopeCount
            wire.scopeSite = scopeSite
            wire.kind = kind
            wire.critical = critical
            wire.bodyBytes = bodyBytes
            return wire
        }
    }
}

extension OperationColumns {
    private struct Encoder {
        private var columns = Columns()
        private var bodies: [UInt8] = []
        private var extensions: [UInt8] = []
        private var extensionBytes: [UInt32] = []
        private var replicas: [ReplicaID: UInt32] = [:]
        private var authors: [Author: UInt32] = [:]
        private var sites: [SiteCode: UInt32] = [:]
        private var entities: [EntityID: UInt32] = [:]
        private var lastSequence: [UInt64] = []
        private var lastSeen: [UInt64] = []
        private var lastMilliseconds: Int64 = 0
        private var lastAuthor: (Author, UInt32)?

        mutating func append(_ operation: Operation) {
            let replica = index(of: operation.dot.replica)
            columns.replica.append(replica)
            columns.sequence.append(Int64(bitPattern: operation.dot.sequence &- lastSequence[Int(replica)]))
            lastSequence[Int(replica)] = operation.dot.sequence
            columns.entity.append(index(of: operation.entity))
            columns.previous.append(operation.previous == 0 ? 0 : operation.dot.sequence &- operation.previous)
            columns.seenCount.append(UInt32(operation.seen.entries.count))
            for entry in operation.seen.entries {
                let seen = index(of: entry.replica)
                columns.seenReplica.append(seen)
                columns.seenSequence.append(Int64(bitPattern: entry.sequence &- lastSeen[Int(seen)]))
                lastSeen[Int(seen)] = entry.sequence
            }
            columns.timeMilliseconds.append(operation.time.milliseconds &- lastMilliseconds)
            lastMilliseconds = operation.time.milliseconds
            columns.timeCounter.append(UInt32(operation.time.counter))
            columns.author.append(index(of: operation.author))
            columns.scopeCount.append(UInt32(operation.scope.count))
            for site in operation.scope { columns.scopeSite.append(index(of: site)) }
            columns.kind.append(UInt32(operation.kind.rawValue))
            columns.critical.append(operation.isCritical)
            columns.bodyBytes.append(UInt32(operation.body.count))
            bodies.append(contentsOf: operation.body)
            extensionBytes.append(UInt32(operation.extensions.count))
            extensions.append(contentsOf: operation.extensions)
        }

        func finish() -> WireOperationColumns {
            var wire = columns.wire
            wire.bodies = .init(bodies)
            if !extensions.isEmpty {
                wire.extensionBytes = extensionBytes
                wire.extensions = .init(extensions)
            }
            return wire
        }

        private mutating func index(of replica: ReplicaID) -> UInt32 {
            if let known = replicas[replica] { return known }
            let next = UInt32(columns.replicas.count)
            replicas[replica] = next
            columns.replicas.append(replica.rawValue)
            lastSequence.append(0)
            lastSeen.append(0)
            return next
        }

        private mutating func index(of author: Author) -> UInt32 {
            if let lastAuthor, lastAuthor.0 == author { return lastAuthor.1 }
            let found: UInt32
            if let known = authors[author] {
                found = known
            } else {
                found = UInt32(columns.authors.count)
                authors[author] = found
                columns.authors.append(WireAuthor(author))
            }
            lastAuthor = (author, found)
            return found
        }

        private mutating func index(of site: SiteCode) -> UInt32 {
            if let known = sites[site] { return known }
            let next = UInt32(columns.sites.count)
            sites[site] = next
            columns.sites.append(site.rawValue)
            return next
        }

        private mutating func index(of entity: EntityID) -> UInt32 {
            if let known = entities[entity] { return known }
            let next = UInt32(entities.count)
            entities[entity] = next
            columns.entityType.append(UInt32(entity.type.rawValue))
            if let replica = replicas[ReplicaID(entity.high)] {
                columns.entityReplica.append(replica + 1)
                columns.entityLow.append(entity.low)
            } else {
                columns.entityReplica.append(0)
                columns.entityHigh.append(entity.high)
                columns.entityLowRaw.append(entity.low)
            }
            return next
        }
    }
}

extension OperationColumns {
    private struct Decoder {
        private let columns: Columns
        private let authors: [Author]
        private let sites: [SiteCode]
        private let entities: [EntityID]
        private let bodies: [UInt8]
        private let extensions: [UInt8]
        private var seenIndex = 0
        private var scopeIndex = 0

        init(_ wire: WireOperationColumns) throws(DecodingFailure) {
            let columns = Columns(wire)
            self.columns = columns
            let count = columns.replica.count
            guard count <= operationCountMax else {
                throw .tooLarge(field: "replica", count: count, countMax: operationCountMax)
            }
            let perOperation = [
                ("sequence", columns.sequence.count), ("entity", columns.entity.count),
                ("previous", columns.previous.count), ("seen_count", columns.seenCount.count),
                ("time_milliseconds", columns.timeMilliseconds.count), ("time_counter", columns.timeCounter.count),
                ("author", columns.author.count), ("scope_count", columns.scopeCount.count),
                ("kind", columns.kind.count), ("critical", columns.critical.count),
                ("body_bytes", columns.bodyBytes.count),
            ]
            for (field, length) in perOperation where length != count { throw .invalid(field: field) }
            guard columns.extensionBytes.isEmpty || columns.extensionBytes.count == count else {
                throw .invalid(field: "extension_bytes")
            }
            var authors: [Author] = []
            authors.reserveCapacity(columns.authors.count)
            for author in columns.authors { authors.append(try Author(author)) }
            self.authors = authors
            var sites: [SiteCode] = []
            for text in columns.sites {
                guard let site = SiteCode(text) else { throw .invalid(field: "sites") }
                sites.append(site)
            }
            self.sites = sites
            entities = try Self.entities(of: columns)
            bodies = Array(wire.bodies)
            extensions = Array(wire.extensions)
        }

        private static func entities(of columns: Columns) throws(DecodingFailure) -> [EntityID] {
            guard columns.entityType.count == columns.entityReplica.count else { throw .invalid(field: "entity_type") }
            let rawCount = columns.entityReplica.count { $0 == 0 }
            guard columns.entityHigh.count == rawCount, columns.entityLowRaw.count == rawCount else {
                throw .invalid(field: "entity_high")
            }
            guard columns.entityLow.count == columns.entityType.count - rawCount else {
                throw .invalid(field: "entity_low")
            }
            var entities: [EntityID] = []
            entities.reserveCapacity(columns.entityType.count)
            var raw = 0
            for (index, typeNumber) in columns.entityType.enumerated() {
                guard let type = EntityType(rawValue: UInt8(truncatingIfNeeded: typeNumber)), typeNumber < 256 else {
                    throw .invalid(field: "entity_type")
                }
                let replica = Int(columns.entityReplica[index])
                if replica == 0 {
                    entities.append(
                        EntityID(type: type, high: columns.entityHigh[raw], low: columns.entityLowRaw[raw]))
                    raw += 1
                } else {
                    guard replica <= columns.replicas.count else { throw .invalid(field: "entity_replica") }
                    entities.append(
                        EntityID(type: type, high: columns.replicas[replica - 1], low: columns.entityLow[index - raw]))
                }
            }
            return entities
        }

        mutating func operations() throws(DecodingFailure) -> [Operation] {
            var result: [Operation] = []
            result.reserveCapacity(columns.replica.count)
            var lastSequence = [UInt64](repeating: 0, count: columns.replicas.count)
            var lastSeen = lastSequence
            var milliseconds: Int64 = 0
            var bodyStart = 0
            var extensionStart = 0
            for index in columns.replica.indices {
                let replica = Int(columns.replica[index])
                guard replica < columns.replicas.count else { throw .invalid(field: "replica") }
                let sequence = lastSequence[replica] &+ UInt64(bitPattern: columns.sequence[index])
                lastSequence[replica] = sequence
                guard (1...OperationLimits.sequenceMax).contains(sequence) else { throw .invalid(field: "sequence") }
                let back = columns.previous[index]
                guard back < sequence else { throw .invalid(field: "previous") }
                let (sum, overflow) = milliseconds.addingReportingOverflow(columns.timeMilliseconds[index])
                guard !overflow, (0..<1 << 48).contains(sum), columns.timeCounter[index] <= UInt32(UInt16.max) else {
                    throw .invalid(field: "time_milliseconds")
                }
                milliseconds = sum
                let bodyCount = Int(columns.bodyBytes[index])
                guard bodyCount <= bodies.count - bodyStart else { throw .invalid(field: "body_bytes") }
                let extensionCount = columns.extensionBytes.isEmpty ? 0 : Int(columns.extensionBytes[index])
                guard extensionCount <= extensions.count - extensionStart else {
                    throw .invalid(field: "extension_bytes")
                }
                guard Int(columns.entity[index]) < entities.count else { throw .invalid(field: "entity") }
                guard Int(columns.author[index]) < authors.count else { throw .invalid(field: "author") }
                guard columns.kind[index] <= UInt32(UInt16.max) else { throw .invalid(field: "kind") }
                let operation = Operation(
                    dot: Dot(ReplicaID(columns.replicas[replica]), sequence),
                    entity: entities[Int(columns.entity[index])],
                    previous: back == 0 ? 0 : sequence - back,
                    seen: try nextSeen(count: columns.seenCount[index], last: &lastSeen),
                    time: HybridTimestamp(milliseconds: sum, counter: UInt16(columns.timeCounter[index])),
                    author: authors[Int(columns.author[index])],
                    scope: try nextScope(count: columns.scopeCount[index]),
                    kind: OperationKind(rawValue: UInt16(columns.kind[index])),
                    isCritical: columns.critical[index],
                    body: Array(bodies[bodyStart..<bodyStart + bodyCount]),
                    extensions: extensionCount == 0
                        ? [] : Array(extensions[extensionStart..<extensionStart + extensionCount]))
                try operation.check()
                result.append(operation)
                bodyStart += bodyCount
                extensionStart += extensionCount
            }
            // Nothing may be left over: what no operation takes would travel unhashed.
            guard bodyStart == bodies.count else { throw .invalid(field: "bodies") }
            guard extensionStart == extensions.count else { throw .invalid(field: "extensions") }
            guard seenIndex == columns.seenReplica.count, seenIndex == columns.seenSequence.count else {
                throw .invalid(field: "seen_count")
            }
            guard scopeIndex == columns.scopeSite.count else { throw .invalid(field: "scope_count") }
            return result
        }

        private mutating func nextSeen(count: UInt32, last: inout [UInt64]) throws(DecodingFailure) -> VersionVector {
            let end = seenIndex + Int(count)
            guard count <= OperationLimits.seenCountMax, end <= columns.seenReplica.count,
                end <= columns.seenSequence.count
            else { throw .invalid(field: "seen_count") }
            var vector = VersionVector()
            var previous: UInt64?
            for index in seenIndex..<end {
                let replica = Int(columns.seenReplica[index])
                guard replica < columns.replicas.count else { throw .invalid(field: "seen_replica") }
                let identity = columns.replicas[replica]
                // Ascending and without zeros: there is one way to write a vector, and the hash depends on it.
                let sequence = last[replica] &+ UInt64(bitPattern: columns.seenSequence[index])
                guard sequence > 0, previous.map({ $0 < identity }) ?? true else {
                    throw .invalid(field: "seen_sequence")
                }
                previous = identity
                last[replica] = sequence
                vector.record(Dot(ReplicaID(identity), sequence))
            }
            seenIndex = end
            return vector
        }

        private mutating func nextScope(count: UInt32) throws(DecodingFailure) -> [SiteCode] {
            guard count > 0 else { return [] }
            let end = scopeIndex + Int(count)
            guard count <= OperationLimits.scopeCountMax, end <= columns.scopeSite.count else {
                throw .invalid(field: "scope_count")
            }
            var scope: [SiteCode] = []
            for index in scopeIndex..<end {
                let site = Int(columns.scopeSite[index])
                guard site < sites.count else { throw .invalid(field: "scope_site") }
                scope.append(sites[site])
            }
            scopeIndex = end
            return scope
        }
    }
}

extension WireAuthor {
    package init(_ author: Author) {
        self.init()
        name = author.name
        role = UInt32(author.role.rawValue)
        level = UInt32(author.level.rawValue)
        site = author.site.rawValue
        department = author.department
        catalogVersion = author.catalogVersion
    }
}

extension Author {
    package init(_ wire: WireAuthor) throws(DecodingFailure) {
        guard let role = Role(rawValue: UInt8(clamping: wire.role)) else { throw .invalid(field: "author.role") }
        guard let level = AuthorityLevel(rawValue: UInt8(clamping: wire.level)) else {
            throw .invalid(field: "author.level")
        }
        guard let site = SiteCode(wire.site) else { throw .invalid(field: "author.site") }
        self.init(
            name: wire.name, role: role, level: level, site: site, department: wire.department,
            catalogVersion: wire.catalogVersion)
    }
}
