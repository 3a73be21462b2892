package import Replication

/// Kind 19: somebody follows the ticket, or stops. Watchers are an add-wins set.
package struct WatchBody: Hashable, Sendable {
    package var name: String
    package var site: SiteCode?
    package var ends: Bool
    package var occurrence: Occurrence?

    package init(name: String = "", site: SiteCode? = nil, ends: Bool = false, occurrence: Occurrence? = nil) {
        self.name = name
        self.site = site
        self.ends = ends
        self.occurrence = occurrence
    }
}

extension WatchBody: KindBody {
    static let kind = Kind.watch

    init(_ wire: WireWatch) throws(BodyFailure) {
        let site = SiteCode(wire.site)
        guard site != nil || wire.site.isEmpty else { throw .invalid(.watch, field: "site") }
        self.init(
            name: wire.name, site: site, ends: wire.ends, occurrence: wire.hasOccurred ? Occurrence(wire.occurred) : nil
        )
    }

    var wire: WireWatch {
        var wire = WireWatch()
        wire.name = name
        wire.site = site?.rawValue ?? ""
        wire.ends = ends
        if let occurrence { wire.occurred = occurrence.wire }
        return wire
    }

    func record(in draft: inout EventDraft) {
        draft.text = name
        draft.site = site
        draft.variant = ends ? 1 : 0
    }

    func validate() throws(Refusal) {
        guard !name.allSatisfy(\.isWhitespace) else { throw .missing(.name) }
        try Refusal.check(name, nil)
    }
}
