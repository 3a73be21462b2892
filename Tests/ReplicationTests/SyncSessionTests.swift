import Replication
import TestSupport
import Testing

extension SyncSession.Effect {
    /// What the effect is about, for comparing lists of them.
    var words: String {
        switch self {
        case .send(.hello): "hello"
        case .send(.resume(let resume)):
            "resume \(resume.received.map { "\($0.cursor.position)" } ?? "nothing")"
        case .send(.batch): "batch"
        case .send(.ack(let lane, let position, _)): "ack \(lane) \(position)"
        case .send(.caughtUp): "caught up"
        case .send(.rebase(let cursor)): "rebase \(cursor.position)"
        case .send(.clock(_, let echo)): echo == 0 ? "ask the time" : "tell the time"
        case .send(.probe(let sequence)): "probe \(sequence)"
        case .send(.probeAnswer(let held)): "answer \(held?.sequence ?? 0)"
        case .send(.auditRequest(let request)): "ask \(request.content.words)"
        case .send(.auditReply): "reply"
        case .send(.auditCall): "call for an audit"
        case .send(.auditDone(let found, let unresolved, let isRepaired)):
            "audit done \(found) \(unresolved)\(isRepaired ? "" : " unrepaired")"
        case .send(.keys(let entries, let beforeBatch)): "\(entries.count) keys\(beforeBatch ? " for a batch" : "")"
        case .send(.keyRequest(let ids)): "ask for \(ids.count) keys"
        case .answerKeys(let ids): "answer \(ids.count) keys"
        case .saveKeys(let entries): "save \(entries.count) keys"
        case .send(.bye(let code, _)): "bye \(code)"
        case .sendBatch(let batch, _): "batch \(batch.lane) \(batch.start.position)–\(batch.end.position)"
        case .identify: "identify"
        case .judge(let held): "judge \(held.sequence)"
        case .compareOwn(let held): "compare \(held.sequence)"
        case .findHeld(_, let sequence): "find \(sequence)"
        case .vouch(let presented, let isPeerEmpty):
            "vouch \(presented.map { "\($0.cursor.position)" } ?? (isPeerEmpty ? "empty" : "nothing"))"
        case .readFeed(let lane, let cursor, let through, _):
            "read \(lane) \(cursor.position)–\(through.map(String.init) ?? "")"
        case .readAnnouncements(let after, let through): "announcements \(after)–\(through)"
        case .readForRepair(let dots): "read \(dots.count) for repair"
        case .apply(let batch, _): "apply \(batch.lane) \(batch.start.position)–\(batch.end.position)"
        case .saveReceived(let progress): "received \(progress.cursor.position)"
        case .saveAcknowledged(let cursor): "save \(cursor.position)"
        case .answerAudit: "answer audit"
        case .compareAudit: "compare audit"
        case .recover(let reason, let common): "recover \(reason) \(common.map(String.init) ?? "")"
        case .send(.heads(let heads)): "heads \(heads.count)"
        case .takeHeads(let heads): "take heads \(heads.count)"
        case .close(let code, _): "close \(code)"
        case .notice(.established): "established"
        case .notice(.receivedEverything): "received everything"
        case .notice(.deliveredEverything): "delivered everything"
        case .notice(.clockOffset(let offset, let trip)): "offset \(offset) in \(trip)"
        case .notice(.remaining(let count)): "remaining \(count)"
        case .notice(.auditStarted): "audit"
        case .notice(.audited(let outcome, _)): "audited \(outcome.found) \(outcome.unresolved)"
        case .notice(.auditedByPeer(let found, let unresolved)): "audited by peer \(found) \(unresolved)"
        }
    }
}

extension AuditRequest.Content {
    var words: String {
        switch self {
        case .summarise(let range): range == .all ? "for everything" : "for a range"
        case .list(let entities, _): "for \(entities.count) entities"
        case .fetch(let dots): "for \(dots.count) operations"
        }
    }
}

extension [SyncSession.Effect] {
    var words: [String] { map(\.words) }
}

/// The rules of Protocols/sync.md §5–§7, one side at a time: messages in, effects out.
@Suite struct SyncSessionTests {
    static let own = MemoryFeed(
        name: ReplicaID(1), operations: (1...5).map { MemoryFeed.operation($0, of: ReplicaID(1)) })
    static let theirs = MemoryFeed(
        name: ReplicaID(2), operations: (1...9).map { MemoryFeed.operation($0, of: ReplicaID(2)) })

    static func at(_ milliseconds: Int64) -> SyncSession.Moment {
        SyncSession.Moment(monotonicMilliseconds: milliseconds, wallMilliseconds: 1_800_000_000_000 + milliseconds)
    }

    static func hello(
        version: UInt32 = 1, site: String = "hz.zj", replica: ReplicaID = theirs.name
    ) -> SyncMessage {
        .hello(
            SyncMessage.Hello(
                version: version, site: SiteCode(validated: site), replica: replica,
                wallMilliseconds: 1_800_000_000_000, run: 7))
    }

    static func resume(
        _ received: FeedProgress? = nil, held: HeldOperation? = nil, isEmpty: Bool = true
    ) -> SyncMessage {
        .resume(SyncMessage.Resume(received: received, held: held, isEmpty: isEmpty))
    }

    static func standing(_ received: FeedProgress? = nil, wantsAudit: Bool = false) -> SyncSession.PeerStanding {
        SyncSession.PeerStanding(received: received, held: nil, isEmpty: received == nil, wantsAudit: wantsAudit)
    }

    static func unstarted(isDialer: Bool = true) -> SyncSession {
        SyncSession(
            SyncSession.Configuration(
                site: SiteCode(validated: "xihu.hz.zj"), replica: own.name, run: 3,
                peerSite: SiteCode(validated: "hz.zj"), isDialer: isDialer))
    }

