import Replication
import TestSupport
import Testing

extension SyncSession.Effect {
    /// What the effect is about, for comparing lists of them.
    var words: String {
        switch self {
        case .send(.hello): "hello"
        case .send(.batch): "batch"
        case .send(.ack(let position, _)): "ack \(position)"
        case .send(.caughtUp(let position)): "caught up \(position)"
        case .send(.clock(_, let echo)): echo == 0 ? "ask the time" : "tell the time"
        case .send(.bye(let code, _)): "bye \(code)"
        case .sendBatch(let batch, _): "batch \(batch.start.position)–\(batch.end.position)"
        case .vouch(let presented): "vouch \(presented.map { "\($0.position)" } ?? "nothing")"
        case .readFeed(let cursor): "read \(cursor.position)"
        case .apply(let batch): "apply \(batch.start.position)–\(batch.end.position)"
        case .saveAcknowledged(let cursor): "save \(cursor.position)"
        case .close(let code, _): "close \(code)"
        case .notice(.established): "established"
        case .notice(.receivedEverything): "received everything"
        case .notice(.deliveredEverything): "delivered everything"
        case .notice(.clockOffset(let offset, let trip)): "offset \(offset) in \(trip)"
        case .notice(.remaining(let count)): "remaining \(count)"
        case .notice(.feedRestarted): "restarted"
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
        version: UInt32 = 1, site: String = "hz.zj", replica: ReplicaID = theirs.name, received: FeedCursor? = nil
    ) -> SyncMessage {
        .hello(
            SyncMessage.Hello(
                version: version, site: SiteCode(validated: site), replica: replica,
                wallMilliseconds: 1_800_000_000_000, received: received))
    }

    static func started(received: FeedCursor? = nil) -> SyncSession {
        var session = SyncSession(
            SyncSession.Configuration(
                site: SiteCode(validated: "xihu.hz.zj"), replica: own.name, peerSite: SiteCode(validated: "hz.zj"),
                received: received))
        _ = session.start(now: at(0))
        return session
    }

    /// A session whose both sides have said hello, at the beginning of its own feed, with a read under way.
    static func established(received: FeedCursor? = nil) -> SyncSession {
        var session = started(received: received)
        _ = session.handle(hello(), now: at(1))
        _ = session.vouched(FeedCursor(feed: own.name))
        return session
    }

    static func batch(_ start: Int, _ end: Int, of feed: MemoryFeed = theirs) -> ReceivedBatch {
        var hasher = ContentHasher()
        let operations = Array(feed.operations[start..<end])
        return ReceivedBatch(
            start: feed.cursor(at: start), end: feed.cursor(at: end), operations: operations,
            hashes: operations.map { hasher.hash($0) }, remaining: UInt64(feed.operations.count - end), wireBytes: 100)
    }

    @Test("a session opens with Hello, and nothing else is taken before the peer's")
    func helloFirst() {
        var session = SyncSession(
            SyncSession.Configuration(
                site: SiteCode(validated: "xihu.hz.zj"), replica: Self.own.name, peerSite: SiteCode(validated: "hz.zj"),
                received: nil))
        let before = session.handle(Self.hello(), now: Self.at(0))
        #expect(before.isEmpty)
        let first = session.start(now: Self.at(0))
        let again = session.start(now: Self.at(0))
        #expect(first.words == ["hello"] && again.isEmpty)
        let early = session.handle(.caughtUp(position: 0), now: Self.at(1))
        #expect(early.words == ["bye outOfOrder", "close outOfOrder"])
    }

    @Test("a second Hello ends the session")
    func secondHello() {
        var session = Self.established()
        let effects = session.handle(Self.hello(), now: Self.at(2))
        #expect(effects.words == ["bye outOfOrder", "close outOfOrder"])
    }

    @Test("a version below what this node speaks is refused, one above it is spoken to in this node's own")
    func versions() {
        var session = Self.started()
        let old = session.handle(Self.hello(version: 0), now: Self.at(1))
        #expect(old.words == ["bye unsupportedVersion", "close unsupportedVersion"])
        var newer = Self.started()
        let effects = newer.handle(Self.hello(version: 9), now: Self.at(1))
        guard case .notice(.established(_, let version))? = effects.first else { return #expect(Bool(false)) }
        #expect(version == SyncSession.versionMax)
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

    @Test("the feed goes on from the cursor that the peer presents and the store vouches for")
    func resume() {
        var session = Self.started(received: Self.theirs.cursor(at: 4))
        let presented = Self.own.cursor(at: 2)
        let effects = session.handle(Self.hello(received: presented), now: Self.at(1))
        #expect(effects.words == ["established", "vouch 2"])
        let read = session.vouched(presented)
        #expect(read.words == ["save 2", "read 2"])
        let sent = session.batchRead(Self.own.batch(after: presented))
        #expect(sent.words == ["batch 2–5", "read 5"])
        let arrived = session.handle(.batch(Self.batch(4, 6)), now: Self.at(2))
        #expect(arrived.words == ["remaining 3", "apply 4–6"])
    }

    @Test("a cursor of the peer's former incarnation says nothing about its new feed")
    func formerIncarnation() {
        var session = Self.established(received: FeedCursor(feed: ReplicaID(99), position: 40))
        let effects = session.handle(.batch(Self.batch(0, 2)), now: Self.at(2))
        #expect(effects.words == ["remaining 7", "apply 0–2"])
    }

    @Test("a sender that cannot vouch starts over at the beginning")
    func restart() {
        var session = Self.established(received: Self.theirs.cursor(at: 4))
        let effects = session.handle(.batch(Self.batch(0, 3)), now: Self.at(2))
        #expect(effects.words == ["restarted", "remaining 6", "apply 0–3"])
        let applied = session.applied(Self.theirs.cursor(at: 3))
        #expect(applied.words == ["ack 3"])
    }

    @Test("starting over is taken as the first thing only, also when all before it is applied")
    func lateRestart() {
        var session = Self.established(received: Self.theirs.cursor(at: 4))
        _ = session.handle(.batch(Self.batch(4, 6)), now: Self.at(2))
        _ = session.applied(Self.theirs.cursor(at: 6))
        let effects = session.handle(.batch(Self.batch(0, 3)), now: Self.at(3))
        #expect(effects.words == ["bye cursorMismatch", "close cursorMismatch"])
    }

    @Test("batches are taken in order, each where the one before it ended")
    func batchesInOrder() {
        var session = Self.established()
        let first = session.handle(.batch(Self.batch(0, 3)), now: Self.at(2))
        let second = session.handle(.batch(Self.batch(3, 5)), now: Self.at(2))
        #expect(first.words.last == "apply 0–3" && second.words.last == "apply 3–5")
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

    @Test("an acknowledgement covers everything up to it")
    func acknowledgement() {
        var session = Self.established()
        _ = session.batchRead(Self.own.batch(after: Self.own.cursor(at: 0)))
        _ = session.batchRead(Self.own.batch(after: Self.own.cursor(at: 3)))
        let last = session.batchRead(nil)
        #expect(last.words == ["caught up 5"])
        let effects = session.handle(
            .ack(position: 5, digest: Self.own.cursor(at: 5).digest), now: Self.at(3))
        #expect(effects.words == ["save 5", "delivered everything"])
    }

    @Test("an acknowledgement of a place where no batch ended ends the session")
    func unknownAcknowledgement() {
        var session = Self.established()
        _ = session.batchRead(Self.own.batch(after: Self.own.cursor(at: 0)))
        let effects = session.handle(.ack(position: 2, digest: Self.own.cursor(at: 2).digest), now: Self.at(3))
        #expect(effects.words == ["bye cursorMismatch", "close cursorMismatch"])
    }

    @Test("an acknowledgement with another digest is not stored and ends the session")
    func otherDigest() {
        var session = Self.established()
        _ = session.batchRead(Self.own.batch(after: Self.own.cursor(at: 0)))
        let effects = session.handle(.ack(position: 3, digest: .empty), now: Self.at(3))
        #expect(effects.words == ["bye hashMismatch", "close hashMismatch"])
    }

    @Test("the feed is not read on while too much is unacknowledged, and an acknowledgement resumes it")
    func backPressure() throws {
        let feed = MemoryFeed(
            name: Self.own.name,
            operations: (1...100).map { MemoryFeed.operation($0, of: Self.own.name, bodyBytes: 60_000) })
        var session = Self.established()
        var cursor = feed.cursor(at: 0)
        var sentBytes = 0
        var effects: [SyncSession.Effect] = []
        repeat {
            let batch = try #require(feed.batch(after: cursor))
            effects = session.batchRead(batch)
            cursor = batch.end
            sentBytes += batch.operations.reduce(0) { $0 + $1.approximateBytes }
        } while effects.words.last?.hasPrefix("read") ?? false
        #expect(sentBytes >= SyncLimits.unacknowledgedBytesMax - 64 * 100)
        #expect(sentBytes < SyncLimits.unacknowledgedBytesMax + SyncLimits.batchBytesMax)
        let news = session.feedAdvanced()
        #expect(news.isEmpty)
        let acknowledged = session.handle(.ack(position: 3, digest: feed.cursor(at: 3).digest), now: Self.at(9))
        #expect(acknowledged.words == ["save 3", "read \(cursor.position)"])
    }

    @Test("after the feed was exhausted, news is read and sent at once")
    func liveTail() {
        var session = Self.established()
        let exhausted = session.batchRead(nil)
        #expect(exhausted.words == ["caught up 0", "delivered everything"])
        let news = session.feedAdvanced()
        #expect(news.words == ["read 0"])
        let sent = session.batchRead(Self.own.batch(after: Self.own.cursor(at: 0)))
        #expect(sent.words == ["batch 0–3", "read 3"])
        let again = session.batchRead(nil)
        #expect(again.words == ["caught up 3"])
    }

    @Test("news that comes while a read is under way is not lost")
    func newsDuringRead() {
        var session = Self.established()
        let during = session.feedAdvanced()
        #expect(during.isEmpty)
        let empty = session.batchRead(nil)
        #expect(empty.words == ["read 0"])
    }

    @Test("delivery is said once, also if the last acknowledgement comes while an empty read is under way")
    func deliveredDuringRead() {
        var session = Self.established()
        _ = session.batchRead(Self.own.batch(after: Self.own.cursor(at: 0)))
        let caughtUp = session.batchRead(nil)
        #expect(caughtUp.words == ["caught up 3"])
        _ = session.feedAdvanced()
        let acknowledged = session.handle(.ack(position: 3, digest: Self.own.cursor(at: 3).digest), now: Self.at(3))
        let empty = session.batchRead(nil)
        #expect((acknowledged + empty).words == ["save 3", "delivered everything"])
    }

    @Test("nothing is acknowledged, and nothing called complete, before its commit")
    func afterCommit() {
        var session = Self.established()
        _ = session.handle(.batch(Self.batch(0, 9)), now: Self.at(2))
        let early = session.handle(.caughtUp(position: 9), now: Self.at(3))
        #expect(early.isEmpty)
        let committed = session.applied(Self.theirs.cursor(at: 9))
        #expect(committed.words == ["ack 9", "remaining 0", "received everything"])
    }

    @Test("a batch that commits while this side still looks for its own cursor is acknowledged")
    func commitBeforeVouch() {
        var session = Self.started()
        _ = session.handle(Self.hello(), now: Self.at(1))
        _ = session.handle(.batch(Self.batch(0, 9)), now: Self.at(2))
        _ = session.handle(.caughtUp(position: 9), now: Self.at(2))
        let committed = session.applied(Self.theirs.cursor(at: 9))
        #expect(committed.words == ["ack 9", "remaining 0", "received everything"])
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

    @Test("a Bye ends the session in every phase, and what comes after it has no effect")
    func bye() {
        for phase in 0..<3 {
            var session = Self.started()
            if phase > 0 { _ = session.handle(Self.hello(), now: Self.at(1)) }
            if phase > 1 { _ = session.vouched(FeedCursor(feed: Self.own.name)) }
            let effects = session.handle(.bye(.shuttingDown, reason: "restart"), now: Self.at(2))
            #expect(effects.words == ["close shuttingDown"])
            let after =
                session.vouched(FeedCursor(feed: Self.own.name)) + session.batchRead(nil) + session.feedAdvanced()
                + session.applied(Self.theirs.cursor(at: 1)) + session.tick(now: Self.at(99_999))
                + session.close(.paused, "twice")
            #expect(after.isEmpty)
        }
    }

    @Test("whatever the interleaving, everything arrives exactly once and in order", arguments: 0..<60 as Range<UInt64>)
    func interleavings(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let pair = SyncPair(operationCounts: (Int.random(in: 0...20, using: &generator), 10))
        pair.connect()
        for _ in 0..<200 {
            switch Int.random(in: 0..<20, using: &generator) {
            case 0:
                let end = pair.ends[Int.random(in: 0...1, using: &generator)]
                end.append()
                end.announceNews()
            case 1 where Int.random(in: 0..<4, using: &generator) == 0: pair.connect()
            default: _ = try pair.step(using: &generator)
            }
        }
        try pair.run(using: &generator)
        for (end, other) in [(pair.ends[0], pair.ends[1]), (pair.ends[1], pair.ends[0])] {
            #expect(end.closed == nil, "seed \(seed)")
            #expect(other.applied == end.feed.operations, "seed \(seed)")
            #expect(end.notices.contains(.deliveredEverything) && other.notices.contains(.receivedEverything))
            guard !end.feed.operations.isEmpty else { continue }
            let last = end.feed.cursor(at: end.feed.operations.count)
            #expect(other.received == last && end.acknowledged == last, "seed \(seed)")
        }
    }

    @Test("after a store lost its end, its feed starts over and nothing arrives twice")
    func rolledBackSender() throws {
        var generator = SeededGenerator(seed: 1)
        let pair = SyncPair(operationCounts: (10, 0))
        pair.connect()
        try pair.run(using: &generator)
        pair.ends[0].feed.operations.removeLast(4)
        pair.connect()
        try pair.run(using: &generator)
        #expect(pair.ends[1].notices.contains(.feedRestarted))
        #expect(pair.ends[1].applied.count == 10)
        #expect(pair.ends[1].received == pair.ends[0].feed.cursor(at: 6))
        #expect(pair.ends[1].notices.last == .receivedEverything)
    }
}
