package import Replication

/// Kind 16: takes back the edges to another ticket that its author had seen.
package struct SeparateTwinsBody: Hashable, Sendable {
    package var other: EntityID
    package var reason: String
    package var occurrence: Occurrence?

    package init(other: EntityID, reason: String = "", occurrence: Occurrence? = nil) {
        self.other = other
        self.reason = reason
        self.occurrence = occurrence
    }
}

extension SeparateTwinsBody: KindBody {
    static let kind = Kind.separateTwins

    init(_ wire: WireSeparateTwins) throws(BodyFailure) {
        guard let other = EntityID(wire.other) else { throw .invalid(.separateTwins, field: "other") }
        self.init(other: other, reason: wire.reason, occurrence: wire.hasOccurred ? Occurrence(wire.occurred) : nil)
    }

    var wire: WireSeparateTwins {
        var wire = WireSeparateTwins()
        wire.other = other.wire
        wire.reason = reason
        if let occurrence { wire.occurred = occurrence.wire }
        return wire
    }

    func record(in draft: inout EventDraft) {
        draft.entity = other
    }

    func validate() throws(Refusal) {
        try Refusal.check(reason, nil)
    }
}
