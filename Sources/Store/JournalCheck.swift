internal import GRDB
package import Replication
internal import Tickets

/// An anchor of this node's journal in the log.
package struct JournalAnchor: Sendable, Hashable {
    package var dot: Dot
    package var sequence: UInt64
    package var hash: ContentHash
    /// Of the entry, UTC milliseconds.
    package var time: Int64
}

/// What is wrong with a journal. Source: Protocols/audit.md §5.
package enum JournalFinding: Sendable, Hashable {
    /// The first entry that is there does not follow from the beginning, nor from what an entry says was pruned.
    case beginning(UInt64)
    /// Entries between these two, both included, are not there.
    case missing(UInt64, UInt64)
    /// The entry, or the one before it, is not what it was.
    case changed(UInt64)
    /// The log has an anchor behind the end of the journal.
    case cutOff(at: UInt64, anchor: JournalAnchor)
    /// Something up to the anchor was written anew; behind this sequence.
    case rewritten(behind: UInt64, anchor: JournalAnchor)
    /// An entry went that was to be kept.
    case prunedEarly(JournalAnchor)
}

package struct JournalCheck: Sendable, Hashable {
    package var first: UInt64 = 0
    package var end = JournalEnd.empty
    package var count = 0
    /// Anchors that the journal agrees with.
    package var anchorCount = 0
    /// Anchors of entries that a restored backup does not have: the journal tells of the restoration.
    package var lostCount = 0
    package var findings: [JournalFinding] = []

    package init() {}

    package var isIntact: Bool { findings.isEmpty }
}

extension StoreReader {
    /// What this node has said of its journal, under each of its incarnations, the latest first.
    package func journalAnchors() throws -> [(replica: ReplicaID, anchors: [JournalAnchor])] {
        try read { db in
            var result: [(ReplicaID, [JournalAnchor])] = []
            var next: ReplicaID? = identity.replica
            while let replica = next, !result.contains(where: { $0.0 == replica }) {
                result.append((replica, try Self.anchors(of: replica, db)))
                next =
                    replica == identity.replica && identity.follows != nil
                    ? identity.follows?.replica : try Self.predecessor(of: replica, db)
            }
            return result
        }
    }

    private static func anchors(of replica: ReplicaID, _ db: Database) throws -> [JournalAnchor] {
        try operations(of: replica, kind: .journalAnchor, db).compactMap { operation in
            guard case .journalAnchor(let body)? = try? Body(decoding: operation) else { return nil }
            return JournalAnchor(dot: operation.dot, sequence: body.sequence, hash: body.hash, time: body.time)
        }
    }

    private static func predecessor(of replica: ReplicaID, _ db: Database) throws -> ReplicaID? {
        for operation in try operations(of: replica, kind: .announce, db) {
            if case .announce(let body)? = try? Body(decoding: operation) { return body.follows?.replica }
        }
        return nil
    }

    /// Of one incarnation, on an entity of its own: few.
    private static func operations(
        of replica: ReplicaID, kind: Kind, _ db: Database
    ) throws -> [Replication.Operation] {
        let entity = kind == .announce ? EntityID(announcementOf: replica) : EntityID(journalOf: replica)
        guard let found = try Self.entity(entity, db) else { return [] }
        let reader = try DotReader(db)
        return try found.ticket.operations.filter { $0.replica == replica }.sorted().compactMap { dot in
            guard let operation = try reader.read(dot)?.operation, operation.kind == kind.operationKind else {
                return nil
            }
            return operation
        }
    }

    /// Follows the whole chain and compares it with every anchor of this node's. O(entries).
    /// - Parameter now: UTC milliseconds.
    /// - Parameter progress: entries read, and entries in all.
    package func checkJournal(
        now: Int64, keeping milliseconds: Int64 = JournalLimits.keptMilliseconds,
        progress: (Int, Int) -> Void = { _, _ in }
    ) throws -> JournalCheck {
        let anchors = try journalAnchors()
        return try read { db in
            var walk = JournalWalk(anchors: anchors, keeping: milliseconds, now: now)
            let prunings = try walk.find(.journalPruned, db).compactMap { entry in
                JournalPruning(entry).map { (entry, $0) }
            }
            walk.begins = try walk.find(.incarnationBegun, db).map { ($0.subject, $0.sequence) }
            let total = try Int.fetchOne(db, sql: "SELECT count(*) FROM journal") ?? 0
            let rows = try BoundStatement(db, "SELECT \(Journal.columns) FROM journal ORDER BY sequence")
            while try rows.step() {
                walk.step(Journal.read(rows), prunings)
                if walk.check.count % 5_000 == 0 { progress(walk.check.count, total) }
            }
            walk.finish(prunings)
            progress(total, total)
            return walk.check
        }
    }
}

