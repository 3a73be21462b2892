internal import Logging
internal import Replication
internal import Store
internal import Transport

/// Runs a link's session: inputs in, one at a time, effects carried out. Whatever waits for the store is done by a task
/// of its own, which answers with an input.
actor LinkLoop {
    private let link: PeerLink
    private let control: LinkControl
    private let inputs: Mailbox<PeerLink.Input>
    private let outbox: Mailbox<PeerLink.Outgoing>
    private let gauge: LinkGauge
    private var session: SyncSession
    private var id: PeerID?
    private var unsaved: FeedCursor?
    private var ticks = 0
    /// A batch was left aside because the disk is almost full: none of this session is taken any more.
    private var isLeavingAside = false
    /// Change of the last head that was passed on.
    private var headChange: Int64 = 0
    /// Heads were passed on behind the feed. What is delivered later comes with the ticks: a head costs a commit here
    /// and two at the peer, which every live operation would have to share the disk with.
    private var hasPassedHeads = false
    /// Tells the batches of this session from those of the next.
    private let number = UInt64.random(in: 1...UInt64.max)
    private(set) var ending = PeerLink.Ending(code: .unspecified, reason: "cancelled", wasEstablished: false)

    init(
        link: PeerLink, control: LinkControl, inputs: Mailbox<PeerLink.Input>, outbox: Mailbox<PeerLink.Outgoing>,
        gauge: LinkGauge
    ) {
        self.link = link
        self.control = control
        self.inputs = inputs
        self.outbox = outbox
        self.gauge = gauge
        session = SyncSession(
            SyncSession.Configuration(
                site: link.node.identity.site, replica: link.node.identity.replica,
                follows: link.node.identity.follows?.replica, run: link.node.run, peerSite: link.site,
                isDialer: link.isDialer, unacknowledgedBytesMax: link.settings.windowBytes))
    }

    /// A request may wait in the session until it is established.
    private func isUnderWay(_ work: LinkGauge.Work, _ effects: [SyncSession.Effect]) -> Bool {
        effects.contains { $0.work == work } || (work == .audit && session.isHoldingAudit)
    }

    /// - Returns: true if the session is over.
    func take(_ input: PeerLink.Input) async -> Bool {
        ending.wasEstablished = ending.wasEstablished || session.isEstablished
        var effects: [SyncSession.Effect]
        switch input {
        case .started: effects = session.start(now: moment())
        case .message(let message):
            effects = session.handle(message, now: moment())
            if let work = message.work, !isUnderWay(work, effects) { gauge.done(work) }
        case .feedAdvanced: effects = session.feedAdvanced()
        case .identified(let id, let standing):
            self.id = id
            ask(.readErasures)
            effects = session.identified(standing)
        case .answered(let answer): effects = session.take(answer)
        case .keysWanted(let ids): effects = session.request(ids)
        case .applied(let lane, let end, let bytes):
            link.stream.consume(bytes: bytes)
            effects = session.applied(lane, end)
        case .leftAside: effects = session.leaveAside()
        case .audit(let purpose): effects = session.audit(purpose)
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
        if case .answered(.auditAnswered) = input { outbox.put(.done(.audit)) }
        if case .answered(.keysRead) = input { outbox.put(.done(.keyRequest)) }
        ending.wasEstablished = ending.wasEstablished || session.isEstablished
        return isOver
    }

    /// Stores the latest acknowledgement: now and then, since every commit waits for the disk.
    func save() async {
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
    private func perform(_ effects: [SyncSession.Effect]) -> Bool {
        for effect in effects {
            switch effect {
            case .send(let message): send(message)
            case .sendBatch(let batch, let compressed): send(batch, compressed: compressed)
            case .identify(let hello): identify(hello)
            case .judge, .compareOwn, .findHeld, .vouch, .readFeed, .readAnnouncements, .readForRepair, .answerKeys,
                .answerAudit, .compareAudit:
                if let question = SessionQuestion(effect) { ask(question) }
            case .saveKeys(let entries): saveKeys(entries)
            case .apply(let batch, let place): apply(batch, place)
            case .saveReceived(let progress): if !isLeavingAside { saveReceived(progress) }
            case .saveAcknowledged(let cursor):
                unsaved = cursor
                update { $0.acknowledged(cursor, at: NodeClock.monotonicNanoseconds()) }
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
                outbox.put(.answer(bytes))
            } catch {
                inputs.put(.failed(.malformedMessage, "\(error)"))
            }
        default: outbox.put(.message(message))
        }
    }

    private func send(_ batch: OutgoingBatch, compressed: Bool) {
        // What the peer has not acknowledged bounds the others.
        guard batch.lane == .repair else {
            outbox.put(.batch(batch, compressed: compressed))
            return
        }
        let bytes = batch.operations.reduce(0) { $0 + $1.body.count + $1.extensions.count }
        gauge.queued(bytes: bytes)
        outbox.put(.answers(batch, compressed: compressed, bytes: bytes))
    }

    private func update(_ change: (inout LinkTable.Status) -> Void) {
        if let id { link.node.links.update(id, change) }
    }

    /// Reads the store on its own thread and answers with an input. Nothing is asked before the peer is known.
    private func ask(_ question: SessionQuestion) {
        guard let id else { return }
        let link = link
        if let answer = link.node.reader.answerFromMemory(question, to: link.role) {
            return inputs.put(.answered(answer))
        }
        guard question.needsProjection || question.needsFeed(of: link.role) else { return read(question, of: id) }
        Task {
            do {
                if question.needsProjection { await link.node.writeProjection() }
                if question.needsFeed(of: link.role) { try await link.node.administer { try $0.fillFeed(of: id) } }
                read(question, of: id)
            } catch {
                fail(error)
            }
        }
    }

    private nonisolated func read(_ question: SessionQuestion, of id: PeerID) {
        let (node, inputs) = (link.node, inputs)
        link.access.perform { [self] in
            do {
                let answer = try node.reader.answer(question, of: id)
                guard case .batchRead(_, let part) = answer, !part.damaged.isEmpty else {
                    return inputs.put(.answered(answer))
                }
                Task {
                    await node.note(damaged: part.damaged)
                    inputs.put(.answered(answer))
                }
            } catch {
                fail(error)
            }
        }
    }

    private nonisolated func fail(_ error: any Error) {
        link.node.suspectDamage(error)
        inputs.put(.failed(.storeFailure, "\(error)"))
    }

    private func identify(_ hello: SyncMessage.Hello) {
        let (link, inputs, control) = (link, inputs, control)
        if link.node.revocations.peers.includes(hello.replica) {
            inputs.put(.failed(.revoked, RevokedPeers.reason))
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
                inputs.put(.identified(id, standing))
            } catch {
                fail(error)
            }
        }
    }

    private func apply(_ batch: ReceivedBatch, _ place: FeedPlace) {
        guard let id else { return }
        let (links, inputs) = (link.node.links, inputs)
        let bytes = batch.wireBytes + SyncCodec.prefixBytes
        if isLeavingAside || link.node.disk.isLow() {
            if !isLeavingAside {
                link.logger.error("the disk is almost full: nothing is taken from peers")
                inputs.put(.leftAside)
            }
            isLeavingAside = true
            // Without its credit the peer's acknowledgements would not come either.
            return link.stream.consume(bytes: bytes)
        }
        let count = UInt64(batch.operations.count)
        let (lane, end) = (batch.lane, batch.end)
        link.node.merge(batch, place, from: id, in: number) { [self] result in
            switch result {
            case .success:
                links.update(id) { $0.received(count, now: NodeClock.monotonic()) }
                inputs.put(.applied(lane, end, bytes: bytes))
            case .failure(StoreError.conflictingHistory(let dot, let stored, let received)):
                let error = StoreError.conflictingHistory(dot: dot, stored: stored, received: received)
                inputs.put(.failed(.conflictingHistory, "\(error)"))
            case .failure(let error): fail(error)
            }
        }
    }

    private func saveReceived(_ progress: FeedProgress) {
        guard let id else { return }
        let (link, now) = (link, link.node.clock.now())
        Task {
            do {
                try await link.node.administer { try $0.saveReceived(progress, from: id, now: now) }
            } catch {
                fail(error)
            }
        }
    }

    private func saveKeys(_ entries: [PersonalKeyEntry]) {
        guard let id else { return gauge.done(.keys) }
        let (link, gauge) = (link, gauge)
        Task {
            defer { gauge.done(.keys) }
            do {
                try await link.node.saveKeys(entries, from: id)
            } catch {
                fail(error)
            }
        }
    }

    /// What a relay did not have when it passed an operation on may have come to it since.
    private func askForKeys() {
        guard let id else { return }
        let (link, inputs) = (link, inputs)
        Task {
            // What cannot be read now is asked for again later.
            let wanted = await link.access.run { try? link.node.reader.wantedKeys(for: id) } ?? []
            if !wanted.isEmpty { inputs.put(.keysWanted(wanted)) }
        }
    }

    private func healWhatIsDamaged() {
        let (link, inputs) = (link, inputs)
        Task {
            // What cannot be read now is looked for again later.
            let damaged = await link.access.run { try? link.node.reader.damaged() } ?? []
            if !damaged.isEmpty { inputs.put(.heal(damaged.map(\.dot))) }
        }
    }

    /// Upward and among siblings: heads of what lies below, and of this node.
    private func passHeadsOn() {
        guard link.role != .child else { return }
        let (link, inputs, change) = (link, inputs, headChange)
        Task {
            do {
                try await link.supervisor.heads.refreshOwn()
                let records = try await link.access.run { try link.node.reader.heads(after: change) }
                guard let last = records.last else { return }
                inputs.put(.headsRead(records.map(\.head), through: last.change))
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
        case .deliveredEverything:
            guard !hasPassedHeads else { return }
            hasPassedHeads = true
            passHeadsOn()
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
