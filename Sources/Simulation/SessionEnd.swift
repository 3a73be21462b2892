internal import Node
internal import Replication
internal import Store

/// One end of a session over a real store: what a link's tasks do in a node, as events of virtual time.
final class SessionEnd {
    let world: World
    let office: Office
    let connection: Connection
    let role: PeerRole
    let isDialer: Bool
    let peerSite: SiteCode
    /// Tells the batches of this session from those of the next.
    let number: UInt64
    /// Virtual milliseconds. Both processes run at that instant.
    let began: Int64
    private(set) var id: PeerID?
    private(set) var peerReplica: ReplicaID?
    private(set) var isOver = false
    private(set) var isEstablished = false
    /// How it has ended.
    private(set) var code = ByeCode.unspecified
    /// The peer has sent everything; the peer holds everything.
    private(set) var hasReceived = false
    private(set) var hasDelivered = false
    /// The feed's last position when it was last told of news; the last that was sent.
    private var dueThrough: UInt64 = 0
    /// The same when the last read of the live lane began.
    private var dueAtRead: UInt64 = 0
    /// Up to where a read of the live lane has found nothing: what the peer itself has brought is in the log and not in
    /// its feed.
    private var nothingThrough: UInt64 = 0
    private var sentThrough: UInt64 = 0
    /// Batches on their way.
    private var unacknowledgedCount = 0
    private var session: SyncSession
    private var decoder = SyncDecoder()
    private var compressor = StreamCompressor()
    private var inbox: [UInt8] = []
    private var isReadingPaused = false
    private var unsaved: FeedCursor?
    /// Of each batch that has come: what has to be durable when it is acknowledged.
    private var promised: [Promise] = []
    /// A batch was left aside for want of room: none of this session is taken any more.
    private(set) var isLeavingAside = false
    /// What it has sent, if somebody listens.
    private var recording: [[UInt8]] = []
    private static let recordedMax = 64

    private struct Promise {
        var lane: Lane
        var position: UInt64
        var dots: [Dot]
    }

    init(_ world: World, _ office: Office, to peer: Office, over connection: Connection, role: PeerRole) {
        self.world = world
        self.office = office
        self.connection = connection
        self.role = role
        peerSite = peer.site
        isDialer = connection.dialer === office
        number = world.identities.next()
        began = world.now
        guard let identity = office.replica?.identity else { preconditionFailure("a session has a running node") }
        session = SyncSession(
            SyncSession.Configuration(
                site: identity.site, replica: identity.replica, follows: identity.follows?.replica, run: office.run,
                peerSite: peer.site, isDialer: isDialer, unacknowledgedBytesMax: world.windowBytes))
    }

    // MARK: Inputs

    func start() throws {
        try perform(session.start(now: moment()))
        planTick()
    }

    func take(_ bytes: [UInt8]) throws {
        guard !isOver else { return }
        inbox += bytes
        try read()
    }

    private func read() throws {
        while !isOver {
            guard !office.queue.isFull else { return pauseReading() }
            do {
                guard let length = try SyncCodec.messageBytes(prefix: inbox),
                    inbox.count >= SyncCodec.prefixBytes + length
                else { return }
                let end = SyncCodec.prefixBytes + length
                let message = try decoder.decode(Array(inbox[SyncCodec.prefixBytes..<end]))
                inbox.removeFirst(end)
                if case .batch(let batch) = message {
                    hasReceived = false
                    promised.append(
                        Promise(lane: batch.lane, position: batch.end.position, dots: batch.operations.map(\.dot)))
                }
                if case .ack = message { unacknowledgedCount = max(0, unacknowledgedCount - 1) }
                try perform(session.handle(message, now: moment()))
            } catch let failure as DecodingFailure {
                try perform(session.close(.malformedMessage, "\(failure)"))
            }
        }
    }

    private func pauseReading() {
        guard !isReadingPaused else { return }
        isReadingPaused = true
        world.plan(after: 20, .arrive, office) { [self] in
            isReadingPaused = false
            try read()
        }
    }

    func streamEnded(_ reason: String) {
        guard !isOver else { return }
        world.noteEnding(reason)
        _ = session.close(.unspecified, reason)
        end(reason)
    }

