internal import Assessment

/// What one transaction adds to `rollup`, summed by key before it is written.
struct RollupDelta {
    private var sums: [Contribution.Key: Contribution] = [:]

    mutating func add(_ contribution: Contribution, sign: Int64) {
        let sum =
            sums[contribution.key]
            ?? Contribution(key: contribution.key, met: 0, late: 0, uncertain: 0, elapsedMilliseconds: 0)
        sums[contribution.key] = Contribution(
            key: contribution.key, met: sum.met + sign * contribution.met, late: sum.late + sign * contribution.late,
            uncertain: sum.uncertain + sign * contribution.uncertain,
            elapsedMilliseconds: sum.elapsedMilliseconds + sign * contribution.elapsedMilliseconds)
    }

    /// - Parameter add: adds measures to a row. - Parameter dropEmpty: removes a row that counts nothing any more, so
    ///   that a table grown step by step equals one rebuilt.
    mutating func write(add: BoundStatement, dropEmpty: BoundStatement) throws {
        for sum in sums.values
        where (sum.met, sum.late, sum.uncertain, sum.elapsedMilliseconds) != (0, 0, 0, 0) {
            Self.bind(sum.key, to: add)
            add.bind(6, sum.met)
            add.bind(7, sum.late)
            add.bind(8, sum.uncertain)
            add.bind(9, sum.elapsedMilliseconds)
            try add.run()
            if min(sum.met, sum.late, sum.uncertain) < 0 {
                Self.bind(sum.key, to: dropEmpty)
                try dropEmpty.run()
            }
        }
        sums.removeAll(keepingCapacity: true)
    }

    private static func bind(_ key: Contribution.Key, to statement: BoundStatement) {
        statement.bind(1, key.day)
        statement.bind(2, key.site)
        statement.bind(3, key.department)
        statement.bind(4, key.category)
        statement.bind(5, key.step)
    }
}
