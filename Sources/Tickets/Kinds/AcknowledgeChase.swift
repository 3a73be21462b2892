package import Replication

/// Kind 11: whoever holds the ticket has taken note of a chase.
package struct AcknowledgeChaseBody: Hashable, Sendable {
    package var chase: Dot
    package var occurrence: Occurrence?

    package init(chase: Dot, occurrence: Occurrence? = nil) {
        self.chase = chase
        self.occurrence = occurrence
    }
}

extension AcknowledgeChaseBody: KindBody {
    static let kind = Kind.acknowledgeChase

    init(_ wire: WireAcknowledgeChase) throws(BodyFailure) {
        guard let chase = Dot(wire.chase) else { throw .invalid(.acknowledgeChase, field: "chase") }
        self.init(chase: chase, occurrence: wire.hasOccurred ? Occurrence(wire.occurred) : nil)
    }

    var wire: WireAcknowledgeChase {
        var wire = WireAcknowledgeChase()
        wire.chase = chase.wire
        if let occurrence { wire.occurred = occurrence.wire }
        return wire
    }

    func record(in draft: inout EventDraft) {
        draft.first = chase
    }
}
