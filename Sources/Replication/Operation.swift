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

    // By the bytes of the texts: Swift calls two spellings of one character equal, and the hash of an operation does not.
    package static func == (left: Author, right: Author) -> Bool {
        left.role == right.role && left.level == right.level && left.site == right.site
            && left.catalogVersion == right.catalogVersion && left.name.hasSameBytes(as: right.name)
            && left.department.hasSameBytes(as: right.department)
    }

    package func hash(into hasher: inout Hasher) {
        name.hashBytes(into: &hasher)
        hasher.combine(role)
        site.rawValue.hashBytes(into: &hasher)
    }
}

extension String {
    fileprivate func hasSameBytes(as other: String) -> Bool {
        let found = utf8.withContiguousStorageIfAvailable { left in
            other.utf8.withContiguousStorageIfAvailable { right in
                left.count == right.count && left.elementsEqual(right)
            }
        }
        return (found ?? nil) ?? utf8.elementsEqual(other.utf8)
    }

    fileprivate func hashBytes(into hasher: inout Hasher) {
        var text = self
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
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
    /// Of an author's name, and of a department's code.
    package static let authorTextBytesMax = 256
    /// Sequences, positions and counts stay below it, so that they fit SQLite's integers and sums of two never overflow.
    package static let sequenceMax: UInt64 = (1 << 62) - 1
}

extension Operation {
    /// What every receiver refuses. Whoever writes operations runs it before they become durable: one that no peer
    /// takes would stop its feed for good.
    /// - Throws: `DecodingFailure.tooLarge` or `.invalid`, naming the field.
    package func check() throws(DecodingFailure) {
        try check("sequence", dot.sequence > 0 && dot.sequence <= OperationLimits.sequenceMax)
        try check("previous", previous < dot.sequence)
        try check("bytes", body.count + extensions.count, OperationLimits.bytesMax)
        try check("seen", seen.entries.count, OperationLimits.seenCountMax)
        try check("seen", seen.entries.allSatisfy { $0.sequence <= OperationLimits.sequenceMax })
        try check("scope", scope.count, OperationLimits.scopeCountMax)
        try check("scope", zip(scope, scope.dropFirst()).allSatisfy { $0 < $1 })
        try check("author.name", author.name.utf8.count, OperationLimits.authorTextBytesMax)
        try check("author.department", author.department.utf8.count, OperationLimits.authorTextBytesMax)
    }

    private func check(_ field: String, _ isValid: Bool) throws(DecodingFailure) {
        guard isValid else { throw .invalid(field: field) }
    }

    private func check(_ field: String, _ count: Int, _ countMax: Int) throws(DecodingFailure) {
        guard count <= countMax else { throw .tooLarge(field: field, count: count, countMax: countMax) }
    }
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

    /// Never less than what the operation takes in a message (there, what repeats stands once). For limits and queues.
    /// Bytes; at most some 180 KiB for an operation that keeps its limits.
    package var approximateBytes: Int {
        let texts = author.name.utf8.count + author.department.utf8.count + author.site.rawValue.utf8.count
        let sites = scope.reduce(0) { $0 + $1.rawValue.utf8.count + 8 }
        return 128 + texts + body.count + extensions.count + seen.entries.count * 24 + sites
    }
}