    /// The process has ended: nothing more comes of this end.
    func die() {
        isOver = true
        world.cut(connection)
    }

    func stop(_ code: ByeCode, _ reason: String) throws {
        guard !isOver else { return }
        try perform(session.close(code, reason))
    }

    func feedAdvanced() throws {
        guard !isOver else { return }
        hasDelivered = false
        if isEstablished, let id, let replica = office.replica {
            dueThrough = try world.head(of: replica, to: id, as: role, at: office)
        }
        try perform(session.feedAdvanced())
    }

    func audit() throws {
        guard !isOver else { return }
        try perform(session.audit(.repair))
    }

    // MARK: Effects

    private func moment() -> SyncSession.Moment {
        SyncSession.Moment(monotonicMilliseconds: world.now, wallMilliseconds: world.wall(of: office))
    }

    private func perform(_ effects: [SyncSession.Effect]) throws {
        for effect in effects where !isOver { try perform(effect) }
    }

    private func perform(_ effect: SyncSession.Effect) throws {
        switch effect {
        case .send(let message):
            if case .caughtUp = message { compressor.reset() }
            if case .ack(let lane, let position, _) = message { try keepPromise(lane, position) }
            var message = message
            if case .hello(var hello) = message, office.speaksFormerVersion {
                hello.version = SyncSession.versionMin
                message = .hello(hello)
            }
            let frame = try SyncCodec.encode(message)
            record(frame)
            if case .bye = message { world.trace.mix(0xB1E) } else { world.trace.mix(bytes: frame) }
            world.send(frame, from: self)
        case .sendBatch(let batch, _): try send(batch)
        case .identify(let hello): try identify(hello)
        case .judge, .compareOwn, .findHeld, .vouch, .readFeed, .readAnnouncements, .readForRepair, .answerKeys,
            .answerAudit, .compareAudit:
            if let question = SessionQuestion(effect) { ask(question) }
        case .apply(let batch, let place): apply(batch, place)
        case .saveReceived(let progress):
            guard !isLeavingAside else { return }
            work { end, replica, id in
                try replica.writer.saveReceived(progress, from: id, now: end.world.wall(of: end.office))
            }
        case .saveAcknowledged(let cursor): unsaved = cursor
        case .saveKeys(let entries):
            work { end, replica, id in
                let effects = try replica.saveKeys(entries, from: id, now: end.world.wall(of: end.office))
                end.world.follow(effects, end.office, isLocal: false)
            }
        case .takeHeads: break
        case .recover(let reason, let common):
            try world.recover(office, reason, common: common, onWordOf: role)
        case .notice(let notice): take(notice)
        case .close(let code, let reason):
            world.noteEnding(reason)
            self.code = code
            end(reason)
            world.hangUp(self)
            if code == .revoked, isDialer { world.planEnrolment(office) }
        }
    }

    private func send(_ batch: OutgoingBatch) throws {
        var batch = batch
        if office.isMemoryBad, !batch.operations.isEmpty {
            office.isMemoryBad = false
            world.counts.faults[Fault.badMemory.rawValue, default: 0] += 1
            let index = world.network.below(batch.operations.count)
            if batch.operations[index].body.isEmpty {
                batch.operations[index].body = [1]
            } else {
                batch.operations[index].body[0] ^= 0x40
            }
        }
        try world.checkCoverage(of: batch, by: self)
        unacknowledgedCount += 1
        if batch.lane != .repair { sentThrough = max(sentThrough, batch.end.position) }
        let frame =
            batch.lane == .backlog
            ? try? SyncCodec.encode(batch, with: &compressor) : try? SyncCodec.encode(batch, coding: .zstd)
        guard let frame else { return world.fail(.unexpected, office, "a batch cannot be encoded") }
        world.counts.sentOperations += batch.operations.count
        world.trace.mix(bytes: frame)
        record(frame)
        world.send(frame, from: self)
    }

    private func record(_ frame: [UInt8]) {
        guard world.isRecording, isDialer, role == .parent, recording.count < Self.recordedMax else { return }
        recording.append(frame)
    }

    private func end(_ reason: String) {
        guard !isOver else { return }
        isOver = true
        if recording.count > 3 { office.recordings = (office.recordings + [recording]).suffix(3) }
        saveAcknowledged()
        world.ended(self, reason)
    }

