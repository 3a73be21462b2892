internal import Replication

/// Turns a wish into operations, or refuses it. Runs only where the person is: operations from elsewhere are applied
/// without being judged.
/// - Parameter ticket: the state here; nil if there is none yet.
/// - Returns: at least one draft; their sequences follow `context.nextSequence` without a gap.
package func decide(
    _ command: TicketCommand, on ticket: Ticket?, context: DecisionContext
) throws(Refusal) -> [Draft] {
    var decision = Decision(command: command, ticket: ticket, context: context)
    try decision.run()
    return decision.drafts
}

/// One decision in the making.
struct Decision {
    let command: TicketCommand
    let context: DecisionContext
    let ticket: Ticket
    let summary: TicketSummary
    private(set) var drafts: [Draft] = []

    init(command: TicketCommand, ticket: Ticket?, context: DecisionContext) {
        self.command = command
        self.context = context
        let own = EntityID(ticketOpenedBy: Dot(context.replica, context.nextSequence))
        self.ticket = ticket ?? Ticket(id: command.ticket ?? own)
        summary = context.summary ?? self.ticket.summary(bounceLimit: context.catalog.bounceLimit)
    }

    var author: Author { context.author }
    var occurrence: Occurrence? { command.occurrence }
    /// UTC milliseconds of what is being recorded.
    var instant: Int64 { occurrence?.milliseconds ?? context.now.milliseconds }

    mutating func run() throws(Refusal) {
        if case .open(let body) = command.action { return try open(body) }
        guard ticket.operationCount > 0 else { throw .noSuchTicket }
        guard !summary.isFrozenForEditing else { throw .frozen }
        switch command.action {
        case .open: break
        case .set(let field, let value), .resolve(let field, let value):
            try add(.setField(SetFieldBody(field: field, value: value, occurrence: occurrence)))
        case .transfer(let variant, let site, let department, let reason, let note):
            try transfer(variant, site: site, department: department, reason: reason, note: note)
        case .returnBack(let reason): try returnBack(reason)
        case .accept: try accept()
        case .reply(let text, let custody): try reply(text, custody)
        case .feedback(let text, let channel, let score):
            try requireOpen()
            try add(.feedback(FeedbackBody(text: text, channel: channel, score: score, occurrence: occurrence)))
        case .close(let reason, let isConfirmed, let score): try close(reason, isConfirmed, score)
        case .reopen(let reason):
            guard summary.status == .closed else { throw .notClosed }
            try add(.reopen(ReopenBody(reason: reason, occurrence: occurrence)))
        case .chase(let customer, let promised, let note, let channel):
            try chase(customer, promised: promised, note: note, channel: channel)
        case .acknowledgeChase(let dot):
            try add(.acknowledgeChase(AcknowledgeChaseBody(chase: try known(dot).dot, occurrence: occurrence)))
        case .answerChase(let dot, let text, let promised):
            let chase = try known(dot)
            guard !chase.isAnswered else { throw .alreadyAnswered }
            try add(
                .answerChase(
                    AnswerChaseBody(chase: chase.dot, text: text, promised: promised, occurrence: occurrence)))
        case .note(let text): try add(.note(NoteBody(text: text, occurrence: occurrence)))
        case .settle(let custody, let winner, let reason): try settle(custody, winner, reason)
        case .join(let other, let reason): try join(other, reason)
        case .separate(let other, let reason): try separate(other, reason)
        case .tag(let tag): try add(.tag(TagBody(tag: tag, occurrence: occurrence)))
        case .untag(let tag):
            guard summary.tags.contains(tag) else { throw .noSuchTag }
            try add(.untag(UntagBody(tag: tag, occurrence: occurrence)))
        case .watch(let name, let site):
            try add(.watch(WatchBody(name: name, site: site, ends: false, occurrence: occurrence)))
        case .unwatch(let name, let site):
            try add(.watch(WatchBody(name: name, site: site, ends: true, occurrence: occurrence)))
        case .undo(let write): try undo(write)
        }
    }

    func requireOpen() throws(Refusal) {
        guard summary.status != .closed else { throw .closed }
    }

    /// - Parameter other: the ticket it is for, if not the command's.
    mutating func add(_ body: Body, scope: [SiteCode] = [], on other: Ticket? = nil) throws(Refusal) {
        try body.validate()
        let target = other ?? ticket
        let bytes = body.encoded()
        guard bytes.count <= TicketLimits.bodyBytesMax else {
            throw .operationTooLarge(bytes: bytes.count, bytesMax: TicketLimits.bodyBytesMax)
        }
        // What its author was shown, as far as it is here without a hole, and what was decided just before.
        let whole = target.seen()
        var seen =
            other != nil
            ? whole
            : VersionVector(command.version.entries.map { Dot($0.replica, min($0.sequence, whole[$0.replica])) })
        var previous = target.previous(of: context.replica)
        for draft in drafts where draft.entity == target.id {
            seen.record(Dot(context.replica, draft.sequence))
            previous = draft.sequence
        }
        drafts.append(
            Draft(
                entity: target.id, sequence: context.nextSequence + UInt64(drafts.count),
                content: body, body: bytes, scope: scope.sorted(), previous: previous, seen: seen))
    }

