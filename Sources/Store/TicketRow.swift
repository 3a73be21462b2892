internal import Replication
internal import ServiceLevels
internal import Tickets

/// What `ticket` shows of one ticket, and what the ticket puts into `rollup`.
struct TicketRow {
    let summary: TicketSummary
    private let number: String
    private let contributions: [UInt8]
    private let measures: [Contribution]

    /// - Parameter numbers: labels that operations at hand have given; an empty label leaves the row's as it is.
    init(_ ticket: Ticket, numbers: [Dot: String], catalog: Catalog) {
        summary = ticket.summary()
        number = summary.opening.flatMap { numbers[$0.dot] } ?? ""
        measures = Self.measures(of: summary, catalog: catalog)
        contributions = Contribution.encode(measures)
    }

    /// What has ended, each in the day of its deadline; what nobody is charged for stays out.
    private static func measures(of summary: TicketSummary, catalog: Catalog) -> [Contribution] {
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

    /// A hash of everything the row is written from; a row is written again only when it differs. FNV-1a, 64 bits.
    var facts: Int64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func mix(_ value: UInt64) {
            hash = (hash ^ value) &* 0x100_0000_01B3
            hash ^= hash >> 32
        }
        func mix(_ text: String) {
            mix(UInt64(text.utf8.count))
            for byte in text.utf8 { mix(UInt64(byte)) }
        }
        mix(UInt64(summary.status.rawValue))
        mix(summary.opening?.dot.replica.rawValue ?? 0)
        mix(summary.opening?.dot.sequence ?? 0)
        mix(UInt64(bitPattern: openedAt))
        mix(summary.custody?.id.replica.rawValue ?? 0)
        mix(summary.custody?.id.sequence ?? 0)
        mix(holderSite)
        mix(holderDepartment)
        mix(UInt64(bitPattern: holderSince))
        mix(summary.category ?? "")
        mix(UInt64(summary.urgency.rawValue))
        mix(title?.replica.rawValue ?? 0)
        mix(title?.sequence ?? 0)
        mix(UInt64(conflicts))
        mix(UInt64(contested))
        mix(UInt64(chases))
        mix(UInt64(undelivered))
        for byte in contributions { mix(UInt64(byte)) }
        // 0 means "never written".
        return Int64(bitPattern: hash) == 0 ? 1 : Int64(bitPattern: hash)
    }

    private var openedAt: Int64 { summary.opening?.at ?? 0 }
    private var holderSite: String { summary.custody?.site.rawValue ?? "" }
    private var holderDepartment: String { summary.custody?.department ?? "" }
    private var holderSince: Int64 { summary.custody.map { $0.delivered ?? $0.since } ?? 0 }
    private var title: Dot? { summary.displayedWrite(.title) }
    private var conflicts: Int { summary.conflicts.count }
    private var contested: Int { summary.contested.reduce(0) { $1.isSettled ? $0 : $0 + 1 } }
    private var chases: Int { summary.chases.reduce(0) { $1.isAnswered ? $0 : $0 + 1 } }
    private var undelivered: Int { summary.links.reduce(0) { $1.delivered == nil ? $0 + 1 : $0 } }

    func write(_ work: Merge.Work, statements: WriterStatements, rollup: inout RollupDelta) throws {
        let former = try work.contributions ?? formerContributions(of: work, statements)
        if former != contributions {
            let old: [Contribution]
            do {
                old = try former.withUnsafeBytes { try Contribution.decode($0) }
            } catch {
                throw StoreError.corruptState(entity: summary.id, reason: "contributions: \(error)")
            }
            for contribution in old { rollup.add(contribution, sign: -1) }
            for contribution in measures { rollup.add(contribution, sign: 1) }
        }
        work.contributions = contributions
        let row = statements.writeTicket
        row.bind(1, work.id)
        row.bind(2, number)
        row.bind(3, Int(summary.status.rawValue))
        row.bind(4, openedAt)
        row.bind(5, summary.opening?.site.rawValue ?? "")
        row.bind(6, summary.opening?.department ?? "")
        row.bind(7, holderSite)
        row.bind(8, holderDepartment)
        row.bind(9, holderSince)
        row.bind(10, summary.category ?? "")
        row.bind(11, Int(summary.urgency.rawValue))
        row.bind(12, title?.replica.rawValue ?? 0)
        row.bind(13, title?.sequence ?? 0)
        row.bind(14, conflicts)
        row.bind(15, contested)
        row.bind(16, chases)
        row.bind(17, undelivered)
        row.bind(18, contributions)
        try row.run()
        if !summary.twins.isEmpty || !work.isNew {
            statements.clearTwins.bind(1, work.id)
            try statements.clearTwins.run()
            for twin in summary.twins {
                statements.insertTwin.bind(1, work.id)
                statements.insertTwin.bind(2, Array("\(twin)".utf8))
                try statements.insertTwin.run()
            }
        }
    }

    private func formerContributions(of work: Merge.Work, _ statements: WriterStatements) throws -> [UInt8] {
        guard !work.isNew else { return [] }
        let find = statements.findContributions
        find.bind(1, work.id)
        guard try find.step() else { return [] }
        defer { find.reset() }
        return find.bytes(0)
    }
}

extension Int64 {
    /// Rounded towards negative infinity, so that days before 1970 are days too.
    func dividedFloor(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
