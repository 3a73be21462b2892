/// Kind 18: removes the additions of a tag that its author had seen.
package struct UntagBody: Hashable, Sendable {
    package var tag: String
    package var occurrence: Occurrence?

    package init(tag: String = "", occurrence: Occurrence? = nil) {
        self.tag = tag
        self.occurrence = occurrence
    }
}

extension UntagBody: KindBody {
    static let kind = Kind.untag

    init(_ wire: WireUntag) throws(BodyFailure) {
        self.init(tag: wire.tag, occurrence: wire.hasOccurred ? Occurrence(wire.occurred) : nil)
    }

    var wire: WireUntag {
        var wire = WireUntag()
        wire.tag = tag
        if let occurrence { wire.occurred = occurrence.wire }
        return wire
    }

    func record(in draft: inout EventDraft) {
        draft.text = tag
    }
}
