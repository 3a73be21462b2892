package import Replication
package import ServiceLevels
package import Tickets

/// One additive measure of a ticket: a step that has ended, in the day of its deadline.
package struct Contribution: Hashable, Sendable {
    package struct Key: Hashable, Sendable {
        /// Days since 1970-01-01 UTC.
        package var day: Int64
        package var site: String
        package var department: String
        package var category: String
        /// See `LimitSubject.measureCode`.
        package var step: Int64

        package init(day: Int64, site: String, department: String, category: String, step: Int64) {
            self.day = day
            self.site = site
            self.department = department
            self.category = category
            self.step = step
        }

        // By the bytes, as the rows are: Swift compares and hashes the normalised text, which takes several times as
        // long, and a merge asks for each step of each ticket.
        package static func == (left: Key, right: Key) -> Bool {
            left.day == right.day && left.step == right.step && left.site.utf8.elementsEqual(right.site.utf8)
                && left.department.utf8.elementsEqual(right.department.utf8)
                && left.category.utf8.elementsEqual(right.category.utf8)
        }

        package func hash(into hasher: inout Hasher) {
            hasher.combine(day)
            hasher.combine(step)
            var (site, department, category) = (site, department, category)
            site.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
            department.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
            category.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        }
    }

    package var key: Key
    package var met: Int64
    package var late: Int64
    package var uncertain: Int64
    package var elapsedMilliseconds: Int64

    package init(key: Key, met: Int64, late: Int64, uncertain: Int64, elapsedMilliseconds: Int64) {
        self.key = key
        self.met = met
        self.late = late
        self.uncertain = uncertain
        self.elapsedMilliseconds = elapsedMilliseconds
    }

    package static func encode(_ contributions: [Contribution]) -> [UInt8] {
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

    package static func decode(_ buffer: UnsafeRawBufferPointer) throws(DecodingFailure) -> [Contribution] {
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

extension Contribution {
    /// What has ended, each in the day of its deadline; what nobody is charged for stays out.
    package static func all(of summary: TicketSummary, catalog: Catalog) -> [Contribution] {
        guard !summary.isPending else { return [] }
        return endedVerdicts(summary, catalog).compactMap { verdict in
            // A total that was never used up has no instant of its own: it counts on the day it ended.
            guard let day = (verdict.due ?? verdict.ended)?.dividedFloor(by: 86_400_000) else { return nil }
            let key = Contribution.Key(
                day: day, site: verdict.site.rawValue, department: verdict.department,
                category: summary.category ?? "", step: Int64(verdict.subject.measureCode))
            var contribution = Contribution(
                key: key, met: 0, late: 0, uncertain: 0, elapsedMilliseconds: verdict.elapsedMilliseconds)
            switch verdict.state {
            case .met: contribution.met = 1
            case .late: contribution.late = 1
            case .uncertain: contribution.uncertain = 1
            case .contested, .running, .warning, .overdue: return nil
            }
            return contribution
        }
    }
}

extension LimitSubject {
    /// The number of a subject in `rollup.step`: a step's own number, 10 for department totals, 11 for whole tickets.
    package var measureCode: Int {
        switch self {
        case .step(let step): Int(step.rawValue)
        case .departmentTotal: 10
        case .ticket: 11
        }
    }
}

extension Int64 {
    /// Rounded towards negative infinity, so that days before 1970 are days too.
    func dividedFloor(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
