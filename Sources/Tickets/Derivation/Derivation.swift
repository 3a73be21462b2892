internal import Replication

/// Computes what is shown of a ticket. Sorts the events by kind once, leaving out what an import brought twice; the
/// other files of this folder derive custody, steps and sets from that.
///
/// Causality orders first: an event is after what it has seen. Only among concurrent events does the instant rank, and
/// of equal instants the dot; events are visited in the order of their dots, so equal sets give equal results.
final class Derivation {
    let ticket: Ticket
    let bounceLimit: Int
    /// Events that count, by kind, as indices into the ticket's events.
    private(set) var opens: [Int] = []
    private(set) var writes: [(field: UInt16, event: Int)] = []
    private(set) var transfers: [Int] = []
    private(set) var receipts: [Int] = []
    private(set) var accepts: [Int] = []
    private(set) var replies: [Int] = []
    private(set) var feedbacks: [Int] = []
    private(set) var closes: [Int] = []
    private(set) var reopens: [Int] = []
    private(set) var chases: [Int] = []
    private(set) var acknowledgements: [Int] = []
    private(set) var answers: [Int] = []
    private(set) var settlements: [Int] = []
    private(set) var notes: [Int] = []
    /// Joins, separations, tags, untags, watches.
    private(set) var memberships: [Int] = []
    /// Repeated imports, each with the event that counts in its place.
    private(set) var duplicates: [(event: Int, original: Int)] = []

    init(_ ticket: Ticket, bounceLimit: Int) {
        self.ticket = ticket
        self.bounceLimit = bounceLimit
        findDuplicates()
        for index in ticket.events.indices where !ticket.events[index].isVoid {
            if !duplicates.isEmpty, duplicates.contains(where: { $0.event == index }) { continue }
            guard let kind = ticket.events[index].known else { continue }
            sort(index, kind)
        }
    }

    private func sort(_ index: Int, _ kind: Kind) {
        switch kind {
        case .open:
            opens.append(index)
            var fields = ticket.detail(of: ticket.events[index]).fields
            while fields != 0 {
                writes.append((UInt16(fields.trailingZeroBitCount), index))
                fields &= fields - 1
            }
        case .setField: writes.append((ticket.events[index].field, index))
        case .transfer: transfers.append(index)
        case .delivered: receipts.append(index)
        case .accept: accepts.append(index)
        case .reply: replies.append(index)
        case .feedback: feedbacks.append(index)
        case .close: closes.append(index)
        case .reopen: reopens.append(index)
        case .chase: chases.append(index)
        case .acknowledgeChase: acknowledgements.append(index)
        case .answerChase: answers.append(index)
        case .note: notes.append(index)
        case .settle: settlements.append(index)
        case .joinTwins, .separateTwins, .tag, .untag, .watch: memberships.append(index)
        case .announce, .catalogDocument, .revoke, .proposeErasure, .confirmErasure, .journalAnchor, .introduceRoot,
            .retireRoot:
            break
        }
    }

    /// Two operations of one kind from one row of an import: the one with the lower dot counts.
    private func findDuplicates() {
        var imported: [Int] = []
        for index in ticket.events.indices where ticket.events[index].detail != 0 && !ticket.events[index].isVoid {
            let event = ticket.events[index]
            let row = ticket.detail(of: event).row
            guard row != 0 else { continue }
            let original = imported.first {
                let other = ticket.events[$0]
                return ticket.detail(of: other).row == row && other.kind == event.kind && other.field == event.field
            }
            if let original {
                duplicates.append((index, original))
            } else {
                imported.append(index)
            }
        }
    }

    /// The event that a dot names, or the one that counts in its place; nil for one that is void.
    func event(_ reference: Reference) -> Int? {
        guard reference.sequence != 0, let index = ticket.index(of: reference), !ticket.events[index].isVoid
        else { return nil }
        return duplicates.isEmpty ? index : duplicates.first { $0.event == index }?.original ?? index
    }

    /// Whether the author of one event had been shown the other (or a repetition of it).
    func hasSeen(_ later: Int, _ earlier: Int) -> Bool {
        if sees(later, earlier) { return true }
        guard !duplicates.isEmpty else { return false }
        return duplicates.contains { $0.original == earlier && sees(later, $0.event) }
    }

    private func sees(_ later: Int, _ earlier: Int) -> Bool {
        let replica = ticket.events[earlier].replica
        for entry in ticket.seenRange(later) where ticket.seenEntries[entry].replica == replica {
            return ticket.seenEntries[entry].sequence >= ticket.events[earlier].sequence
        }
        return false
    }

    /// Causality first, then the instant, then the dot.
    func isBefore(_ left: Int, _ right: Int) -> Bool {
        if hasSeen(right, left) { return true }
        if hasSeen(left, right) { return false }
        return isEarlier(left, right)
    }

    /// By instant, ties by the hybrid time and the dot; for what is concurrent.
    func isEarlier(_ left: Int, _ right: Int) -> Bool {
        let first = ticket.events[left]
        let second = ticket.events[right]
        let (firstInstant, secondInstant) = (ticket.instant(of: first), ticket.instant(of: second))
        if firstInstant != secondInstant { return firstInstant < secondInstant }
        if first.time != second.time { return first.time < second.time }
        return left < right
    }

    func instant(_ index: Int) -> Int64 { ticket.instant(of: ticket.events[index]) }
    func dot(_ index: Int) -> Dot { ticket.dot(at: index) }
    func author(_ index: Int) -> AuthorEntry { ticket.authors[Int(ticket.events[index].author)] }
    func authorName(_ index: Int) -> String { ticket.texts[Int(author(index).name)].text }
    func authorSite(_ index: Int) -> SiteCode { SiteCode(validated: ticket.texts[Int(author(index).site)].text) }

    /// Earliest instant of the given events that name a target.
    func earliest(_ events: [Int], naming target: Int) -> Int? {
        var result: Int?
        for index in events where event(ticket.events[index].first) == target {
            if result.map({ isEarlier(index, $0) }) ?? true { result = index }
        }
        return result
    }

    /// An instant from a body, held within the range of a timestamp so that differences never overflow.
    func clamped(_ milliseconds: Int64) -> Int64? {
        milliseconds == 0 ? nil : max(0, min(milliseconds, (1 << 48) - 1))
    }

    func summary() -> TicketSummary {
        var summary = TicketSummary(id: ticket.id)
        summary.operationCount = ticket.events.count
        summary.duplicateCount = duplicates.count
        for event in ticket.events {
            guard !event.isVoid else {
                summary.voidCount += 1
                continue
            }
            if event.known == nil { summary.opaqueCount += 1 }
            if event.freezesTicket { summary.isFrozenForEditing = true }
            summary.lastChange = max(summary.lastChange, Int64(event.time >> 16))
        }
        summary.fields = fieldStates()
        summary.notes = notes.map(dot)
        if !memberships.isEmpty { addMemberships(to: &summary) }
        let tree = CustodyTree(self)
        tree.describe(in: &summary)
        if !chases.isEmpty { summary.chases = chaseStates(tree, summary) }
        return summary
    }
}
