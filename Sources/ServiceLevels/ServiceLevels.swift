package import Replication
package import Tickets

/// What can be said of a limit at some instant.
package enum VerdictState: UInt8, Sendable, CaseIterable {
    /// Done within the limit.
    case met = 1
    case running = 2
    /// Running, with most of the limit used up.
    case warning = 3
    /// Done too late.
    case late = 4
    /// Running beyond the limit.
    case overdue = 5
    /// Clocks disagree or a receipt is missing: shown, and counted nowhere.
    case uncertain = 6
    /// A transfer is contested: charged to nobody until it is settled.
    case contested = 7

    /// Whether the clock still runs for it.
    package var isRunning: Bool {
        switch self {
        case .running, .warning, .overdue: true
        case .met, .late, .uncertain, .contested: false
        }
    }
}

/// What a limit is about.
package enum LimitSubject: Hashable, Sendable {
    case step(Step)
    /// All that one department held the ticket in a cycle.
    case departmentTotal
    /// From the form to the end of feedback.
    case ticket
}

/// One limit of a ticket and how it stands. Instants are UTC milliseconds, durations milliseconds.
package struct StepVerdict: Hashable, Sendable {
    package var subject: LimitSubject
    package var cycle: Int
    /// The custody of a step; of a total the first one; of the ticket the cycle's root.
    package var custody: Dot
    package var site: SiteCode
    package var department: String
    package var started: Int64
    /// When the limit is used up; for a total that does not run now, when it was or never (nil).
    package var due: Int64?
    /// When most of it is used up.
    package var warned: Int64?
    package var ended: Int64?
    package var state: VerdictState
    package var elapsedMilliseconds: Int64
    package var limitMilliseconds: Int64

    package var isBreach: Bool { state == .late || state == .overdue }
}

/// The three clocks of a ticket at an instant, in milliseconds.
package struct TicketClocks: Hashable, Sendable {
    package struct DepartmentClock: Hashable, Sendable {
        package var site: SiteCode
        package var department: String
        package var milliseconds: Int64
    }

    /// What each department held, contested time left out.
    package var departments: [DepartmentClock]
    /// Between sending and delivery: charged to nobody.
    package var link: Int64
    /// Since the first contact; never stops.
    package var customer: Int64
    /// From the form to the end of feedback, of all cycles.
    package var ticket: Int64
}

/// How a whole ticket stands at an instant.
package struct ServiceLevelStatus: Hashable, Sendable {
    /// The worst of what still runs, or of what was done if nothing does.
    package var worst: VerdictState?
    /// When a verdict changes next with nothing happening: a warning or a limit. Nil if nothing will.
    package var nextDeadline: Int64?
    package var verdicts: [StepVerdict]
    package var clocks: TicketClocks
}

/// Every limit that applies to a ticket, as it stands at `now`. Nothing of this is ever written.
/// - Parameter now: UTC milliseconds.
/// - Returns: steps in the order of the flow, then department totals, then the ticket, cycle by cycle.
/// Source: Protocols/service-levels.md §1–§3. O(steps²).
package func deadlines(_ summary: TicketSummary, _ catalog: Catalog, now: Int64) -> [StepVerdict] {
    Deadlines(summary: summary, catalog: catalog, now: now).all()
}

package func ticketStatus(_ summary: TicketSummary, _ catalog: Catalog, now: Int64) -> ServiceLevelStatus {
    let verdicts = deadlines(summary, catalog, now: now)
    let running = verdicts.filter(\.state.isRunning)
    let severity: [VerdictState] = [.overdue, .late, .warning, .uncertain, .contested, .running, .met]
    let considered = running.isEmpty ? verdicts : running
    let next = running.flatMap { [$0.warned, $0.due] }.compactMap { $0 }.filter { $0 > now }.min()
    return ServiceLevelStatus(
        worst: severity.first { state in considered.contains { $0.state == state } }, nextDeadline: next,
        verdicts: verdicts, clocks: clocks(of: summary, now: now))
}

/// The department, link and customer clocks.
package func clocks(of summary: TicketSummary, now: Int64) -> TicketClocks {
    var departments: [TicketClocks.DepartmentClock] = []
    for step in summary.steps where !step.isContested {
        let milliseconds = max(0, (step.end ?? now) - step.start)
        let index = departments.firstIndex { $0.site == step.site && $0.department == step.department }
        if let index {
            departments[index].milliseconds += milliseconds
        } else {
            departments.append(
                TicketClocks.DepartmentClock(
                    site: step.site, department: step.department, milliseconds: milliseconds))
        }
    }
    var link: Int64 = 0
    for interval in summary.links { link += max(0, (interval.delivered ?? now) - interval.sent) }
    var ticket: Int64 = 0
    for cycle in summary.cycles { ticket += max(0, (cycle.fedBack ?? cycle.closed ?? now) - cycle.start) }
    let customer = summary.opening.map { max(0, now - $0.firstContact) } ?? 0
    return TicketClocks(departments: departments, link: link, customer: customer, ticket: ticket)
}

/// What has ended and counts in its period: the steps that are done, and once a cycle is fed back or closed its
/// department totals and the ticket's own limit. Independent of the present time; for rollups. O(steps).
package func endedVerdicts(_ summary: TicketSummary, _ catalog: Catalog) -> [StepVerdict] {
    let deadlines = Deadlines(summary: summary, catalog: catalog, now: 0)
    var result: [StepVerdict] = []
    for step in summary.steps where step.end != nil { result.append(deadlines.verdict(step)) }
    for (index, cycle) in summary.cycles.enumerated() where cycle.fedBack != nil || cycle.closed != nil {
        let steps = summary.steps.filter { $0.cycle == index }
        for total in deadlines.totals(steps, index) where total.ended != nil { result.append(total) }
        if let whole = deadlines.whole(index), whole.ended != nil { result.append(whole) }
    }
    return result
}
