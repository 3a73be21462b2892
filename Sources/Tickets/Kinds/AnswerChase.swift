package import Replication

/// Kind 12: the answer that is owed to whoever chased.
package struct AnswerChaseBody: Hashable, Sendable {
    package var chase: Dot
    package var text: String
    /// A newly promised time, UTC milliseconds.
    package var promised: Int64?
    package var occurrence: Occurrence?

    package init(chase: Dot, text: String = "", promised: Int64? = nil, occurrence: Occurrence? = nil) {
        self.chase = chase
        self.text = text
        self.promised = promised
        self.occurrence = occurrence
    }
}

extension AnswerChaseBody: KindBody {
    static let kind = Kind.answerChase

    init(_ wire: WireAnswerChase) throws(BodyFailure) {
        guard let chase = Dot(wire.chase) else { throw .invalid(.answerChase, field: "chase") }
        self.init(
            chase: chase, text: wire.text, promised: instant(wire.promisedMilliseconds),
            occurrence: wire.hasOccurred ? Occurrence(wire.occurred) : nil)
    }

    var wire: WireAnswerChase {
        var wire = WireAnswerChase()
        wire.chase = chase.wire
        wire.text = text
        wire.promisedMilliseconds = promised ?? 0
        if let occurrence { wire.occurred = occurrence.wire }
        return wire
    }

    func record(in draft: inout EventDraft) {
        draft.first = chase
        draft.number = promised
    }

    func validate() throws(Refusal) {
        guard !text.allSatisfy(\.isWhitespace) else { throw .missing(.text) }
        try Refusal.check(text, nil)
    }
}
