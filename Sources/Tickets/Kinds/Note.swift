/// Kind 13: a handling note. Notes only grow; the state keeps their dots.
package struct NoteBody: Hashable, Sendable {
    package var text: String
    package var occurrence: Occurrence?

    package init(text: String = "", occurrence: Occurrence? = nil) {
        self.text = text
        self.occurrence = occurrence
    }
}

extension NoteBody: KindBody {
    static let kind = Kind.note

    init(_ wire: WireNote) throws(BodyFailure) {
        self.init(text: wire.text, occurrence: wire.hasOccurred ? Occurrence(wire.occurred) : nil)
    }

    var wire: WireNote {
        var wire = WireNote()
        wire.text = text
        if let occurrence { wire.occurred = occurrence.wire }
        return wire
    }

    func validate() throws(Refusal) {
        guard !text.allSatisfy(\.isWhitespace) else { throw .missing(.text) }
        try Refusal.check(text, nil)
    }
}
