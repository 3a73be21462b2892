internal import Replication

// Status, custodies and the tree's counts, as the summary has them.
extension CustodyTree {
    func describe(in summary: inout TicketSummary) {
        let status = closedness()
        guard let root else {
            summary.status = status ? .closed : .open
            summary.reopenedCount = reopenings.count
            return
        }
        summary.opening = opening(root)
        summary.contested = contested
        summary.reopenedCount = reopenings.count
        let bounces = bounces()
        summary.bounceCount = bounces.count
        let present = bounces.filter { nodes[$0].cycle == paths.count - 1 }
        if present.count >= facts.bounceLimit { summary.lockedToArbiter = arbiter(of: present) }
        for cycle in paths.indices {
            let custodies = custodies(cycle)
            summary.path += custodies
            let state = cycleState(cycle, custodies, isClosed: status)
            summary.cycles.append(state)
            var steps = StepDerivation(tree: self, cycle: cycle, custodies: custodies, state: state)
            steps.run()
            summary.steps += steps.steps
            summary.links += steps.links
            summary.routes += steps.routes
            if cycle == paths.count - 1 {
                summary.status =
                    if status {
                        .closed
                    } else if state.fedBack != nil {
                        .fedBack
                    } else if steps.isReplied {
                        .replied
                    } else if custodies.count > 1 || custodies[0].accepted != nil {
                        .inProgress
                    } else {
                        .open
                    }
            }
        }
        for custody in summary.path {
            if custody.variant == .onward { summary.onwardTransferCount += 1 }
            if custody.variant == .returning { summary.returnCount += 1 }
        }
        summary.custody = summary.path.last
    }

    /// A multi-value register of closings and reopenings: closed if nothing but closings survive.
    private func closedness() -> Bool {
        guard !facts.closes.isEmpty else { return false }
        let all = facts.closes + facts.reopens
        let survives = { (index: Int) in !all.contains { $0 != index && self.facts.hasSeen($0, index) } }
        return facts.closes.contains(where: survives)
            && (PlantedBug.closeWinsOverReopen.isActive || !facts.reopens.contains(where: survives))
    }

    private func opening(_ root: Int) -> TicketSummary.Opening {
        let event = facts.ticket.events[root]
        let detail = facts.ticket.detail(of: event)
        let at = facts.instant(root)
        return TicketSummary.Opening(
            dot: facts.dot(root), at: at, site: site(0), department: department(0), author: facts.authorName(root),
            customer: detail.entity,
            firstContact: facts.clamped(detail.secondNumber).map { min($0, at) } ?? at, isImported: event.isImported)
    }

    private func custodies(_ cycle: Int) -> [Custody] {
        let path = paths[cycle]
        var result: [Custody] = []
        result.reserveCapacity(path.count)
        for (position, entry) in path.enumerated() {
            let event = nodes[entry.node].event
            let left = position + 1 < path.count ? facts.instant(nodes[path[position + 1].node].event) : nil
            let accept = facts.accepts.isEmpty ? nil : earliestNaming(facts.accepts, event)
            let reply = facts.replies.isEmpty ? nil : earliestNaming(facts.replies, event)
            let since = facts.instant(event)
            var custody = Custody(
                id: facts.dot(event), parent: position == 0 ? nil : facts.dot(nodes[path[position - 1].node].event),
                cycle: cycle, variant: nil, site: site(entry.node), department: department(entry.node), since: since,
                delivered: since, isReceiptMissing: false, accepted: accept.map(facts.instant),
                person: accept.map(facts.authorName), replied: reply.map(facts.instant), left: left,
                isContested: entry.isContested)
            if position > 0 {
                custody.variant = TransferBody.Variant(rawValue: facts.ticket.events[event].variant)
                let receipt = facts.receipts.isEmpty ? nil : earliestNaming(facts.receipts, event)
                // An import has no receipts: there the transfer and its delivery are one.
                if let receipt {
                    custody.delivered = facts.instant(receipt)
                } else if !facts.ticket.events[event].isImported {
                    custody.delivered = [custody.accepted, custody.replied, left].compactMap { $0 }.min()
                    custody.isReceiptMissing = true
                }
            }
            result.append(custody)
        }
        return result
    }

    private func earliestNaming(_ events: [Int], _ custody: Int) -> Int? {
        var result: Int?
        for index in events where target(of: index) == custody {
            if result.map({ facts.isEarlier(index, $0) }) ?? true { result = index }
        }
        return result
    }

    /// The cycle an event belongs to: the last whose beginning is before it.
    func cycle(of event: Int) -> Int {
        guard !reopenings.isEmpty else { return 0 }
        return (reopenings.lastIndex { facts.isBefore($0[0], event) } ?? -1) + 1
    }

    private func cycleState(_ cycle: Int, _ custodies: [Custody], isClosed: Bool) -> TicketSummary.Cycle {
        let moved = nodes[paths[cycle][paths[cycle].count - 1].node].event
        // A feedback before the last transfer was about what stood then; the customer is owed another.
        let feedback = facts.feedbacks.filter { self.cycle(of: $0) == cycle && facts.isBefore(moved, $0) }
            .min(by: facts.isEarlier)
        var closed: Int64?
        if isClosed || cycle < paths.count - 1 {
            closed = facts.closes.filter { self.cycle(of: $0) == cycle }.min(by: facts.isEarlier).map(facts.instant)
            if closed == nil, cycle < reopenings.count { closed = facts.instant(reopenings[cycle][0]) }
        }
        return TicketSummary.Cycle(
            dot: custodies[0].id, start: custodies[0].since, fedBack: feedback.map(facts.instant), closed: closed)
    }
}
