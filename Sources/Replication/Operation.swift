/// Who did it, as the operation itself records it, so that merging never has to read a catalog.
package struct Author: Hashable, Sendable {
    /// User name at the site, or the name an import carries.
    package var name: String
    package var role: Role
    package var level: AuthorityLevel
    package var site: SiteCode
    /// Department code within the catalog; empty for the node itself.
    package var department: String
    /// Version of the catalog that the author was working with.
    package var catalogVersion: UInt32

    package init(
        name: String, role: Role, level: AuthorityLevel, site: SiteCode, department: String, catalogVersion: UInt32 = 1
    ) {
        self.name = name
        self.role = role
        self.level = level
        self.site = site
        self.department = department
        self.catalogVersion = catalogVersion
    }
}

/// What a person may do at a site; `system` is the node acting for itself.
package enum Role: UInt8, Sendable, CaseIterable {
    case system = 0
    case agent = 1
    case dispatcher = 2
    case supervisor = 3
    case assessor = 4
    case auditor = 5
    case admin = 6
}

/// How high the author's site stands; of two concurrent decisions the higher level's counts.
package enum AuthorityLevel: UInt8, Comparable, Sendable, CaseIterable {
    case branch = 1
    case region = 2
    case province = 3

    /// The level of a site by its depth in the tree.
    package init(of site: SiteCode) {
        switch site.depth {
        case 1: self = .province
        case 2: self = .region
        default: self = .branch
        }
    }

    package static func < (left: AuthorityLevel, right: AuthorityLevel) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// A kind of operation by its number on the wire; numbers that this version does not know are kept and relayed.
package struct OperationKind: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) {
        self.rawValue = rawValue
    }
}

/// A fact: immutable, hashed, the same bytes on every replica. The envelope is readable by every version; the body
/// is opaque to whoever does not know its kind.
///
/// Source: Protocols/operations.md §2.
package struct Operation: Hashable, Sendable {
    package var dot: Dot
    package var entity: EntityID
    /// Sequence of this replica's previous operation on this entity; 0 for the first.
    package var previous: UInt64
    /// Version vector of the entity as the author was shown it: what this operation supersedes.
    package var seen: VersionVector
    package var time: HybridTimestamp
    package var author: Author
    /// Sites that this operation lets in, ascending.
    package var scope: [SiteCode]
    package var kind: OperationKind
    /// A node that does not know a critical kind shows the ticket and lets nobody edit it until it is upgraded.
    package var isCritical: Bool
    package var body: [UInt8]
    /// Reserved; hashed and relayed as they came.
    package var extensions: [UInt8]

    package init(
        dot: Dot, entity: EntityID, previous: UInt64, seen: VersionVector, time: HybridTimestamp, author: Author,
        scope: [SiteCode], kind: OperationKind, isCritical: Bool = false, body: [UInt8], extensions: [UInt8] = []
    ) {
        self.dot = dot
        self.entity = entity
        self.previous = previous
        self.seen = seen
        self.time = time
        self.author = author
        self.scope = scope
        self.kind = kind
        self.isCritical = isCritical
        self.body = body
        self.extensions = extensions
    }
}

/// Limits of one operation; listed in Protocols/limits.md.
package enum OperationLimits {
    package static let bytesMax = 64 * 1024
    package static let scopeCountMax = 64
    package static let seenCountMax = 4_096
    package static let stringBytesMax = 16 * 1024
}

extension Operation {
    /// Writes the bytes that are hashed: a fixed-field encoding, big-endian, independent of any wire format.
    ///
    /// Source: Protocols/operations.md §3; vectors in Protocols/vectors/operations.json.
    package func writeCanonical(into writer: inout ByteWriter) {
        writer.byte(1)
        writer.integer(dot.replica.rawValue)
        writer.integer(dot.sequence)
        writer.byte(entity.type.rawValue)
        writer.integer(entity.high)
        writer.integer(entity.low)
        writer.integer(previous)
        writer.integer(UInt32(seen.entries.count))
        for entry in seen.entries {
            writer.integer(entry.replica.rawValue)
            writer.integer(entry.sequence)
        }
        writer.integer(time.rawValue)
        writeCanonical(author.name, into: &writer)
        writer.byte(author.role.rawValue)
        writer.byte(author.level.rawValue)
        writeCanonical(author.site.rawValue, into: &writer)
        writeCanonical(author.department, into: &writer)
        writer.integer(author.catalogVersion)
        writer.integer(UInt32(scope.count))
        for site in scope { writeCanonical(site.rawValue, into: &writer) }
        writer.integer(kind.rawValue)
        writer.byte(isCritical ? 1 : 0)
        writer.integer(UInt32(body.count))
        writer.raw(body)
        writer.integer(UInt32(extensions.count))
        writer.raw(extensions)
    }

    private func writeCanonical(_ text: String, into writer: inout ByteWriter) {
        writer.integer(UInt32(text.utf8.count))
        writer.raw(text.utf8)
    }

    /// Size of an operation in memory and on the wire, near enough for limits and queues. Bytes.
    package var approximateBytes: Int {
        96 + body.count + extensions.count + seen.entries.count * 12 + author.name.utf8.count + scope.count * 24
    }
}