    private func identify(_ hello: SyncMessage.Hello) throws {
        // As a node does that has heard of it.
        guard !office.log.revokes(hello.replica) else {
            return try stop(.revoked, "this replica has been revoked: enrol anew with a token of the parent")
        }
        let isAlone = office.runs.admit(hello, began: world.instant(began), now: world.instant(world.now))
        world.checkClone(hello, isTold: !isAlone, at: self)
        peerReplica = isAlone ? hello.replica : nil
        world.planJob(office) { [self] in
            guard !isOver, let replica = office.replica else { return }
            do { try meet(hello, isAlone: isAlone, replica) } catch { try failed(error) }
        }
    }

    private func meet(_ hello: SyncMessage.Hello, isAlone: Bool, _ replica: Replica) throws {
        if isAlone {
            for other in office.ends
            where other !== self && other.peerSite == peerSite && other.peerReplica == hello.replica {
                try other.stop(.superseded, "a newer session of the same node took over")
            }
        }
        let keepsFormer = hello.follows.map { former in office.ends.contains { $0.peerReplica == former } } ?? false
        var (id, standing) = try replica.writer.meet(
            hello, role: role, now: world.wall(of: office), keepsFormer: keepsFormer)
        standing.isCloned = !isAlone
        self.id = id
        office.log.peers[id.rawValue] = role
        ask(.readErasures)
        try perform(session.identified(standing))
    }

    /// A session ends with the first thing that its store cannot do.
    private func failed(_ error: any Error) throws {
        guard error is StoreError || DiskFailure.isOne(error) else { throw error }
        world.noteFailure(error, office)
        guard !isOver else { return }
        try perform(session.close(.storeFailure, "\(error)"))
    }

    /// Something to do with the store that waits for its turn.
    private func work(_ body: @escaping (SessionEnd, Replica, PeerID) throws -> Void) {
        guard let id else { return }
        world.planJob(office) { [self] in
            guard let replica = office.replica else { return }
            do {
                try body(self, replica, id)
            } catch {
                try failed(error)
            }
        }
    }

    private func ask(_ question: SessionQuestion) {
        var question = question
        if case .readFeed(let lane, let cursor, let through, let bytesMax) = question {
            question = .readFeed(lane, after: cursor, through: through, bytesMax: min(bytesMax, world.batchBytes))
            if lane == .live { dueAtRead = dueThrough }
        }
        work { [question] end, replica, id in
            guard !end.isOver else { return }
            if question.needsProjection { end.world.writeProjection(end.office) }
            if question.needsFeed(of: end.role) { try replica.writer.fillFeed(of: id) }
            let answer =
                try replica.reader.answerFromMemory(question, to: end.role)
                ?? replica.reader.answer(question, of: id)
            if case .batchRead(_, let part) = answer {
                try replica.writer.noteDamaged(part.damaged, now: end.world.wall(of: end.office))
            }
            end.take(answer)
        }
    }

    /// What was read is known to the session a while later, when the store may have gone on.
    private func take(_ answer: SessionAnswer) {
        world.planAnswer(office) { [self] in
            guard !isOver else { return }
            let effects = session.take(answer)
            if case .batchRead(let lane, let part) = answer {
                if lane == .live, part.batch == nil { nothingThrough = dueAtRead }
                checkReadOn(effects, part.batch)
            }
            try perform(effects)
        }
    }

    /// News that came while the feed was read are read next, as far as the window allows.
    private func checkReadOn(_ effects: [SyncSession.Effect], _ batch: OutgoingBatch?) {
        // Behind a large batch the window may be full.
        let bytes = batch?.operations.reduce(0) { $0 + $1.approximateBytes } ?? 0
        guard bytes < SyncLimits.backlogWindowBytesMin / 4 else { return }
        let through = max(sentThrough, nothingThrough, batch?.end.position ?? 0)
        let isReading = effects.contains { if case .readFeed = $0 { true } else { false } }
        guard dueThrough > through, unacknowledgedCount == 0, !isReading, session.isEstablished else { return }
        world.fail(
            .coverage, office, "news up to \(dueThrough) for \(peerSite) are not read on behind \(through)")
    }

