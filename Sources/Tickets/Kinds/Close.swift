/// Kind 8: confirmed and closed. Open and closed are the values of a multi-value register that kinds 8 and 9 write.
package struct CloseBody: Hashable, Sendable {
    /// Needed where no feedback came before it.
    package var reason: String
    package var isConfirmedByCustomer: Bool
    /// 1–5; 0 for not asked.
    package var score: UInt8
    package var occurrence: Occurrence?

    package init(
        reason: String = "", isConfirmedByCustomer: Bool = false, score: UInt8 = 0, occurrence: Occurrence? = nil
    ) {
        self.reason = reason
        self.isConfirmedByCustomer = isConfirmedByCustomer
        self.score = score
        self.occurrence = occurrence
    }
}

extension CloseBody: KindBody {
    static let kind = Kind.close

    init(_ wire: WireClose) throws(BodyFailure) {
        guard let score = UInt8(exactly: wire.score), score <= TicketLimits.scoreMax else {
            throw .invalid(.close, field: "score")
        }
        self.init(
            reason: wire.reason, isConfirmedByCustomer: wire.confirmedByCustomer, score: score,
            occurrence: wire.hasOccurred ? Occurrence(wire.occurred) : nil)
    }

    var wire: WireClose {
        var wire = WireClose()
        wire.reason = reason
        wire.confirmedByCustomer = isConfirmedByCustomer
        wire.score = UInt32(score)
        if let occurrence { wire.occurred = occurrence.wire }
        return wire
    }

    func record(in draft: inout EventDraft) {
        draft.variant = isConfirmedByCustomer ? 1 : 0
        draft.number = Int64(score)
    }

    func validate() throws(Refusal) {
        try Refusal.check(reason, nil)
        try Refusal.check(score: score)
    }
}
