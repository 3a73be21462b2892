package import Replication

/// Kind 6: 回单, the result of a custody: of the handler, or of a department that relays it.
package struct ReplyBody: Hashable, Sendable {
    package var custody: Dot
    package var text: String
    package var occurrence: Occurrence?

    package init(custody: Dot, text: String = "", occurrence: Occurrence? = nil) {
        self.custody = custody
        self.text = text
        self.occurrence = occurrence
    }
}

extension ReplyBody: KindBody {
    static let kind = Kind.reply

    init(_ wire: WireReply) throws(BodyFailure) {
        guard let custody = Dot(wire.custody) else { throw .invalid(.reply, field: "custody") }
        self.init(custody: custody, text: wire.text, occurrence: wire.hasOccurred ? Occurrence(wire.occurred) : nil)
    }

    var wire: WireReply {
        var wire = WireReply()
        wire.custody = custody.wire
        wire.text = text
        if let occurrence { wire.occurred = occurrence.wire }
        return wire
    }

    func record(in draft: inout EventDraft) {
        draft.first = custody
    }

    func validate() throws(Refusal) {
        guard !text.allSatisfy(\.isWhitespace) else { throw .missing(.text) }
        try Refusal.check(text, nil)
    }
}
