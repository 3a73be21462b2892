internal import Logging
internal import Replication
internal import Store
internal import Transport

/// The task of a link that runs its session: inputs in, effects carried out. Whatever waits for the store is done by
/// another task, which answers with an input.
struct LinkLoop: ~Copyable {
    private let link: PeerLink
    private let control: LinkControl
    private let feed: AsyncStream<PeerLink.Input>.Continuation
    private let outbox: AsyncStream<PeerLink.Outgoing>.Continuation
    private let gauge: LinkGauge
    private var session: SyncSession
    private var id: PeerID?
    private var unsaved: FeedCursor?
    private var ticks = 0
    /// A batch was left aside because the disk is almost full: none of this session is taken any more.
    private var isLeavingAside = false
    /// Change of the last head that was passed on.
    private var headChange: Int64 = 0
    /// Tells the batches of this session from those of the next.
    private let number = UInt64.random(in: 1...UInt64.max)
    private(set) var ending = PeerLink.Ending(code: .unspecified, reason: "cancelled", wasEstablished: false)

    init(
        link: PeerLink, control: LinkControl, feed: AsyncStream<PeerLink.Input>.Continuation,
        outbox: AsyncStream<PeerLink.Outgoing>.Continuation, gauge: LinkGauge
    ) {
        self.link = link
        self.control = control
        self.feed = feed
        self.outbox = outbox
        self.gauge = gauge
        session = SyncSession(
            SyncSession.Configuration(
                site: link.node.identity.site, replica: link.node.identity.replica,
                follows: link.node.identity.follows?.replica, run: link.node.run, peerSite: link.site,
                isDialer: link.isDialer, unacknowledgedBytesMax: link.settings.windowBytes))
    }

    mutating func start() {
        _ = perform(session.start(now: moment()))
    }

    /// - Returns: true if the session is over.
    mutating func take(_ input: PeerLink.Input) async -> Bool {
        ending.wasEstablished = ending.wasEstablished || session.isEstablished
        var effects: [SyncSession.Effect]
        switch input {
        case .message(let message):
            effects = session.handle(message, now: moment())
            if let work = message.work, !effects.contains(where: { $0.work == work }) { gauge.done(work) }
        case .feedAdvanced: effects = session.feedAdvanced()
        case .identified(let id, let standing):
            self.id = id
            askPeer { .erasuresRead(try $0.erasedKeys(for: $1)) }
            effects = session.identified(standing)
        case .judged(let verdict): effects = session.judged(verdict)
        case .ownCompared(let held, let isSame): effects = session.ownCompared(held, isSame: isSame)
        case .held(let held): effects = session.held(held)
        case .vouched(let resumption): effects = session.vouched(resumption)
        case .batchRead(let lane, let batch, let head): effects = session.batchRead(lane, batch, head: head)
        case .repairRead(let stored, let keys, let forAudit):
            effects = session.repairRead(
                stored.map(\.operation), hashes: stored.map(\.hash), keys: keys, forAudit: forAudit)
        case .erasuresRead(let entries): effects = session.erasuresRead(entries)
        case .keysAnswered(let entries): effects = session.keysAnswered(entries)
        case .keysWanted(let ids): effects = session.request(ids)
        case .applied(let lane, let end, let bytes):
            link.stream.consume(bytes: bytes)
            effects = session.applied(lane, end)
        case .audit(let purpose): effects = session.audit(purpose)
        case .auditAnswered(let reply, let stored, let keys):
            effects = session.auditAnswered(
                reply, operations: stored.map(\.operation), hashes: stored.map(\.hash), keys: keys)
        case .auditCompared(let comparison): effects = session.auditCompared(comparison)
        case .heal(let dots): effects = session.heal(dots)
        case .headsRead(let heads, let change):
            headChange = change
            effects = session.headsRead(heads)
        case .tick:
            effects = session.tick(now: moment())
            ticks += 1
            if ticks % PeerLink.healTicks == 0 {
                healWhatIsDamaged()
                askForKeys()
            }
            if isLeavingAside, !link.node.disk.isLow() {
                effects += session.close(.storeFailure, "the disk has room again: the session starts anew")
            }
            if ticks % PeerLink.headTicks == 0 { passHeadsOn() }
            await save()
        case .failed(let code, let reason), .stopped(let code, let reason): effects = session.close(code, reason)
        case .streamEnded(let reason):
            ending.reason = reason
            _ = session.close(.unspecified, reason)
            return true
        }
        let isOver = perform(effects)
        // Behind the answer.
        if case .auditAnswered = input { outbox.yield(.done(.audit)) }
        if case .keysAnswered = input { outbox.yield(.done(.keyRequest)) }
        ending.wasEstablished = ending.wasEstablished || session.isEstablished
        return isOver
    }

