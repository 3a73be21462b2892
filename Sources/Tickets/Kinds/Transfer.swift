package import Replication

/// Kind 3: custody goes from one department to another. The new custody is named by this operation's dot.
package struct TransferBody: Hashable, Sendable {
    package enum Variant: UInt8, Sendable, CaseIterable {
        /// 派单/再派单: along the planned route.
        case dispatch = 1
        /// 转派: a handling department passes it on.
        case onward = 2
        /// 退单: back to the one before, with a reason.
        case returning = 3
    }

    /// The custody it leads away from: the dot of an `open`, a `reopen` or a transfer.
    package var custody: Dot
    package var variant: Variant
    package var site: SiteCode
    package var department: String
    package var reason: String
    package var note: String
    package var occurrence: Occurrence?

    package init(
        custody: Dot, variant: Variant, site: SiteCode, department: String, reason: String = "", note: String = "",
        occurrence: Occurrence? = nil
    ) {
        self.custody = custody
        self.variant = variant
        self.site = site
        self.department = department
        self.reason = reason
        self.note = note
        self.occurrence = occurrence
    }
}

extension TransferBody: KindBody {
    static let kind = Kind.transfer

    init(_ wire: WireTransfer) throws(BodyFailure) {
        guard let custody = Dot(wire.custody) else { throw .invalid(.transfer, field: "custody") }
        guard let variant = UInt8(exactly: wire.variant.rawValue).flatMap(Variant.init) else {
            throw .invalid(.transfer, field: "variant")
        }
        guard let site = SiteCode(wire.site) else { throw .invalid(.transfer, field: "site") }
        self.init(
            custody: custody, variant: variant, site: site, department: wire.department, reason: wire.reason,
            note: wire.note, occurrence: wire.hasOccurred ? Occurrence(wire.occurred) : nil)
    }

    var wire: WireTransfer {
        var wire = WireTransfer()
        wire.custody = custody.wire
        wire.variant = WireTransferVariant(rawValue: Int(variant.rawValue)) ?? .unspecified
        wire.site = site.rawValue
        wire.department = department
        wire.reason = reason
        wire.note = note
        if let occurrence { wire.occurred = occurrence.wire }
        return wire
    }

    func record(in draft: inout EventDraft) {
        draft.first = custody
        draft.variant = variant.rawValue
        draft.site = site
        draft.department = department
    }

    func validate() throws(Refusal) {
        if variant == .returning, reason.allSatisfy(\.isWhitespace) { throw .missing(.returnReason) }
        guard !department.isEmpty else { throw .missing(.department) }
        for text in [department, reason, note] { try Refusal.check(text, nil) }
    }
}
