package import Replication

/// Where a ticket stands.
package enum TicketStatus: UInt8, Sendable, CaseIterable {
    case open = 1
    case inProgress = 2
    case replied = 3
    case fedBack = 4
    case closed = 5
}

/// Everything derived from a ticket's operations that does not depend on the present time. Instants are UTC
/// milliseconds.
///
/// Source: Protocols/tickets.md §2.
package struct TicketSummary: Hashable, Sendable {
    package let id: EntityID
    package var status = TicketStatus.open
    /// Nil while the operation that opened it has not arrived.
    package var opening: Opening?
    package var fields: [FieldState] = []
    /// Who holds it now; nil without an opening.
    package var custody: Custody?
    /// Every custody that took effect, the earliest first, over all cycles.
    package var path: [Custody] = []
    package var contested: [ContestedTransfer] = []
    /// How often A→B→A happened anywhere in the tree of custodies.
    package var bounceCount = 0
    /// The site that alone may transfer it since it bounced too often.
    package var lockedToArbiter: SiteCode?
    package var chases: [ChaseState] = []
    package var onwardTransferCount = 0
    package var returnCount = 0
    package var reopenedCount = 0
    package var cycles: [Cycle] = []
    package var steps: [StepInterval] = []
    package var links: [LinkInterval] = []
    /// Which case of R3 the route is, from when on.
    package var routes: [RouteChange] = []
    /// Tickets that this one is joined to, ascending.
    package var twins: [EntityID] = []
    package var tags: [String] = []
    package var watchers: [Watcher] = []
    package var notes: [Dot] = []
    /// An unknown critical kind is present: it is shown, and nobody edits it before an upgrade.
    package var isFrozenForEditing = false
    package var operationCount = 0
    package var opaqueCount = 0
    /// Operations that do not count, because their replica was revoked before them.
    package var voidCount = 0
    /// Operations that an import brought a second time; stored, and counted nowhere.
    package var duplicateCount = 0
    /// The latest instant of any operation, 0 if there is none.
    package var lastChange: Int64 = 0

    package init(id: EntityID) {
        self.id = id
    }

    /// The operation that opened it is still on its way.
    package var isPending: Bool { opening == nil }
    package var hasUnansweredChase: Bool { chases.contains { !$0.isAnswered } }
    /// Fields with several surviving values.
    package var conflicts: [FieldState] { fields.filter { $0.writes.count > 1 } }
    package var hasConflict: Bool { fields.contains { $0.writes.count > 1 } }

    package func state(of field: Field) -> FieldState? {
        fields.first { $0.field == field }
    }

    /// The operation whose value of the field is shown first.
    package func displayedWrite(_ field: Field) -> Dot? { state(of: field)?.displayed }
    package var category: String? { state(of: .category)?.text }
    package var responsibleDepartment: String? { state(of: .responsibleDepartment)?.text }
    package var responsibleCause: String? { state(of: .responsibleCause)?.text }
    package var promised: Int64? { state(of: .promisedTime)?.number }
    package var urgency: Urgency {
        state(of: .urgency)?.number.flatMap { UInt8(exactly: $0) }.flatMap(Urgency.init) ?? .unknown
    }

    /// What a site has received and not acknowledged: transfers to it, and chases while it holds the ticket.
    package func receiptsOwed(by site: SiteCode) -> [Dot] {
        let transfers = links.filter { $0.delivered == nil && isTarget(site, of: $0.transfer) }.map(\.transfer)
        guard custody?.site == site else { return transfers }
        return transfers + chases.filter { !$0.isDelivered }.map(\.dot)
    }

    private func isTarget(_ site: SiteCode, of transfer: Dot) -> Bool {
        path.contains { $0.id == transfer && $0.site == site }
    }

    package struct Opening: Hashable, Sendable {
        package var dot: Dot
        package var at: Int64
        package var site: SiteCode
        /// The accepting department.
        package var department: String
        package var author: String
        package var customer: EntityID?
        /// Where the customer clock starts: the first contact, or the opening.
        package var firstContact: Int64
        package var isImported: Bool
    }

    package struct FieldState: Hashable, Sendable {
        package var field: Field
        /// The write shown first: the latest, ties by the greater dot.
        package var displayed: Dot
        package var at: Int64
        /// The displayed value where it is a short code; other texts are read from the operation.
        package var text: String?
        /// The displayed value where it is a number.
        package var number: Int64?
        /// Surviving writes, ascending; more than one is a conflict.
        package var writes: [Dot]
    }

    package struct Watcher: Hashable, Sendable {
        package var name: String
        package var site: SiteCode?
    }

    /// From an opening or reopening to the next.
    package struct Cycle: Hashable, Sendable {
        /// The dot of the opening or reopening.
        package var dot: Dot
        package var start: Int64
        /// End of the feedback to the customer.
        package var fedBack: Int64?
        package var closed: Int64?
    }
}

