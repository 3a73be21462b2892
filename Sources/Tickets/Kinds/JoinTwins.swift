package import Replication

/// Kind 15: this ticket and another are about the same case: an edge of an add-wins set.
package struct JoinTwinsBody: Hashable, Sendable {
    package var other: EntityID
    package var reason: String
    package var occurrence: Occurrence?

    package init(other: EntityID, reason: String = "", occurrence: Occurrence? = nil) {
        self.other = other
        self.reason = reason
        self.occurrence = occurrence
    }
}

extension JoinTwinsBody: KindBody {
    static let kind = Kind.joinTwins

    init(_ wire: WireJoinTwins) throws(BodyFailure) {
        guard let other = EntityID(wire.other) else { throw .invalid(.joinTwins, field: "other") }
        self.init(other: other, reason: wire.reason, occurrence: wire.hasOccurred ? Occurrence(wire.occurred) : nil)
    }

    var wire: WireJoinTwins {
        var wire = WireJoinTwins()
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
