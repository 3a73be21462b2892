/// Identity of one *incarnation* of a node: 64 random bits, drawn anew whenever a node starts a new history.
///
/// Source: Protocols/operations.md §1.
package struct ReplicaID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Sixteen lower-case hexadecimal digits, as they stand in logs and on the command line.
    package init?(hexadecimal text: String) {
        guard text.utf8.count == 16, let value = UInt64(text, radix: 16) else { return nil }
        rawValue = value
    }

    package var description: String {
        let digits = String(rawValue, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    package static func < (left: ReplicaID, right: ReplicaID) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// One operation's identity: who wrote it and the how-manieth of theirs it is (from 1, without a gap).
package struct Dot: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let replica: ReplicaID
    package let sequence: UInt64

    package init(_ replica: ReplicaID, _ sequence: UInt64) {
        self.replica = replica
        self.sequence = sequence
    }

    package var description: String { "\(replica):\(sequence)" }

    package static func < (left: Dot, right: Dot) -> Bool {
        left.replica == right.replica ? left.sequence < right.sequence : left.replica < right.replica
    }
}

/// What kind of thing an entity is; part of its identity and fixed for all versions.
package enum EntityType: UInt8, Sendable, CaseIterable {
    case ticket = 1
    case customer = 2
    case catalog = 3
    /// The history of replicas themselves: announcements of incarnations.
    case replica = 4
}

/// Identity of a ticket, a customer, a catalog document or a replica's announcement: a type and 128 bits.
///
/// A ticket opened by a person takes the dot that opened it; an imported one takes a keyed hash of source and key,
/// so that several offices importing one log name the same ticket.
package struct EntityID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let type: EntityType
    package let high: UInt64
    package let low: UInt64

    package init(type: EntityType, high: UInt64, low: UInt64) {
        self.type = type
        self.high = high
        self.low = low
    }

    package init(ticketOpenedBy dot: Dot) {
        self.init(type: .ticket, high: dot.replica.rawValue, low: dot.sequence)
    }

    package init(announcementOf replica: ReplicaID) {
        self.init(type: .replica, high: replica.rawValue, low: 0)
    }

    /// What an incarnation says of its own journal: apart from its announcement, since only those above get it.
    package init(journalOf replica: ReplicaID) {
        self.init(type: .replica, high: replica.rawValue, low: Self.journalHalf)
    }

    private static let journalHalf: UInt64 = 1

    package var isJournal: Bool { type == .replica && low == Self.journalHalf }

    /// `<type digit>-<32 hexadecimal digits>`: the form used in addresses and on the command line.
    package var description: String {
        "\(type.rawValue)-\(ReplicaID(high))\(ReplicaID(low))"
    }

    package init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].utf8.count == 32,
            let raw = UInt8(parts[0]), let type = EntityType(rawValue: raw),
            let high = UInt64(parts[1].prefix(16), radix: 16), let low = UInt64(parts[1].suffix(16), radix: 16)
        else { return nil }
        self.init(type: type, high: high, low: low)
    }

    package static func < (left: EntityID, right: EntityID) -> Bool {
        (left.type.rawValue, left.high, left.low) < (right.type.rawValue, right.high, right.low)
    }
}

/// A site's place in the tree, written like a host name from the inside out: `xihu.hz.zj` is the branch `xihu` of the
/// region `hz` of the province `zj`. The certificate's URI host is the same text.
package struct SiteCode: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: String

    /// Longest code accepted: the host part of a certificate's URI name.
    package static let utf8CountMax = 200
    /// Deepest tree: province, region, branch, and one level below.
    package static let labelCountMax = 4

    /// Nil unless each label is 1–63 of `a–z 0–9 -`, not starting or ending with `-`.
    package init?(_ text: String) {
        guard text.utf8.count <= Self.utf8CountMax else { return nil }
        let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard (1...Self.labelCountMax).contains(labels.count) else { return nil }
        for label in labels {
            guard (1...63).contains(label.count), label.first != UInt8(ascii: "-"), label.last != UInt8(ascii: "-")
            else {
                return nil
            }
            for byte in label {
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                    continue
                default: return nil
                }
            }
        }
        rawValue = text
    }

    /// For codes that this program itself has validated before (rows of its own store).
    package init(validated text: String) {
        rawValue = text
    }

    package var description: String { rawValue }

    /// 1 for a province, 2 for a region, 3 for a branch.
    package var depth: Int {
        rawValue.utf8.reduce(1) { $1 == UInt8(ascii: ".") ? $0 + 1 : $0 }
    }

    /// The site one level up; nil at the province.
    package var parent: SiteCode? {
        guard let dot = rawValue.firstIndex(of: ".") else { return nil }
        return SiteCode(validated: String(rawValue[rawValue.index(after: dot)...]))
    }

    /// True for the site itself and everything below `root`.
    package func isWithin(_ root: SiteCode) -> Bool {
        let own = rawValue.utf8
        let other = root.rawValue.utf8
        guard own.count >= other.count else { return false }
        guard own.suffix(other.count).elementsEqual(other) else { return false }
        return own.count == other.count || own.dropLast(other.count).last == UInt8(ascii: ".")
    }

    package static func < (left: SiteCode, right: SiteCode) -> Bool {
        left.rawValue < right.rawValue
    }
}