    /// Stores the latest acknowledgement: now and then, since every commit waits for the disk.
    mutating func save() async {
        guard let cursor = unsaved, let id else { return }
        unsaved = nil
        let now = link.node.clock.now()
        do {
            try await link.node.administer { try $0.saveAcknowledged(cursor, by: id, now: now) }
        } catch {
            link.logger.error("an acknowledgement cannot be stored", metadata: ["error": "\(error)"])
        }
    }

    private func moment() -> SyncSession.Moment {
        SyncSession.Moment(
            monotonicMilliseconds: NodeClock.monotonic(), wallMilliseconds: link.node.clock.now())
    }

    // MARK: Effects

    /// - Returns: true if the session is over.
    private mutating func perform(_ effects: [SyncSession.Effect]) -> Bool {
        for effect in effects {
            switch effect {
            case .send(let message): send(message)
            case .sendBatch(let batch, let compressed): send(batch, compressed: compressed)
            case .identify(let hello): identify(hello)
            case .judge(let held): ask { .judged(try $0.judge(held)) }
            case .compareOwn(let held):
                let own = link.node.identity.replica
                ask { .ownCompared(held, isSame: try $0.held(of: own, upTo: held.sequence) == held) }
            case .findHeld(let replica, let sequence): ask { .held(try $0.held(of: replica, upTo: sequence)) }
            case .vouch(let presented, let isPeerEmpty): vouch(presented, isPeerEmpty: isPeerEmpty)
            case .readFeed(let lane, let cursor, let through, let bytesMax):
                readFeed(lane, after: cursor, through: through, bytesMax: bytesMax)
            case .readAnnouncements(let after, let through):
                askPeer {
                    .repairRead(try $0.announcements(for: $1, after: after, through: through), [], forAudit: false)
                }
            case .readForRepair(let dots):
                askPeer {
                    let operations = try $0.operations(dots, for: $1)
                    return .repairRead(operations, try $0.keys(for: operations), forAudit: true)
                }
            case .answerKeys(let ids): askPeer { .keysAnswered(try $0.keys(named: ids, for: $1)) }
            case .saveKeys(let entries): saveKeys(entries)
            case .apply(let batch, let place): apply(batch, place)
            case .saveReceived(let progress): if !isLeavingAside { saveReceived(progress) }
            case .saveAcknowledged(let cursor):
                unsaved = cursor
                update { $0.acknowledged(cursor, now: NodeClock.monotonic()) }
            case .answerAudit(let request):
                askWhole {
                    let (reply, operations) = try $0.answer(request, for: $1)
                    return .auditAnswered(reply, operations, try $0.keys(for: operations))
                }
            case .compareAudit(let reply, let request):
                askWhole { .auditCompared(try $0.compare(reply, with: request, for: $1)) }
            case .takeHeads(let heads): takeHeads(heads)
            case .recover(let reason, let common): recover(reason, common: common)
            case .notice(let notice): take(notice)
            case .close(let code, let reason):
                ending.code = code
                ending.reason = reason
                return true
            }
        }
        return false
    }

    private func send(_ message: SyncMessage) {
        switch message {
        case .auditReply, .keys, .probeAnswer:
            do {
                let bytes = try SyncCodec.encode(message)
                gauge.queued(bytes: bytes.count)
                outbox.yield(.answer(bytes))
            } catch {
                feed.yield(.failed(.malformedMessage, "\(error)"))
            }
        default: outbox.yield(.message(message))
        }
    }

    private func send(_ batch: OutgoingBatch, compressed: Bool) {
        // What the peer has not acknowledged bounds the others.
        guard batch.lane == .repair else {
            outbox.yield(.batch(batch, compressed: compressed))
            return
        }
        let bytes = batch.operations.reduce(0) { $0 + $1.body.count + $1.extensions.count }
        gauge.queued(bytes: bytes)
        outbox.yield(.answers(batch, compressed: compressed, bytes: bytes))
    }

    private func update(_ change: (inout LinkTable.Status) -> Void) {
        if let id { link.node.links.update(id, change) }
    }

    /// Reads the store on its own thread and answers with an input.
    private func ask(_ body: @escaping @Sendable (StoreReader) throws -> PeerLink.Input) {
        let (link, feed) = (link, feed)
        Task {
            do {
                feed.yield(try await link.access.run { try body(link.node.reader) })
            } catch {
                feed.yield(.failed(.storeFailure, "\(error)"))
            }
        }
    }

