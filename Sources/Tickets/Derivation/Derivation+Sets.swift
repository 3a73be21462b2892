internal import Replication

// Fields, tags, watchers, twins and chases.
extension Derivation {
    /// Each field is a multi-value register: a write stands until another one has seen it.
    func fieldStates() -> [TicketSummary.FieldState] {
        guard !writes.isEmpty else { return [] }
        var sorted = writes
        sorted.sort { ($0.field, $0.event) < ($1.field, $1.event) }
        var states: [TicketSummary.FieldState] = []
        states.reserveCapacity(sorted.count)
        var start = 0
        while start < sorted.count {
            var end = start + 1
            while end < sorted.count, sorted[end].field == sorted[start].field { end += 1 }
            states.append(fieldState(sorted[start..<end]))
            start = end
        }
        return states
    }

    private func fieldState(_ writes: ArraySlice<(field: UInt16, event: Int)>) -> TicketSummary.FieldState {
        var surviving = writes.count == 1 ? [writes[writes.startIndex].event] : unseen(writes)
        // Writes that all claim to have seen one another cannot be: then all stand rather than none.
        if surviving.isEmpty || PlantedBug.resolvedConflictStays.isActive { surviving = writes.map(\.event) }
        if PlantedBug.registerForgetsConcurrent.isActive, surviving.count > 1 { surviving.removeFirst() }
        let displayed = surviving.dropFirst().reduce(surviving[0]) { isEarlier($0, $1) ? $1 : $0 }
        let field = Field(rawValue: writes[writes.startIndex].field)
        let event = ticket.events[displayed]
        let number = ticket.detail(of: event).number
        var state = TicketSummary.FieldState(
            field: field, displayed: dot(displayed), at: instant(displayed), text: nil, number: nil,
            writes: surviving.map(dot))
        if event.known == .open {
            if field == .category { state.text = ticket.text(event.text) }
            if field == .urgency { state.number = Int64(event.variant) }
            if field == .promisedTime { state.number = clamped(number) }
        } else {
            switch field.shape {
            case .code: state.text = ticket.text(event.text)
            case .number: state.number = field == .urgency ? number : clamped(number)
            case .text: break
            }
        }
        return state
    }

    private func unseen(_ writes: ArraySlice<(field: UInt16, event: Int)>) -> [Int] {
        var result: [Int] = []
        for write in writes where !writes.contains(where: { $0.event != write.event && hasSeen($0.event, write.event) })
        {
            result.append(write.event)
        }
        return result
    }

    /// The write of a field that its author was shown first when making another write of it.
    func displayedWrite(_ field: Field, before write: Dot) -> Dot? {
        guard let own = writes.first(where: { $0.field == field.rawValue && dot($0.event) == write })?.event else {
            return nil
        }
        let seen = writes.filter { $0.field == field.rawValue && $0.event != own && hasSeen(own, $0.event) }
        guard !seen.isEmpty else { return nil }
        return fieldState(ArraySlice(seen)).displayed
    }

    /// Add-wins sets: a removal takes away the additions that its author had seen.
    func addMemberships(to summary: inout TicketSummary) {
        for index in memberships {
            let event = ticket.events[index]
            guard let kind = event.known, isAddition(event), !isRemoved(index) else { continue }
            switch kind {
            case .tag:
                if let tag = ticket.text(event.text), !summary.tags.contains(tag) { summary.tags.append(tag) }
            case .watch:
                let watcher = TicketSummary.Watcher(
                    name: ticket.text(event.text) ?? "", site: ticket.site(event.site))
                if !summary.watchers.contains(watcher) { summary.watchers.append(watcher) }
            case .joinTwins:
                guard let twin = ticket.detail(of: event).entity else { continue }
                if twin != ticket.id, !summary.twins.contains(twin) { summary.twins.append(twin) }
            case .open, .setField, .transfer, .delivered, .accept, .reply, .feedback, .close, .reopen, .chase,
                .acknowledgeChase, .answerChase, .note, .settle, .separateTwins, .untag, .announce, .catalogDocument,
                .revoke, .proposeErasure, .confirmErasure, .journalAnchor, .introduceRoot, .retireRoot:
                continue
            }
        }
        summary.tags.sort()
        summary.twins.sort()
        summary.watchers.sort { ($0.name, $0.site?.rawValue ?? "") < ($1.name, $1.site?.rawValue ?? "") }
    }

    private func isAddition(_ event: Event) -> Bool {
        switch event.known {
        case .tag, .joinTwins: true
        case .watch: event.variant == 0
        default: false
        }
    }

    private func isRemoved(_ index: Int) -> Bool {
        let added = ticket.events[index]
        let entity = ticket.detail(of: added).entity
        return memberships.contains { other in
            let removal = ticket.events[other]
            guard !isAddition(removal), removal.text == added.text, removal.site == added.site,
                ticket.detail(of: removal).entity == entity
            else { return false }
            let isOfSameSet =
                switch added.known {
                case .tag: removal.known == .untag
                case .watch: removal.known == .watch
                default: removal.known == .separateTwins
                }
            return isOfSameSet && hasSeen(other, index)
        }
    }

    /// One chase for each customer and window, however often it was recorded.
    func chaseStates(_ tree: CustodyTree, _ summary: TicketSummary) -> [ChaseState] {
        var groups: [(key: ChaseKey, events: [Int])] = []
        for index in chases {
            let detail = ticket.detail(of: ticket.events[index])
            let customer = detail.entity ?? summary.opening?.customer
            let key = ChaseKey(customer: customer, window: detail.number, own: customer == nil ? index : nil)
            if let group = groups.firstIndex(where: { $0.key == key }) {
                groups[group].events.append(index)
            } else {
                groups.append((key, [index]))
            }
        }
        var states = groups.map { chaseState($0.key, $0.events, tree, summary) }
        states.sort { ($0.at, $0.dot) < ($1.at, $1.dot) }
        return states
    }

    private struct ChaseKey: Equatable {
        var customer: EntityID?
        var window: Int64
        /// Sets a chase without a customer apart from every other.
        var own: Int?
    }

    private func chaseState(
        _ key: ChaseKey, _ records: [Int], _ tree: CustodyTree, _ summary: TicketSummary
    ) -> ChaseState {
        let first = records.dropFirst().reduce(records[0]) { isEarlier($1, $0) ? $1 : $0 }
        let names = { (index: Int) in self.event(self.ticket.events[index].first).map(records.contains) ?? false }
        let isAnswered = answers.contains(where: names)
        let isAcknowledged = isAnswered || acknowledgements.contains(where: names)
        let holder = summary.custody?.site
        let isDelivered =
            isAcknowledged || receipts.contains(where: names)
            || records.contains { authorSite($0) == holder }
            || ticket.events.indices.contains { index in
                !ticket.events[index].isVoid && authorSite(index) == holder && records.contains { hasSeen(index, $0) }
            }
        let promised = records.compactMap { clamped(ticket.detail(of: ticket.events[$0]).secondNumber) }.first
        return ChaseState(
            dot: dot(first), records: records.map(dot), customer: key.customer, window: key.window,
            at: instant(first), author: authorName(first), site: authorSite(first), promised: promised,
            custody: tree.custody(holdingAt: first), isDelivered: isDelivered, isAcknowledged: isAcknowledged,
            isAnswered: isAnswered)
    }
}
