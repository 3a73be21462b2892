internal import GRDB

/// What a table of measures has a row for.
package enum MeasureGrouping: String, Sendable, CaseIterable {
    case site, department, category, step, day
}

/// Sums of ended steps; the open and overdue ones are added by whoever knows the time.
package struct MeasureRow: Hashable, Sendable {
    /// Values of the groupings, in their order.
    package var keys: [String]
    package var met: Int
    package var late: Int
    package var uncertain: Int
    package var elapsedMilliseconds: Int64
}

extension StoreReader {
    /// - Parameter days: days since 1970-01-01 UTC, both ends included.
    /// - Parameter subtree: only sites within this one; nil for all.
    package func measures(
        days: ClosedRange<Int64>, by groupings: [MeasureGrouping], subtree: String? = nil
    ) throws -> [MeasureRow] {
        precondition(!groupings.isEmpty, "a table needs rows")
        return try read { db in
            let columns = groupings.map(\.rawValue).joined(separator: ", ")
            let rows = try BoundStatement(
                db,
                """
                SELECT sum(met), sum(late), sum(uncertain), sum(elapsed_milliseconds), \(columns) FROM rollup
                WHERE day BETWEEN ?1 AND ?2 AND (?3 = '' OR site = ?3 OR site LIKE '%.' || ?3)
                GROUP BY \(columns) ORDER BY \(columns)
                """)
            rows.bind(1, days.lowerBound)
            rows.bind(2, days.upperBound)
            rows.bind(3, subtree ?? "")
            var result: [MeasureRow] = []
            while try rows.step() {
                result.append(
                    MeasureRow(
                        keys: groupings.indices.map { rows.text(Int32(4 + $0)) }, met: Int(rows.integer(0)),
                        late: Int(rows.integer(1)), uncertain: Int(rows.integer(2)),
                        elapsedMilliseconds: rows.integer(3)))
            }
            return result
        }
    }
}
