internal import GRDB
internal import Replication
internal import Tickets

/// Which entities' rows a transaction writes. Log, feeds, cursors and prefixes are written by every one.
enum ProjectionExtent {
    /// Every entity that differs from its row.
    case everything
    /// Those that this transaction has touched, and those that have been behind for too long.
    case touched
    /// Only those that have been behind for too long: a backlog comes in, and each would be written again and again.
    case overdue
}

// The projection: entities are decoded when first touched, folded in memory, and written in full.
extension Merge {
    /// What an entity's state shows. Apart from the entity: few have one, and it is larger than all else.
    final class Kept {
        let summary: TicketSummary
        weak var work: Work?

        init(_ summary: TicketSummary, of work: Work) {
            self.summary = summary
            self.work = work
        }
    }

    /// One entity, while its transaction runs and afterwards for as long as the cache keeps it.
    final class Work {
        let id: Int64
        /// Has no row yet.
        var isNew: Bool
        var ticket: Ticket { didSet { kept = nil } }
        /// What the ticket's state shows, where a person's command has had it derived.
        var kept: Kept?
        var digest: SetDigest
        var facts: Int64
        /// What its row in `ticket` says; nil while that has not been read.
        var contributions: [UInt8]?
        /// What the indexes of that row are made of; 0 while it is not known.
        var queueFacts: Int64 = 0
        /// Children in whose subtree a site takes part, by index in the cache's list.
        var members: Set<Int> = []
        /// Sites that took part when `members` was last looked at.
        var siteCount = 0
        /// Numbers that operations since it was last written have given it, by the operation.
        var numbers: [Dot: String] = [:]
        /// `numbers` has those of all openings that count: its row may have one that does not any more.
        var isRenumbered = false
        /// An operation since it was last written may have changed what its row shows.
        var mayShowMore = false
        /// It differs from its row.
        var isDirty = false
        /// Counts how often that has changed.
        var turn = 0
        /// Keys that something of it is known to be sealed under.
        var sealedUnder: Set<PersonalKeyID> = []
        /// What it counts for in the working set.
        var events = 0

        init(id: Int64, isNew: Bool, ticket: Ticket, digest: SetDigest, facts: Int64) {
            self.id = id
            self.isNew = isNew
            self.ticket = ticket
            self.digest = digest
            self.facts = facts
        }
    }

    mutating func work(on entity: EntityID) throws -> Work {
        if let known = cache.works[entity] {
            touch(known)
            return known
        }
        let find = cache.statements.findEntity
        find.bind(entity)
        let work: Work
        if try find.step() {
            defer { find.reset() }
            // An entity that the log names and that was not folded yet has no state.
            let isEmpty = find.integer(1) == 0
            guard let ticket = try? isEmpty ? Ticket(id: entity) : Ticket(decoding: find.blob(4), id: entity) else {
                return try workFromLog(on: entity, id: find.integer(0), facts: find.integer(3))
            }
            work = Work(
                id: find.integer(0), isNew: false, ticket: ticket,
                digest: SetDigest(count: find.unsigned(1), sum: ContentHash(find.blob(2)) ?? .zero),
                facts: find.integer(3))
            lookAtMembers(of: work)
        } else {
            cache.lastEntity += 1
            work = Work(id: cache.lastEntity, isNew: true, ticket: Ticket(id: entity), digest: .empty, facts: 0)
            work.contributions = []
            created.append(work)
        }
        cache.works.insert(work)
        touch(work)
        return work
    }

    /// Of an entity whose state is damaged: its operations are in the log, and what has come since is not kept waiting.
    /// O(operations of the log).
    private mutating func workFromLog(on entity: EntityID, id: Int64, facts: Int64) throws -> Work {
        let work = Work(id: id, isNew: false, ticket: Ticket(id: entity), digest: .empty, facts: facts)
        work.mayShowMore = true
        cache.works.insert(work)
        touch(work)
        let rows = try BoundStatement(
            db, "SELECT \(OperationRow.columns) FROM operation o WHERE o.entity = ?1 ORDER BY o.arrival")
        rows.bind(1, id)
        let table = try InternTable(db)
        while try rows.step() { try replay(rows, table) }
        return work
    }

    private mutating func touch(_ work: Work) {
        touched.append(work)
        cache.works.touch(work, arrival: cache.lastArrival, at: moment)
    }

    /// Which children take part, for an entity whose operations are in their feeds already.
    private func lookAtMembers(of work: Work) {
        guard work.siteCount != work.ticket.siteCount else { return }
        work.siteCount = work.ticket.siteCount
        for (index, child) in cache.children.enumerated() where work.ticket.isLetIn(within: child.site) {
            work.members.insert(index)
        }
    }

