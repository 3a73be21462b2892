/// Kind 7: 反馈, the customer was told the result. Ends the own clock of the ticket.
package struct FeedbackBody: Hashable, Sendable {
    package var text: String
    package var channel: String
    /// 1–5; 0 for not asked.
    package var score: UInt8
    package var occurrence: Occurrence?

    package init(text: String = "", channel: String = "", score: UInt8 = 0, occurrence: Occurrence? = nil) {
        self.text = text
        self.channel = channel
        self.score = score
        self.occurrence = occurrence
    }
}

extension FeedbackBody: KindBody {
    static let kind = Kind.feedback

    init(_ wire: WireFeedback) throws(BodyFailure) {
        guard let score = UInt8(exactly: wire.score), score <= TicketLimits.scoreMax else {
            throw .invalid(.feedback, field: "score")
        }
        self.init(
            text: wire.text, channel: wire.channel, score: score,
            occurrence: wire.hasOccurred ? Occurrence(wire.occurred) : nil)
    }

    var wire: WireFeedback {
        var wire = WireFeedback()
        wire.text = text
        wire.channel = channel
        wire.score = UInt32(score)
        if let occurrence { wire.occurred = occurrence.wire }
        return wire
    }

    func record(in draft: inout EventDraft) {
        draft.number = Int64(score)
    }

    func validate() throws(Refusal) {
        guard !text.allSatisfy(\.isWhitespace) else { throw .missing(.text) }
        try Refusal.check(text, nil)
        try Refusal.check(channel, nil)
        try Refusal.check(score: score)
    }
}
