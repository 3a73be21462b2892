/// Where an entity stands in the order of an audit: by type, then both halves as signed numbers, as the store sorts them.
package struct EntityKey: Hashable, Comparable, Sendable {
    package var entity: EntityID

    package init(_ entity: EntityID) {
        self.entity = entity
    }

    package static func < (left: EntityKey, right: EntityKey) -> Bool {
        let (l, r) = (left.entity, right.entity)
        return (l.type.rawValue, Int64(bitPattern: l.high), Int64(bitPattern: l.low))
            < (r.type.rawValue, Int64(bitPattern: r.high), Int64(bitPattern: r.low))
    }
}

/// Entities from `low` up to but not `high`; a missing bound is open.
package struct AuditRange: Hashable, Sendable {
    package var low: EntityKey?
    package var high: EntityKey?

    package static let all = AuditRange(low: nil, high: nil)

    package init(low: EntityKey?, high: EntityKey?) {
        self.low = low
        self.high = high
    }
}

/// Equal sets of operations over a range have equal digests, and so have equal lists of entities.
package struct RangeDigest: Hashable, Sendable {
    package var range: AuditRange
    package var entityCount: UInt64
    package var digest: SetDigest

    package init(range: AuditRange, entityCount: UInt64, digest: SetDigest) {
        self.range = range
        self.entityCount = entityCount
        self.digest = digest
    }
}

package struct EntityDigest: Hashable, Sendable {
    package var entity: EntityID
    package var digest: SetDigest

    package init(entity: EntityID, digest: SetDigest) {
        self.entity = entity
        self.digest = digest
    }
}

/// The operations of one entity, by dot and hash, ascending.
package struct EntityOperations: Hashable, Sendable {
    package struct Entry: Hashable, Sendable {
        package var dot: Dot
        package var hash: ContentHash

        package init(dot: Dot, hash: ContentHash) {
            self.dot = dot
            self.hash = hash
        }
    }

    package var entity: EntityID
    package var entries: [Entry]

    package init(entity: EntityID, entries: [Entry]) {
        self.entity = entity
        self.entries = entries
    }
}

package struct AuditRequest: Hashable, Sendable {
    package enum Content: Hashable, Sendable {
        case summarise(AuditRange)
        /// `after`: of the first entity only what follows this dot.
        case list([EntityID], after: Dot?)
        case fetch([Dot])
    }

    package var number: UInt64
    package var content: Content

    package init(number: UInt64, content: Content) {
        self.number = number
        self.content = content
    }
}

package struct AuditReply: Hashable, Sendable {
    package enum Content: Hashable, Sendable {
        case parts([RangeDigest])
        case leaf([EntityDigest])
        /// Of the first entities that were asked for; `isCut`: the last one has more behind its last dot.
        case operations([EntityOperations], isCut: Bool)
        case sent(UInt64)
    }

    package var number: UInt64
    package var content: Content

    package init(number: UInt64, content: Content) {
        self.number = number
        self.content = content
    }
}

/// Limits of an audit; listed in Protocols/limits.md.
package enum AuditLimits {
    /// Parts that a range is divided into.
    package static let partsMax = 16
    /// A range with no more entities than this is answered with the entities.
    package static let leafEntitiesMax = 64
    /// Operations in one list.
    package static let listedOperationsMax = 10_000
    /// Operations asked for at once.
    package static let fetchedOperationsMax = 500
    /// Operations remembered to see whether they are missing again in the second pass.
    package static let rememberedOperationsMax = 10_000
}
