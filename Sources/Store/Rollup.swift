internal import Assessment
internal import Replication

/// What one transaction adds to `rollup`, summed by key before it is written.
struct RollupDelta {
    private struct Sum {
        var met: Int64 = 0
        var late: Int64 = 0
        var uncertain: Int64 = 0
        var elapsedMilliseconds: Int64 = 0

        mutating func add(_ contribution: Contribution, sign: Int64) {
            met += sign * contribution.met
            late += sign * contribution.late
            uncertain += sign * contribution.uncertain
            elapsedMilliseconds += sign * contribution.elapsedMilliseconds
        }

        var isZero: Bool { (met, late, uncertain, elapsedMilliseconds) == (0, 0, 0, 0) }
    }

    private var sums: [Contribution.Key: Sum] = [:]

    /// Takes what a ticket put in off again, and adds what it puts in now. Both lists are in the order of its steps, of
    /// which most stay as they were.
    mutating func replace(_ former: [Contribution], by present: [Contribution]) {
        let same = zip(former, present).prefix { $0 == $1 }.count
        for contribution in former[same...] where !PlantedBug.rollupOnlyGrows.isActive {
            sums[contribution.key, default: Sum()].add(contribution, sign: -1)
        }
        for contribution in present[same...] { sums[contribution.key, default: Sum()].add(contribution, sign: 1) }
    }

    /// - Parameter add: adds measures to a row. - Parameter dropEmpty: removes a row that counts nothing any more, so
    ///   that a table grown step by step equals one rebuilt.
    mutating func write(add: BoundStatement, dropEmpty: BoundStatement) throws {
        for (key, sum) in sums where !sum.isZero {
            Self.bind(key, to: add)
            add.bind(6, sum.met)
            add.bind(7, sum.late)
            add.bind(8, sum.uncertain)
            add.bind(9, sum.elapsedMilliseconds)
            try add.run()
            if min(sum.met, sum.late, sum.uncertain) < 0 {
                Self.bind(key, to: dropEmpty)
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
