package import Replication

/// Kind 5: somebody of the holding department takes the ticket.
package struct AcceptBody: Hashable, Sendable {
    package var custody: Dot
    package var occurrence: Occurrence?

    package init(custody: Dot, occurrence: Occurrence? = nil) {
        self.custody = custody
        self.occurrence = occurrence
    }
}

extension AcceptBody: KindBody {
    static let kind = Kind.accept

    init(_ wire: WireAccept) throws(BodyFailure) {
        guard let custody = Dot(wire.custody) else { throw .invalid(.accept, field: "custody") }
        self.init(custody: custody, occurrence: wire.hasOccurred ? Occurrence(wire.occurred) : nil)
    }

    var wire: WireAccept {
        var wire = WireAccept()
        wire.custody = custody.wire
        if let occurrence { wire.occurred = occurrence.wire }
        return wire
    }

    func record(in draft: inout EventDraft) {
        draft.first = custody
    }
}
