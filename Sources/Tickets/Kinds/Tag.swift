/// Kind 17: adds a tag. Tags are an add-wins set.
package struct TagBody: Hashable, Sendable {
    package var tag: String
    package var occurrence: Occurrence?

    package init(tag: String = "", occurrence: Occurrence? = nil) {
        self.tag = tag
        self.occurrence = occurrence
    }
}

extension TagBody: KindBody {
    static let kind = Kind.tag

    init(_ wire: WireTag) throws(BodyFailure) {
        self.init(tag: wire.tag, occurrence: wire.hasOccurred ? Occurrence(wire.occurred) : nil)
    }

    var wire: WireTag {
        var wire = WireTag()
        wire.tag = tag
        if let occurrence { wire.occurred = occurrence.wire }
        return wire
    }

    func record(in draft: inout EventDraft) {
        draft.text = tag
    }

    package func validate() throws(Refusal) {
        guard !tag.allSatisfy(\.isWhitespace) else { throw .missing(.tag) }
        try Refusal.check(tag, nil)
    }
}