    private func apply(_ batch: ReceivedBatch, _ place: FeedPlace) {
        guard let id else { return }
        if isLeavingAside || office.isDiskLow {
            guard !isLeavingAside else { return }
            isLeavingAside = true
            return world.planAnswer(office) { [self] in
                if !isOver { try perform(session.leaveAside()) }
            }
        }
        let (lane, end) = (batch.lane, batch.end)
        // Single-threaded: the queue calls back within the turn that drains it.
        nonisolated(unsafe) let this = self
        let entry = ApplyQueue.entry(batch, place, from: id, in: number) { result in
            this.completed(lane, end, result)
        }
        if office.queue.push(entry) { world.planDrain(office) }

    }

    private func completed(_ lane: Lane, _ position: FeedCursor, _ result: Result<Void, any Error>) {
        guard !isOver else { return }
        // In a node the answer comes back through the session's queue of inputs.
        world.plan(after: 0, .job, office) { [self] in
            guard !isOver else { return }
            switch result {
            case .success: try perform(session.applied(lane, position))
            case .failure(StoreError.conflictingHistory(let dot, let stored, let received)):
                world.counts.conflictingHistories += 1
                world.noteConflict(dot, at: self)
                let error = StoreError.conflictingHistory(dot: dot, stored: stored, received: received)
                try perform(session.close(.conflictingHistory, "\(error)"))
            case .failure(let error):
                world.noteFailure(error, office)
                try perform(session.close(.storeFailure, "\(error)"))
            }
        }
    }

    /// What is acknowledged is in the log, or lies parked.
    private func keepPromise(_ lane: Lane, _ position: UInt64) throws {
        guard let index = promised.firstIndex(where: { $0.lane == lane && $0.position == position }) else { return }
        let promise = promised.remove(at: index)
        guard promise.dots.contains(where: { office.log.hashes[$0] == nil }) else { return }
        world.readLog(of: office)
        for dot in promise.dots where office.log.hashes[dot] == nil {
            guard try office.replica?.reader.isParked(dot) == true else {
                return world.fail(.acknowledgedIsDurable, office, "\(dot) is acknowledged and not in the log")
            }
        }
    }

    private func take(_ notice: SyncSession.Notice) {
        switch notice {
        case .established:
            isEstablished = true
            healDamaged()
            askForKeys()
        case .receivedEverything:
            hasReceived = true
            askForKeys()
            if role == .parent { world.setCaughtUp(office) }
        case .deliveredEverything:
            hasDelivered = true
        case .audited(let outcome, _):
            world.counts.audits += 1
            world.say(office, "audit with \(peerSite): \(outcome)")
            if outcome.unresolved > 0 { world.counts.unresolved += 1 }
        case .auditedByPeer(let found, let unresolved):
            world.say(office, "was audited by \(peerSite): \(found) found, \(unresolved) unresolved")
        case .clockOffset, .remaining, .auditStarted: break
        }
    }

    private func healDamaged() {
        work { end, replica, id in
            let damaged = try replica.reader.damaged()
            guard !end.isOver, !damaged.isEmpty else { return }
            let effects = end.session.heal(damaged.map(\.dot))
            end.world.say(end.office, "asks \(end.peerSite) for \(damaged.map(\.dot)): \(effects.count) effects")
            try end.perform(effects)
        }
    }

    private func askForKeys() {
        work { end, replica, id in
            let wanted = try replica.reader.wantedKeys(for: id)
            guard !end.isOver, !wanted.isEmpty else { return }
            try end.perform(end.session.request(wanted))
        }
    }

    private func planTick() {
        world.plan(after: World.tickMilliseconds, .tick, office) { [self] in
            guard !isOver else { return }
            try perform(session.tick(now: moment()))
            saveAcknowledged()
            if isLeavingAside, !office.isDiskLow {
                try stop(.storeFailure, "the disk has room again: the session starts anew")
            }
            if !office.everDamaged.isEmpty { healDamaged() }
            if !isOver { planTick() }
        }
    }

    /// Now and then, and at the end, since every commit waits for the disk.
    private func saveAcknowledged() {
        guard let cursor = unsaved else { return }
        unsaved = nil
        work { end, replica, id in
            try replica.writer.saveAcknowledged(cursor, by: id, now: end.world.wall(of: end.office))
        }
    }
}
