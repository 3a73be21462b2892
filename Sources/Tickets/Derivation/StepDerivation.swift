internal import Replication

/// The steps of one cycle: who had which part of the work from when to when.
///
/// > Per-step limits: dispatch, re-dispatch, handling, reply, feedback. (Protocols/service-levels.md §1)
struct StepDerivation {
    let tree: CustodyTree
    let cycle: Int
    let custodies: [Custody]
    let state: TicketSummary.Cycle
    private(set) var steps: [StepInterval] = []
    private(set) var links: [LinkInterval] = []
    private(set) var routes: [RouteChange] = []
    /// Every reply that is due has come: the customer can be told.
    private(set) var isReplied = false
    /// The way as it stands: a return takes the department that gave it back off again. Indices into `custodies`.
    private var route: [Int] = [0]

    init(tree: CustodyTree, cycle: Int, custodies: [Custody], state: TicketSummary.Cycle) {
        self.tree = tree
        self.cycle = cycle
        self.custodies = custodies
        self.state = state
    }

    mutating func run() {
        steps.reserveCapacity(custodies.count + 2)
        routes.append(RouteChange(cycle: cycle, route: .desk, from: state.start))
        for position in custodies.indices {
            if position > 0 { follow(position) }
            hold(position)
        }
        replyAndFeedback()
    }

    private func isDesk(_ position: Int) -> Bool {
        custodies[position].site == custodies[0].site && custodies[position].department == custodies[0].department
    }

    private mutating func follow(_ position: Int) {
        let custody = custodies[position]
        links.append(
            LinkInterval(
                transfer: custody.id, sent: custody.since,
                delivered: custody.delivered.map { max($0, custody.since) }))
        if custody.variant == .returning, route.count > 1 {
            route.removeLast()
            if let last = route.last, holds(last, position) { route.removeLast() }
        }
        route.append(position)
        var departments = 0
        for index in route.indices where !isDesk(route[index]) {
            if !route[..<index].contains(where: { holds($0, route[index]) }) { departments += 1 }
        }
        let present: RouteCase = departments == 0 ? .desk : departments == 1 ? .direct : .relayed
        if routes.last?.route != present {
            routes.append(RouteChange(cycle: cycle, route: present, from: custody.since))
        }
    }

    private func holds(_ left: Int, _ right: Int) -> Bool {
        custodies[left].site == custodies[right].site && custodies[left].department == custodies[right].department
    }

    /// The step that a department's holding is, from delivery to hand-over.
    private mutating func hold(_ position: Int) {
        let custody = custodies[position]
        guard var start = custody.delivered else { return }
        // Nobody is charged for the time until a contested transfer was settled.
        if let settled = tree.paths[cycle][position].settledAt {
            start = max(start, min(settled, custody.left ?? custody.replied ?? settled))
        }
        let isUncertain = custody.isReceiptMissing
        if isDesk(position) {
            if let left = custody.left {
                add(.dispatch, custody, from: start, to: left, isUncertain)
            } else {
                let first = [custody.accepted, custody.replied, state.fedBack].compactMap { $0 }.min()
                add(.dispatch, custody, from: start, to: first, isUncertain)
                // Case 1: the desk handles it itself.
                if first != nil {
                    add(
                        .handling, custody, from: custody.accepted ?? start, to: custody.replied ?? state.fedBack,
                        isUncertain)
                }
            }
        } else if let left = custody.left {
            // A planned dispatch relays; whoever passes it on or gives it back was to handle it.
            let step: Step = custodies[position + 1].variant == .dispatch ? .redispatch : .handling
            add(step, custody, from: start, to: left, isUncertain)
        } else {
            add(.handling, custody, from: start, to: custody.replied ?? state.fedBack, isUncertain)
        }
    }

    private mutating func replyAndFeedback() {
        let handler = custodies[custodies.count - 1]
        var last = handler.replied
        var replier = handler
        for position in route.dropLast().dropFirst().reversed() where relays(position) {
            guard let start = last else { break }
            let custody = custodies[position]
            add(.reply, custody, from: start, to: custody.replied ?? state.fedBack, false)
            last = custody.replied
            if custody.replied != nil { replier = custody }
        }
        isReplied = last != nil
        let replied = latestReply(of: replier)
        guard let start = replied, isReplied || state.fedBack != nil else { return }
        add(.feedback, custodies[0], from: start, to: state.fedBack, false, isContested: false)
    }

    /// A relaying department stands between the desk and the handler and answers for the reply.
    private func relays(_ position: Int) -> Bool {
        !isDesk(position) && position + 1 < custodies.count && custodies[position + 1].variant == .dispatch
    }

    /// The last reply before the feedback; a correction of a reply moves the start of the feedback step.
    private func latestReply(of custody: Custody) -> Int64? {
        guard let first = custody.replied else { return nil }
        var latest = first
        let facts = tree.facts
        for index in facts.replies where tree.target(of: index).map(facts.dot) == custody.id {
            let at = facts.instant(index)
            if at > latest, state.fedBack.map({ at <= $0 }) ?? true { latest = at }
        }
        return latest
    }

    private mutating func add(
        _ step: Step, _ custody: Custody, from start: Int64, to end: Int64?, _ isUncertain: Bool,
        isContested: Bool? = nil
    ) {
        // What still ran when the ticket was closed ended there.
        let last = end ?? state.closed.map { max($0, start) }
        steps.append(
            StepInterval(
                step: step, cycle: cycle, custody: custody.id, site: custody.site, department: custody.department,
                start: last.map { min(start, $0) } ?? start, end: last,
                isContested: isContested ?? custody.isContested,
                isUncertain: isUncertain || last.map { $0 < start } ?? false))
    }
}
