internal import Assessment
internal import Hummingbird
internal import Replication
internal import ServiceLevels
internal import Store
internal import Tickets

/// Which limits a table counts; sums over different ones would mean nothing.
package enum LimitSelection: String, Sendable, CaseIterable {
    case steps, departmentTotal, ticket

    func contains(_ subject: LimitSubject) -> Bool {
        switch (self, subject) {
        case (.steps, .step), (.departmentTotal, .departmentTotal), (.ticket, .ticket): true
        case (.steps, _), (.departmentTotal, _), (.ticket, _): false
        }
    }

    func contains(measureCode code: Int) -> Bool {
        switch self {
        case .steps: Step.allCases.contains { LimitSubject.step($0).measureCode == code }
        case .departmentTotal: code == LimitSubject.departmentTotal.measureCode
        case .ticket: code == LimitSubject.ticket.measureCode
        }
    }
}

/// What an assessment asks for.
struct AssessmentQuery: Sendable {
    var groupings: [MeasureGrouping] = [.department, .step]
    var limits = LimitSelection.steps
    /// Days since 1970-01-01 UTC.
    var from: Int64?
    var to: Int64?
    var site: SiteCode?

    /// Without bounds: any day that a limit can fall on.
    var days: ClosedRange<Int64> { (from ?? -1_000_000)...max(from ?? -1_000_000, to ?? 1_000_000) }
}

extension APIServices {
    func addAssessmentRoutes(to routes: Routes) {
        routes.get("assessment") { request, _ in
            let query = try assessmentQuery(request)
            let now = node.clock.now()
            return try reply(try await read { try assessment(query, now: now) })
        }
    }

    /// Ended limits from the rollups, and those that are open and overdue from the open tickets.
    func assessment(_ query: AssessmentQuery, now: Int64) throws -> AssessmentTable {
        var sums: [[String]: AssessmentTable.Counts] = [:]
        var total = AssessmentTable.Counts()
        func add(_ keys: [String], _ counts: AssessmentTable.Counts) {
            sums[keys, default: AssessmentTable.Counts()].add(counts)
            total.add(counts)
        }
        // The kind of limit is always asked for, to tell them apart.
        let groupings = query.groupings.filter { $0 != .step } + [.step]
        for row in try reader.measures(days: query.days, by: groupings, subtree: query.site?.rawValue) {
            guard let code = row.keys.last.flatMap({ Int($0) }), query.limits.contains(measureCode: code) else {
                continue
            }
            var counts = AssessmentTable.Counts()
            counts.met = row.met
            counts.late = row.late
            counts.uncertain = row.uncertain
            counts.elapsedMilliseconds = row.elapsedMilliseconds
            let values = Dictionary(zip(groupings, row.keys), uniquingKeysWith: { first, _ in first })
            add(query.groupings.map { Self.keyText($0, values[$0] ?? "") }, counts)
        }
        try reader.forEachOpenTicket { ticket in
            let summary = ticket.summary(bounceLimit: node.catalog.bounceLimit)
            for verdict in deadlines(summary, node.catalog, now: now) where query.limits.contains(verdict.subject) {
                let day = CivilTime.day(of: verdict.due ?? now)
                guard query.days.contains(day), query.site.map(verdict.site.isWithin) ?? true else { continue }
                var counts = AssessmentTable.Counts()
                switch verdict.state {
                case .overdue:
                    counts.overdue = 1
                    counts.elapsedMilliseconds = verdict.elapsedMilliseconds
                case .contested: counts.contested = 1
                case .met, .running, .warning, .late, .uncertain: continue
                }
                add(query.groupings.map { Self.key($0, verdict, summary, day: day) }, counts)
            }
        }
        let rows = sums.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        return AssessmentTable(
            groupings: query.groupings.map(\.rawValue), from: query.from.map(Self.dayText),
            to: query.to.map(Self.dayText),
            site: query.site?.rawValue, now: Instant(now),
            rows: rows.map { AssessmentTable.Row(keys: $0.key, counts: $0.value) }, total: total)
    }

    private static func dayText(_ day: Int64) -> String { CivilTime(milliseconds: day * CivilTime.dayMilliseconds).day }

    private static func key(
        _ grouping: MeasureGrouping, _ verdict: StepVerdict, _ summary: TicketSummary, day: Int64
    ) -> String {
        switch grouping {
        case .site: verdict.site.rawValue
        case .department: verdict.department
        case .category: summary.category ?? ""
        case .step: verdict.subject.apiName
        case .day: dayText(day)
        }
    }

    /// A column of the rollups as the API writes it.
    private static func keyText(_ grouping: MeasureGrouping, _ text: String) -> String {
        switch grouping {
        case .site, .department, .category: text
        case .step:
            Int(text).flatMap { code in
                let subjects = Step.allCases.map(LimitSubject.step) + [.departmentTotal, .ticket]
                return subjects.first { $0.measureCode == code }?.apiName
            } ?? text
        case .day: Int64(text).map(dayText) ?? text
        }
    }

    private func assessmentQuery(_ request: Request) throws -> AssessmentQuery {
        var query = AssessmentQuery()
        for (key, value) in request.uri.queryParameters {
            let value = String(value)
            switch key {
            case "by":
                query.groupings = try value.split(separator: ",").map { part in
                    guard let grouping = MeasureGrouping(rawValue: String(part)) else {
                        throw APIFailure.malformed(
                            field: "by", expected: MeasureGrouping.allCases.map(\.rawValue).joined(separator: "|"))
                    }
                    return grouping
                }
                guard !query.groupings.isEmpty, Set(query.groupings).count == query.groupings.count else {
                    throw APIFailure.malformed(field: "by", expected: "department,step")
                }
            case "limits":
                guard let limits = LimitSelection(rawValue: value) else {
                    throw APIFailure.malformed(
                        field: "limits", expected: LimitSelection.allCases.map(\.rawValue).joined(separator: "|"))
                }
                query.limits = limits
            case "from": query.from = try day(value, "from")
            case "to": query.to = try day(value, "to")
            case "site": query.site = try readSite(value)
            default: throw APIFailure.malformed(field: String(key), expected: "by|limits|from|to|site")
            }
        }
        if let from = query.from, let to = query.to, from > to {
            throw APIFailure.malformed(field: "to", expected: "≥ from")
        }
        return query
    }

    private func day(_ text: String, _ field: String) throws -> Int64 {
        guard let day = CivilTime.day(text) else { throw APIFailure.malformed(field: field, expected: "2026-11-21") }
        return day
    }
}
