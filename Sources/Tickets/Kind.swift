package import Replication

/// The kinds of operation this version knows, by their number on the wire.
///
/// A number is never given to something else. Source: Protocols/operations.md §4.
package enum Kind: UInt16, Sendable, CaseIterable {
    case open = 1
    case setField = 2
    case transfer = 3
    case delivered = 4
    case accept = 5
    case reply = 6
    case feedback = 7
    case close = 8
    case reopen = 9
    case chase = 10
    case acknowledgeChase = 11
    case answerChase = 12
    case note = 13
    case settle = 14
    case joinTwins = 15
    case separateTwins = 16
    case tag = 17
    case untag = 18
    case watch = 19
    case announce = 30
    case catalogDocument = 31
    case revoke = 32
    case proposeErasure = 33
    case confirmErasure = 34
    case journalAnchor = 35
    case introduceRoot = 38
    case retireRoot = 39

    /// Nil for a number that this version does not know.
    package init?(_ kind: OperationKind) {
        self.init(rawValue: kind.rawValue)
    }

    package var operationKind: OperationKind { OperationKind(rawValue: rawValue) }

    /// The types of entity that operations of this kind belong to.
    package var entityTypes: Set<EntityType> {
        switch self {
        case .announce, .revoke, .journalAnchor: [.replica]
        case .catalogDocument, .introduceRoot, .retireRoot: [.catalog]
        case .proposeErasure, .confirmErasure: [.customer, .ticket]
        case .open, .setField, .transfer, .delivered, .accept, .reply, .feedback, .close, .reopen, .chase,
            .acknowledgeChase, .answerChase, .note, .settle, .joinTwins, .separateTwins, .tag, .untag, .watch:
            [.ticket]
        }
    }

    /// Whether a node that does not know the kind must keep people from editing: those that move custody or status.
    package var isCritical: Bool {
        switch self {
        case .open, .transfer, .close, .reopen, .settle, .announce, .revoke: true
        case .setField, .delivered, .accept, .reply, .feedback, .chase, .acknowledgeChase, .answerChase, .note,
            .joinTwins, .separateTwins, .tag, .untag, .watch, .catalogDocument, .proposeErasure, .confirmErasure,
            .journalAnchor, .introduceRoot, .retireRoot:
            false
        }
    }
}
