internal import Replication
internal import Tickets

/// Works the limits out for one ticket at one instant.
struct Deadlines {
    let summary: TicketSummary
    let catalog: Catalog
    let now: Int64

    func all() -> [StepVerdict] {
        var result: [StepVerdict] = []
        for cycle in summary.cycles.indices {
            let steps = summary.steps.filter { $0.cycle == cycle }
            result += steps.map(verdict)
            result += totals(steps, cycle)
            if let whole = whole(cycle) { result.append(whole) }
        }
        return result
    }

    func verdict(_ step: StepInterval) -> StepVerdict {
        let hours = catalog.workingHours?[step.department]
        let limit = Int64(catalog.limits.minutes(step.step)) * 60_000
        let due = WorkingTime.instant(limit, after: step.start, in: hours)
        let warned = WorkingTime.instant(warning(limit), after: step.start, in: hours)
        let elapsed = WorkingTime.elapsed(from: step.start, to: max(step.start, step.end ?? now), in: hours)
        return StepVerdict(
            subject: .step(step.step), cycle: step.cycle, custody: step.custody, site: step.site,
            department: step.department, started: step.start, due: due, warned: warned, ended: step.end,
            state: state(
                due: due, warned: warned, ended: step.end, isUncertain: step.isUncertain,
                isContested: step.isContested),
            elapsedMilliseconds: elapsed, limitMilliseconds: limit)
    }

    private func warning(_ limit: Int64) -> Int64 { Int64(Double(limit) * catalog.warningFraction) }

    /// On the instant itself the limit is still kept.
    private func state(
        due: Int64?, warned: Int64?, ended: Int64?, isUncertain: Bool, isContested: Bool
    ) -> VerdictState {
        if isContested { return .contested }
        if isUncertain { return .uncertain }
        let last = ended ?? now
        let isOver = due.map { last > $0 } ?? false
        if ended != nil { return isOver ? .late : .met }
        if isOver { return .overdue }
        return warned.map { now >= $0 } ?? false ? .warning : .running
    }

    /// > the sum of its holdings, not a deadline from the opening
    func totals(_ steps: [StepInterval], _ cycle: Int) -> [StepVerdict] {
        guard let desk = summary.path.first(where: { $0.cycle == cycle }) else { return [] }
        var result: [StepVerdict] = []
        for (index, step) in steps.enumerated() {
            let isFirst = !steps[..<index].contains { $0.site == step.site && $0.department == step.department }
            guard isFirst else { continue }
            let own = steps.filter { $0.site == step.site && $0.department == step.department }
            let isAccepting = step.site == desk.site && step.department == desk.department
            result.append(total(own, cycle, isAccepting: isAccepting))
        }
        return result
    }

    private func total(_ own: [StepInterval], _ cycle: Int, isAccepting: Bool) -> StepVerdict {
        let intervals = own.filter { !$0.isContested }.sorted { $0.start < $1.start }
        let hours = catalog.workingHours?[own[0].department]
        var account = HoldingAccount(hours: hours, warningFraction: catalog.warningFraction)
        for phase in phases(cycle, isAccepting: isAccepting) { account.limits.append(phase) }
        for interval in intervals { account.add(from: interval.start, to: interval.end, now: now) }
        let isRunning = intervals.contains { $0.end == nil }
        let ended = isRunning ? nil : intervals.compactMap(\.end).max()
        let state: VerdictState =
            if intervals.isEmpty {
                .contested
            } else if own.contains(where: \.isUncertain) {
                .uncertain
            } else if let exceeded = account.exceeded, exceeded < (ended ?? now) {
                isRunning ? .overdue : .late
            } else if isRunning {
                account.warned.map { now >= $0 } ?? false ? .warning : .running
            } else {
                .met
            }
        return StepVerdict(
            subject: .departmentTotal, cycle: cycle, custody: own[0].custody, site: own[0].site,
            department: own[0].department, started: own[0].start, due: account.exceeded, warned: account.warned,
            ended: ended, state: state, elapsedMilliseconds: account.elapsed,
            limitMilliseconds: account.limits.last?.milliseconds ?? 0)
    }

