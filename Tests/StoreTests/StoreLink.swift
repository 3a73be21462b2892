import Replication
import Store
import TestSupport
import Testing

/// One end of a session over a real store; what the session wants done waits until it is told to go on.
final class StoreEnd {
    let store: TestStore
    let peerSite: SiteCode
    let role: PeerRole
    let isDialer: Bool
    var window = SyncLimits.unacknowledgedBytesMax
    private(set) var id: PeerID?
    private(set) var notices: [SyncSession.Notice] = []
    private(set) var closed: (code: ByeCode, reason: String)?
    private(set) var recovery: (reason: IncarnationReason, common: UInt64?)?
    /// Frames on their way to the peer.
    fileprivate var wire: [[UInt8]] = []
    fileprivate var jobs: [() throws -> Void] = []
    /// Operations sent since the connection was made, with repetitions.
    private(set) var sent: [Replication.Operation] = []
    private var session: SyncSession
    private var decoder = SyncDecoder()
    private var compressor = StreamCompressor()
    private var now = SyncSession.Moment(monotonicMilliseconds: 0, wallMilliseconds: Office.start)

    init(_ store: TestStore, to peerSite: SiteCode, role: PeerRole, isDialer: Bool) {
        self.store = store
        self.peerSite = peerSite
        self.role = role
        self.isDialer = isDialer
        session = Self.session(store, peerSite, isDialer, window)
    }

    private static func session(
        _ store: TestStore, _ peer: SiteCode, _ isDialer: Bool, _ window: Int
    ) -> SyncSession {
        SyncSession(
            SyncSession.Configuration(
                site: store.reader.identity.site, replica: store.reader.identity.replica,
                follows: store.reader.identity.follows?.replica, run: 1, peerSite: peer, isDialer: isDialer,
                unacknowledgedBytesMax: window))
    }

    /// A new connection: what was under way is lost, what is durable stays.
    func connect() throws {
        (wire, jobs, sent, notices) = ([], [], [], [])
        closed = nil
        id = nil
        decoder = SyncDecoder()
        compressor = StreamCompressor()
        session = Self.session(store, peerSite, isDialer, window)
        perform(session.start(now: now))
    }

    var isEstablished: Bool { session.isEstablished }

    func announceNews() { perform(session.feedAdvanced()) }

    func audit(_ purpose: RangeAudit.Purpose) { perform(session.audit(purpose)) }

    func take(_ frame: [UInt8]) throws {
        let message = try decoder.decode(Array(frame.dropFirst(SyncCodec.prefixBytes)))
        now.monotonicMilliseconds += 1
        now.wallMilliseconds += 1
        perform(session.handle(message, now: now))
    }

    private func later(_ job: @escaping () throws -> Void) { jobs.append(job) }

    private func perform(_ effects: [SyncSession.Effect]) {
        for effect in effects { perform(effect) }
    }

    private func perform(_ effect: SyncSession.Effect) {
        let writer = store.writer
        switch effect {
        case .send(let message):
            if case .caughtUp = message { compressor.reset() }
            if let frame = try? SyncCodec.encode(message) { wire.append(frame) }
        case .sendBatch(let batch, _):
            sent += batch.operations
            if let frame = try? SyncCodec.encode(batch, with: &compressor) { wire.append(frame) }
        case .identify(let hello):
            later { [self] in
                let met = try writer.meet(hello, role: role, now: Office.start)
                id = met.id
                perform(session.identified(met.standing))
            }
        case .judge, .compareOwn, .findHeld, .vouch, .readFeed, .readAnnouncements, .readForRepair, .answerKeys,
            .answerAudit, .compareAudit:
            if let question = SessionQuestion(effect) { ask(question) }
        case .apply(let batch, let place):
            withID { [self] id in
                try writer.commit(
                    [
                        MergeBatch(
                            source: .peer(id, place), operations: batch.operations, hashes: batch.hashes,
                            keys: batch.keys, agreed: batch.agreed)
                    ],
                    now: Office.start)
                perform(session.applied(batch.lane, batch.end))
            }
        case .saveKeys(let entries):
            withID { id in _ = try writer.saveKeys(entries, from: id, now: Office.start) }
        case .saveReceived(let progress):
            withID { id in try writer.saveReceived(progress, from: id, now: Office.start) }
        case .saveAcknowledged(let cursor):
            withID { id in try writer.saveAcknowledged(cursor, by: id, now: Office.start) }
        case .takeHeads: break
        case .recover(let reason, let common): recovery = (reason, common)
        case .notice(let notice): notices.append(notice)
        case .close(let code, let reason): closed = (code, reason)
        }
    }

    private func ask(_ question: SessionQuestion) {
        // A narrow window makes small batches.
        var question = question
        if case .readFeed(let lane, let cursor, let through, let bytesMax) = question {
            question = .readFeed(lane, after: cursor, through: through, bytesMax: min(bytesMax, window / 2))
        }
        withID { [self, question] id in
            if question.needsProjection { try store.writer.catchUpProjection() }
            if question.needsFeed(of: role) { try store.writer.fillFeed(of: id) }
            let answer =
                try store.reader.answerFromMemory(question, to: role) ?? store.reader.answer(question, of: id)
            perform(session.take(answer))
        }
    }

    private func withID(_ body: @escaping (PeerID) throws -> Void) {
        later { [self] in if let id { try body(id) } }
    }

    /// What the last audit of this side's came to.
    var audited: AuditOutcome? {
        for case .audited(let outcome, _) in notices.reversed() { return outcome }
        return nil
    }
}

/// Two stores and the wire between them.
struct StoreLink {
    let below: StoreEnd
    let above: StoreEnd

    /// - Parameter role: of `above`, as `below` sees it.
    init(_ below: TestStore, _ above: TestStore, role: PeerRole = .parent) {
        self.below = StoreEnd(below, to: above.reader.identity.site, role: role, isDialer: true)
        self.above = StoreEnd(
            above, to: below.reader.identity.site, role: role == .sibling ? .sibling : .child, isDialer: false)
    }

    func connect() throws {
        try below.connect()
        try above.connect()
    }

    /// Carries one waiting thing out, drawn from all that wait; what one end wants done stays in order.
    /// - Returns: false if nothing waits.
    func step(using generator: inout some RandomNumberGenerator) throws -> Bool {
        var choices: [() throws -> Void] = []
        for (end, other) in [(below, above), (above, below)] {
            if !end.wire.isEmpty, other.closed == nil {
                choices.append { try other.take(end.wire.removeFirst()) }
            }
            if !end.jobs.isEmpty { choices.append { try end.jobs.removeFirst()() } }
        }
        guard let choice = choices.randomElement(using: &generator) else { return false }
        try choice()
        return true
    }

    /// A new connection, until it comes to rest.
    func connectAndRun(using generator: inout some RandomNumberGenerator) throws {
        try connect()
        try run(using: &generator)
    }

    func run(using generator: inout some RandomNumberGenerator, stepsMax: Int = 100_000) throws {
        var steps = 0
        while try step(using: &generator) {
            steps += 1
            try #require(steps < stepsMax, "the session does not come to rest")
        }
    }
}
