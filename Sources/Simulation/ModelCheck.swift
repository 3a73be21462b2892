internal import Replication
internal import Store
internal import Tickets

/// What is shown of a ticket, derived a second time from its operations, without anything that the program derives it
/// with. Source: Protocols/tickets.md §2, §4.
enum ModelCheck {
    /// - Parameter forked: incarnations that two disks may have written under.
    /// - Returns: what differs; nil if nothing does.
    static func difference(
        _ ticket: Ticket, _ reader: StoreReader, _ void: VoidModel, forked: Set<ReplicaID>
    ) throws -> String? {
        var operations: [Operation] = []
        let dots = Array(ticket.operations)
        for (dot, operation) in zip(dots, try reader.operations(dots)) {
            guard let operation else { return "\(dot) is in the state and not in the log" }
            let isVoid = void.contains(dot)
            if ticket.isVoid(dot) != isVoid { return "\(dot) is \(isVoid ? "void and counts" : "taken for void")" }
            if !isVoid { operations.append(operation) }
        }
        let summary = ticket.summary()
        return writes(operations, summary, forked) ?? status(operations, summary) ?? tags(operations, summary)
            ?? receipts(operations, forked)
    }

    /// A write stands until another write of the field has seen it. One of two contents of a dot may have seen a write that
    /// has seen the other: of writes that have all seen one another all stand.
    private static func writes(
        _ operations: [Operation], _ summary: TicketSummary, _ forked: Set<ReplicaID>
    ) -> String? {
        guard !summary.isPending else { return nil }
        for field in [Field.title, .category, .urgency, .contact, .promisedTime] {
            let all = operations.filter { operation in
                guard let body = try? Body(decoding: operation) else { return false }
                return body.writes(field)
            }
            var standing = all.filter { write in
                !all.contains { $0.dot != write.dot && $0.seen.contains(write.dot) }
            }
            if standing.isEmpty, all.contains(where: { forked.contains($0.dot.replica) }) { standing = all }
            let shown = Set(summary.state(of: field)?.writes ?? [])
            if shown != Set(standing.map(\.dot)) {
                return "field \(field.rawValue) shows \(shown.sorted()) and has \(standing.map(\.dot).sorted())"
            }
        }
        return nil
    }

    /// Closed when of closings and reopenings that no other has seen only closings are left.
    private static func status(_ operations: [Operation], _ summary: TicketSummary) -> String? {
        let turns = operations.filter { [Kind.close.operationKind, Kind.reopen.operationKind].contains($0.kind) }
        let last = turns.filter { turn in !turns.contains { $0.dot != turn.dot && $0.seen.contains(turn.dot) } }
        let isClosed = !last.isEmpty && last.allSatisfy { $0.kind == Kind.close.operationKind }
        guard !summary.isPending, isClosed != (summary.status == .closed) else { return nil }
        return "it is shown as \(summary.status)"
    }

    /// A node writes one receipt for a transfer or chase; each of two disks under one incarnation writes its own.
    private static func receipts(_ operations: [Operation], _ forked: Set<ReplicaID>) -> String? {
        var known: Set<[Dot]> = []
        for operation in operations where !forked.contains(operation.dot.replica) {
            guard case .delivered(let body)? = try? Body(decoding: operation) else { continue }
            let isNew = known.insert([body.target, Dot(operation.dot.replica, 0)]).inserted
            if !isNew { return "\(operation.dot) is a second receipt of one node for \(body.target)" }
        }
        return nil
    }

    /// What was added stays unless a removal has seen it.
    private static func tags(_ operations: [Operation], _ summary: TicketSummary) -> String? {
        var present: Set<String> = []
        let bodies = operations.compactMap { operation in
            (try? Body(decoding: operation)).map { (operation: operation, body: $0) }
        }
        for case (let operation, .tag(let tag)) in bodies {
            let isRemoved = bodies.contains {
                guard case .untag(let untag) = $0.body, untag.tag == tag.tag else { return false }
                return $0.operation.seen.contains(operation.dot)
            }
            if !isRemoved { present.insert(tag.tag) }
        }
        guard Set(summary.tags) != present else { return nil }
        return "it has the tags \(present.sorted()) and shows \(summary.tags)"
    }
}

extension Body {
    /// Whether it is a write of the field.
    fileprivate func writes(_ field: Field) -> Bool {
        switch self {
        case .setField(let body): body.field == field
        case .open(let body):
            switch field {
            case .title: true
            case .category: !body.category.isEmpty
            case .urgency: body.urgency != .unknown
            case .promisedTime: body.promised != nil
            default: false
            }
        default: false
        }
    }
}
