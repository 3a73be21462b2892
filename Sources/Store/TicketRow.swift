internal import Assessment
internal import Replication
internal import ServiceLevels
internal import Tickets

/// What `ticket` shows of one ticket, and what the ticket puts into `rollup`.
struct TicketRow {
    let summary: TicketSummary
    private let number: String
    private let contributions: [UInt8]
    private let measures: [Contribution]
    /// It has been joined to another ticket, or parted from it.
    private let hasTwins: Bool

    /// - Parameter numbers: labels that operations at hand have given; an empty label leaves the row's as it is.
    init(_ ticket: Ticket, numbers: [Dot: String], catalog: Catalog) {
        summary = ticket.summary(bounceLimit: catalog.bounceLimit)
        hasTwins = ticket.hasTwinHistory
        number = summary.opening.flatMap { numbers[$0.dot] } ?? ""
        measures = Contribution.all(of: summary, catalog: catalog)
        contributions = Contribution.encode(measures)
    }

    /// A hash of everything the row is written from; a row is written again only when it differs. 0: never written.
    var facts: Int64 {
        var hash = FactsHash()
        hash.mix(summary.opening?.dot.replica.rawValue ?? 0)
        hash.mix(summary.opening?.dot.sequence ?? 0)
        hash.mix(summary.custody?.id.replica.rawValue ?? 0)
        hash.mix(summary.custody?.id.sequence ?? 0)
        hash.mix(UInt64(bitPattern: queueFacts))
        hash.mix(UInt64(bitPattern: holderSince))
        hash.mix(summary.category ?? "")
        hash.mix(UInt64(summary.urgency.rawValue))
        hash.mix(title?.replica.rawValue ?? 0)
        hash.mix(title?.sequence ?? 0)
        hash.mix(UInt64(chases))
        for twin in summary.twins {
            hash.mix(twin.high)
            hash.mix(twin.low)
        }
        contributions.withUnsafeBytes { hash.mix($0) }
        return hash.value
    }

    /// The part of it that indexes are made of.
    private var queueFacts: Int64 {
        var hash = FactsHash()
        hash.mix(UInt64(summary.status.rawValue))
        hash.mix(UInt64(bitPattern: openedAt))
        hash.mix(holderSite)
        hash.mix(holderDepartment)
        hash.mix(UInt64(conflicts))
        hash.mix(UInt64(contested))
        hash.mix(UInt64(undelivered))
        return hash.value
    }

    /// Columns that no index is made of, and those that one is, each with the key.
    private static let plainColumns: [Int32] = [1, 5, 6, 9, 10, 11, 12, 13, 16, 18]
    private static let queueColumns: [Int32] = [1, 3, 4, 7, 8, 14, 15, 17]

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
            rollup.replace(old, by: measures)
        }
        work.contributions = contributions
        let queue = queueFacts
        if work.facts == 0 {
            try run(statements.insertTicket, 1...18, of: work)
        } else {
            try run(statements.updateTicket, Self.plainColumns, of: work)
            if queue != work.queueFacts { try run(statements.updateTicketQueue, Self.queueColumns, of: work) }
            if !number.isEmpty || work.isRenumbered { try run(statements.updateTicketNumber, 1...2, of: work) }
        }
        work.queueFacts = queue
        guard hasTwins else { return }
        statements.clearTwins.bind(1, work.id)
        try statements.clearTwins.run()
        for twin in summary.twins {
            statements.insertTwin.bind(1, work.id)
            statements.insertTwin.bind(2, Array("\(twin)".utf8))
            try statements.insertTwin.run()
        }
    }

    /// Binds the columns of `ticket` with these numbers, from 1, in the order of the schema.
    private func run(_ row: BoundStatement, _ columns: some Sequence<Int32>, of work: Merge.Work) throws {
        for column in columns {
            switch column {
            case 1: row.bind(column, work.id)
            case 2: row.bind(column, number)
            case 3: row.bind(column, Int(summary.status.rawValue))
            case 4: row.bind(column, openedAt)
            case 5: row.bind(column, summary.opening?.site.rawValue ?? "")
            case 6: row.bind(column, summary.opening?.department ?? "")
            case 7: row.bind(column, holderSite)
            case 8: row.bind(column, holderDepartment)
            case 9: row.bind(column, holderSince)
            case 10: row.bind(column, summary.category ?? "")
            case 11: row.bind(column, Int(summary.urgency.rawValue))
            case 12: row.bind(column, title?.replica.rawValue ?? 0)
            case 13: row.bind(column, title?.sequence ?? 0)
            case 14: row.bind(column, conflicts)
            case 15: row.bind(column, contested)
            case 16: row.bind(column, chases)
            case 17: row.bind(column, undelivered)
            default: row.bind(column, contributions)
            }
        }
        try row.run()
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

/// FNV-1a over words, 64 bits.
private struct FactsHash {
    private var hash: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func mix(_ value: UInt64) {
        hash = (hash ^ value) &* 0x100_0000_01B3
        hash ^= hash >> 32
    }

    mutating func mix(_ text: String) {
        var text = text
        text.withUTF8 { mix(UnsafeRawBufferPointer($0)) }
    }

    mutating func mix(_ bytes: UnsafeRawBufferPointer) {
        mix(UInt64(bytes.count))
        var offset = 0
        while offset + 8 <= bytes.count {
            mix(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        while offset < bytes.count {
            mix(UInt64(bytes[offset]))
            offset += 1
        }
    }

    var value: Int64 { hash == 0 ? 1 : Int64(bitPattern: hash) }
}
