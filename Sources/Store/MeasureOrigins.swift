internal import Assessment
package import Replication
internal import Tickets

/// Which tickets a number in a table of measures was counted from.
package struct MeasureOriginQuery: Hashable, Sendable {
    package enum Outcome: Sendable, CaseIterable {
        case met, late, uncertain
    }

    /// Days since 1970-01-01 UTC of the deadline, both ends included.
    package var days: ClosedRange<Int64>
    package var steps: Set<Int64>
    package var outcome: Outcome
    package var site: String?
    package var department: String?
    package var limit: Int
    /// Tickets that are looked at, the latest opened first.
    package var scanMax: Int

    package init(
        days: ClosedRange<Int64>, steps: Set<Int64>, outcome: Outcome, site: String?, department: String?, limit: Int,
        scanMax: Int
    ) {
        self.days = days
        self.steps = steps
        self.outcome = outcome
        self.site = site
        self.department = department
        self.limit = limit
        self.scanMax = scanMax
    }
}

extension StoreReader {
    /// - Returns: the tickets, the latest opened first, and whether every ticket was looked at. O(tickets scanned).
    package func origins(_ query: MeasureOriginQuery) throws -> (ids: [EntityID], isComplete: Bool) {
        try read { db in
            let rows = try BoundStatement(
                db,
                """
                SELECT e.high, e.low, t.contributions FROM ticket t JOIN entity e ON e.id = t.entity
                WHERE length(t.contributions) > 0 AND t.opened < ?1 ORDER BY t.opened DESC LIMIT ?2
                """)
            rows.bind(1, (query.days.upperBound + 1) * 86_400_000)
            rows.bind(2, query.scanMax + 1)
            var ids: [EntityID] = []
            var scanned = 0
            while try rows.step() {
                scanned += 1
                guard scanned <= query.scanMax, ids.count < query.limit else {
                    rows.reset()
                    return (ids, false)
                }
                let contributions = (try? Contribution.decode(rows.blob(2))) ?? []
                guard contributions.contains(where: { $0.matches(query) }) else { continue }
                ids.append(EntityID(type: .ticket, high: rows.unsigned(0), low: rows.unsigned(1)))
            }
            return (ids, true)
        }
    }
}

extension Contribution {
    fileprivate func matches(_ query: MeasureOriginQuery) -> Bool {
        guard query.days.contains(key.day), query.steps.contains(key.step),
            query.site.map({ $0 == key.site }) ?? true, query.department.map({ $0 == key.department }) ?? true
        else { return false }
        switch query.outcome {
        case .met: return met > 0
        case .late: return late > 0
        case .uncertain: return uncertain > 0
        }
    }
}
