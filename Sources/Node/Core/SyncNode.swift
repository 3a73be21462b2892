internal import Foundation
package import Logging
package import Replication
internal import ServiceLevels
package import Store
internal import Synchronization
package import Tickets

/// One office's node: the actor that owns replica and store. Every write goes through it, one after the other, on a
/// thread that may wait for the disk; there is no suspension inside a transaction.
package actor SyncNode {
    private let executor = BlockingExecutor(label: "banjie.writer")
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    package nonisolated let identity: NodeIdentity
    package nonisolated let reader: StoreReader
    package nonisolated let clock: NodeClock
    package nonisolated let catalog: Catalog
    package nonisolated let logger: Logger
    /// Who wants to hear of commits.
    package nonisolated let subscribers = Subscribers()
    package nonisolated let links = LinkTable()
    /// Whom it speaks to no more.
    nonisolated let revocations = RevocationBoard()
    /// Who acts when the province's roots change.
    nonisolated let roots = RootBoard()
    /// That the log should be looked through: something in it could not be read.
    nonisolated let suspicions = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    /// While it is low nothing new is written.
    package nonisolated let disk: DiskGuard
    /// Random, new with every start: tells a restart from a copy.
    package nonisolated let run = UInt64.random(in: 1...UInt64.max)
    private nonisolated let applyQueue = ApplyQueue()
    private nonisolated let search: SearchFollower

    private let replica: Replica
    private var isProjectionPlanned = false
    private var isProjectionNext = false
    /// What was only counted of late, for the journal.
    var journalFlood = JournalFlood()
    var isJournalFlushPlanned = false
    private var applier = Applier()
    private var isEpochPlanned = false
    private var areReceiptsPlanned = false
    private var isScrubPlanned = false
    /// By the clock that never steps.
    private var lastCommit: Int64 = 0
    /// Everything the parent had is here; receipts wait for it. Always true at the province.
    private var isCaughtUp: Bool

    /// - Parameter certificateFingerprint: lets a new incarnation announce itself and issue again what waits for it; nil
    ///   leaves that to the caller.
    package init(
        writer: sending StoreWriter, catalog: Catalog, clock: NodeClock, logger: Logger,
        certificateFingerprint: (() -> [UInt8])? = nil
    ) throws {
        writer.use(catalog)
        reader = writer.reader
        identity = writer.reader.identity
        disk = DiskGuard(path: writer.reader.folder.path)
        search = SearchFollower(writer.reader, logger: logger)
        isCaughtUp = writer.reader.identity.parent == nil
        let lost = try writer.noteIncarnation(now: clock.now())
        if lost > 0 {
            logger.error(
                "damaged operations of this node were not issued again: `banjie audit list --action operationLost` names them; enter anew what they said",
                metadata: ["count": "\(lost)"])
        }
        let replica = try Replica(writer: writer, provinceKey: try? KeyFolder(writer.reader.folder).provinceKey())
        if let certificateFingerprint {
            try replica.announceIfNew(certificateFingerprint: certificateFingerprint(), now: clock.now())
            let effects = try replica.reissuePending(now: clock.now())
            if effects.insertedCount > 0 {
                logger.notice(
                    "operations of a branch of this node's history were issued again",
                    metadata: ["count": "\(effects.insertedCount)"])
            }
        }
        self.replica = replica
        self.catalog = catalog
        self.clock = clock
        self.logger = logger
        revocations.read(reader, logger)
        do {
            try replica.writer.catchUpProjection()
            // Nobody tells a province that it has everything: what a process before this one owed is written now.
            if isCaughtUp, replica.writtenSequence > 0 { _ = try replica.writeWaitingReceipts(now: clock.now()) }
        } catch {
            // What is there can still be read, and built anew.
            logger.error("tickets cannot follow the log: run `banjie rebuild`", metadata: ["error": "\(error)"])
        }
        // Behind a process before this one, or missing.
        search.follow()
    }

    // MARK: Commands

    /// - Throws: `Refusal`, `StoreError`.
    package func execute(_ command: TicketCommand, by author: Author) throws -> Executed {
        try checkDisk()
        let executed = try replica.execute(command, by: author, now: clock.now())
        follow(executed.effects, isLocal: true)
        return executed
    }

    /// Operations written without `decide`: imports, and the node's own. One transaction.
    package func append(_ body: @Sendable (inout AppendTransaction) throws -> Void) throws -> ReplicaEffects {
        try checkDisk()
        let effects = try replica.appending(now: clock.now(), body)
        follow(effects, isLocal: true)
        return effects
    }

    private nonisolated func checkDisk() throws(StoreError) {
        if disk.isLow() { throw .diskAlmostFull(path: disk.path, freePercentMin: DiskGuard.freePercentMin) }
    }

    package func announceIfNew(certificateFingerprint: [UInt8]) throws {
        try replica.announceIfNew(certificateFingerprint: certificateFingerprint, now: clock.now())
        subscribers.publish(peers: [])
    }

    /// For what is no operation: accounts, peers, enrolment, cursors, acknowledgements, audits, rebuild.
    package func administer<Value: Sendable>(_ body: @Sendable (StoreWriter) throws -> Value) rethrows -> Value {
        try body(replica.writer)
    }

    /// Finds or makes the row of a peer that has said who it is.
    func meet(
        _ hello: SyncMessage.Hello, role: PeerRole, keepsFormer: Bool = false
    ) throws -> (id: PeerID, standing: SyncSession.PeerStanding) {
        try replica.writer.meet(hello, role: role, now: clock.now(), keepsFormer: keepsFormer)
    }

    /// Rows that a feed has come across and that do not match their hash: peers are asked for them.
    func note(damaged arrivals: [Int64]) {
        do {
            _ = try remember(damaged: arrivals)
        } catch {
            logger.error("damaged operations cannot be noted", metadata: ["error": "\(error)"])
        }
    }

    /// - Returns: how many rows are damaged that were not known to be.
    /// - Throws: `StoreError.damagedFile`.
    func remember(damaged arrivals: [Int64]) throws -> Int {
        guard !arrivals.isEmpty else { return 0 }
        let noted = try replica.writer.noteDamaged(arrivals, now: clock.now())
        for arrival in noted {
            logger.error(
                "a row of the log does not match its hash: `banjie scrub` lists it, a peer's copy will heal it",
                metadata: ["arrival": "\(arrival)"])
        }
        return noted.count
    }

    /// Has the log looked through soon if an error says that SQLite cannot read a record or a page.
    nonisolated func suspectDamage(_ error: any Error) {
        if StoreError.isMalformed(error) { suspicions.continuation.yield() }
    }

    /// Takes parked operations in on an administrator's word.
    /// - Parameter dot: nil for all.
    /// - Returns: how many.
    func releaseParked(_ dot: Dot?, by actor: JournalActor) throws -> Int {
        let now = clock.now()
        let result: MergeResult = try replica.writer.recording(now: now) { result in
            guard result.insertedCount > 0 else { return [] }
            return [
                JournalDraft(
                    .parkedReleased, by: actor, on: dot.map { "\($0)" } ?? "all", "count=\(result.insertedCount)")
            ]
        } _: {
            try $0.releaseParked(dot, now: now)
        }
        let effects = ReplicaEffects(result)
        follow(effects, isLocal: true)
        return effects.insertedCount
    }

    /// The node acting for itself.
    var systemAuthor: Author { replica.systemAuthor }

    // MARK: Recovery

    /// Called once the store has to be opened anew, under a new incarnation.
    private var onRecovery: (@Sendable () -> Void)?

    func onRecovery(_ body: @escaping @Sendable () -> Void) {
        onRecovery = body
    }

    /// A peer has proved that this store does not hold the end of its own history.
    func recover(_ reason: IncarnationReason, common: UInt64?, onWordOf role: PeerRole) {
        do {
            if let wait = try replica.prepareRecovery(reason, common: common, onWordOf: role, now: clock.now()) {
                logger.error(
                    "a child says again that this store was restored, and is believed only later: look into that child",
                    metadata: ["milliseconds": "\(wait)"])
                return
            }
            onRecovery?()
        } catch {
            logger.error("a new incarnation cannot be prepared", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Merging

    /// Queues a batch of a peer, in the order of the calls; it shares its transaction with what else has arrived.
    /// - Parameter place: what becomes durable of the peer's feed with it.
    /// - Parameter session: a random number of the session or task that sends it; once one of its batches has failed, so
    ///   do all that follow.
    /// - Parameter completion: called once, when the batch is durable or has failed; must not block.
    package nonisolated func merge(
        _ batch: ReceivedBatch, _ place: FeedPlace, from id: PeerID, in session: UInt64,
        completion: @escaping @Sendable (Result<Void, any Error>) -> Void
    ) {
        do throws(StoreError) {
            try checkDisk()
        } catch {
            return completion(.failure(error))
        }
        let entry = ApplyQueue.entry(batch, place, from: id, in: session, completion: completion)
        if applyQueue.push(entry) {
            executor.perform { self.assumeIsolated { $0.drain() } }
        }
    }

    /// True while more waits for the disk than `ApplyQueue.bytesMax`: links read nothing further then.
    package nonisolated var isApplyQueueFull: Bool { applyQueue.isFull }

    private func drain() {
        let now = clock.now()
        search.wait()
        // Whether a peer has said that it has more.
        let isMoreComing = applier.drain(applyQueue, into: replica, now: now, logger) { follow($0, isLocal: false) }
        search.follow(isMoreComing: isMoreComing)
        guard let isMoreComing else { return }
        lastCommit = NodeClock.monotonic()
        if replica.writer.isProjectionBehind {
            if isMoreComing { writeProjectionSoon() } else { writeProjectionNext() }
        }
        if !applyQueue.finishedDraining() {
            // Commands of people get their turn between two transactions.
            Task { self.drain() }
        }
    }

    // MARK: Projection

    /// How long the projection waits for a peer that has said that it has more.
    static let projectionDelayMilliseconds = 200

    /// How long it waits otherwise: until the acknowledgement has left, which shares the processors with it.
    static let acknowledgementMilliseconds = 10

    private func writeProjectionNext() {
        guard !isProjectionNext else { return }
        isProjectionNext = true
        Task { [weak self] in
            try? await Task.sleep(for: .milliseconds(Self.acknowledgementMilliseconds))
            await self?.writeNextProjection()
        }
    }

    private func writeNextProjection() {
        isProjectionNext = false
        if replica.writer.isProjectionBehind { writeProjection() }
    }

    private func writeProjectionSoon() {
        guard !isProjectionPlanned else { return }
        isProjectionPlanned = true
        Task { [weak self] in
            try? await Task.sleep(for: .milliseconds(Self.projectionDelayMilliseconds))
            await self?.writePlannedProjection()
        }
    }

    private func writePlannedProjection() {
        isProjectionPlanned = false
        guard replica.writer.isProjectionBehind else { return }
        // While more comes, the transactions themselves see to it: that the queue is empty says only that this node is
        // faster than its peer.
        let isQuiet = NodeClock.monotonic() - lastCommit >= Int64(Self.projectionDelayMilliseconds)
        if isQuiet && applyQueue.isEmpty { writeProjection() } else { writeProjectionSoon() }
    }

    /// Brings tickets and measures up to the log, after a start and while nothing comes.
    package func writeProjection() {
        do {
            follow(try replica.writeProjection(), isLocal: false)
        } catch {
            logger.error("tickets cannot follow the log: run `banjie rebuild`", metadata: ["error": "\(error)"])
        }
    }

    /// The end of a node that ran: tickets and measures are up to the log, nothing is done behind it any more, and the
    /// database file has all of it, unless somebody reads it still.
    func finish() async {
        writeProjection()
        await search.stop()
        do {
            try replica.writer.checkpoint(isPatient: false)
        } catch {
            logger.info("the write-ahead log stays beside the database", metadata: ["error": "\(error)"])
        }
    }

    private func follow(_ effects: ReplicaEffects, isLocal: Bool) {
        if effects.parkedCount > 0 {
            logger.warning(
                "operations parked: their origin cannot be justified yet",
                metadata: ["count": "\(effects.parkedCount)"])
        }
        if effects.hasRevocations { revocations.read(reader, logger) }
        if effects.hasRoots { roots.announce() }
        if effects.erasedCount > 0 { scrubErasedSoon() }
        if isLocal || isCaughtUp { writeReceipts(for: effects.owingReceipts) }
        subscribers.publish(peers: effects.advancedPeers)
        if isLocal {
            lastCommit = NodeClock.monotonic()
            search.follow()
            saveEpochSoon()
        }
    }

    // MARK: Personal data

    /// The customer of a telephone number: the same at every node of the province.
    /// - Throws: `StoreError.file` at a node without the province's key.
    nonisolated func customer(_ number: CustomerNumber) throws -> EntityID {
        EntityID(customer: number, provinceKey: try KeyFolder(reader.folder).provinceKey())
    }

    /// Between two looks at whether a reader still holds on to the log that erased keys lie in.
    static let scrubDelayMilliseconds: Int64 = 500

    /// What a peer says of keys, without operations.
    func saveKeys(_ entries: [PersonalKeyEntry], from id: PeerID) throws {
        follow(try replica.saveKeys(entries, from: id, now: clock.now()), isLocal: false)
    }

    /// Whatever a process before this one has not come to.
    package func scrubErasedSoon() {
        guard !isScrubPlanned else { return }
        isScrubPlanned = !scrubErased()
        guard isScrubPlanned else { return }
        Task { [weak self] in
            try? await Task.sleep(for: .milliseconds(Self.scrubDelayMilliseconds))
            await self?.scrubErasedAgain()
        }
    }

    private func scrubErasedAgain() {
        isScrubPlanned = false
        scrubErasedSoon()
    }

    private func scrubErased() -> Bool {
        do {
            return try replica.writer.scrubErased()
        } catch {
            logger.error("the octets of erased keys cannot be overwritten", metadata: ["error": "\(error)"])
            return false
        }
    }

    /// Asks that a person be erased.
    /// - Parameter entity: the customer, or the ticket that names none.
    /// - Returns: the proposal's dot.
    /// - Throws: `Refusal`, `StoreError`.
    package func proposeErasure(
        of entity: EntityID, keys: [PersonalKeyID], reason: String, by author: Author
    ) throws -> Dot {
        let body = try Erasure.propose(keys, reason: reason, by: author)
        return try appendErasure(.proposeErasure(body), to: entity, by: author)
    }

    /// Agrees to it: the keys are gone with the commit.
    @discardableResult
    package func confirmErasure(_ proposal: Dot, by author: Author) throws -> Dot {
        guard let operation = try reader.operation(proposal) else { throw Refusal.noSuchProposal }
        let body = try Erasure.confirm(
            proposal, among: try reader.erasureOperations(on: operation.entity), by: author)
        return try appendErasure(.confirmErasure(body), to: operation.entity, by: author)
    }

    private func appendErasure(_ body: Body, to entity: EntityID, by author: Author) throws -> Dot {
        var dot: Dot?
        let effects = try replica.appending(now: clock.now()) { transaction in
            dot = try transaction.append(body, to: entity, author: author)
        }
        follow(effects, isLocal: true)
        guard let dot else { preconditionFailure("what is appended has a dot") }
        return dot
    }

    // MARK: Epoch

    /// How far the file outside the database may be behind what this node has written.
    static let epochDelayMilliseconds: Int64 = 1_000

    private func saveEpochSoon() {
        guard !isEpochPlanned else { return }
        isEpochPlanned = true
        // A node that goes away meanwhile saves by itself.
        Task { [weak self] in
            try? await Task.sleep(for: .milliseconds(Self.epochDelayMilliseconds))
            await self?.savePlannedEpoch()
        }
    }

    private func savePlannedEpoch() {
        isEpochPlanned = false
        saveEpoch()
    }

    /// At the end, and now and then while this node writes.
    package func saveEpoch() {
        do {
            try replica.writer.saveEpoch()
        } catch {
            logger.error(
                "the epoch file cannot be written: check the data folder and its disk", metadata: ["error": "\(error)"])
        }
        guard !disk.isLow() else { return }
        do {
            try replica.writer.writeOwnRow()
        } catch {
            // What it does not say is read from the log.
            logger.info("the row of this incarnation stays behind the log", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Receipts

    /// Whether everything that the parent had is here.
    package func setCaughtUp(_ value: Bool) {
        guard identity.parent != nil, isCaughtUp != value else { return }
        isCaughtUp = value
        guard value else { return }
        writeWaitingReceipts()
    }

    /// What waited for this node to have everything, or for a bundle that has what its parent had, gets its receipt.
    func writeWaitingReceipts() {
        if replica.writer.isProjectionBehind { writeProjection() }
        writeReceipts { try replica.writeWaitingReceipts(now: clock.now()) }
    }

    private func writeReceipts(for tickets: [EntityID]) {
        writeReceipts { try replica.writeReceipts(for: tickets, now: clock.now()) }
    }

    private func writeReceipts(_ body: () throws -> ReplicaEffects) {
        do {
            publish(receipts: try body())
        } catch {
            logger.error("receipts cannot be written", metadata: ["error": "\(error)"])
            writeOwedReceiptsLater()
        }
    }

    /// Between two attempts to write receipts for which the disk had no room.
    package static let receiptDelayMilliseconds = 10_000

    private func writeOwedReceiptsLater() {
        guard !areReceiptsPlanned else { return }
        areReceiptsPlanned = true
        Task { [weak self] in
            try? await Task.sleep(for: .milliseconds(Self.receiptDelayMilliseconds))
            await self?.writeOwedReceipts()
        }
    }

    private func writeOwedReceipts() {
        areReceiptsPlanned = false
        // Whoever has everything again writes what it owes then.
        if isCaughtUp { writeReceipts(for: []) }
    }

    private func publish(receipts effects: ReplicaEffects) {
        // Of tickets that a call before has brought up to the log, and had nobody to tell.
        if isCaughtUp, !effects.owingReceipts.isEmpty { writeReceipts(for: effects.owingReceipts) }
        guard effects.insertedCount > 0 else { return }
        subscribers.publish(peers: effects.advancedPeers)
        saveEpochSoon()
    }
}

/// Those who wait for news: a link for its feed, a page for changes.
package final class Subscribers: Sendable {
    private struct State {
        var next = 0
        var listeners: [Int: @Sendable ([PeerID]) -> Void] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    /// - Parameter listener: called after a commit with the peers whose feed has grown; must not block.
    /// - Returns: a number to cancel with.
    package func add(_ listener: @escaping @Sendable ([PeerID]) -> Void) -> Int {
        state.withLock { state in
            state.next += 1
            state.listeners[state.next] = listener
            return state.next
        }
    }

    package func remove(_ number: Int) {
        _ = state.withLock { $0.listeners.removeValue(forKey: number) }
    }

    func publish(peers: [PeerID]) {
        let listeners = state.withLock { Array($0.listeners.values) }
        for listener in listeners { listener(peers) }
    }
}

/// How each peer's link stands, by the peer's row, for `sync status` and the console.
package final class LinkTable: Sendable {
    package struct Status: Sendable, Hashable {
        /// Nil before the link's first news.
        package var role: PeerRole?
        package var isConnected = false
        /// UTC milliseconds by the node's clock: since when connected, or since when not.
        package var since: Int64 = 0
        /// Operations the peer still had for this node, and when it said so.
        package var remainingToGet: UInt64?
        package var remainingKnownAt: Int64 = 0
        package var clockOffsetMilliseconds: Int64?
        package var roundTripMilliseconds: Int64?
        package var lastFailure: String?
        package var isPaused = false
        package var receivedOperations: UInt64 = 0
        package var sentOperations: UInt64 = 0
        package var receivedBytes: UInt64 = 0
        package var sentBytes: UInt64 = 0
        /// Of this node's feed to the peer, what the peer holds durably.
        package var acknowledgedPosition: UInt64 = 0
        package var acknowledgedCount: UInt64 = 0
        /// When it last said so: nanoseconds of the clock that never steps.
        package var acknowledgedAt: UInt64 = 0
        /// Operations a second that came, and that the peer has made durable.
        package var receivedRate = OperationRate()
        package var acknowledgedRate = OperationRate()
        package var isAuditing = false
        /// What the last audit of this side's found, and how many there were since the start.
        package var lastAudit: AuditOutcome?
        package var auditCount = 0

        mutating func received(_ operations: UInt64, now: Int64) {
            receivedOperations += operations
            receivedRate.add(operations, now: now)
        }

        mutating func acknowledged(_ cursor: FeedCursor, at nanoseconds: UInt64) {
            if acknowledgedCount > 0, cursor.digest.count > acknowledgedCount {
                acknowledgedRate.add(
                    cursor.digest.count - acknowledgedCount, now: Int64(nanoseconds / 1_000_000))
            }
            acknowledgedAt = nanoseconds
            acknowledgedPosition = cursor.position
            acknowledgedCount = cursor.digest.count
        }

        package init() {}
    }

    private let state = Mutex<[PeerID: Status]>([:])

    package init() {}

    package var all: [PeerID: Status] { state.withLock { $0 } }

    package func update(_ peer: PeerID, _ change: (inout Status) -> Void) {
        state.withLock { change(&$0[peer, default: Status()]) }
    }
}
