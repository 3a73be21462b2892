internal import Replication

/// One additive measure of a ticket: a step that has ended, in the day of its deadline.
struct Contribution: Hashable {
    struct Key: Hashable {
        /// Days since 1970-01-01 UTC.
        var day: Int64
        var site: String
        var department: String
        var category: String
        var step: Int64
    }

    var key: Key
    var met: Int64
    var late: Int64
    var uncertain: Int64
    var elapsedMilliseconds: Int64

    static func encode(_ contributions: [Contribution]) -> [UInt8] {
        guard !contributions.isEmpty else { return [] }
        var writer = ByteWriter()
        writer.varint(contributions.count)
        for contribution in contributions {
            writer.signedVarint(contribution.key.day)
            writer.prefixed(contribution.key.site)
            writer.prefixed(contribution.key.department)
            writer.prefixed(contribution.key.category)
            writer.signedVarint(contribution.key.step)
            writer.signedVarint(contribution.met)
            writer.signedVarint(contribution.late)
            writer.signedVarint(contribution.uncertain)
            writer.signedVarint(contribution.elapsedMilliseconds)
        }
        return writer.bytes
    }

    static func decode(_ buffer: UnsafeRawBufferPointer) throws(DecodingFailure) -> [Contribution] {
        guard buffer.count > 0 else { return [] }
        var reader = ByteReader(buffer)
        var result: [Contribution] = []
        let count = try reader.count("contributions")
        for _ in 0..<count {
            let key = Key(
                day: try reader.signedVarint(), site: try reader.prefixedString("site"),
                department: try reader.prefixedString("department"), category: try reader.prefixedString("category"),
                step: try reader.signedVarint())
            result.append(
                Contribution(
                    key: key, met: try reader.signedVarint(), late: try reader.signedVarint(),
                    uncertain: try reader.signedVarint(), elapsedMilliseconds: try reader.signedVarint()))
        }
        try reader.finish()
        return result
    }
}

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
