internal import Foundation
package import Replication

/// Kind 33: an admin asks that the person behind an entity be erased.
///
/// Source: Protocols/personal-data.md §6.
package struct ProposeErasureBody: Hashable, Sendable {
    /// Keys that are to go, ascending.
    package var keys: [PersonalKeyID]
    package var reason: String

    package init(keys: [PersonalKeyID], reason: String = "") {
        self.keys = keys
        self.reason = reason
    }
}

extension ProposeErasureBody: KindBody {
    static let kind = Kind.proposeErasure
    var occurrence: Occurrence? { nil }

    init(_ wire: WireProposeErasure) throws(BodyFailure) {
        guard wire.keys.count <= ErasureLimits.keyCountMax else { throw .invalid(.proposeErasure, field: "keys") }
        var keys: [PersonalKeyID] = []
        for bytes in wire.keys {
            guard let key = PersonalKeyID(bytes) else { throw .invalid(.proposeErasure, field: "keys") }
            keys.append(key)
        }
        self.init(keys: keys, reason: wire.reason)
    }

    var wire: WireProposeErasure {
        var wire = WireProposeErasure()
        for key in keys { wire.keys.append(.init(key.bytes)) }
        wire.reason = reason
        return wire
    }

    func validate() throws(Refusal) {
        guard !keys.isEmpty, keys.count <= ErasureLimits.keyCountMax else { throw .nothingToErase }
        try Refusal.check(reason, nil)
    }
}

/// Kind 34: another admin agrees. From then on the keys are gone.
///
/// Source: Protocols/personal-data.md §6.
package struct ConfirmErasureBody: Hashable, Sendable {
    package var proposal: Dot

    package init(proposal: Dot) {
        self.proposal = proposal
    }
}

extension ConfirmErasureBody: KindBody {
    static let kind = Kind.confirmErasure
    var occurrence: Occurrence? { nil }

    init(_ wire: WireConfirmErasure) throws(BodyFailure) {
        guard wire.hasProposal, let proposal = Dot(wire.proposal) else {
            throw .invalid(.confirmErasure, field: "proposal")
        }
        self.init(proposal: proposal)
    }

    var wire: WireConfirmErasure {
        var wire = WireConfirmErasure()
        wire.proposal = proposal.wire
        return wire
    }

    func record(in draft: inout EventDraft) {
        draft.first = proposal
    }
}

/// Limits of erasing; listed in Protocols/limits.md.
package enum ErasureLimits {
    /// Keys of one proposal: a customer mostly has one.
    package static let keyCountMax = 1_024
}