/// Goes through the journal once, in its order.
private struct JournalWalk {
    var check = JournalCheck()
    /// Replica, and the sequence at which the journal says that it began.
    var begins: [(String, UInt64)] = []
    private let anchors: [(replica: ReplicaID, anchors: [JournalAnchor])]
    private let keeping: Int64
    private let now: Int64
    private var hashes: [UInt64: ContentHash] = [:]
    private let wanted: Set<UInt64>
    private var hasChainFinding = false

    init(anchors: [(replica: ReplicaID, anchors: [JournalAnchor])], keeping: Int64, now: Int64) {
        self.anchors = anchors
        self.keeping = keeping
        self.now = now
        wanted = Set(anchors.flatMap(\.anchors).map(\.sequence))
    }

    func find(_ action: JournalAction, _ db: Database) throws -> [JournalEntry] {
        let rows = try BoundStatement(
            db, "SELECT \(Journal.columns) FROM journal WHERE action = ?1 ORDER BY sequence")
        rows.bind(1, action.rawValue)
        var result: [JournalEntry] = []
        while try rows.step() { result.append(Journal.read(rows)) }
        return result
    }

    mutating func step(_ entry: JournalEntry, _ prunings: [(JournalEntry, JournalPruning)]) {
        if check.count == 0 {
            check.first = entry.sequence
            let before = prunings.last { $0.1.last + 1 == entry.sequence }
            if entry.sequence != 1, before == nil { note(.beginning(entry.sequence)) }
            let previous = entry.sequence == 1 ? ContentHash.zero : before?.1.hash
            if let previous, entry.chained(to: previous) != entry.hash { note(.changed(entry.sequence)) }
        } else if entry.sequence != check.end.sequence + 1 {
            note(.missing(check.end.sequence + 1, entry.sequence - 1))
        } else if entry.chained(to: check.end.hash) != entry.hash {
            note(.changed(entry.sequence))
        }
        check.count += 1
        check.end = JournalEnd(sequence: entry.sequence, hash: entry.hash, time: entry.time)
        if wanted.contains(entry.sequence) { hashes[entry.sequence] = entry.hash }
    }

    /// The first alone: what follows a break follows from it.
    private mutating func note(_ finding: JournalFinding) {
        guard !hasChainFinding else { return }
        hasChainFinding = true
        check.findings.append(finding)
    }

    mutating func finish(_ prunings: [(JournalEntry, JournalPruning)]) {
        var next: ReplicaID?
        var found: [JournalFinding] = []
        for (replica, anchors) in self.anchors {
            // Where the journal went on under the next incarnation.
            let end = next.flatMap { name in begins.first { $0.0 == "\(name)" }?.1 } ?? .max
            var agreed: UInt64 = 0
            for anchor in anchors {
                if anchor.sequence >= end {
                    check.lostCount += 1
                } else if anchor.sequence > check.end.sequence {
                    found.append(.cutOff(at: check.end.sequence, anchor: anchor))
                    break
                } else if let hash = hashes[anchor.sequence] {
                    guard hash == anchor.hash else {
                        found.append(.rewritten(behind: agreed, anchor: anchor))
                        break
                    }
                    agreed = anchor.sequence
                    check.anchorCount += 1
                } else if anchor.sequence < check.first, wasEarly(anchor, prunings) {
                    found.append(.prunedEarly(anchor))
                    break
                }
            }
            next = replica
        }
        check.findings += found
    }

    /// Whether an entry went before its time. What was pruned once more since is judged by the pruning that is known.
    private func wasEarly(_ anchor: JournalAnchor, _ prunings: [(JournalEntry, JournalPruning)]) -> Bool {
        guard let pruning = prunings.first(where: { $0.1.last >= anchor.sequence }) else { return true }
        return anchor.time > min(pruning.0.time, now) - keeping
    }
}