    static func started(isDialer: Bool = true) -> SyncSession {
        var session = unstarted(isDialer: isDialer)
        _ = session.start(now: at(0))
        return session
    }

    /// Both sides have said who they are and what they hold; the store looks whether it can vouch for it.
    static func met(received: FeedProgress? = nil, isDialer: Bool = true) -> SyncSession {
        var session = started(isDialer: isDialer)
        _ = session.handle(hello(), now: at(1))
        _ = session.identified(standing(received))
        _ = session.handle(resume(), now: at(1))
        return session
    }

    /// A session at the beginning of its own feed, with a read of the backlog under way.
    static func established(received: FeedProgress? = nil, head: Int = own.operations.count) -> SyncSession {
        var session = met(received: received)
        _ = session.vouched(
            SyncSession.Resumption(
                cursor: FeedCursor(feed: own.name), head: UInt64(head), headCount: UInt64(head)))
        _ = session.batchRead(.live, nil)
        _ = session.repairRead([], hashes: [], forAudit: false)
        return session
    }

    @Test(
        "keys go before the batch that needs them, once a session, and come with it; a peer that knows none gets none")
    func keysBesideBatches() throws {
        let key = PersonalKeyEntry(
            PersonalKey(
                subject: EntityID(type: .customer, high: 1, low: 1), secret: [UInt8](repeating: 1, count: 32)))
        var session = Self.established()
        var batch = try #require(Self.own.batch(after: 0))
        batch.keys = [key]
        #expect(
            session.batchRead(.backlog, batch).map(\.words).prefix(2) == ["1 keys for a batch", "batch backlog 0–3"])
        var next = try #require(Self.own.batch(after: 3))
        next.keys = [key]
        #expect(session.batchRead(.backlog, next).map(\.words).first == "batch backlog 3–5", "it has been sent")
        #expect(session.erasuresRead([key]).isEmpty)
        #expect(session.keysAnswered([key]).map(\.words) == ["1 keys"], "asked for, it is sent again")
        #expect(session.request([key.id]).map(\.words) == ["ask for 1 keys"])
        #expect(session.handle(.keys([key], beforeBatch: false), now: Self.at(2)).map(\.words) == ["save 1 keys"])
        #expect(session.handle(.keys([key], beforeBatch: true), now: Self.at(2)).isEmpty)
        #expect(session.handle(.keyRequest([key.id]), now: Self.at(2)).map(\.words) == ["answer 1 keys"])
        #expect(session.handle(.keyRequest([key.id]), now: Self.at(2)).isEmpty, "one at a time")
    }

    /// A session whose feed is delivered, or empty.
    static func live(isDialer: Bool = true) -> SyncSession {
        var session = met(isDialer: isDialer)
        let cursor = own.cursor(at: 5)
        _ = session.vouched(SyncSession.Resumption(cursor: cursor, head: 5, headCount: 5))
        _ = session.batchRead(.live, nil)
        return session
    }

    /// - Parameter origin: where the live lane began.
    static func batch(
        _ start: Int, _ end: Int, of feed: MemoryFeed = theirs, lane: Lane = .backlog, from origin: Int = 6
    ) -> ReceivedBatch {
        var hasher = ContentHasher()
        let operations = Array(feed.operations[start..<end])
        let origin = lane == .live ? origin : 0
        return ReceivedBatch(
            lane: lane, start: feed.cursor(at: start, from: min(origin, start)),
            end: feed.cursor(at: end, from: min(origin, start)), operations: operations,
            hashes: operations.map { hasher.hash($0) }, remaining: UInt64(feed.operations.count - end), wireBytes: 100)
    }

    @Test("heads go out in messages of bounded size, and to nobody who speaks the version before them")
    func heads() {
        let heads = (1...UInt64(HeadLimits.headsMax) + 1).map { sequence in
            SignedHead(replica: ReplicaID(3), sequence: sequence, chain: .zero, time: 1, certificateChain: "")
        }
        #expect(Self.started().headsRead(heads).isEmpty)
        #expect(Self.established().headsRead(heads).isEmpty, "the peer of these tests speaks version 1")
        var session = Self.started()
        _ = session.handle(Self.hello(version: 2), now: Self.at(1))
        #expect(session.handle(.heads(heads), now: Self.at(1)).isEmpty, "not before it is known who speaks")
        _ = session.identified(Self.standing())
        _ = session.handle(Self.resume(), now: Self.at(1))
        _ = session.vouched(
            SyncSession.Resumption(cursor: FeedCursor(feed: Self.own.name), head: 0, headCount: 0))
        #expect(session.headsRead(heads).words == ["heads \(HeadLimits.headsMax)", "heads 1"])
        #expect(session.headsRead([]).isEmpty)
        #expect(session.handle(.heads(heads), now: Self.at(2)).words == ["take heads \(heads.count)"])
    }

    @Test("an audit waits until the rest of a backlog is small, and not longer than its limit")
    func auditBehindBacklog() {
        let head = Int(SyncLimits.auditBacklogMax) + 3
        var session = Self.established(head: head)
        #expect(session.handle(.auditCall, now: Self.at(2)).isEmpty)
        #expect(!session.tick(now: Self.at(40_000)).words.contains("audit"))
        var patient = Self.established(head: head)
        #expect(patient.handle(.auditCall, now: Self.at(2)).isEmpty)
        #expect(patient.tick(now: Self.at(2 + SyncLimits.auditDelayMillisecondsMax)).words.contains("audit"))
        _ = session.batchRead(.backlog, Self.own.batch(after: 0))
        let acknowledged = session.handle(
            .ack(.backlog, position: 3, digest: Self.own.cursor(at: 3).digest), now: Self.at(40_001))
        #expect(acknowledged.words.contains("audit"))
    }

    @Test("a session opens with Hello, and nothing else is taken before the peer's")
    func helloFirst() {
        var session = Self.unstarted()
        let before = session.handle(Self.hello(), now: Self.at(0))
        #expect(before.isEmpty)
        let first = session.start(now: Self.at(0))
        let again = session.start(now: Self.at(0))
        #expect(first.words == ["hello"] && again.isEmpty)
        let early = session.handle(.caughtUp, now: Self.at(1))
        #expect(early.words == ["bye outOfOrder", "close outOfOrder"])
    }

    @Test("a second Hello or Resume ends the session")
    func secondHello() {
        for message in [Self.hello(), Self.resume()] {
            var session = Self.established()
            let effects = session.handle(message, now: Self.at(2))
            #expect(effects.words == ["bye outOfOrder", "close outOfOrder"])
        }
    }

    @Test("a version below what this node speaks is refused")
    func versions() {
        var session = Self.started()
        let old = session.handle(Self.hello(version: 0), now: Self.at(1))
        #expect(old.words == ["bye unsupportedVersion", "close unsupportedVersion"])
        var newer = Self.started()
        let effects = newer.handle(Self.hello(version: 9), now: Self.at(1))
        #expect(effects.words == ["identify"])
    }

    @Test("a site that is not the certificate's is refused")
    func wrongSite() {
        var session = Self.started()
        let effects = session.handle(Self.hello(site: "nb.zj"), now: Self.at(1))
        #expect(effects.words == ["bye wrongSite", "close wrongSite"])
    }

    @Test("a peer under this node's own incarnation is refused")
    func sameIncarnation() {
        var session = Self.started()
        let effects = session.handle(Self.hello(replica: Self.own.name), now: Self.at(1))
        #expect(effects.words == ["bye conflictingHistory", "close conflictingHistory"])
    }

    @Test("each says what it holds of the other, in either order, before anything is sent")
    func meeting() {
        let received = FeedProgress(cursor: Self.theirs.cursor(at: 4))
        let presented = FeedProgress(cursor: Self.own.cursor(at: 2))
        for isEarly in [true, false] {
            var session = Self.started()
            let hello = session.handle(Self.hello(), now: Self.at(1))
            #expect(hello.words == ["identify"])
            var effects: [SyncSession.Effect] = []
            if isEarly { effects += session.handle(Self.resume(presented), now: Self.at(1)) }
            effects += session.identified(Self.standing(received))
            if !isEarly { effects += session.handle(Self.resume(presented), now: Self.at(1)) }
            #expect(effects.words == ["resume 4", "vouch 2"])
            let vouched = session.vouched(
                SyncSession.Resumption(cursor: Self.own.cursor(at: 2), head: 5, headCount: 5))
            #expect(vouched.words == ["established", "save 2", "read live 5–"])
            let exhausted = session.batchRead(.live, nil)
            #expect(exhausted.words == ["announcements 2–5"])
            let announced = session.repairRead([], hashes: [], forAudit: false)
            #expect(announced.words == ["read backlog 2–5"])
            let sent = session.batchRead(.backlog, Self.own.batch(after: 2))
            #expect(sent.words == ["batch backlog 2–5", "caught up"])
            let arrived = session.handle(.batch(Self.batch(4, 6)), now: Self.at(2))
            #expect(arrived.words == ["remaining 3", "apply backlog 4–6"])
        }
    }

    @Test("news goes before the backlog, and digests of the two lanes are their own")
    func liveFirst() {
        var feed = Self.own
        var session = Self.met()
        _ = session.vouched(
            SyncSession.Resumption(cursor: FeedCursor(feed: feed.name), head: 5, headCount: 5))
        _ = session.batchRead(.live, nil)
        _ = session.repairRead([], hashes: [], forAudit: false)
        let first = session.batchRead(.backlog, feed.batch(after: 0, through: 5))
        #expect(first.words == ["batch backlog 0–3", "read backlog 3–5"])
        feed.operations.append(MemoryFeed.operation(6, of: feed.name))
        let news = session.feedAdvanced()
        #expect(news.isEmpty)
        let second = session.batchRead(.backlog, feed.batch(after: 3, through: 5))
        #expect(second.words == ["batch backlog 3–5", "read live 5–"])
        let live = session.batchRead(.live, feed.batch(after: 5, lane: .live, from: 5))
        #expect(live.words == ["batch live 5–6", "read live 6–"])
        // What is contiguous is told by both together.
        let early = session.handle(
            .ack(.live, position: 6, digest: feed.cursor(at: 6, from: 5).digest), now: Self.at(3))
        #expect(early.isEmpty)
        let all = session.handle(.ack(.backlog, position: 5, digest: feed.cursor(at: 5).digest), now: Self.at(4))
        #expect(all.words == ["save 6"])
        guard case .saveAcknowledged(let cursor)? = all.first else { return }
        #expect(cursor == feed.cursor(at: 6))
    }

    @Test("intervals that the peer holds behind its cursor are jumped over")
    func jump() {
        var session = Self.started()
        _ = session.handle(Self.hello(), now: Self.at(1))
        _ = session.identified(Self.standing())
        let interval = FeedInterval(start: 2, end: 4, digest: Self.own.cursor(at: 4, from: 2).digest)
        _ = session.handle(
            Self.resume(FeedProgress(cursor: Self.own.cursor(at: 1), intervals: [interval])), now: Self.at(1))
        _ = session.vouched(
            SyncSession.Resumption(cursor: Self.own.cursor(at: 1), known: [interval], head: 5, headCount: 5))
        _ = session.batchRead(.live, nil)
        let first = session.repairRead([], hashes: [], forAudit: false)
        #expect(first.words == ["read backlog 1–2"])
        let sent = session.batchRead(.backlog, Self.own.batch(after: 1, through: 2))
        #expect(sent.words == ["batch backlog 1–2", "read backlog 4–5"])
        guard case .readFeed(_, let cursor, _, _)? = sent.last else { return }
        #expect(cursor == Self.own.cursor(at: 4))
    }

    @Test("what overtook is remembered beside the cursor, and joined when the two meet")
    func receivedIntervals() {
        var session = Self.established(received: FeedProgress(cursor: Self.theirs.cursor(at: 4)))
        let live = session.handle(.batch(Self.batch(6, 8, lane: .live)), now: Self.at(2))
        #expect(live.words == ["apply live 6–8"])
        guard case .apply(_, .live(let intervals))? = live.first else { return #expect(Bool(false)) }
        #expect(intervals.map(\.start) == [6] && intervals.map(\.end) == [8])
        let backlog = session.handle(.batch(Self.batch(4, 6)), now: Self.at(2))
        guard case .apply(_, .backlog(let cursor))? = backlog.last else { return #expect(Bool(false)) }
        #expect(FeedProgress(cursor: cursor, intervals: intervals).cursor == Self.theirs.cursor(at: 8))
    }

    @Test("a cursor that cannot be vouched for leads to an audit: the dialling side asks, the other calls for it")
    func unvouched() {
        var dialler = Self.met()
        let asked = dialler.vouched(SyncSession.Resumption(cursor: nil, head: 5, headCount: 5))
        #expect(asked.words == ["established", "audit", "ask for everything", "read live 5–"])
        var other = Self.met(isDialer: false)
        let called = other.vouched(SyncSession.Resumption(cursor: nil, head: 5, headCount: 5))
        #expect(called.words == ["established", "call for an audit", "read live 5–"])
        _ = other.batchRead(.live, nil)
        // Once it is over the feed goes on from where it stood.
        let done = other.handle(.auditDone(found: 3, unresolved: 0, isRepaired: true), now: Self.at(3))
        #expect(done.words == ["audited by peer 3 0", "save 5", "rebase 5", "caught up", "delivered everything"])
    }

    @Test("a feed that has begun anew goes on before the cursor that its former self was followed by")
    func rebaseBack() {
        var standing = Self.standing()
        standing.received = FeedProgress(
            cursor: FeedCursor(feed: Self.theirs.name, position: 40, digest: SetDigest(count: 40, sum: .zero)),
            intervals: [FeedInterval(start: 45, end: 50, digest: SetDigest(count: 5, sum: .zero))])
        var session = Self.started()
        _ = session.handle(Self.hello(), now: Self.at(1))
        _ = session.identified(standing)
        let place = FeedCursor(feed: Self.theirs.name, position: 2, digest: SetDigest(count: 9, sum: .zero))
        let effects = session.handle(.rebase(place), now: Self.at(2))
        #expect(effects.words == ["received 2", "remaining 0"])
        let back = session.handle(.rebase(FeedCursor(feed: Self.theirs.name, position: 1)), now: Self.at(2))
        #expect(back.words == ["bye cursorMismatch", "close cursorMismatch"])
    }

    @Test("news of a feed that has begun anew are taken before the rebase that says so")
    func newsBeforeRebase() {
        var session = Self.established(
            received: FeedProgress(
                cursor: FeedCursor(feed: Self.theirs.name, position: 40, digest: SetDigest(count: 40, sum: .zero)),
                intervals: [FeedInterval(start: 45, end: 50, digest: SetDigest(count: 5, sum: .zero))]))
        let live = session.handle(.batch(Self.batch(2, 4, lane: .live)), now: Self.at(2))
        #expect(live.words == ["apply live 2–4"])
        guard case .apply(_, .live(let intervals))? = live.first else { return #expect(Bool(false)) }
        #expect(intervals.map(\.start) == [2] && intervals.map(\.end) == [4])
        let place = FeedCursor(feed: Self.theirs.name, position: 2, digest: SetDigest(count: 9, sum: .zero))
        // The lane that fills the interval goes on: cursor and interval stay what the store is told of each.
        let rebased = session.handle(.rebase(place), now: Self.at(2))
        #expect(rebased.words == ["remaining 0"], "the place claims what is not durable yet")
        let applied = session.applied(.live, Self.batch(2, 4, lane: .live).end)
        #expect(applied.words == ["ack live 4", "received 2"])
        guard case .saveReceived(let progress)? = applied.last else { return #expect(Bool(false)) }
        #expect(progress.intervals == intervals)
        let next = session.handle(.batch(Self.batch(4, 5, lane: .live, from: 2)), now: Self.at(2))
        #expect(next.words == ["apply live 4–5"])
        guard case .apply(_, .live(let grown))? = next.first else { return #expect(Bool(false)) }
        // What the next session presents of it.
        #expect(FeedProgress(cursor: progress.cursor, intervals: grown).cursor.position == 5)
    }

    @Test("a rebase moves a cursor of this session forward only")
    func rebase() {
        var session = Self.established()
        let effects = session.handle(
            .rebase(FeedCursor(feed: Self.theirs.name, position: 6, digest: SetDigest(count: 6, sum: .zero))),
            now: Self.at(2))
        #expect(effects.words == ["received 6", "remaining 0"])
        let back = session.handle(.rebase(FeedCursor(feed: Self.theirs.name, position: 2)), now: Self.at(2))
        #expect(back.words == ["bye cursorMismatch", "close cursorMismatch"])
    }

    @Test("a peer that holds more than was written here is searched for the last common operation")
    func rolledBack() {
        var session = Self.started()
        _ = session.handle(Self.hello(), now: Self.at(1))
        _ = session.identified(Self.standing())
        let judged = session.handle(
            Self.resume(held: HeldOperation(sequence: 9, hash: .zero), isEmpty: false), now: Self.at(1))
        #expect(judged.words == ["judge 9"])
        var effects = session.judged(.behind(last: 5))
        #expect(effects.words == ["probe 3"])
        effects = session.handle(.probeAnswer(HeldOperation(sequence: 3, hash: .zero)), now: Self.at(2))
        #expect(effects.words == ["compare 3"])
        effects = session.ownCompared(HeldOperation(sequence: 3, hash: .zero), isSame: false)
        #expect(effects.words == ["probe 1"])
        // Whatever else comes meanwhile has no effect.
        let stray = session.handle(.batch(Self.batch(0, 2)), now: Self.at(2))
        #expect(stray.isEmpty)
        _ = session.handle(.probeAnswer(HeldOperation(sequence: 1, hash: .zero)), now: Self.at(2))
        effects = session.ownCompared(HeldOperation(sequence: 1, hash: .zero), isSame: true)
        #expect(effects.words == ["probe 2"])
        effects = session.handle(.probeAnswer(nil), now: Self.at(2))
        #expect(effects.words == ["recover forked 2", "bye recovering", "close recovering"])
    }

    @Test("of two that run from one disk, the one that is told so takes a new incarnation from where they part")
    func cloned() {
        for held in [nil, HeldOperation(sequence: 4, hash: .zero)] {
            var session = Self.started()
            _ = session.handle(Self.hello(), now: Self.at(1))
            _ = session.identified(Self.standing())
            var effects = session.handle(
                .resume(SyncMessage.Resume(received: nil, held: held, isEmpty: false, isCloned: true)), now: Self.at(1))
            if held != nil {
                #expect(effects.words == ["judge 4"])
                effects = session.judged(.sound)
            }
            #expect(
                effects.words == ["recover cloned \(held?.sequence ?? 0)", "bye recovering", "close recovering"])
        }
        var session = Self.started()
        _ = session.handle(Self.hello(), now: Self.at(1))
        _ = session.identified(Self.standing())
        _ = session.handle(
            .resume(
                SyncMessage.Resume(
                    received: nil, held: HeldOperation(sequence: 1, hash: .zero), isEmpty: false, isCloned: true)),
            now: Self.at(1))
        let effects = session.judged(.differs(at: 1))
        #expect(effects.words == ["recover forked 0", "bye recovering", "close recovering"])
    }

    @Test("batches are taken in order, each where the one before it ended")
    func batchesInOrder() {
        var session = Self.established()
        let first = session.handle(.batch(Self.batch(0, 3)), now: Self.at(2))
        let second = session.handle(.batch(Self.batch(3, 5)), now: Self.at(2))
        #expect(first.words.last == "apply backlog 0–3" && second.words.last == "apply backlog 3–5")
        let gap = session.handle(.batch(Self.batch(6, 7)), now: Self.at(2))
        #expect(gap.words == ["bye cursorMismatch", "close cursorMismatch"])
    }

    @Test("a batch of another feed, and one that does not advance, end the session")
    func strayBatches() {
        var session = Self.established()
        let stray = session.handle(.batch(Self.batch(0, 2, of: Self.own)), now: Self.at(2))
        #expect(stray.words == ["bye cursorMismatch", "close cursorMismatch"])
        var other = Self.established()
        let empty = other.handle(.batch(Self.batch(0, 0)), now: Self.at(2))
        #expect(empty.words == ["bye cursorMismatch", "close cursorMismatch"])
    }

    @Test("a batch that does not match its digest is not applied and ends the session")
    func hashMismatch() {
        var session = Self.established()
        var batch = Self.batch(0, 3)
        batch.hashes[1] = .zero
        let effects = session.handle(.batch(batch), now: Self.at(2))
        #expect(effects.words == ["bye hashMismatch", "close hashMismatch"])
        let after = session.handle(.batch(Self.batch(0, 3)), now: Self.at(3))
        #expect(after.isEmpty)
    }

    @Test("an acknowledgement covers everything of its lane up to it")
    func acknowledgement() {
        var session = Self.established()
        _ = session.batchRead(.backlog, Self.own.batch(after: 0))
        let last = session.batchRead(.backlog, Self.own.batch(after: 3))
        #expect(last.words == ["batch backlog 3–5", "caught up"])
        let effects = session.handle(
            .ack(.backlog, position: 5, digest: Self.own.cursor(at: 5).digest), now: Self.at(3))
        #expect(effects.words == ["save 5", "delivered everything"])
    }

    @Test("an acknowledgement of a place where no batch ended, or in another lane, ends the session")
    func unknownAcknowledgement() {
        for (lane, position) in [(Lane.backlog, UInt64(2)), (.live, 3), (.repair, 3)] {
            var session = Self.established()
            _ = session.batchRead(.backlog, Self.own.batch(after: 0))
            let effects = session.handle(
                .ack(lane, position: position, digest: Self.own.cursor(at: 3).digest), now: Self.at(3))
            #expect(effects.words == ["bye cursorMismatch", "close cursorMismatch"])
        }
    }

    @Test("an acknowledgement with another digest is not stored and ends the session")
    func otherDigest() {
        var session = Self.established()
        _ = session.batchRead(.backlog, Self.own.batch(after: 0))
        let effects = session.handle(.ack(.backlog, position: 3, digest: .empty), now: Self.at(3))
        #expect(effects.words == ["bye hashMismatch", "close hashMismatch"])
    }

    @Test("the backlog is not read on while too much of it is unacknowledged; news still is")
    func backPressure() throws {
        let feed = MemoryFeed(
            name: Self.own.name,
            operations: (1...100).map { MemoryFeed.operation($0, of: Self.own.name, bodyBytes: 60_000) })
        var session = Self.established(head: 100)
        var position = 0
        var sentBytes = 0
        var effects: [SyncSession.Effect] = []
        repeat {
            let batch = try #require(feed.batch(after: position))
            effects = session.batchRead(.backlog, batch)
            position = Int(batch.end.position)
            sentBytes += batch.operations.reduce(0) { $0 + $1.approximateBytes }
        } while effects.words.last?.hasPrefix("read") ?? false
        #expect(sentBytes >= 2 * SyncLimits.backlogWindowBytesMin)
        #expect(sentBytes < SyncLimits.batchBytesMax)
        let news = session.feedAdvanced()
        #expect(news.words == ["read live 100–"])
        _ = session.batchRead(.live, nil)
        // A line that answers at once is given twice as much.
        let acknowledged = session.handle(
            .ack(.backlog, position: 3, digest: feed.cursor(at: 3).digest), now: Self.at(9))
        #expect(acknowledged.words == ["save 3", "read backlog \(position)–100"])
    }

    @Test("the backlog's window shrinks on a slow line and grows on a fast one, within its bounds")
    func window() {
        var session = Self.established(head: 100)
        let feed = MemoryFeed(
            name: Self.own.name,
            operations: (1...100).map { MemoryFeed.operation($0, of: Self.own.name, bodyBytes: 10_000) })
        var asked: [Int] = []
        var now: Int64 = 10
        var position = 0
        for _ in 0..<6 {
            guard let batch = feed.batch(after: position, through: 100) else { break }
            var effects = session.batchRead(.backlog, batch)
            position = Int(batch.end.position)
            now += 10_000
            effects += session.handle(
                .ack(.backlog, position: batch.end.position, digest: batch.end.digest), now: Self.at(now))
            for case .readFeed(.backlog, _, _, let bytesMax) in effects { asked.append(bytesMax) }
        }
        #expect(asked.last == SyncLimits.backlogWindowBytesMin)
        var quick: [Int] = []
        for _ in 0..<20 {
            guard let batch = feed.batch(after: position, through: 100) else { break }
            var effects = session.batchRead(.backlog, batch)
            position = Int(batch.end.position)
            now += 1
            effects += session.handle(
                .ack(.backlog, position: batch.end.position, digest: batch.end.digest), now: Self.at(now))
            for case .readFeed(.backlog, _, _, let bytesMax) in effects { quick.append(bytesMax) }
        }
        #expect(quick.last == SyncLimits.batchBytesMax && quick == quick.sorted())
    }

    @Test("what is put into the feed by the thousand is no news: it becomes backlog, and what follows goes first")
    func bulk() {
        var feed = Self.own
        var session = Self.met()
        _ = session.vouched(SyncSession.Resumption(cursor: feed.cursor(at: 5), head: 5, headCount: 5))
        _ = session.batchRead(.live, nil)
        for sequence in 6...2_006 { feed.operations.append(MemoryFeed.operation(UInt64(sequence), of: feed.name)) }
        _ = session.feedAdvanced()
        let read = session.batchRead(.live, feed.batch(after: 5, lane: .live, from: 5), head: 2_006)
        #expect(read.words == ["batch live 5–8", "read live 2006–"])
        let exhausted = session.batchRead(.live, nil)
        #expect(exhausted.words == ["read backlog 8–2006"])
        feed.operations.append(MemoryFeed.operation(2_007, of: feed.name))
        _ = session.feedAdvanced()
        let backlog = session.batchRead(.backlog, feed.batch(after: 8, through: 2_006))
        #expect(backlog.words == ["batch backlog 8–11", "read live 2006–"])
        let news = session.batchRead(.live, feed.batch(after: 2_006, lane: .live, from: 2_006))
        #expect(news.words == ["batch live 2006–2007", "read live 2007–"])
    }

    @Test("after the feed was exhausted, news is read and sent at once")
    func liveTail() {
        var session = Self.met()
        _ = session.vouched(SyncSession.Resumption(cursor: Self.own.cursor(at: 3), head: 3, headCount: 3))
        let exhausted = session.batchRead(.live, nil)
        #expect(exhausted.words == ["caught up", "delivered everything"])
        let news = session.feedAdvanced()
        #expect(news.words == ["read live 3–"])
        let sent = session.batchRead(.live, Self.own.batch(after: 3, lane: .live, from: 3))
        #expect(sent.words == ["batch live 3–5", "read live 5–"])
        let again = session.batchRead(.live, nil)
        #expect(again.words == ["caught up"])
    }

    @Test("news that comes while a read is under way is not lost")
    func newsDuringRead() {
        var session = Self.live()
        _ = session.feedAdvanced()
        let during = session.feedAdvanced()
        #expect(during.isEmpty)
        let empty = session.batchRead(.live, nil)
        #expect(empty.words == ["read live 5–"])
    }

    @Test("nothing is acknowledged, and nothing called complete, before its commit")
    func afterCommit() {
        var session = Self.established()
        _ = session.handle(.batch(Self.batch(0, 9)), now: Self.at(2))
        let early = session.handle(.caughtUp, now: Self.at(3))
        #expect(early.isEmpty)
        let committed = session.applied(.backlog, Self.theirs.cursor(at: 9))
        #expect(committed.words == ["ack backlog 9", "remaining 0", "received everything"])
    }

    @Test("a batch that commits while this side still looks for its own cursor is acknowledged")
    func commitBeforeVouch() {
        var session = Self.met()
        _ = session.handle(.batch(Self.batch(0, 9)), now: Self.at(2))
        _ = session.handle(.caughtUp, now: Self.at(2))
        let committed = session.applied(.backlog, Self.theirs.cursor(at: 9))
        #expect(committed.words == ["ack backlog 9", "remaining 0", "received everything"])
    }

    @Test("operations that the sender could not read count in the digest")
    func omitted() {
        var session = Self.established()
        var batch = Self.batch(0, 3)
        let hash = batch.hashes.remove(at: 1)
        batch.operations.remove(at: 1)
        batch.omitted = [hash]
        let effects = session.handle(.batch(batch), now: Self.at(2))
        #expect(effects.words == ["remaining 6", "apply backlog 0–3"])
    }

    @Test("the offset of the clocks is measured against the middle of the round trip")
    func clockOffset() throws {
        var session = Self.established()
        let asked = session.tick(now: Self.at(10))
        #expect(asked.words == ["ask the time"])
        let quiet = session.tick(now: Self.at(20))
        #expect(quiet.isEmpty)
        let origin = Self.at(10).wallMilliseconds
        let invented = session.handle(.clock(originMilliseconds: 1, echoMilliseconds: 5), now: Self.at(50))
        #expect(invented.isEmpty)
        let echo = SyncMessage.clock(originMilliseconds: origin, echoMilliseconds: origin + 7_020)
        let answered = session.handle(echo, now: Self.at(50))
        #expect(answered.words == ["offset 7000 in 40"])
        let repeated = session.handle(echo, now: Self.at(60))
        #expect(repeated.isEmpty)
    }

    @Test("a question for the time is answered once a second at most")
    func clockQuestions() {
        var session = Self.established()
        let question = SyncMessage.clock(originMilliseconds: 5, echoMilliseconds: 0)
        let first = session.handle(question, now: Self.at(10))
        let flood = session.handle(question, now: Self.at(500))
        let later = session.handle(question, now: Self.at(1_010))
        #expect(first.words == ["tell the time"] && flood.isEmpty && later.words == ["tell the time"])
    }

    @Test("a peer that says nothing is given up after the time-out")
    func helloTimeout() {
        var session = Self.started()
        let early = session.tick(now: Self.at(SyncLimits.helloMillisecondsMax - 1))
        #expect(early.isEmpty)
        let late = session.tick(now: Self.at(SyncLimits.helloMillisecondsMax))
        #expect(late.words == ["bye outOfOrder", "close outOfOrder"])
    }

    @Test("a peer that has said Hello and nothing else is given up, and one that leaves a probe unanswered")
    func answerTimeout() {
        let limit = SyncLimits.answerMillisecondsMax
        var silent = Self.started()
        _ = silent.handle(Self.hello(), now: Self.at(10))
        #expect(silent.tick(now: Self.at(limit + 9)).isEmpty)
        #expect(silent.tick(now: Self.at(limit + 10)).words == ["bye outOfOrder", "close outOfOrder"])
        var searching = Self.started()
        _ = searching.handle(Self.hello(), now: Self.at(1))
        _ = searching.identified(Self.standing(nil))
        let held = HeldOperation(sequence: 9, hash: .zero)
        _ = searching.handle(Self.resume(held: held, isEmpty: false), now: Self.at(1))
        #expect(searching.tick(now: Self.at(limit * 2)).isEmpty, "its Resume is here; the store takes its time")
        #expect(searching.judged(.behind(last: 5)).words == ["probe 3"])
        #expect(searching.tick(now: Self.at(limit * 2)).isEmpty)
        #expect(searching.tick(now: Self.at(limit * 3)).words == ["bye outOfOrder", "close outOfOrder"])
    }

    @Test("a Bye ends the session in every phase, and what comes after it has no effect")
    func bye() {
        for phase in 0..<3 {
            var session = phase == 0 ? Self.started() : phase == 1 ? Self.met() : Self.established()
            let effects = session.handle(.bye(.shuttingDown, reason: "restart"), now: Self.at(2))
            #expect(effects.words == ["close shuttingDown"])
            let after =
                session.vouched(SyncSession.Resumption(cursor: nil, head: 0, headCount: 0))
                + session.batchRead(.backlog, nil) + session.feedAdvanced()
                + session.applied(.backlog, Self.theirs.cursor(at: 1)) + session.tick(now: Self.at(99_999))
                + session.audit(.repair) + session.close(.paused, "twice")
            #expect(after.isEmpty)
        }
    }
}

/// The side of an audit that asks. Source: Protocols/sync.md §8.
@Suite struct RangeAuditTests {
    private static func entity(_ number: UInt64) -> EntityID { EntityID(type: .ticket, high: 1, low: number) }

    private static func dots(_ count: Int) -> [Dot] { (1...count).map { Dot(ReplicaID(5), UInt64($0)) } }

    private func asked(_ effects: [RangeAudit.Effect]) -> [AuditRequest] {
        effects.compactMap { if case .ask(let request) = $0 { request } else { nil } }
    }

    @Test("equal stores are found equal with one question")
    func equal() throws {
        var audit = RangeAudit(.repair)
        let request = try #require(asked(audit.start()).first)
        _ = audit.reply(AuditReply(number: request.number, content: .leaf([])))
        let end = audit.compared(.differing(parts: [], entities: []))
        guard case .finished(let outcome)? = end.last else { return #expect(Bool(false)) }
        #expect(outcome == AuditOutcome())
    }

    @Test("parts are named by where they end, and those that differ are divided further")
    func dividing() throws {
        var audit = RangeAudit(.repair)
        let request = try #require(asked(audit.start()).first)
        let middle = EntityKey(Self.entity(9))
        let effects = audit.reply(
            AuditReply(
                number: request.number,
                content: .parts([
                    RangeDigest(range: AuditRange(low: nil, high: middle), entityCount: 1, digest: .empty),
                    RangeDigest(range: AuditRange(low: middle, high: nil), entityCount: 1, digest: .empty),
                ])))
        guard case .compare(let reply, _)? = effects.first, case .parts(let parts) = reply.content else {
            return #expect(Bool(false))
        }
        #expect(parts.map(\.range) == [AuditRange(low: nil, high: middle), AuditRange(low: middle, high: nil)])
        let next = asked(audit.compared(.differing(parts: [parts[1].range], entities: [])))
        #expect(next.map(\.content) == [.summarise(AuditRange(low: middle, high: nil))])
    }

    @Test("what is missing is fetched in portions and sent in portions, then a second pass looks again")
    func repair() throws {
        var audit = RangeAudit(.repair)
        var request = try #require(asked(audit.start()).first)
        _ = audit.reply(AuditReply(number: request.number, content: .leaf([])))
        request = try #require(asked(audit.compared(.differing(parts: [], entities: [Self.entity(1)]))).first)
        #expect(request.content == .list([Self.entity(1)], after: nil))
        let list = EntityOperations(entity: Self.entity(1), entries: [])
        _ = audit.reply(AuditReply(number: request.number, content: .operations([list], isCut: false)))
        let effects = audit.compared(
            .operations(
                OperationDifferences(missingHere: Self.dots(700), missingThere: [Dot(ReplicaID(6), 1)])))
        #expect(effects.contains { if case .send(let dots) = $0 { dots.count == 1 } else { false } })
        let first = try #require(asked(effects).first)
        let second = try #require(asked(audit.reply(Self.whole(first))).first)
        #expect(Set([first, second].map { $0.content.words }) == ["for 500 operations", "for 200 operations"])
        let waiting = audit.reply(Self.whole(second))
        #expect(waiting.isEmpty, "the peer has not acknowledged what was sent")
        let again = try #require(asked(audit.sent()).first)
        #expect(again.content == .summarise(.all))
        _ = audit.reply(AuditReply(number: again.number, content: .leaf([])))
        guard case .finished(let outcome)? = audit.compared(.differing(parts: [], entities: [])).last else {
            return #expect(Bool(false))
        }
        #expect(outcome.missingHere == 700 && outcome.missingThere == 1 && outcome.unresolved == 0)
    }

    /// Everything that a fetch asks for.
    private static func whole(_ request: AuditRequest) -> AuditReply {
        guard case .fetch(let dots) = request.content else { return AuditReply(number: 0, content: .sent(0)) }
        return AuditReply(number: request.number, content: .sent(UInt64(dots.count)))
    }

    @Test("what does not fit into a batch is asked for again, and sent in another, before the second pass")
    func cut() throws {
        var audit = RangeAudit(.repair)
        var request = try #require(asked(audit.start()).first)
        _ = audit.reply(AuditReply(number: request.number, content: .leaf([])))
        request = try #require(asked(audit.compared(.differing(parts: [], entities: [Self.entity(1)]))).first)
        let list = EntityOperations(entity: Self.entity(1), entries: [])
        _ = audit.reply(AuditReply(number: request.number, content: .operations([list], isCut: false)))
        let (missing, own) = (Self.dots(5), [Dot(ReplicaID(6), 1), Dot(ReplicaID(6), 2)])
        request = try #require(
            asked(
                audit.compared(
                    .operations(OperationDifferences(missingHere: missing, missingThere: own)))
            ).first)
        request = try #require(asked(audit.reply(AuditReply(number: request.number, content: .sent(2)))).first)
        #expect(request.content == .fetch(Array(missing.dropFirst(2))))
        guard case .send([own[1]])? = audit.sendsBesides([own[1]]).first else { return #expect(Bool(false)) }
        // A peer that has nothing to say of the rest is not asked for ever.
        let answered = audit.reply(AuditReply(number: request.number, content: .sent(0)))
        #expect(answered.isEmpty, "two batches are on their way")
        #expect(audit.sent().isEmpty)
        #expect(asked(audit.sent()).map(\.content) == [.summarise(.all)])
    }

    @Test("what a second pass finds again is unresolved; to verify asks once and moves nothing")
    func unresolved() throws {
        for purpose in [RangeAudit.Purpose.repair, .verify] {
            var audit = RangeAudit(purpose)
            var effects = audit.start()
            var passes = 0
            while let request = asked(effects).first {
                switch request.content {
                case .summarise:
                    passes += 1
                    _ = audit.reply(AuditReply(number: request.number, content: .leaf([])))
                    effects = audit.compared(.differing(parts: [], entities: [Self.entity(1)]))
                case .list:
                    let list = EntityOperations(entity: Self.entity(1), entries: [])
                    _ = audit.reply(AuditReply(number: request.number, content: .operations([list], isCut: false)))
                    effects = audit.compared(.operations(OperationDifferences(missingHere: Self.dots(2))))
                case .fetch: effects = audit.reply(AuditReply(number: request.number, content: .sent(0)))
                }
            }
            guard case .finished(let outcome)? = effects.last else { return #expect(Bool(false)) }
            #expect(outcome.missingHere == 2)
            #expect(outcome.unresolved == (purpose == .repair ? 2 : 0) && passes == (purpose == .repair ? 2 : 1))
        }
    }

    @Test("a list that did not fit is asked for again from where it ended")
    func cutLists() throws {
        var audit = RangeAudit(.verify)
        var request = try #require(asked(audit.start()).first)
        _ = audit.reply(AuditReply(number: request.number, content: .leaf([])))
        let entities = (1...3).map { Self.entity(UInt64($0)) }
        request = try #require(asked(audit.compared(.differing(parts: [], entities: entities))).first)
        let entry = EntityOperations.Entry(dot: Dot(ReplicaID(5), 4), hash: .zero)
        let lists = [
            EntityOperations(entity: entities[0], entries: []), EntityOperations(entity: entities[1], entries: [entry]),
        ]
        _ = audit.reply(AuditReply(number: request.number, content: .operations(lists, isCut: true)))
        let next = asked(audit.compared(.operations(OperationDifferences())))
        #expect(next.map(\.content) == [.list([entities[1], entities[2]], after: entry.dot)])
    }
}