    /// The limits in force one after the other: a transfer that changes the case changes them from then on.
    private func phases(_ cycle: Int, isAccepting: Bool) -> [HoldingAccount.Limit] {
        summary.routes.filter { $0.cycle == cycle }.map { change in
            let totals = catalog.totals.totals(change.route)
            let minutes = isAccepting ? totals.acceptingMinutes : totals.handlingMinutes
            return HoldingAccount.Limit(from: change.from, milliseconds: Int64(minutes) * 60_000)
        }
    }

    /// > The ticket's clock runs from the submitted form to the end of feedback
    func whole(_ cycle: Int) -> StepVerdict? {
        let state = summary.cycles[cycle]
        guard let desk = summary.path.first(where: { $0.cycle == cycle }) else { return nil }
        let hours = catalog.workingHours?[desk.department]
        var account = HoldingAccount(hours: hours, warningFraction: catalog.warningFraction)
        account.limits = summary.routes.filter { $0.cycle == cycle }.map { change in
            HoldingAccount.Limit(
                from: change.from, milliseconds: Int64(catalog.totals.totals(change.route).ticketMinutes) * 60_000)
        }
        let ended = state.fedBack ?? state.closed
        account.add(from: state.start, to: ended, now: now)
        let own = summary.steps.filter { $0.cycle == cycle }
        let verdict = self.state(
            due: account.exceeded, warned: account.warned, ended: ended,
            isUncertain: ended.map { $0 < state.start } ?? false, isContested: own.contains(where: \.isContested))
        return StepVerdict(
            subject: .ticket, cycle: cycle, custody: desk.id, site: desk.site, department: desk.department,
            started: state.start, due: account.exceeded, warned: account.warned, ended: ended, state: verdict,
            elapsedMilliseconds: account.elapsed, limitMilliseconds: account.limits.last?.milliseconds ?? 0)
    }
}

/// Adds holdings up against limits that may change on the way. Nobody turns late backwards: a stricter limit counts
/// only what is held after it came into force.
struct HoldingAccount {
    struct Limit {
        /// UTC milliseconds from which on it holds.
        var from: Int64
        var milliseconds: Int64
    }

    let hours: WorkingHours?
    let warningFraction: Double
    /// Ascending by `from`.
    var limits: [Limit] = []
    private(set) var elapsed: Int64 = 0
    /// When the limit in force is or will be used up, if the last holding goes on.
    private(set) var exceeded: Int64?
    private(set) var warned: Int64?

    init(hours: WorkingHours?, warningFraction: Double) {
        self.hours = hours
        self.warningFraction = warningFraction
    }

    /// - Parameter end: nil for a holding that runs; then the instants may lie ahead of `now`.
    mutating func add(from start: Int64, to end: Int64?, now: Int64) {
        for (index, limit) in limits.enumerated() {
            let isLast = index == limits.count - 1
            let first = index == 0 ? start : max(start, limit.from)
            let until = isLast ? end : min(end ?? limits[index + 1].from, limits[index + 1].from)
            if let until, until <= first { continue }
            cross(limit.milliseconds, from: first, until: until)
            elapsed += WorkingTime.elapsed(from: first, to: max(first, until ?? now), in: hours)
        }
    }

    private mutating func cross(_ limit: Int64, from start: Int64, until end: Int64?) {
        let fraction = Int64(Double(limit) * warningFraction)
        let late = WorkingTime.instant(max(0, limit - elapsed), after: start, in: hours)
        let near = WorkingTime.instant(max(0, fraction - elapsed), after: start, in: hours)
        if exceeded == nil, let late, end.map({ late < $0 }) ?? true { exceeded = late }
        if warned == nil, let near, end.map({ near < $0 }) ?? true { warned = near }
    }
}
