package import Replication
package import Store
package import Tickets
internal import Transport

/// What a replica has to tell others once something is durable.
package struct ReplicaEffects: Sendable {
    /// Peers whose feed has grown: their sessions read on.
    package var advancedPeers: [PeerID] = []
    /// Tickets touched, for deadlines and whoever watches.
    package var touched: [EntityID] = []
    /// Tickets among them for which this site owes a receipt.
    package var owingReceipts: [EntityID] = []
    package var batchCount = 0
    package var insertedCount = 0
    package var duplicateCount = 0
    package var parkedCount = 0
    /// Somebody has been revoked, or a revocation has come into force.
    package var hasRevocations = false
    /// Something was said of the province's roots.
    package var hasRoots = false
    /// Keys that were held and are erased: their octets have to leave the write-ahead log.
    package var erasedCount = 0

    /// Adds what a further commit has done.
    mutating func add(_ other: ReplicaEffects) {
        for peer in other.advancedPeers where !advancedPeers.contains(peer) { advancedPeers.append(peer) }
        touched += other.touched
        owingReceipts += other.owingReceipts
        batchCount += other.batchCount
        insertedCount += other.insertedCount
        duplicateCount += other.duplicateCount
        parkedCount += other.parkedCount
        hasRevocations = hasRevocations || other.hasRevocations
        hasRoots = hasRoots || other.hasRoots
        erasedCount += other.erasedCount
    }

    init(_ result: MergeResult) {
        advancedPeers = result.advancedPeers
        touched = result.touched
        owingReceipts = result.owingReceipts
        batchCount = result.batchCount
        insertedCount = result.insertedCount
        duplicateCount = result.duplicateCount
        parkedCount = result.parkedCount
        hasRevocations = result.hasRevocations
        hasRoots = result.hasRoots
        erasedCount = result.erasedCount
    }
}

/// Operations that a person's command has become.
package struct Executed: Sendable {
    package var ticket: EntityID
    package var dots: [Dot]
    package var effects: ReplicaEffects
}

