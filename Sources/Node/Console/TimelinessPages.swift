internal import Assessment
internal import Hummingbird
internal import Replication
internal import ServiceLevels
internal import Store
internal import Tickets

/// On-time rates by site, department and step, and the tickets behind each number.
///
/// What has ended is counted in the day of its deadline; what is open and overdue now is added as late. Uncertain ones
/// are shown and stay out of the rate.
struct TimelinessPages: Sendable {
    let state: ConsoleState

    /// Which limits are counted.
    enum Measure: String, Sendable, CaseIterable {
        case step, department, ticket

        func includes(_ subject: LimitSubject) -> Bool {
            switch (self, subject) {
            case (.step, .step), (.department, .departmentTotal), (.ticket, .ticket): true
            case (.step, _), (.department, _), (.ticket, _): false
            }
        }

        var codes: Set<Int64> {
            switch self {
            case .step: Set(Step.allCases.map { Int64(LimitSubject.step($0).measureCode) })
            case .department: [Int64(LimitSubject.departmentTotal.measureCode)]
            case .ticket: [Int64(LimitSubject.ticket.measureCode)]
            }
        }
    }

    struct Choice: Sendable, Equatable {
        var from: Int64
        var to: Int64
        var measure = Measure.step

        /// Without a choice: from the first of the month to today.
        init(_ fields: FormFields, now: Int64) {
            let today = CivilTime.day(of: now + ConsoleLimits.utcOffsetMinutes * 60_000)
            to = CivilTime.day(fields["to"]) ?? today
            let month = CivilTime(milliseconds: to * CivilTime.dayMilliseconds)
            from = CivilTime.day(fields["from"]) ?? to - Int64(month.dayOfMonth - 1)
            if from > to { swap(&from, &to) }
            from = max(from, to - ConsoleLimits.periodDaysMax + 1)
            measure = Measure(rawValue: fields["measure"]) ?? .step
        }

        var query: [(String, String)] {
            [("from", Self.text(from)), ("to", Self.text(to)), ("measure", measure.rawValue)]
        }

        static func text(_ day: Int64) -> String { CivilTime(milliseconds: day * CivilTime.dayMilliseconds).day }
    }

    /// An open limit that is overdue now.
    struct Overdue: Sendable {
        var ticket: EntityID
        var site: String
        var department: String
        var step: Int64
    }

    struct Row {
        var name: String
        var detail: String?
        var rate: String
        var bar: Bar
        var met: Int
        var late: Int
        var overdue: Int
        var uncertain: Int
        var mean: String
        var metHref: String
        var lateHref: String
        var overdueHref: String
        var uncertainHref: String
    }

    struct Table {
        var caption: String
        var head: String
        var rows: [Row]
        var isEmpty: Bool
    }

    struct Model {
        var from: String
        var to: String
        var measureOptions: [FormModel.Option]
        var tables: [Table]
    }

    struct DrillModel {
        var heading: String
        var back: String
        var rows: [QueuePages.Row]
        var isEmpty: Bool
        var note: String?
    }

    func add(to router: Router<NodeRequestContext>) {
        router.get("timeliness") { request, context in
            _ = try context.session(.readTimeliness)
            let words = state.views.words(state, context.visit)
            let choice = Choice(FormFields(queryOf: request), now: state.node.clock.now())
            let model = try await model(choice, words)
            return state.views.page("timeliness", model, title: "nav_timeliness", state: state, visit: context.visit)
        }
        router.get("timeliness/tickets") { request, context in
            _ = try context.session(.readTimeliness)
            let words = state.views.words(state, context.visit)
            let model = try await drill(FormFields(queryOf: request), words)
            return state.views.page("drill", model, title: "drill_title", state: state, visit: context.visit)
        }
    }