    private func askPeer(_ body: @escaping @Sendable (StoreReader, PeerID) throws -> PeerLink.Input) {
        guard let id else { return }
        ask { try body($0, id) }
    }

    /// The same once the projection shows everything that is in the log.
    private func askWhole(_ body: @escaping @Sendable (StoreReader, PeerID) throws -> PeerLink.Input) {
        guard let id else { return }
        let (link, feed) = (link, feed)
        Task {
            do {
                await link.node.writeProjection()
                feed.yield(try await link.access.run { try body(link.node.reader, id) })
            } catch {
                feed.yield(.failed(.storeFailure, "\(error)"))
            }
        }
    }

    private func identify(_ hello: SyncMessage.Hello) {
        let (link, feed, control) = (link, feed, control)
        if link.node.revocations.peers.includes(hello.replica) {
            feed.yield(.failed(.revoked, RevokedPeers.reason))
            return
        }
        Task {
            let isAlone = await link.supervisor.admit(hello, site: link.site, control: control)
            await link.supervisor.remember(link.certificate, of: link.site, node: hello.replica)
            do {
                let keepsFormer = await link.supervisor.hasSession(of: hello.follows)
                var (id, standing) = try await link.node.meet(
                    hello, role: link.role, keepsFormer: keepsFormer)
                standing.isCloned = !isAlone
                feed.yield(.identified(id, standing))
            } catch {
                feed.yield(.failed(.storeFailure, "\(error)"))
            }
        }
    }

    private func vouch(_ presented: FeedProgress?, isPeerEmpty: Bool) {
        guard let id else { return }
        let (link, feed) = (link, feed)
        let isFirst = isPeerEmpty && link.role == .child && (presented?.cursor.position ?? 0) == 0
        Task {
            do {
                if isFirst { try await link.node.administer { try $0.fillFeed(of: id) } }
                let resumption = try await link.access.run {
                    try link.node.reader.vouch(for: presented, isPeerEmpty: isPeerEmpty, by: id)
                }
                feed.yield(.vouched(resumption))
            } catch {
                feed.yield(.failed(.storeFailure, "\(error)"))
            }
        }
    }

    private func readFeed(_ lane: Lane, after cursor: FeedCursor, through: UInt64?, bytesMax: Int) {
        guard let id else { return }
        let (link, feed) = (link, feed)
        Task {
            do {
                let part = try await link.access.run {
                    try link.node.reader.nextBatch(
                        for: id, lane: lane, after: cursor, through: through, bytesMax: bytesMax)
                }
                if !part.damaged.isEmpty { await link.node.note(damaged: part.damaged) }
                feed.yield(.batchRead(lane, part.batch, head: part.head))
            } catch {
                feed.yield(.failed(.storeFailure, "\(error)"))
            }
        }
    }

    private mutating func apply(_ batch: ReceivedBatch, _ place: FeedPlace) {
        guard let id else { return }
        let (links, feed) = (link.node.links, feed)
        let bytes = batch.wireBytes + SyncCodec.prefixBytes
        if isLeavingAside || link.node.disk.isLow() {
            if !isLeavingAside { link.logger.error("the disk is almost full: nothing is taken from peers") }
            isLeavingAside = true
            // Without its credit the peer's acknowledgements would not come either.
            return link.stream.consume(bytes: bytes)
        }
        let count = UInt64(batch.operations.count)
        let (lane, end) = (batch.lane, batch.end)
        link.node.merge(batch, place, from: id, in: number) { result in
            switch result {
            case .success:
                links.update(id) { $0.received(count, now: NodeClock.monotonic()) }
                feed.yield(.applied(lane, end, bytes: bytes))
            case .failure(StoreError.conflictingHistory(let dot, let stored, let received)):
                let error = StoreError.conflictingHistory(dot: dot, stored: stored, received: received)
                feed.yield(.failed(.conflictingHistory, "\(error)"))
            case .failure(let error): feed.yield(.failed(.storeFailure, "\(error)"))
            }
        }
    }

    private func saveReceived(_ progress: FeedProgress) {
        guard let id else { return }
        let (link, feed, now) = (link, feed, link.node.clock.now())
        Task {
            do {
                try await link.node.administer { try $0.saveReceived(progress, from: id, now: now) }
            } catch {
                feed.yield(.failed(.storeFailure, "\(error)"))
            }
        }
    }