    /// Folds an operation that is in the log already; feeds and cursors stay as they are. Does nothing for one that the
    /// entity's row holds: digests, unlike states, would count it twice.
    ///
    /// A row that does not match its hash is recorded, and counts as one whose body cannot be read; what cannot be read at
    /// all is left out until it is healed. Source: Protocols/operations.md §9.
    mutating func replay(_ row: BoundStatement, _ table: InternTable) throws {
        let verdict = try RowVerdict.of(row, table, &cache.hasher)
        if !verdict.isSound { try Damage.note(arrival: row.integer(0), now: now, db) }
        guard let stored = verdict.stored else { return }
        let work = try work(on: stored.operation.entity)
        guard !work.ticket.contains(stored.operation.dot) || PlantedBug.replayCountsTwice.isActive else { return }
        let isVoid = cache.replicas[stored.operation.dot.replica]?.isVoid(stored.operation.dot.sequence, stored.hash)
        apply(
            stored.operation, hash: stored.hash,
            reading: verdict.isSound ? OperationReading(stored.operation) : .opaque,
            to: work, isVoid: isVoid ?? false)
        lookAtMembers(of: work)
    }

    func apply(
        _ operation: Operation, hash: ContentHash, reading: OperationReading, to work: Work, isVoid: Bool
    ) {
        work.ticket.apply(operation, reading, isVoid: isVoid)
        if !work.mayShowMore { work.mayShowMore = operation.kind != Kind.note.operationKind }
        work.digest.insert(hash)
        if let number = reading.number { work.numbers[operation.dot] = number }
        cache.works.addEvent(to: work)
    }

    /// Ends the transaction: the projection to the given extent, and the measures of replicas and peers.
    mutating func finish(_ extent: ProjectionExtent = .everything) throws {
        if mayVoid { try applyRevocations() }
        switch extent {
        case .everything:
            while let (work, _, _) = cache.works.oldestDirty() { try write(work) }
        case .touched:
            for work in touched where work.isDirty { try write(work) }
            try writeOverdue()
        case .overdue:
            for work in created where work.isNew {
                try insertRow(of: work, digest: .empty) { row in
                    row.bind(8, [])
                    try row.run()
                }
                work.isNew = false
            }
            try writeOverdue()
        }
        // Their entities have rows now, by which operations are read.
        for work in asked { try judgeErasures(on: work) }
        asked.removeAll()
        try rollup.write(add: cache.statements.addRollup, dropEmpty: cache.statements.dropEmptyRollup)
        try setProjectionCursor(cache.works.oldestDirty()?.arrival)
        cache.works.trim()
        try writeReplicasAndPeers()
    }

    /// In the order in which they fell behind, so that a ticket of a backlog is mostly written once: when it is over.
    private mutating func writeOverdue() throws {
        let limit = moment - .milliseconds(StoreWriter.deferredMillisecondsMax)
        while let (work, _, since) = cache.works.oldestDirty() {
            let isOverdue = since.map { $0 < limit } ?? true
            guard
                isOverdue || cache.works.dirtyCount > StoreWriter.deferredEntitiesMax
                    || cache.works.dirtyEvents > StoreWriter.deferredEventsMax
            else { return }
            try write(work)
        }
    }

    private func setProjectionCursor(_ arrival: Int64?) throws {
        guard cache.projectionCursor != arrival, !PlantedBug.projectionCursorForgotten.isActive else { return }
        try Meta.set(Meta.projectionCursor, arrival, db)
        cache.projectionCursor = arrival
    }

    mutating func write(_ work: Work) throws {
        if work.ticket.id.type == .ticket { try writeTicket(work) }
        if work.isNew {
            try insertRow(of: work, digest: work.digest) { row in
                try work.ticket.withEncoded(using: &cache.scratch) { state in
                    row.bindInPlace(8, state)
                    try row.run()
                }
            }
        } else {
            let update = cache.statements.updateEntity
            update.bind(1, work.id)
            update.bind(2, work.digest.count)
            work.digest.sum.withBytes { update.bind(3, $0) }
            update.bind(4, work.facts)
            try work.ticket.withEncoded(using: &cache.scratch) { state in
                update.bindInPlace(5, state)
                try update.run()
            }
        }
        work.isNew = false
        cache.works.wrote(work)
        work.mayShowMore = false
        work.numbers.removeAll()
        work.isRenumbered = false
    }

    private mutating func writeTicket(_ work: Work) throws {
        result.touched.append(work.ticket.id)
        guard work.mayShowMore || work.facts == 0 else { return }
        guard !work.ticket.isAllVoid else { return try removeTicketRow(of: work) }
        let row = TicketRow(work.ticket, numbers: work.numbers, catalog: catalog)
        if isOwn { cache.works.keep(row.summary, of: work) }
        let facts = row.facts
        if facts != work.facts {
            try row.write(work, statements: cache.statements, rollup: &rollup)
            work.facts = facts
        }
        if work.ticket.isLetIn(site), !row.summary.receiptsOwed(by: site).isEmpty {
            result.owingReceipts.append(work.ticket.id)
        }
    }

    private func insertRow(of work: Work, digest: SetDigest, runWithState: (BoundStatement) throws -> Void) throws {
        let insert = cache.statements.insertEntity
        insert.bind(1, work.id)
        insert.bind(2, Int(work.ticket.id.type.rawValue))
        insert.bind(3, work.ticket.id.high)
        insert.bind(4, work.ticket.id.low)
        insert.bind(5, digest.count)
        digest.sum.withBytes { insert.bind(6, $0) }
        insert.bind(7, digest.count == 0 ? 0 : work.facts)
        try runWithState(insert)
    }
}
