internal import Replication
internal import Tickets

/// Writes the rows of one ticket, in the order of their times, into a transaction.
///
/// Nothing here fails for what a row says: what has no place in the ticket as it stands becomes a note. A part of a
/// row whose key the ticket has already is left out, so a repetition writes nothing.
///
/// Source: Protocols/import.md §5.
struct TicketImport {
    let plan: PlannedTicket
    let source: String
    let site: SiteCode
    let catalogVersion: UInt32
    private var course: Course

    /// Custody and status as they stand: read again only when something has changed them.
    private struct Course {
        var path: [Custody]
        var isOpened: Bool
        var isClosed: Bool
        /// Start of the present cycle; UTC milliseconds.
        var cycleStart: Int64
        /// What happened before this cannot move the ticket any more.
        var latest: Int64

        init(_ ticket: Ticket) {
            let summary = ticket.summary()
            path = summary.path
            isOpened = summary.opening != nil
            isClosed = summary.status == .closed
            cycleStart = summary.cycles.last?.start ?? 0
            latest = summary.cycles.compactMap(\.closed).reduce(path.last?.since ?? 0, max)
        }

        /// Who held the ticket at an instant.
        func custody(at instant: Int64) -> Custody? { path.last { $0.since <= instant } }
    }

    init(
        _ plan: PlannedTicket, source: String, site: SiteCode, catalogVersion: UInt32,
        into transaction: inout AppendTransaction
    ) throws {
        self.plan = plan
        self.source = source
        self.site = site
        self.catalogVersion = catalogVersion
        course = Course(try transaction.ticket(plan.id))
    }

    /// - Parameter index: of the plan's rows.
    mutating func write(_ index: Int, into transaction: inout AppendTransaction) throws {
        let row = plan.rows[index]
        let present = try transaction.ticket(plan.id)
        var isTold = false
        if plan.isOwner {
            if index == 0 { isTold = try open(row, present, &transaction) }
            if try follow(row, present, &transaction) { isTold = true }
        }
        guard row.isOwn, !present.containsImported(row: row.keys.event) else { return }
        guard row.event != nil || !isTold else { return }
        try append(tell(row), row, &transaction)
    }

    /// - Returns: whether this row has opened the ticket, now or before.
    private mutating func open(
        _ row: PlannedRow, _ present: Ticket, _ transaction: inout AppendTransaction
    ) throws -> Bool {
        if present.containsImported(row: row.keys.opening) { return true }
        guard !course.isOpened else { return false }
        var body = plan.opening
        body.site = row.site == site ? nil : row.site
        body.occurrence = occurrence(row, row.keys.opening)
        try append(.open(body), row, &transaction)
        for var field in plan.fields {
            field.occurrence = body.occurrence
            try append(.setField(field), row, &transaction)
        }
        course = Course(try transaction.ticket(plan.id))
        return true
    }

    /// - Returns: whether the row's part of the course is in the ticket, now or before.
    private mutating func follow(
        _ row: PlannedRow, _ present: Ticket, _ transaction: inout AppendTransaction
    ) throws -> Bool {
        guard !row.steps.isEmpty else { return false }
        if present.containsImported(row: row.keys.course) { return true }
        guard course.isOpened, row.occurred >= course.latest else { return false }
        var isWritten = false
        for step in row.steps {
            guard let body = body(of: step, row) else { continue }
            try append(body, row, &transaction)
            isWritten = true
        }
        if isWritten { course = Course(try transaction.ticket(plan.id)) }
        return isWritten
    }

    /// Nil if the ticket is there already.
    private func body(of step: CourseStep, _ row: PlannedRow) -> Body? {
        let occurrence = occurrence(row, row.keys.course)
        switch step {
        case .transfer:
            guard let custody = course.path.last else { return nil }
            let target = row.site ?? site
            guard custody.site != target || custody.department != row.department else { return nil }
            return .transfer(
                TransferBody(
                    custody: custody.id, variant: variant(from: custody, to: target, row.department), site: target,
                    department: row.department, reason: row.text, occurrence: occurrence))
        case .close:
            return course.isClosed && row.steps.first != .reopen
                ? nil : .close(CloseBody(reason: row.text, occurrence: occurrence))
        case .reopen:
            return course.isClosed
                ? .reopen(
                    ReopenBody(reason: row.text, site: row.site, department: row.department, occurrence: occurrence))
                : nil
        }
    }

    /// From the root of a cycle as planned, to whom it came from back, else onward.
    private func variant(from custody: Custody, to target: SiteCode, _ department: String) -> TransferBody.Variant {
        guard let parent = custody.parent, let before = course.path.last(where: { $0.id == parent }) else {
            return .dispatch
        }
        return before.site == target && before.department == department ? .returning : .onward
    }

    private func tell(_ row: PlannedRow) -> Body {
        let occurrence = occurrence(row, row.keys.event)
        let note = Body.note(NoteBody(text: row.text, occurrence: occurrence))
        switch row.event {
        case .accept:
            return course.custody(at: row.occurred).map { .accept(AcceptBody(custody: $0.id, occurrence: occurrence)) }
                ?? note
        case .reply:
            return course.custody(at: row.occurred).map {
                .reply(ReplyBody(custody: $0.id, text: row.text, occurrence: occurrence))
            } ?? note
        case .feedback:
            // A feedback belongs to the cycle that its author has seen; one of an earlier cycle would count for this.
            return row.occurred >= course.cycleStart
                ? .feedback(FeedbackBody(text: row.text, occurrence: occurrence)) : note
        case .note, nil: return note
        }
    }

    private func append(_ body: Body, _ row: PlannedRow, _ transaction: inout AppendTransaction) throws {
        let author = Author(
            name: row.actor, role: .agent, level: AuthorityLevel(of: site), site: site, department: row.department,
            catalogVersion: catalogVersion)
        try transaction.append(body, to: plan.id, author: author, scope: row.site.map { [$0] } ?? [])
    }

    private func occurrence(_ row: PlannedRow, _ key: UInt64) -> Occurrence {
        Occurrence(milliseconds: row.occurred, source: source, row: key)
    }
}