    private func saveKeys(_ entries: [PersonalKeyEntry]) {
        guard let id else { return gauge.done(.keys) }
        let (link, feed, gauge) = (link, feed, gauge)
        Task {
            defer { gauge.done(.keys) }
            do {
                try await link.node.saveKeys(entries, from: id)
            } catch {
                feed.yield(.failed(.storeFailure, "\(error)"))
            }
        }
    }

    /// What a relay did not have when it passed an operation on may have come to it since.
    private func askForKeys() {
        guard let id else { return }
        let (link, feed) = (link, feed)
        Task {
            // What cannot be read now is asked for again later.
            let wanted = await link.access.run { try? link.node.reader.wantedKeys(for: id) } ?? []
            if !wanted.isEmpty { feed.yield(.keysWanted(wanted)) }
        }
    }

    private func healWhatIsDamaged() {
        let (link, feed) = (link, feed)
        Task {
            // What cannot be read now is looked for again later.
            let damaged = await link.access.run { try? link.node.reader.damaged() } ?? []
            if !damaged.isEmpty { feed.yield(.heal(damaged.map(\.dot))) }
        }
    }

    /// Upward and among siblings: heads of what lies below, and of this node.
    private func passHeadsOn() {
        guard link.role != .child else { return }
        let (link, feed, change) = (link, feed, headChange)
        Task {
            do {
                try await link.supervisor.heads.refreshOwn()
                let records = try await link.access.run { try link.node.reader.heads(after: change) }
                guard let last = records.last else { return }
                feed.yield(.headsRead(records.map(\.head), through: last.change))
            } catch {
                link.logger.error("signed heads cannot be passed on", metadata: ["error": "\(error)"])
            }
        }
    }

    private func takeHeads(_ heads: [SignedHead]) {
        // What comes from above is not this node's to judge.
        guard link.role != .parent else { return gauge.done(.heads) }
        let (link, gauge) = (link, gauge)
        let site = link.role == .sibling ? nil : link.site
        Task {
            defer { gauge.done(.heads) }
            do {
                try await link.supervisor.heads.take(heads, from: site, access: link.access)
            } catch {
                link.logger.error("signed heads cannot be taken in", metadata: ["error": "\(error)"])
            }
        }
    }

    private func recover(_ reason: IncarnationReason, common: UInt64?) {
        let (link, role) = (link, link.role)
        link.logger.error(
            "the peer holds another history of this store: it goes on under a new incarnation",
            metadata: ["reason": "\(reason.rawValue)", "common": "\(common.map(String.init) ?? "-")"])
        Task { await link.node.recover(reason, common: common, onWordOf: role) }
    }

    private func take(_ notice: SyncSession.Notice) {
        let now = link.node.clock.now()
        switch notice {
        case .established(let peer, let version):
            link.logger.info("session established", metadata: ["replica": "\(peer)", "version": "\(version)"])
            update { status in
                status.role = link.role
                status.isConnected = true
                status.since = now
                status.lastFailure = nil
            }
            healWhatIsDamaged()
            askForKeys()
        case .receivedEverything:
            askForKeys()
            update { status in
                status.remainingToGet = 0
                status.remainingKnownAt = now
            }
            if link.role == .parent {
                let node = link.node
                Task { await node.setCaughtUp(true) }
            }
        case .deliveredEverything: passHeadsOn()
        case .clockOffset(let offset, let roundTrip):
            update { status in
                status.clockOffsetMilliseconds = offset
                status.roundTripMilliseconds = roundTrip
            }
        case .remaining(let count):
            update { status in
                status.remainingToGet = count
                status.remainingKnownAt = now
            }
        case .auditStarted:
            update { $0.isAuditing = true }
        case .audited(let outcome, let purpose):
            update { status in
                status.isAuditing = false
                status.lastAudit = outcome
                status.auditCount += 1
            }
            saveAudit(found: outcome.found, unresolved: outcome.unresolved, purpose)
        case .auditedByPeer(let found, let unresolved): saveAudit(found: found, unresolved: unresolved, .repair)
        }
    }

    private func saveAudit(found: UInt64, unresolved: UInt64, _ purpose: RangeAudit.Purpose) {
        guard let id else { return }
        let (link, now) = (link, link.node.clock.now())
        let level: Logger.Level = unresolved > 0 ? .error : found > 0 ? .notice : .info
        link.logger.log(
            level: level,
            unresolved > 0
                ? "operations differ that two audits could not repair: run `banjie sync explain` on their tickets"
                : "audited", metadata: ["found": "\(found)", "unresolved": "\(unresolved)"])
        Task {
            try? await link.node.administer {
                try $0.saveAudit(with: id, found: found, unresolved: unresolved, now: now)
            }
        }
    }
}