/// One node's replica: events in, effects out after the commit. Synchronous; time comes as an argument.
///
/// Owned by one actor and not Sendable. `decide` runs here and nowhere else.
package final class Replica {
    package let identity: NodeIdentity
    package let reader: StoreReader
    package let writer: StoreWriter
    private var clock: HybridClock
    private var lastSequence: UInt64
    /// Tickets whose receipts could not be written when they were due.
    package internal(set) var owedReceipts: [EntityID] = []
    private var hasher = ContentHasher()
    private let provinceKey: [UInt8]?
    private let random: (Int) -> [UInt8]

    /// - Parameter provinceKey: names customers by their numbers; nil where there is none.
    /// - Parameter random: gives octets for keys and nonces; for simulations that are to repeat themselves.
    /// - Throws: what reading the store throws.
    package init(
        writer: StoreWriter, provinceKey: [UInt8]? = nil, random: @escaping (Int) -> [UInt8] = randomBytes
    ) throws {
        self.random = random
        self.provinceKey = provinceKey
        self.writer = writer
        reader = writer.reader
        identity = writer.reader.identity
        lastSequence = try writer.lastSequence()
        if PlantedBug.sequenceRepeatsAfterStart.isActive, lastSequence > 1 { lastSequence -= 1 }
        clock = HybridClock(last: try writer.lastOwnTime())
    }

    package var catalog: Catalog { writer.catalog }

    /// Highest sequence of this incarnation; 0 before it has announced itself.
    package var writtenSequence: UInt64 { lastSequence }

    /// The first operation of an incarnation: which site it works for, and which incarnation it goes on from.
    /// - Parameter certificateFingerprint: only asked for if the incarnation is new.
    package func announceIfNew(
        certificateFingerprint: @autoclosure () throws -> [UInt8], now: Int64
    ) throws {
        guard lastSequence == 0 else { return }
        let body = AnnounceBody(
            site: identity.site, certificateFingerprint: try certificateFingerprint(), follows: identity.follows,
            level: AuthorityLevel(of: identity.site))
        let entity = EntityID(announcementOf: identity.replica)
        _ = try appending(now: now) { transaction in
            try transaction.append(.announce(body), to: entity, author: systemAuthor)
        }
    }

    /// The node acting for itself.
    package var systemAuthor: Author {
        Author(
            name: "node", role: .system, level: AuthorityLevel(of: identity.site), site: identity.site, department: "",
            catalogVersion: catalog.version)
    }

    /// Carries out a person's command.
    /// - Throws: `Refusal` with what to do instead; `StoreError`.
    package func execute(_ command: TicketCommand, by author: Author, now: Int64) throws -> Executed {
        let reader = reader
        let ticket = try command.ticket.flatMap { try writer.state(of: $0) }
        let twin = try command.twin.flatMap { try writer.state(of: $0) }
        let context = DecisionContext(
            author: author, replica: identity.replica, nextSequence: lastSequence + 1, now: clock.tick(wall: now),
            catalog: catalog, summary: command.ticket.flatMap { writer.summary(of: $0) },
            operation: { dot in (try? reader.operation(dot)) ?? nil },
            ticket: { id in id == twin?.id ? twin : nil })
        var drafts: [Draft]
        do {
            drafts = try decide(command, on: ticket, context: context)
        } catch {
            throw try explained(error, on: ticket)
        }
        var sealer = sealer()
        for index in drafts.indices { try seal(&drafts[index], on: ticket, with: &sealer) }
        let operations = drafts.enumerated().map { index, draft in
            draft.operation(
                by: author, of: identity.replica, at: index == 0 ? clock.last : clock.tick(wall: now))
        }
        guard let first = operations.first else { preconditionFailure("a decision has at least one operation") }
        let effects = try commitOwn(operations, keys: sealer.made, now: now)
        return Executed(ticket: first.entity, dots: operations.map(\.dot), effects: effects)
    }

    /// What froze a ticket is looked up only when somebody is refused for it.
    private func explained(_ refusal: Refusal, on ticket: Ticket?) throws -> Refusal {
        guard refusal == .frozen, let dot = try ticket.flatMap({ try reader.damage(freezing: $0) }) else {
            return refusal
        }
        return .frozenByDamage(dot)
    }

    func sealer() -> PersonalSealer { PersonalSealer(writer: writer, provinceKey: provinceKey, random: random) }

    private func seal(_ draft: inout Draft, on ticket: Ticket?, with sealer: inout PersonalSealer) throws {
        guard draft.content.kind == .open || draft.content.kind == .setField else { return }
        let sealed = try sealer.seal(draft.content, on: draft.entity, customer: ticket?.customer)
        if sealed != draft.content { draft.replace(by: sealed) }
    }

    /// Makes what peers have sent durable, as much of it as one transaction takes; see `ReplicaEffects.batchCount`.
    /// Call `writeProjection` afterwards.
    package func merge(_ batches: [MergeBatch], now: Int64) throws -> ReplicaEffects {
        let result = try writer.commit(batches, now: now, deferringProjection: true)
        clock.observe(result.latest, wall: now)
        if batches.prefix(result.batchCount).contains(where: { $0.writers.contains(identity.replica) }) {
            // Its own operations come back after a loss; the next one goes behind those that were taken in. What was
            // parked is somebody's word: no child is to say how far this node's stream goes.
            lastSequence = max(lastSequence, try writer.lastSequence())
        }
        return ReplicaEffects(result)
    }

    /// Operations written without `decide`, by the node itself or by an import; one transaction.
    package func appending(
        now: Int64, _ body: (inout AppendTransaction) throws -> Void
    ) throws -> ReplicaEffects {
        var transaction = AppendTransaction(
            replica: identity.replica, writer: writer, sealer: sealer(), clock: clock, sequence: lastSequence, now: now)
        try body(&transaction)
        guard !transaction.operations.isEmpty else { return ReplicaEffects(MergeResult()) }
        clock = transaction.clock
        return try commitOwn(transaction.operations, transaction.readings, keys: transaction.sealer.made, now: now)
    }

    private func commitOwn(
        _ operations: [Operation], _ readings: [OperationReading]? = nil, keys: [PersonalKeyEntry], now: Int64
    ) throws -> ReplicaEffects {
        let result = try writer.commit([try batch(of: operations, readings, keys: keys)], now: now)
        lastSequence = operations.last?.dot.sequence ?? lastSequence
        return ReplicaEffects(result)
    }

    /// Makes operations durable that were written before, in place of what waits.
    func commit(
        _ operations: [Operation], keys: [PersonalKeyEntry], reissuing waiting: [WaitingOperation], now: Int64
    ) throws -> ReplicaEffects {
        let result = try writer.commit(try batch(of: operations, keys: keys), reissuing: waiting, now: now)
        lastSequence = operations.last?.dot.sequence ?? lastSequence
        clock.observe(result.latest, wall: now)
        return ReplicaEffects(result)
    }

    private func batch(
        of operations: [Operation], _ readings: [OperationReading]? = nil, keys: [PersonalKeyEntry]
    ) throws -> MergeBatch {
        var hashes: [ContentHash] = []
        hashes.reserveCapacity(operations.count)
        for operation in operations {
            try operation.check()
            hashes.append(hasher.hash(operation))
        }
        return MergeBatch(source: .local, operations: operations, hashes: hashes, readings: readings, keys: keys)
    }
}

