internal import Replication

/// What a ticket's state keeps of one operation before it is interned.
struct EventDraft {
    var isOpaque = false
    var field: UInt16 = 0
    var variant: UInt8 = 0
    /// Bits by `Field.rawValue` of the initial values in an `open`.
    var fields: UInt64 = 0
    var first: Dot?
    var second: Dot?
    var number: Int64?
    var secondNumber: Int64?
    var text: String?
    var site: SiteCode?
    var department: String?
    var entity: EntityID?
    var occurred: Int64?
    var row: UInt64 = 0
    /// What an `open` gives the ticket to be called by; read from the operation, not kept in the state.
    var label: String?
    /// The key of its sealed value; like the value itself not kept in the state.
    var sealedUnder: PersonalKeyID?

    /// A short text as the state keeps it; nil for one that is too long and stays in its operation.
    static func code(_ text: String) -> String? {
        text.isEmpty || text.utf8.count > TicketLimits.codeBytesMax ? nil : text
    }
}

extension KindBody {
    func code(_ text: String) -> String? { EventDraft.code(text) }
}

/// A dot by the index of its replica in the ticket's table. `sequence` 0 stands for none.
struct Reference: Hashable {
    static let none = Reference(replica: 0, sequence: 0)

    var replica: UInt32
    // In halves: whole, it would take a quarter more.
    private let high: UInt32
    private let low: UInt32

    var sequence: UInt64 { UInt64(high) << 32 | UInt64(low) }

    init(replica: UInt32, sequence: UInt64) {
        self.replica = replica
        high = UInt32(sequence >> 32)
        low = UInt32(truncatingIfNeeded: sequence)
    }
}

/// One operation in a ticket's state: fixed size, no references to the heap, small, since a node holds a hundred thousand
/// of them while a backlog comes in. Indices point into the tables of the ticket; an index of 0 in `detail`, `text`,
/// `site` and `department` stands for none, n for entry n − 1.
struct Event: Hashable {
    var sequence: UInt64
    var previous: UInt64
    var time: UInt64
    var replica: UInt32
    var author: UInt32 = 0
    /// End of this event's slice of the ticket's `seenEntries`; it begins where the event before ends.
    var seenEnd: UInt32 = 0
    /// What only some operations say.
    var detail: UInt32 = 0
    var first = Reference.none
    var text: UInt32 = 0
    var site: UInt32 = 0
    var department: UInt32 = 0
    var kind: UInt16 = 0
    var field: UInt16 = 0
    var variant: UInt8 = 0
    private var flags = Flags()

    private struct Flags: OptionSet, Hashable {
        let rawValue: UInt8

        static let opaque = Flags(rawValue: 1 << 0)
        static let critical = Flags(rawValue: 1 << 1)
        static let imported = Flags(rawValue: 1 << 2)
        static let void = Flags(rawValue: 1 << 3)
    }

    init(replica: UInt32, sequence: UInt64, previous: UInt64, time: UInt64) {
        self.replica = replica
        self.sequence = sequence
        self.previous = previous
        self.time = time
    }

    var isOpaque: Bool {
        get { flags.contains(.opaque) }
        set { set(.opaque, newValue) }
    }

    var isCritical: Bool {
        get { flags.contains(.critical) }
        set { set(.critical, newValue) }
    }

    /// It happened when its detail says.
    var isImported: Bool {
        get { flags.contains(.imported) }
        set { set(.imported, newValue) }
    }

    /// Written beyond the last operation that counts of a replica that was revoked: it is kept, and nothing follows
    /// from it.
    var isVoid: Bool {
        get { flags.contains(.void) }
        set { set(.void, newValue) }
    }

    private mutating func set(_ flag: Flags, _ isSet: Bool) {
        if isSet { flags.insert(flag) } else { flags.remove(flag) }
    }

    /// Nil for a kind that this version cannot read.
    var known: Kind? { isOpaque ? nil : Kind(rawValue: kind) }

    /// While it counts, nobody edits the ticket here: it is critical, and nobody here can read it.
    var freezesTicket: Bool { isCritical && !isVoid && known == nil }
}

/// What one operation in five says beside what every event has.
struct EventDetail: Hashable {
    static let none = EventDetail()

    /// UTC milliseconds; 0 unless imported.
    var occurred: Int64 = 0
    var row: UInt64 = 0
    var number: Int64 = 0
    var secondNumber: Int64 = 0
    var entityHigh: UInt64 = 0
    var entityLow: UInt64 = 0
    var fields: UInt64 = 0
    var second = Reference.none
    var entityType: UInt8 = 0

    /// Nil if it names none.
    var entity: EntityID? {
        EntityType(rawValue: entityType).map { EntityID(type: $0, high: entityHigh, low: entityLow) }
    }
}

/// An author by indices into the ticket's table of texts.
struct AuthorEntry: Hashable, Comparable {
    var name: UInt32
    var site: UInt32
    var department: UInt32
    var catalogVersion: UInt32
    var role: UInt8
    var level: UInt8

    static func < (left: AuthorEntry, right: AuthorEntry) -> Bool {
        if left.name != right.name { return left.name < right.name }
        if left.site != right.site { return left.site < right.site }
        if left.department != right.department { return left.department < right.department }
        if left.catalogVersion != right.catalogVersion { return left.catalogVersion < right.catalogVersion }
        return (left.role, left.level) < (right.role, right.level)
    }
}

/// A text compared by its bytes: two texts that only look alike stay two, so that equal states have equal bytes.
struct Label: Hashable, Comparable {
    let text: String

    static func == (left: Label, right: Label) -> Bool { order(left.text, right.text) == 0 }
    static func < (left: Label, right: Label) -> Bool { order(left.text, right.text) < 0 }

    /// The same bytes; most texts that differ already differ in length.
    static func isSame(_ left: String, _ right: String) -> Bool {
        left.utf8.count == right.utf8.count && order(left, right) == 0
    }

    /// Negative, zero or positive by the bytes, over the strings' own storage: this runs for every look-up in a table.
    static func order(_ left: String, _ right: String) -> Int {
        let fast = left.utf8.withContiguousStorageIfAvailable { first in
            right.utf8.withContiguousStorageIfAvailable { second in
                for index in 0..<min(first.count, second.count) where first[index] != second[index] {
                    return first[index] < second[index] ? -1 : 1
                }
                return first.count - second.count
            }
        }
        if let fast, let fast { return fast }
        if left.utf8.elementsEqual(right.utf8) { return 0 }
        return left.utf8.lexicographicallyPrecedes(right.utf8) ? -1 : 1
    }

    func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
        hasher.combine(0xFF as UInt8)
    }
}
