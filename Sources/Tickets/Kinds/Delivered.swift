package import Replication

/// Kind 4: a transfer (or a chase) is visible at a caught-up node of the receiving site. Of several receipts the earliest
/// counts; the department clock starts there.
package struct DeliveredBody: Hashable, Sendable {
    /// The dot of the transfer or chase.
    package var target: Dot
    package var occurrence: Occurrence?

    package init(target: Dot, occurrence: Occurrence? = nil) {
        self.target = target
        self.occurrence = occurrence
    }
}

extension DeliveredBody: KindBody {
    static let kind = Kind.delivered

    init(_ wire: WireDelivered) throws(BodyFailure) {
        guard let target = Dot(wire.target) else { throw .invalid(.delivered, field: "target") }
        self.init(target: target, occurrence: wire.hasOccurred ? Occurrence(wire.occurred) : nil)
    }

    var wire: WireDelivered {
        var wire = WireDelivered()
        wire.target = target.wire
        if let occurrence { wire.occurred = occurrence.wire }
        return wire
    }

    func record(in draft: inout EventDraft) {
        draft.first = target
    }
}