extension TicketCommand {
    /// The second ticket that it is about.
    fileprivate var twin: EntityID? {
        if case .join(let other, _) = action { return other }
        if case .separate(let other, _) = action { return other }
        return nil
    }
}

/// Operations on their way into one commit, and the tickets as they will be after it.
package struct AppendTransaction {
    private let replica: ReplicaID
    private let writer: StoreWriter
    private(set) var sealer: PersonalSealer
    private let now: Int64
    private(set) var clock: HybridClock
    private var sequence: UInt64
    private var tickets: [EntityID: Ticket] = [:]
    package private(set) var operations: [Operation] = []
    private(set) var readings: [OperationReading] = []

    init(
        replica: ReplicaID, writer: StoreWriter, sealer: PersonalSealer, clock: HybridClock, sequence: UInt64,
        now: Int64
    ) {
        self.sealer = sealer
        self.replica = replica
        self.writer = writer
        self.clock = clock
        self.sequence = sequence
        self.now = now
    }

    /// The entity as it stands, with what this transaction has appended.
    package mutating func ticket(_ id: EntityID) throws -> Ticket {
        if let known = tickets[id] { return known }
        let ticket = try writer.state(of: id) ?? Ticket(id: id)
        tickets[id] = ticket
        return ticket
    }

    /// The dot that the next operation will have.
    package var nextDot: Dot { Dot(replica, sequence + 1) }

    /// Adds an operation whose author has seen the entity as it stands here.
    /// - Parameter scope: sites that it lets in beside the author's own.
    @discardableResult
    package mutating func append(
        _ body: Body, to id: EntityID, author: Author, scope: [SiteCode] = []
    ) throws -> Dot {
        var ticket = try ticket(id)
        // The only copy: to apply an operation does not copy the state.
        tickets[id] = nil
        sequence += 1
        let body = try sealer.seal(body, on: id, customer: ticket.customer)
        let operation = Operation(
            dot: Dot(replica, sequence), entity: id, previous: ticket.previous(of: replica), seen: ticket.seen(),
            time: clock.tick(wall: now), author: author, scope: Array(Set(scope)).sorted(),
            kind: body.kind.operationKind, isCritical: body.kind.isCritical, body: body.encoded())
        let reading = OperationReading(operation)
        ticket.apply(operation, reading)
        tickets[id] = ticket
        operations.append(operation)
        readings.append(reading)
        return operation.dot
    }
}
