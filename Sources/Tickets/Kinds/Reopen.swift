package import Replication

/// Kind 9: a new cycle with a custody of its own, named by the dot of this operation; old results stand.
package struct ReopenBody: Hashable, Sendable {
    package var reason: String
    /// Where the new cycle starts; nil for the accepting site.
    package var site: SiteCode?
    /// Empty for the accepting department.
    package var department: String
    package var occurrence: Occurrence?

    package init(reason: String = "", site: SiteCode? = nil, department: String = "", occurrence: Occurrence? = nil) {
        self.reason = reason
        self.site = site
        self.department = department
        self.occurrence = occurrence
    }
}

extension ReopenBody: KindBody {
    static let kind = Kind.reopen

    init(_ wire: WireReopen) throws(BodyFailure) {
        let site = SiteCode(wire.site)
        guard site != nil || wire.site.isEmpty else { throw .invalid(.reopen, field: "site") }
        self.init(
            reason: wire.reason, site: site, department: wire.department,
            occurrence: wire.hasOccurred ? Occurrence(wire.occurred) : nil)
    }

    var wire: WireReopen {
        var wire = WireReopen()
        wire.reason = reason
        wire.site = site?.rawValue ?? ""
        wire.department = department
        if let occurrence { wire.occurred = occurrence.wire }
        return wire
    }

    func record(in draft: inout EventDraft) {
        draft.site = site
        draft.department = department
    }

    func validate() throws(Refusal) {
        guard !reason.allSatisfy(\.isWhitespace) else { throw .missing(.reason) }
        try Refusal.check(reason, nil)
        try Refusal.check(department, nil)
    }
}
