internal import Node
internal import Replication
internal import Store
internal import Tickets

// People at their desks: what they do follows from a stream of numbers and from what their node shows them.
extension World {
    static let departments = ["A", "B"]
    /// Between two things that an office does, on the average.
    static let actMilliseconds: Int64 = 600
    /// Tickets that people still come back to.
    static let recentTickets = 12

    func planAct(_ office: Office) {
        guard !isHealed else { return }
        plan(after: people.within(1...2 * Self.actMilliseconds), .act, office) { [self] in
            guard !isHealed, office.replica != nil else { return }
            try act(at: office)
            planAct(office)
        }
    }

    private func act(at office: Office) throws {
        try committing(office) { replica in
            do {
                guard let (command, author) = try wish(at: office, replica) else { return }
                counts.commands += 1
                let executed = try replica.execute(command, by: author, now: wall(of: office))
                follow(executed.effects, office, isLocal: true)
                let crashes = office.replica == nil
                if !crashes {
                    try checkHeld(executed.dots, office, replica)
                    try checkTwins(command, executed, office, replica)
                }
            } catch is Refusal {
                counts.refused += 1
            }
        }
    }

    /// What a person was told is done is in the log.
    private func checkHeld(_ dots: [Dot], _ office: Office, _ replica: Replica) throws {
        for dot in dots where try replica.reader.operation(dot) == nil {
            fail(.acknowledgedIsDurable, office, "\(dot) was confirmed to a person and is not in the log")
        }
    }

    /// Source: Protocols/tickets.md §8.
    private func checkTwins(
        _ command: TicketCommand, _ executed: Executed, _ office: Office, _ replica: Replica
    ) throws {
        guard case .join(let other, _) = command.action else { return }
        let sites = try [executed.ticket, other].map { Set(try replica.writer.state(of: $0)?.sites ?? []) }
        if sites[0] != sites[1] { fail(.model, office, "\(executed.ticket) and \(other) are twins of different sites") }
    }

    private func wish(at office: Office, _ replica: Replica) throws -> (TicketCommand, Author)? {
        func author(_ department: String, _ role: Role = .dispatcher) -> Author {
            Author(
                name: "\(department)@\(office.index)", role: role, level: AuthorityLevel(of: office.site),
                site: office.site, department: department)
        }
        let desk = people.pick(Self.departments) ?? ""
        let known = office.log.tickets.suffix(Self.recentTickets)
        guard !known.isEmpty, !people.chance(percent: 14) else { return (opening(), author(desk)) }
        guard let id = people.pick(Array(known)), let ticket = try replica.writer.state(of: id) else { return nil }
        let summary = ticket.summary()
        guard let action = action(on: ticket, summary, at: office) else { return nil }
        let holds = summary.custody.map { $0.site == office.site } ?? false
        var version = ticket.seen()
        // At times somebody acts on what was shown a while ago.
        if people.chance(percent: 12), let entry = people.pick(Array(version.entries)), entry.sequence > 1 {
            version = VersionVector(version.entries.map { $0 == entry ? Dot($0.replica, $0.sequence - 1) : $0 })
        }
        let department = holds ? summary.custody?.department ?? desk : desk
        let role: Role = people.chance(percent: 20) ? .supervisor : .dispatcher
        return (TicketCommand(ticket: id, version: version, action: action), author(department, role))
    }

    private func opening() -> TicketCommand {
        let number = people.below(30)
        return TicketCommand(
            ticket: nil, version: VersionVector(),
            action: .open(
                OpenBody(
                    title: "单 \(people.below(1_000))", body: "说明 \(people.below(1_000_000))",
                    category: people.pick(["net", "bill", "other"]) ?? "",
                    urgency: people.pick([.urgent, .high, .low]) ?? .unknown,
                    customerLabel: number < 20 ? "138000000\(10 + number)" : "", channel: "phone")))
    }

    private func action(
        on ticket: Ticket, _ summary: TicketSummary, at office: Office
    ) -> TicketCommand.Action? {
        if let contest = summary.contested.first(where: { !$0.isSettled }), people.chance(percent: 25),
            let winner = people.pick(contest.candidates)
        {
            return .settle(custody: contest.parent, winner: winner.dot, reason: "裁定")
        }
        if let conflict = summary.conflicts.first, people.chance(percent: 30) {
            return .resolve(conflict.field, value(of: conflict.field))
        }
        if let chase = summary.chases.first(where: { !$0.isAnswered }), people.chance(percent: 25) {
            return people.chance(percent: 50)
                ? .acknowledgeChase(chase.dot) : .answerChase(chase.dot, text: "答复", promised: nil)
        }
        if summary.status == .closed {
            return people.chance(percent: 50) ? .reopen(reason: "再") : .note("结后")
        }
        switch people.below(100) {
        case 0..<24: return edit()
        case 24..<42:
            guard let target = people.pick(offices.filter { !$0.isClone }) else { return nil }
            return .transfer(
                people.chance(percent: 60) ? .dispatch : .onward, site: target.site,
                department: people.pick(Self.departments) ?? "", reason: "转", note: "")
        case 42..<46: return .returnBack(reason: "退")
        case 46..<54: return .accept
        case 54..<62: return .reply(text: "回单", custody: nil)
        case 62..<66: return .feedback(text: "已告知", channel: "phone", score: 4)
        case 66..<72: return .close(reason: "办结", isConfirmedByCustomer: true, score: 5)
        case 72..<80: return .chase(customer: nil, promised: nil, note: "催", channel: "phone")
        case 80..<85: return .note("备注 \(people.below(1_000))")
        case 85..<89:
            guard let other = people.pick(Array(office.log.tickets.suffix(Self.recentTickets))), other != ticket.id
            else { return nil }
            return .join(other, reason: "同一")
        case 89..<91: return summary.twins.first.map { .separate($0, reason: "不同") }
        case 91..<95: return .tag(people.pick(["vip", "媒体"]) ?? "")
        case 95..<97: return summary.tags.first.map { .untag($0) }
        case 97..<99: return .watch(name: "w\(people.below(3))", site: nil)
        default: return summary.state(of: .category).flatMap { .undo(write: $0.displayed) }
        }
    }

    private func edit() -> TicketCommand.Action {
        let field = people.pick([Field.title, .category, .urgency, .contact, .promisedTime]) ?? .title
        return .set(field, value(of: field))
    }

    private func value(of field: Field) -> SetFieldBody.Value {
        switch field {
        case .urgency: .number(1 + Int64(people.below(4)))
        case .promisedTime: .number(Self.start + Int64(people.below(1_000_000)))
        case .category: .text(people.pick(["net", "bill", "other"]) ?? "")
        default: .text("值 \(people.below(10_000))")
        }
    }
}