    private func model(_ choice: Choice, _ words: ConsoleWords) async throws -> Model {
        let reader = state.node.reader
        let (catalog, now) = (state.node.catalog, state.node.clock.now())
        let (measures, overdue) = try await state.reports.run {
            (
                try reader.measures(days: choice.from...choice.to, by: [.site, .department, .step]),
                try Self.overdue(choice, reader, catalog, now: now)
            )
        }
        var sums = [Sums(key: .site), Sums(key: .department), Sums(key: .step)]
        for measure in measures where choice.measure.codes.contains(Int64(measure.keys[2]) ?? 0) {
            for index in sums.indices { sums[index].add(measure) }
        }
        for entry in overdue {
            for index in sums.indices { sums[index].add(entry) }
        }
        if choice.measure != .step { sums.removeLast() }
        let tables = sums.map { sums in
            let rows = sums.rows(choice, words)
            return Table(
                caption: words["by_\(sums.key)"], head: words["\(sums.key)"], rows: rows, isEmpty: rows.isEmpty)
        }
        return Model(
            from: Choice.text(choice.from), to: Choice.text(choice.to),
            measureOptions: Measure.allCases.map {
                FormModel.Option(
                    value: $0.rawValue, text: words["measure_\($0.rawValue)"], isSelected: $0 == choice.measure)
            },
            tables: tables)
    }

    /// Running limits beyond their end whose deadline lies in the period. O(open tickets).
    private static func overdue(
        _ choice: Choice, _ reader: StoreReader, _ catalog: Catalog, now: Int64
    ) throws -> [Overdue] {
        var result: [Overdue] = []
        try reader.forEachOpenTicket { ticket in
            let summary = ticket.summary(bounceLimit: catalog.bounceLimit)
            for verdict in deadlines(summary, catalog, now: now)
            where verdict.state == .overdue && choice.measure.includes(verdict.subject) {
                guard let due = verdict.due, (choice.from...choice.to).contains(CivilTime.day(of: due)) else {
                    continue
                }
                result.append(
                    Overdue(
                        ticket: ticket.id, site: verdict.site.rawValue, department: verdict.department,
                        step: Int64(verdict.subject.measureCode)))
            }
        }
        return result
    }

    private func drill(_ fields: FormFields, _ words: ConsoleWords) async throws -> DrillModel {
        let (reader, catalog, now) = (state.node.reader, state.node.catalog, state.node.clock.now())
        let choice = Choice(fields, now: now)
        func bounded(_ name: String) -> String? {
            fields.contains(name) && fields[name].utf8.count <= ConsoleLimits.filterBytesMax ? fields[name] : nil
        }
        let (site, department) = (bounded("site"), bounded("department"))
        let steps = Int64(fields["step"]).map { choice.measure.codes.intersection([$0]) } ?? choice.measure.codes
        let outcome = fields["outcome"]
        let (listings, verdicts, isComplete) = try await state.reports.run {
            var filter = TicketFilter()
            filter.limit = ConsoleLimits.drillRowsMax
            var isComplete = true
            if let ended = Self.outcome(outcome) {
                let query = MeasureOriginQuery(
                    days: choice.from...choice.to, steps: steps, outcome: ended, site: site, department: department,
                    limit: ConsoleLimits.drillRowsMax, scanMax: ConsoleLimits.drillScanMax)
                let found = try reader.origins(query)
                (filter.ids, isComplete) = (found.ids, found.isComplete)
            } else {
                let all = try Self.overdue(choice, reader, catalog, now: now).filter {
                    (site ?? $0.site) == $0.site && (department ?? $0.department) == $0.department
                        && steps.contains($0.step)
                }
                let ids = Set(all.map(\.ticket)).sorted()
                isComplete = ids.count <= ConsoleLimits.drillRowsMax
                filter.ids = Array(ids.prefix(ConsoleLimits.drillRowsMax))
            }
            let listings = try reader.list(filter)
            let verdicts = try listings.map { listing -> StepVerdict? in
                guard let ticket = try reader.state(of: listing.id) else { return nil }
                return urgentVerdict(deadlines(ticket.summary(bounceLimit: catalog.bounceLimit), catalog, now: now))
            }
            return (listings, verdicts, isComplete)
        }
        let outcomeText = words["outcome_\(Self.outcome(outcome) == nil ? "overdue" : outcome)"]
        let parts = [site, department.map { words.department($0) }, outcomeText].compactMap { $0 }
        return DrillModel(
            heading: parts.joined(separator: " · ") + " · \(Choice.text(choice.from)) – \(Choice.text(choice.to))",
            back: "/timeliness?" + FormFields.query(choice.query),
            rows: zip(listings, verdicts).map { QueuePages.row($0, $1, words, now: now) }, isEmpty: listings.isEmpty,
            note: isComplete ? nil : words["drill_incomplete"])
    }

    private static func outcome(_ text: String) -> MeasureOriginQuery.Outcome? {
        switch text {
        case "met": .met
        case "late": .late
        case "uncertain": .uncertain
        default: nil
        }
    }
}