/// A department holds the ticket.
package struct Custody: Hashable, Sendable {
    /// The dot of the opening, reopening or transfer that made it.
    package var id: Dot
    package var parent: Dot?
    package var cycle: Int
    /// How it came about; nil for the root of a cycle.
    package var variant: TransferBody.Variant?
    package var site: SiteCode
    package var department: String
    /// When it was handed over by the one before.
    package var since: Int64
    /// When it was visible at the receiving site; the department's clock starts there. Nil while it travels.
    package var delivered: Int64?
    /// There is no receipt; `delivered` was taken from what the site did later.
    package var isReceiptMissing: Bool
    package var accepted: Int64?
    /// Who accepted it.
    package var person: String?
    package var replied: Int64?
    /// When it was handed on, nil for the last of its cycle.
    package var left: Int64?
    /// It won over another transfer and nobody has settled that yet (also if that happened further up its path).
    package var isContested: Bool
}

/// Several transfers lead away from one custody, none of whose authors had seen the other.
package struct ContestedTransfer: Hashable, Sendable {
    package struct Candidate: Hashable, Sendable {
        package var dot: Dot
        package var site: SiteCode
        package var department: String
        package var author: String
        package var authorSite: SiteCode
        package var level: AuthorityLevel
        package var at: Int64
        package var isAccepted: Bool
    }

    package var parent: Dot
    /// Ascending by dot.
    package var candidates: [Candidate]
    package var winner: Dot
    /// The settlement that chose the winner.
    package var settlement: Dot?
    package var settledAt: Int64?
    package var settlementLevel: AuthorityLevel?
    /// Whose decision it is: the lowest site that all the contesting ones lie within.
    package var arbiter: SiteCode?

    package var isSettled: Bool { settlement != nil }
}

/// One chase, in however many operations it was recorded.
package struct ChaseState: Hashable, Sendable {
    /// The earliest record.
    package var dot: Dot
    /// All records of it, ascending; each may carry a note.
    package var records: [Dot]
    package var customer: EntityID?
    package var window: Int64
    package var at: Int64
    package var author: String
    package var site: SiteCode
    package var promised: Int64?
    /// The custody that held the ticket when it was made.
    package var custody: Dot?
    /// The holder's site has it: a receipt, an answer, or another operation of that site that has seen it.
    package var isDelivered: Bool
    package var isAcknowledged: Bool
    package var isAnswered: Bool
}

/// A step of the flow with a limit of its own.
package enum Step: UInt8, Sendable, CaseIterable, Codable {
    /// 派单
    case dispatch = 1
    /// 再派单
    case redispatch = 2
    /// 处理
    case handling = 3
    /// 回单
    case reply = 4
    /// 反馈
    case feedback = 5
}

/// How long a department had a step.
package struct StepInterval: Hashable, Sendable {
    package var step: Step
    package var cycle: Int
    package var custody: Dot
    package var site: SiteCode
    package var department: String
    package var start: Int64
    /// Nil while it runs.
    package var end: Int64?
    /// Charged to nobody until the transfer is settled.
    package var isContested: Bool
    /// There is no receipt for its start, or clocks disagree about the order of its ends.
    package var isUncertain: Bool
}

/// A transfer on its way: charged to nobody.
package struct LinkInterval: Hashable, Sendable {
    package var transfer: Dot
    package var sent: Int64
    package var delivered: Int64?
}

/// The case of a route, chosen from the way really taken.
package enum RouteCase: UInt8, Sendable, CaseIterable, Codable {
    /// The accepting desk handles it itself.
    case desk = 1
    /// One handling department.
    case direct = 2
    /// Two handling departments, one of which relays.
    case relayed = 3
}

/// From this instant on the cycle's route is of this case.
package struct RouteChange: Hashable, Sendable {
    package var cycle: Int
    package var route: RouteCase
    package var from: Int64
}
