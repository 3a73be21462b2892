/// One connection between two nodes, as a state machine without I/O: messages and results of effects in, effects out.
///
/// Call order: `start`, then `handle` for each message as it arrives and `tick` from time to time. Effects that name
/// an input are answered with it, once. Both sides run the same machine; which of them dialled only decides who audits.
///
/// Source: Protocols/sync.md §5.
package struct SyncSession: ~Copyable {
    package static let versionMax: UInt32 = 2
    /// From which on a session carries signed heads.
    package static let headsVersion: UInt32 = 2
    package static let versionMin: UInt32 = 1

    package struct Configuration: Sendable {
        package var site: SiteCode
        /// This store's present incarnation, which also names the feed it sends.
        package var replica: ReplicaID
        package var follows: ReplicaID?
        /// Random, new with every start of the process.
        package var run: UInt64
        /// The site that the peer's certificate names.
        package var peerSite: SiteCode
        package var isDialer: Bool
        /// Bytes of batches that may be on their way.
        package var unacknowledgedBytesMax: Int

        package init(
            site: SiteCode, replica: ReplicaID, follows: ReplicaID? = nil, run: UInt64, peerSite: SiteCode,
            isDialer: Bool, unacknowledgedBytesMax: Int = SyncLimits.unacknowledgedBytesMax
        ) {
            self.site = site
            self.replica = replica
            self.follows = follows
            self.run = run
            self.peerSite = peerSite
            self.isDialer = isDialer
            self.unacknowledgedBytesMax = unacknowledgedBytesMax
        }
    }

    /// What the store knows of the peer that has said who it is.
    package struct PeerStanding: Sendable, Hashable {
        package var received: FeedProgress?
        /// The highest operation that is stored here of the peer's present incarnation.
        package var held: HeldOperation?
        /// This store has nothing but what its present incarnation has written.
        package var isEmpty: Bool
        /// The two have been apart, or this node has been elsewhere: compare before anything else.
        package var wantsAudit: Bool
        /// The feed waits for it: what the peer lacks may have come to it another way.
        package var auditsFirst: Bool
        /// Another process runs under the peer's incarnation.
        package var isCloned: Bool

        package init(
            received: FeedProgress?, held: HeldOperation?, isEmpty: Bool, wantsAudit: Bool,
            auditsFirst: Bool = false, isCloned: Bool = false
        ) {
            self.received = received
            self.held = held
            self.isEmpty = isEmpty
            self.wantsAudit = wantsAudit
            self.auditsFirst = auditsFirst
            self.isCloned = isCloned
        }
    }

    /// What the peer's knowledge of this store's own history says about it.
    package enum HistoryVerdict: Sendable, Hashable {
        case sound
        /// The peer holds more than was ever written here, as far as this store knows.
        case behind(last: UInt64)
        /// The peer holds another operation under this sequence.
        case differs(at: UInt64)
    }

    /// What the shell has to do, in this order.
    package enum Effect: Sendable {
        case send(SyncMessage)
        case sendBatch(OutgoingBatch, compressed: Bool)
        /// Find the peer, and answer with `identified`.
        case identify(SyncMessage.Hello)
        /// Compare with this store's own history, and answer with `judged`.
        case judge(HeldOperation)
        /// Compare an own operation with what the peer holds there, and answer with `ownCompared`.
        case compareOwn(HeldOperation)
        /// Look up what is stored of the peer's incarnation up to a sequence, and answer with `held`.
        case findHeld(of: ReplicaID, upTo: UInt64)
        /// Find out from where the feed to the peer goes on, and answer with `vouched`.
        case vouch(presented: FeedProgress?, isPeerEmpty: Bool)
        /// Read the feed to the peer, and answer with `batchRead`.
        case readFeed(Lane, after: FeedCursor, through: UInt64?, bytesMax: Int)
        /// Read the announcements among these positions, and answer with `repairRead`.
        case readAnnouncements(after: UInt64, through: UInt64)
        /// Read operations that an audit found missing at the peer, and answer with `repairRead`.
        case readForRepair([Dot])
        /// Commit these operations together with their place, and answer with `applied`.
        case apply(ReceivedBatch, FeedPlace)
        /// The peer's feed goes on from here.
        case saveReceived(FeedProgress)
        /// The peer holds its feed durably up to here.
        case saveAcknowledged(FeedCursor)
        /// Look these keys up for the peer, and answer with `keysAnswered`.
        case answerKeys([PersonalKeyID])
        /// Make keys durable that have come without a batch.
        case saveKeys([PersonalKeyEntry])
        /// Answer the peer's question with `auditAnswered`.
        case answerAudit(AuditRequest)
        /// Compare with what is stored here, and answer with `auditCompared`.
        case compareAudit(AuditReply, with: AuditRequest)
        /// Check what nodes have signed of their own histories.
        case takeHeads([SignedHead])
        /// Take a new incarnation: operations behind `common` are not those that the peer knows under their dots.
        case recover(IncarnationReason, common: UInt64?)
        case notice(Notice)
        /// The session is over. With a code to say, a `Bye` has been put before it.
        case close(ByeCode, reason: String)
    }

    package enum Notice: Sendable, Hashable {
        case established(peer: ReplicaID, version: UInt32)
        /// The peer has sent everything it had for this node.
        case receivedEverything
        /// The peer holds everything that this node had for it.
        case deliveredEverything
        /// Peer's clock minus ours, milliseconds; right to half the round trip.
        case clockOffset(milliseconds: Int64, roundTripMilliseconds: Int64)
        /// Operations that the peer still has for this node.
        case remaining(UInt64)
        case auditStarted
        /// An audit of this side's is over.
        case audited(AuditOutcome, RangeAudit.Purpose)
        /// An audit of the peer's is over.
        case auditedByPeer(found: UInt64, unresolved: UInt64)
    }

    /// Where the feed to the peer goes on.
    package struct Resumption: Sendable, Hashable {
        /// Nil if the store cannot vouch for what the peer presented.
        package var cursor: FeedCursor?
        /// Of the intervals presented, those that hold what this feed carries there.
        package var known: [FeedInterval]
        /// The feed's last position now.
        package var head: UInt64
        /// Operations the feed has up to there.
        package var headCount: UInt64

        package init(cursor: FeedCursor?, known: [FeedInterval] = [], head: UInt64, headCount: UInt64) {
            self.cursor = cursor
            self.known = known
            self.head = head
            self.headCount = headCount
        }
    }

    /// A moment on two clocks: one that never steps, for time-outs, and the wall's, for what the peer is told.
    package struct Moment: Sendable, Hashable {
        package var monotonicMilliseconds: Int64
        package var wallMilliseconds: Int64

        package init(monotonicMilliseconds: Int64, wallMilliseconds: Int64) {
            self.monotonicMilliseconds = monotonicMilliseconds
            self.wallMilliseconds = wallMilliseconds
        }
    }

    private enum Phase {
        case idle
        case awaitingHello(deadline: Int64)
        /// Hello is here; the store looks the peer up, or the peer has not yet said what it holds.
        case meeting
        /// The peer holds another history of this store.
        case searching(HistorySearch, IncarnationReason)
        case established
        case closed
    }

    private let configuration: Configuration
    private var phase = Phase.idle
    private var peer: SyncMessage.Hello?
    private var peerResume: SyncMessage.Resume?
    private var standing: PeerStanding?
    /// Up to where the peer holds this store's history as it is here.
    private var agreedOwn: UInt64 = 0
    private var sending: SendingLanes
    private var receiving = ReceivingLanes()
    private var audit: RangeAudit?
    /// The audit that comes next: once the present one is over, the session established, the backlog through.
    private var auditWish: RangeAudit.Purpose?
    /// Until then an audit waits for a backlog.
    private var auditDeadline: Int64?
    /// A reply that waits for what it announces to be durable here.
    private var heldReply: AuditReply?
    /// Batches of this session are left aside from now on: this side has no room for them.
    private var isLeavingAside = false
    private var isAnsweringAudit = false
    /// A request that waits for the session to be established here.
    private var heldRequest: AuditRequest?
    private var keys = KeyExchange()
    /// Until when the peer's Resume, or its answer to a probe, has to be here; nil while none is owed.
    private var answerDeadline: Int64?
    // Clock.
    private var now = Moment(monotonicMilliseconds: 0, wallMilliseconds: 0)
    private var nextClockAt: Int64 = 0
    private var clockAskedAt: Int64?
    private var clockAnsweredAt: Int64?

    package init(_ configuration: Configuration) {
        self.configuration = configuration
        sending = SendingLanes(feed: configuration.replica, bytesMax: configuration.unacknowledgedBytesMax)
    }

    package var isEstablished: Bool {
        if case .established = phase { true } else { false }
    }

    /// An audit's request is answered once the session is established.
    package var isHoldingAudit: Bool { heldRequest != nil }

    // MARK: Inputs

    package mutating func start(now: Moment) -> [Effect] {
        guard case .idle = phase else { return [] }
        self.now = now
        phase = .awaitingHello(deadline: now.monotonicMilliseconds + SyncLimits.helloMillisecondsMax)
        return [
            .send(
                .hello(
                    SyncMessage.Hello(
                        version: Self.versionMax, site: configuration.site, replica: configuration.replica,
                        wallMilliseconds: now.wallMilliseconds, run: configuration.run,
                        follows: configuration.follows)))
        ]
    }

    package mutating func handle(_ message: SyncMessage, now: Moment) -> [Effect] {
        self.now = now
        switch (phase, message) {
        case (.closed, _), (.idle, _): return []
        case (_, .bye(let code, let reason)):
            phase = .closed
            return [.close(code, reason: "the peer ended the session: \(reason)")]
        case (.awaitingHello, .hello(let hello)): return take(hello)
        case (.awaitingHello, _): return close(.outOfOrder, "a session starts with Hello")
        case (_, .hello): return close(.outOfOrder, "a second Hello")
        case (_, .clock(let origin, let echo)): return take(clockOrigin: origin, echo: echo)
        case (_, .resume(let resume)):
            guard peerResume == nil else { return close(.outOfOrder, "a second Resume") }
            peerResume = resume
            answerDeadline = nil
            return meet()
        case (_, .probe(let sequence)):
            guard let peer else { return [] }
            return [.findHeld(of: peer.replica, upTo: sequence)]
        case (.searching, .probeAnswer(let answer)): return take(probeAnswer: answer)
        case (_, .probeAnswer): return []
        // Erasures hold whatever the histories are.
        case (_, .keys(let entries, let beforeBatch)): return take(entries, beforeBatch: beforeBatch)
        // What comes while the histories are compared is asked for again under the new incarnation.
        case (.searching, _): return []
        case (_, .batch(let batch)): return take(batch)
        case (_, .ack(let lane, let position, let digest)):
            return acknowledge(lane, position: position, digest: digest)
        case (_, .caughtUp):
            receiving.isPeerCaughtUp = true
            return receivedEverything()
        case (_, .rebase(let cursor)): return take(rebase: cursor)
        case (_, .auditRequest(let request)):
            guard !isAnsweringAudit else { return close(.outOfOrder, "a second audit request before the reply") }
            isAnsweringAudit = true
            // What came in between would be neither compared nor behind the place where the live lane starts.
            guard case .established = phase else {
                heldRequest = request
                return []
            }
            return [.answerAudit(request)]
        case (_, .auditReply(let reply)):
            heldReply = reply
            return releaseReply()
        case (_, .auditCall): return audit(.repair)
        case (_, .keyRequest(let ids)):
            guard standing != nil else { return [] }
            // One at a time; what is still wanted then is asked for again.
            guard !keys.isAnswering else { return [] }
            keys.isAnswering = true
            return [.answerKeys(ids)]
        case (_, .heads(let heads)): return standing == nil ? [] : [.takeHeads(heads)]
        case (_, .auditDone(let found, let unresolved, let isRepaired)):
            return [.notice(.auditedByPeer(found: found, unresolved: unresolved))]
                + (isRepaired || found == 0 ? rebase() : [])
        }
    }

    /// The store knows who the peer is.
    package mutating func identified(_ standing: PeerStanding) -> [Effect] {
        guard case .meeting = phase, self.standing == nil, let peer else { return [] }
        self.standing = standing
        receiving.begin(standing.received, feed: peer.replica)
        let early = keys.takeEarly()
        return (early.isEmpty ? [] : [.saveKeys(early)]) + [
            .send(
                .resume(
                    SyncMessage.Resume(
                        received: standing.received, held: standing.held, isEmpty: standing.isEmpty,
                        isCloned: standing.isCloned)))
        ] + meet()
    }

    package mutating func judged(_ verdict: HistoryVerdict) -> [Effect] {
        guard case .meeting = phase, let peerResume else { return [] }
        switch verdict {
        // What the peer does not hold yet may be written by the other copy under the same dots.
        case .sound where peerResume.isCloned: return recover(.cloned, common: peerResume.held?.sequence ?? 0)
        case .sound:
            agreedOwn = peerResume.held?.sequence ?? 0
            return [.vouch(presented: peerResume.received, isPeerEmpty: hasNothing(peerResume))]
        case .behind(let last): return search(HistorySearch(differs: last + 1), .rolledBack)
        case .differs(let sequence): return search(HistorySearch(differs: sequence), .forked)
        }
    }

    package mutating func ownCompared(_ held: HeldOperation, isSame: Bool) -> [Effect] {
        guard case .searching(var search, let reason) = phase else { return [] }
        search.take(answer: held, isSame: isSame)
        return self.search(search, isSame ? reason : .forked)
    }

    package mutating func held(_ operation: HeldOperation?) -> [Effect] {
        if case .closed = phase { return [] }
        return [.send(.probeAnswer(operation))]
    }

    package mutating func vouched(_ resumption: Resumption) -> [Effect] {
        guard case .meeting = phase, let peer, peerResume != nil else { return [] }
        phase = .established
        var resumption = resumption
        if standing?.auditsFirst == true { resumption.cursor = nil }
        sending.begin(resumption)
        var effects: [Effect] = [
            .notice(.established(peer: peer.replica, version: min(peer.version, Self.versionMax)))
        ]
        if let request = heldRequest.take() { effects.append(.answerAudit(request)) }
        // The peer holds what it presents: an acknowledgement that was lost with the last session is made up for.
        if let cursor = resumption.cursor, cursor.position > 0 { effects.append(.saveAcknowledged(cursor)) }
        if resumption.cursor == nil {
            effects += configuration.isDialer ? wish(.repair) : [.send(.auditCall)]
        } else if standing?.wantsAudit == true {
            effects += wish(.repair)
        } else {
            effects += releaseWish()
        }
        return effects + pump()
    }

    /// There are new rows in the feed to the peer.
    package mutating func feedAdvanced() -> [Effect] {
        sending.liveMayHaveMore = true
        return pump()
    }

    /// - Parameter batch: nil if the lane has nothing behind the cursor.
    /// - Parameter head: the feed's last position now; 0 if that is not known.
    package mutating func batchRead(_ lane: Lane, _ batch: OutgoingBatch?, head: UInt64 = 0) -> [Effect] {
        sending.isReading = false
        guard case .established = phase else { return [] }
        guard let batch else {
            sending.exhausted(lane)
            return pump()
        }
        sending.sent(batch, head: head, at: now.monotonicMilliseconds)
        return send(batch, with: batch.keys) + pump()
    }

    /// - Parameter operations: what was read for the repair lane, and fits into a batch.
    /// - Parameter rest: of what was to be read, that which does not fit.
    /// - Parameter forAudit: the batch is one `send` of the audit.
    package mutating func repairRead(
        _ operations: [Operation], hashes: [ContentHash], keys: [PersonalKeyEntry] = [], rest: [Dot] = [],
        forAudit: Bool
    ) -> [Effect] {
        guard case .established = phase else { return [] }
        if !forAudit { sending.isReading = false }
        guard !operations.isEmpty else {
            return (forAudit ? perform { $0.sent() } : []) + pump()
        }
        let batch = sending.repair(operations, hashes: hashes, forAudit: forAudit, at: now.monotonicMilliseconds)
        return send(batch, with: keys) + (rest.isEmpty ? [] : perform { $0.sendsBesides(rest) }) + pump()
    }

    /// The batch that ends here is durable.
    package mutating func applied(_ lane: Lane, _ end: FeedCursor) -> [Effect] {
        receiving.applied(lane)
        switch phase {
        case .idle, .awaitingHello, .closed, .searching: return []
        // The peer may be further than this side, which still looks for the cursor that it goes on from.
        case .meeting, .established:
            return [.send(.ack(lane, position: end.position, digest: end.digest))] + saveReceived() + releaseReply()
                + receivedEverything() + releaseWish()
        }
    }

    /// A batch was not taken for want of room, and none of this session will be any more: what has been asked for does not
    /// come, and nothing further is asked for. What the peer lacks still goes out.
    package mutating func leaveAside() -> [Effect] {
        guard !isLeavingAside else { return [] }
        isLeavingAside = true
        audit?.takeNothing()
        // An audit of the peer's ends only when this side has taken what it sends.
        let isWaiting = sending.isAwaitingAudit && !configuration.isDialer
        return releaseReply() + (isWaiting ? wish(.repair) : [])
    }

    /// Compares the two stores, and moves what is missing unless it is only to be verified.
    package mutating func audit(_ purpose: RangeAudit.Purpose) -> [Effect] {
        switch phase {
        case .established: return wish(purpose)
        case .idle, .awaitingHello, .meeting:
            remember(purpose)
            return []
        case .searching, .closed: return []
        }
    }

    /// - Parameter operations: for a fetch, what goes out in the repair lane before the reply.
    package mutating func auditAnswered(
        _ reply: AuditReply, operations: [Operation] = [], hashes: [ContentHash] = [], keys: [PersonalKeyEntry] = []
    ) -> [Effect] {
        isAnsweringAudit = false
        if case .closed = phase { return [] }
        var effects: [Effect] = []
        if !operations.isEmpty {
            let batch = sending.repair(operations, hashes: hashes, forAudit: false, at: now.monotonicMilliseconds)
            effects += send(batch, with: keys)
        }
        return effects + [.send(.auditReply(reply))]
    }

    /// What this store knows of erased keys: to be read once the peer is known, and sent before anything else.
    package mutating func erasuresRead(_ entries: [PersonalKeyEntry]) -> [Effect] {
        guard peer?.acceptsKeys == true else { return [] }
        return switch phase {
        case .idle, .awaitingHello, .closed: []
        case .meeting, .searching, .established: keys.messages(for: entries, beforeBatch: false).map { .send($0) }
        }
    }

    /// - Parameter entries: of the keys that the peer has asked for, those that it may have.
    package mutating func keysAnswered(_ entries: [PersonalKeyEntry]) -> [Effect] {
        keys.isAnswering = false
        guard case .established = phase else { return [] }
        // It has asked: what was sent before did not stay there.
        return SyncMessage.keys(of: entries).map { .send($0) }
    }

    /// Asks the peer for keys that something here is sealed under.
    package func request(_ ids: [PersonalKeyID]) -> [Effect] {
        guard case .established = phase, peer?.acceptsKeys == true, !ids.isEmpty else { return [] }
        return [.send(.keyRequest(Array(ids.prefix(SyncLimits.keysMax))))]
    }

    /// Asks the peer for operations whose rows are damaged here; again later if something else is under way.
    package mutating func heal(_ dots: [Dot]) -> [Effect] {
        guard case .established = phase, audit == nil, !isLeavingAside, !dots.isEmpty else { return [] }
        audit = RangeAudit(healing: dots)
        return perform { $0.start() }
    }

    package mutating func auditCompared(_ comparison: AuditComparison) -> [Effect] {
        perform { $0.compared(comparison) }
    }

    /// What the nodes of this side have signed since it was last asked for. A peer of an older version gets none.
    package func headsRead(_ heads: [SignedHead]) -> [Effect] {
        guard case .established = phase, let peer, min(peer.version, Self.versionMax) >= Self.headsVersion else {
            return []
        }
        return heads.portions(of: HeadLimits.headsMax).map { .send(.heads($0)) }
    }

    /// This side ends the session.
    package mutating func close(_ code: ByeCode, _ reason: String) -> [Effect] {
        if case .closed = phase { return [] }
        phase = .closed
        return [.send(.bye(code, reason: reason)), .close(code, reason: reason)]
    }

    package mutating func tick(now: Moment) -> [Effect] {
        self.now = now
        switch phase {
        case .awaitingHello(let deadline) where now.monotonicMilliseconds >= deadline:
            return close(.outOfOrder, "no Hello within \(SyncLimits.helloMillisecondsMax) ms")
        case .meeting, .searching:
            guard let answerDeadline, now.monotonicMilliseconds >= answerDeadline else { return [] }
            return close(.outOfOrder, "no Resume or ProbeAnswer within \(SyncLimits.answerMillisecondsMax) ms")
        case .established where now.monotonicMilliseconds >= nextClockAt:
            nextClockAt = now.monotonicMilliseconds + SyncLimits.clockIntervalMilliseconds
            clockAskedAt = now.wallMilliseconds
            return [.send(.clock(originMilliseconds: now.wallMilliseconds, echoMilliseconds: 0))] + releaseWish()
        case .idle, .awaitingHello, .established, .closed: return []
        }
    }

    // MARK: Meeting

    private mutating func take(_ hello: SyncMessage.Hello) -> [Effect] {
        let version = min(hello.version, Self.versionMax)
        guard version >= Self.versionMin else {
            return close(.unsupportedVersion, "the peer speaks \(hello.version), this node at least \(Self.versionMin)")
        }
        guard hello.site == configuration.peerSite else {
            return close(
                .wrongSite, "Hello says \(hello.site), the certificate \(configuration.peerSite): enrol that node anew")
        }
        guard hello.replica != configuration.replica else {
            return close(.conflictingHistory, "the peer runs under this node's own incarnation \(hello.replica)")
        }
        phase = .meeting
        peer = hello
        answerDeadline = now.monotonicMilliseconds + SyncLimits.answerMillisecondsMax
        nextClockAt = now.monotonicMilliseconds
        return [.identify(hello)]
    }

    private mutating func meet() -> [Effect] {
        guard case .meeting = phase, standing != nil, let peerResume else { return [] }
        if let held = peerResume.held { return [.judge(held)] }
        if peerResume.isCloned { return recover(.cloned, common: 0) }
        return [.vouch(presented: peerResume.received, isPeerEmpty: hasNothing(peerResume))]
    }

    /// Whether the feed may simply begin at its beginning: the peer has nothing at all, or it is above this node and has
    /// never had anything of it, nor of a former incarnation.
    private func hasNothing(_ peer: SyncMessage.Resume) -> Bool {
        peer.isEmpty
            || (configuration.isDialer && peer.received == nil && peer.held == nil && configuration.follows == nil)
    }

    private mutating func search(_ search: HistorySearch, _ reason: IncarnationReason) -> [Effect] {
        var search = search
        if let sequence = search.next() {
            phase = .searching(search, reason)
            answerDeadline = now.monotonicMilliseconds + SyncLimits.answerMillisecondsMax
            return [.send(.probe(sequence: sequence))]
        }
        // Also of what was rolled back: somebody may have written here since the search began.
        return recover(reason, common: search.differs - 1)
    }

    private mutating func recover(_ reason: IncarnationReason, common: UInt64?) -> [Effect] {
        [.recover(reason, common: common)]
            + close(.recovering, "the peer holds another history of this store, which goes on under a new incarnation")
    }

    private mutating func take(probeAnswer answer: HeldOperation?) -> [Effect] {
        guard case .searching(var search, let reason) = phase else { return [] }
        answerDeadline = nil
        if let answer, answer.sequence > search.agreed, answer.sequence < search.differs {
            return [.compareOwn(answer)]
        }
        search.take(answer: nil, isSame: true)
        return self.search(search, reason)
    }

    // MARK: Receiving

    private mutating func take(_ batch: ReceivedBatch) -> [Effect] {
        guard let peer, standing != nil, batch.start.feed == peer.replica, batch.end.feed == peer.replica else {
            return close(.cursorMismatch, "a batch of feed \(batch.start.feed), not of the peer's own")
        }
        guard batch.end.position > batch.start.position else {
            return close(.cursorMismatch, "a batch that does not advance the feed")
        }
        guard batch.matchesDigest || PlantedBug.hashNotChecked.isActive else {
            return close(
                .hashMismatch, "the batch \(batch.start.position)–\(batch.end.position) does not match its digest")
        }
        var batch = batch
        batch.keys = keys.takePending()
        // Who sends batches has found what this store holds of it to be its own.
        batch.agreed = AgreedHistories(own: agreedOwn, peer: standing?.held?.sequence ?? 0)
        guard let place = receiving.take(batch) else {
            return close(
                .cursorMismatch,
                "a batch of the \(batch.lane) lane starts at \(batch.start.position), another place was expected")
        }
        let remaining: [Effect] = batch.lane == .backlog ? [.notice(.remaining(batch.remaining))] : []
        return remaining + [.apply(batch, place)]
    }

    private mutating func take(rebase cursor: FeedCursor) -> [Effect] {
        guard cursor.feed == peer?.replica, standing != nil else {
            return close(.cursorMismatch, "a cursor of feed \(cursor.feed), not of the peer's own")
        }
        guard receiving.rebase(to: cursor) else {
            return close(.cursorMismatch, "a cursor at \(cursor.position), behind what was sent in order")
        }
        return saveReceived() + [.notice(.remaining(0))]
    }

    private mutating func saveReceived() -> [Effect] {
        receiving.takeRebased().map { [.saveReceived($0)] } ?? []
    }

    private mutating func receivedEverything() -> [Effect] {
        guard receiving.isPeerCaughtUp, receiving.applyingCount == 0 else { return [] }
        receiving.isPeerCaughtUp = false
        return [.notice(.remaining(0)), .notice(.receivedEverything)]
    }

    // MARK: Keys

    private mutating func take(_ entries: [PersonalKeyEntry], beforeBatch: Bool) -> [Effect] {
        // The store may still be looking up who the peer is.
        guard standing != nil || beforeBatch else {
            return keys.holdEarly(entries) ? [] : close(.malformedMessage, "more keys than a session begins with")
        }
        guard beforeBatch else { return [.saveKeys(entries)] }
        return keys.hold(entries) ? [] : close(.malformedMessage, "more keys than a batch needs")
    }

    /// A batch, behind the keys that it needs.
    private mutating func send(_ batch: OutgoingBatch, with entries: [PersonalKeyEntry]) -> [Effect] {
        let wanted = peer?.acceptsKeys == true ? keys.messages(for: entries, beforeBatch: true) : []
        return wanted.map { .send($0) } + [.sendBatch(batch, compressed: peer?.acceptsZstd == true)]
    }

    // MARK: Sending

    private mutating func acknowledge(_ lane: Lane, position: UInt64, digest: SetDigest) -> [Effect] {
        switch sending.acknowledge(lane, position: position, digest: digest, at: now.monotonicMilliseconds) {
        case .unknown: return close(.cursorMismatch, "an acknowledgement of \(position), where no sent batch ends")
        case .differs: return close(.hashMismatch, "the peer's digest at \(position) differs from what was sent")
        case .taken(let contiguous, let auditBatches):
            var effects: [Effect] = contiguous.map { [.saveAcknowledged($0)] } ?? []
            for _ in 0..<auditBatches { effects += perform { $0.sent() } }
            return effects + deliveredEverything() + releaseWish() + pump()
        }
    }

    /// Asks for the next rows unless a read is under way or enough is unacknowledged.
    private mutating func pump() -> [Effect] {
        guard case .established = phase else { return [] }
        switch sending.next() {
        case .read(let lane, let cursor, let through, let bytesMax):
            return [.readFeed(lane, after: cursor, through: through, bytesMax: bytesMax)]
        case .readAnnouncements(let after, let through):
            return [.readAnnouncements(after: after, through: through)]
        case .wait: return []
        case .caughtUp: return [.send(.caughtUp)] + deliveredEverything()
        }
    }

    private mutating func deliveredEverything() -> [Effect] {
        sending.takeDelivered() ? [.notice(.deliveredEverything)] : []
    }

    // MARK: Auditing

    private mutating func wish(_ purpose: RangeAudit.Purpose) -> [Effect] {
        if let running = audit?.purpose {
            // One that repairs finds all that another would; one that heals compares nothing.
            if running == .heal || (running == .verify && purpose == .repair) { remember(purpose) }
            return []
        }
        guard !waitsForBacklog() else {
            remember(purpose)
            return []
        }
        auditDeadline = nil
        if purpose == .repair || auditWish == purpose { auditWish = nil }
        audit = RangeAudit(purpose)
        if isLeavingAside { audit?.takeNothing() }
        return [.notice(.auditStarted)] + perform { $0.start() }
    }

    /// One that repairs is not forgotten over one that does not.
    private mutating func remember(_ purpose: RangeAudit.Purpose) {
        if auditWish != .repair { auditWish = purpose }
    }

    private mutating func releaseWish() -> [Effect] {
        guard case .established = phase, audit == nil, let wish = auditWish else { return [] }
        auditWish = nil
        return self.wish(wish)
    }

    /// What a backlog is about to bring would be found missing, and sent twice. On a slow line it may take days, which
    /// an audit does not wait for.
    private mutating func waitsForBacklog() -> Bool {
        guard max(sending.backlogCount, receiving.backlogCount) > SyncLimits.auditBacklogMax else { return false }
        let deadline = auditDeadline ?? now.monotonicMilliseconds + SyncLimits.auditDelayMillisecondsMax
        auditDeadline = deadline
        return now.monotonicMilliseconds < deadline
    }

    private mutating func releaseReply() -> [Effect] {
        guard let reply = heldReply, receiving.repairingCount == 0 || isLeavingAside else { return [] }
        heldReply = nil
        return perform { $0.reply(reply) }
    }

    private mutating func perform(_ step: (inout RangeAudit) -> [RangeAudit.Effect]) -> [Effect] {
        guard var audit = audit.take() else { return [] }
        var effects: [Effect] = []
        var isOver = false
        for effect in step(&audit) {
            switch effect {
            case .ask(let request): effects.append(.send(.auditRequest(request)))
            case .compare(let reply, let request): effects.append(.compareAudit(reply, with: request))
            case .send(let dots): effects.append(.readForRepair(dots))
            case .finished(let outcome):
                isOver = true
                guard audit.purpose != .heal else { continue }
                effects.append(.notice(.audited(outcome, audit.purpose)))
                let isDelivered = audit.purpose == .repair
                let isRepaired = isDelivered && !audit.takesNothing
                effects.append(
                    .send(
                        .auditDone(found: outcome.found, unresolved: outcome.unresolved, isRepaired: isRepaired)))
                if isDelivered || outcome.found == 0 { effects += rebase() }
            }
        }
        if !isOver {
            self.audit = consume audit
        } else {
            effects += releaseWish()
        }
        return effects
    }

    /// What an audit has found equal need not be sent.
    private mutating func rebase() -> [Effect] {
        guard case .established = phase, let cursor = sending.rebase() else { return [] }
        return [.saveAcknowledged(cursor), .send(.rebase(cursor))] + pump()
    }

    // MARK: Clock

    private mutating func take(clockOrigin origin: Int64, echo: Int64) -> [Effect] {
        guard echo != 0 else {
            if let last = clockAnsweredAt,
                now.monotonicMilliseconds - last < SyncLimits.clockAnswerIntervalMilliseconds
            {
                return []
            }
            clockAnsweredAt = now.monotonicMilliseconds
            return [.send(.clock(originMilliseconds: origin, echoMilliseconds: now.wallMilliseconds))]
        }
        // Only the answer to what was asked: any other would be a clock of the peer's invention.
        guard clockAskedAt == origin else { return [] }
        clockAskedAt = nil
        let roundTrip = max(0, now.wallMilliseconds - origin)
        let offset = echo - (origin + roundTrip / 2)
        return [.notice(.clockOffset(milliseconds: offset, roundTripMilliseconds: roundTrip))]
    }
}
