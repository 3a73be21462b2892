package import Replication

/// Kind 14: of the transfers that lead away from a custody, one counts; it stands, also against what arrives later.
package struct SettleBody: Hashable, Sendable {
    package var custody: Dot
    /// The dot of the transfer that counts.
    package var winner: Dot
    package var reason: String
    package var occurrence: Occurrence?

    package init(custody: Dot, winner: Dot, reason: String = "", occurrence: Occurrence? = nil) {
        self.custody = custody
        self.winner = winner
        self.reason = reason
        self.occurrence = occurrence
    }
}

extension SettleBody: KindBody {
    static let kind = Kind.settle

    init(_ wire: WireSettle) throws(BodyFailure) {
        guard let custody = Dot(wire.custody) else { throw .invalid(.settle, field: "custody") }
        guard let winner = Dot(wire.winner) else { throw .invalid(.settle, field: "winner") }
        self.init(
            custody: custody, winner: winner, reason: wire.reason,
            occurrence: wire.hasOccurred ? Occurrence(wire.occurred) : nil)
    }

    var wire: WireSettle {
        var wire = WireSettle()
        wire.custody = custody.wire
        wire.winner = winner.wire
        wire.reason = reason
        if let occurrence { wire.occurred = occurrence.wire }
        return wire
    }

    func record(in draft: inout EventDraft) {
        draft.first = custody
        draft.second = winner
    }

    func validate() throws(Refusal) {
        guard !reason.allSatisfy(\.isWhitespace) else { throw .missing(.reason) }
        try Refusal.check(reason, nil)
    }
}