    private mutating func open(_ given: OpenBody) throws(Refusal) {
        // Several offices may import one log: then the row tells that it is the same ticket.
        guard summary.isPending || occurrence != nil else { throw .alreadyOpened }
        var body = given
        body.occurrence = body.occurrence ?? occurrence
        if body.department.isEmpty { body.department = author.department }
        let site = body.site ?? author.site
        if body.number.isEmpty {
            body.number = TicketNumber.label(
                dot: Dot(context.replica, context.nextSequence), site: site, openedAt: instant,
                utcOffsetMinutes: context.utcOffsetMinutes)
        }
        try add(.open(body), scope: [site])
    }

    private mutating func close(_ reason: String, _ isConfirmed: Bool, _ score: UInt8) throws(Refusal) {
        try requireOpen()
        if summary.cycles.last?.fedBack == nil, reason.allSatisfy(\.isWhitespace) { throw .closeNeedsReason }
        try add(
            .close(
                CloseBody(reason: reason, isConfirmedByCustomer: isConfirmed, score: score, occurrence: occurrence)))
    }

    private func known(_ dot: Dot) throws(Refusal) -> ChaseState {
        guard let chase = summary.chases.first(where: { $0.records.contains(dot) }) else { throw .noSuchChase }
        return chase
    }

    /// A call within the window of one that is known here joins it; else it gets the window that its instant falls in,
    /// the same at every site.
    private mutating func chase(
        _ given: EntityID?, promised: Int64?, note: String, channel: String
    ) throws(Refusal) {
        try requireOpen()
        let customer = given ?? summary.opening?.customer
        let window = Int64(context.catalog.chaseWindowHours) * 3_600_000
        let earlier = summary.chases.last {
            $0.customer == customer && customer != nil && $0.at <= instant && instant - $0.at < window
        }
        try add(
            .chase(
                ChaseBody(
                    customer: customer, window: earlier?.window ?? instant / window, promised: promised, note: note,
                    channel: channel, occurrence: occurrence)))
    }

    /// The edge goes to both tickets, and each lets in the other's sites: their scopes are united.
    private mutating func join(_ id: EntityID, _ reason: String) throws(Refusal) {
        guard id != ticket.id else { throw .sameTicket }
        guard let other = context.ticket(id) else { throw .noSuchTicket }
        let missingHere = other.sites.filter { !ticket.sites.contains($0) }
        let missingThere = ticket.sites.filter { !other.sites.contains($0) }
        try add(.joinTwins(JoinTwinsBody(other: id, reason: reason, occurrence: occurrence)), scope: missingHere)
        try add(
            .joinTwins(JoinTwinsBody(other: ticket.id, reason: reason, occurrence: occurrence)),
            scope: PlantedBug.twinScopeNotShared.isActive ? [] : missingThere, on: other)
    }

    private mutating func separate(_ id: EntityID, _ reason: String) throws(Refusal) {
        guard id != ticket.id else { throw .sameTicket }
        guard summary.twins.contains(id) || context.ticket(id)?.summary().twins.contains(ticket.id) ?? false else {
            throw .notJoined
        }
        try add(.separateTwins(SeparateTwinsBody(other: id, reason: reason, occurrence: occurrence)))
        if let other = context.ticket(id) {
            try add(
                .separateTwins(SeparateTwinsBody(other: ticket.id, reason: reason, occurrence: occurrence)), on: other)
        }
    }

    /// Possible since values stay in the operations that wrote them.
    private mutating func undo(_ write: Dot) throws(Refusal) {
        guard let operation = context.operation(write), case .setField(let body)? = try? Body(decoding: operation),
            let former = Derivation(ticket, bounceLimit: 1).displayedWrite(body.field, before: write),
            let source = context.operation(former), let value = try? Body(decoding: source).value(of: body.field)
        else { throw .nothingToUndo }
        try add(
            .setField(SetFieldBody(field: body.field, value: value, undoes: write, occurrence: occurrence)))
    }
}

extension Body {
    /// The value it writes to a field, as an opening's initial value or as a write of its own.
    package func value(of field: Field) -> SetFieldBody.Value? {
        switch self {
        case .setField(let body): body.field == field ? body.value : nil
        case .open(let body): body.value(of: field)
        default: nil
        }
    }
}

extension OpenBody {
    fileprivate func value(of field: Field) -> SetFieldBody.Value? {
        switch field {
        case .title: .text(title)
        case .body: .text(body)
        case .category: .text(category)
        case .urgency: .number(Int64(urgency.rawValue))
        case .channel: .text(channel)
        case .promisedTime: promised.map { .number($0) }
        case .customerLabel: sealedCustomerLabel.map { .sealed($0) } ?? .text(customerLabel)
        default: nil
        }
    }
}
