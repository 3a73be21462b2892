import Replication
import TestSupport
import Testing

/// Live, backlog and repair lane in unusual order. Source: Protocols/sync.md §5–§6.
@Suite struct SessionLaneTests {
    private typealias Fixture = SyncSessionTests

    /// `Fixture.own`, `count` operations long.
    private static func feed(_ count: Int, bodyBytes: Int = 4) -> MemoryFeed {
        let name = Fixture.own.name
        return MemoryFeed(
            name: name,
            operations: (1...UInt64(count)).map { MemoryFeed.operation($0, of: name, bodyBytes: bodyBytes) })
    }

    @Test("a lane with nothing behind its cursor ends where the next begins")
    func emptyBacklog() {
        let interval = FeedInterval(start: 2, end: 4, digest: Fixture.own.cursor(at: 4, from: 2).digest)
        for known in [[], [interval]] {
            var session = Fixture.met()
            _ = session.vouched(
                SyncSession.Resumption(cursor: Fixture.own.cursor(at: 1), known: known, head: 5, headCount: 5))
            _ = session.batchRead(.live, nil)
            let announced = session.repairRead([], hashes: [], forAudit: false)
            #expect(announced.words == [known.isEmpty ? "read backlog 1–5" : "read backlog 1–2"])
            let exhausted = session.batchRead(.backlog, nil)
            #expect(exhausted.words == (known.isEmpty ? ["caught up", "delivered everything"] : ["read backlog 4–5"]))
            #expect(
                session.batchRead(.backlog, nil).words == (known.isEmpty ? [] : ["caught up", "delivered everything"]))
        }
    }

    @Test("announcements that the backlog is about to bring go first, as repairs that no audit waits for")
    func announcements() {
        var session = Fixture.met()
        _ = session.vouched(
            SyncSession.Resumption(cursor: FeedCursor(feed: Fixture.own.name), head: 5, headCount: 5))
        #expect(session.batchRead(.live, nil).words == ["announcements 0–5"])
        var hasher = ContentHasher()
        let operations = [Fixture.own.operations[3]]
        let sent = session.repairRead(operations, hashes: operations.map { hasher.hash($0) }, forAudit: false)
        #expect(sent.words == ["batch repair 0–1", "read backlog 0–5"])
        var digest = SetDigest.empty
        digest.insert(hasher.hash(operations[0]))
        #expect(session.handle(.ack(.repair, position: 1, digest: digest), now: Fixture.at(2)).isEmpty)
    }

    @Test("news waits as well while too much of it is unacknowledged")
    func newsBackPressure() {
        let feed = Self.feed(60, bodyBytes: 20_000)
        var session = Fixture.met()
        _ = session.vouched(SyncSession.Resumption(cursor: feed.cursor(at: 3), head: 3, headCount: 3))
        var position = 3
        var effects: [SyncSession.Effect] = []
        repeat {
            effects = session.batchRead(
                .live, feed.batch(after: position, lane: .live, from: 3))
            position += MemoryFeed.batchOperationsMax
        } while effects.words.last?.hasPrefix("read") ?? false
        #expect(session.feedAdvanced().isEmpty, "enough is on its way")
        let acknowledged = session.handle(
            .ack(.live, position: UInt64(position), digest: feed.cursor(at: position, from: 3).digest),
            now: Fixture.at(9))
        #expect(acknowledged.words == ["save \(position)", "read live \(position)–"])
    }

    @Test("bulk that comes during a backlog is left to it as well, as often as the receiver can remember")
    func bulkDuringBacklog() throws {
        let step = Int(SyncLimits.liveOperationsMax) + 3
        let feed = Self.feed(20 * step)
        var session = Fixture.met()
        _ = session.vouched(
            SyncSession.Resumption(cursor: FeedCursor(feed: feed.name), head: 3, headCount: 3))
        var start = 3
        var splits = 0
        while true {
            // A little news, and behind it more than news.
            let batch = try #require(feed.batch(after: start, lane: .live, from: start))
            let effects = session.batchRead(.live, batch, head: batch.end.position + UInt64(step))
            let next = Int(batch.end.position) + step
            guard effects.words.last == "read live \(next)–" else {
                #expect(effects.words.last == "read live \(batch.end.position)–", "the lane goes on where it is")
                break
            }
            splits += 1
            start = next
        }
        #expect(splits == FeedProgress.intervalCountMax - 2)
    }

    @Test("while an audit is awaited bulk stays in the live lane: there is no backlog to leave it to")
    func bulkBeforeAudit() throws {
        let feed = Self.feed(9)
        var session = Fixture.met()
        _ = session.vouched(SyncSession.Resumption(cursor: nil, head: 3, headCount: 3))
        let batch = try #require(feed.batch(after: 3, lane: .live, from: 3))
        let effects = session.batchRead(.live, batch, head: 100_000)
        #expect(effects.words == ["batch live 3–6", "read live 6–"])
    }

    @Test("a backlog batch that is read when the lane was done already changes nothing of it")
    func lateBacklog() {
        var session = Fixture.live()
        let late = session.batchRead(.backlog, Fixture.own.batch(after: 3))
        #expect(late.words == ["batch backlog 3–5"])
    }

    // MARK: Receiving

    private static func batch(_ lane: Lane, _ start: Int, _ end: Int, from origin: Int = 0) -> ReceivedBatch {
        var hasher = ContentHasher()
        let operations = Array(Fixture.theirs.operations[start..<end])
        return ReceivedBatch(
            lane: lane, start: Fixture.theirs.cursor(at: start, from: origin),
            end: Fixture.theirs.cursor(at: end, from: origin), operations: operations,
            hashes: operations.map { hasher.hash($0) }, remaining: 0, wireBytes: 100)
    }

    /// The intervals that become durable with a live batch.
    private static func intervals(_ effects: [SyncSession.Effect]) -> [[UInt64]]? {
        guard case .apply(_, .live(let intervals))? = effects.last else { return nil }
        return intervals.map { [$0.start, $0.end] }
    }

    @Test("the live lane goes on where it ended, or begins anew further on; what lies between comes as backlog")
    func liveLane() {
        var session = Fixture.established()
        let first = session.handle(.batch(Self.batch(.live, 2, 3, from: 2)), now: Fixture.at(2))
        let second = session.handle(.batch(Self.batch(.live, 3, 4, from: 2)), now: Fixture.at(2))
        let anew = session.handle(.batch(Self.batch(.live, 6, 7, from: 6)), now: Fixture.at(2))
        #expect(Self.intervals(first) == [[2, 3]] && Self.intervals(second) == [[2, 4]])
        #expect(Self.intervals(anew) == [[2, 4], [6, 7]])
        // The backlog comes up to the first of them and jumps over it.
        let backlog = session.handle(.batch(Self.batch(.backlog, 0, 2)), now: Fixture.at(2))
        let jump = session.handle(.batch(Self.batch(.backlog, 4, 6)), now: Fixture.at(2))
        #expect(backlog.words.last == "apply backlog 0–2" && jump.words.last == "apply backlog 4–6")
    }

    @Test(
        "a live batch that neither goes on nor begins anew ends the session",
        arguments: [[2, 3, 2, 4, 5, 2], [2, 4, 2, 4, 5, 3], [2, 4, 2, 3, 5, 3]])
    func strayLive(places: [Int]) {
        var session = Fixture.established()
        _ = session.handle(.batch(Self.batch(.live, places[0], places[1], from: places[2])), now: Fixture.at(2))
        let stray = session.handle(
            .batch(Self.batch(.live, places[3], places[4], from: places[5])), now: Fixture.at(2))
        #expect(stray.words == ["bye cursorMismatch", "close cursorMismatch"])
    }

    @Test(
        "a live lane before the cursor is that of a feed that has begun anew, unless the cursor moved in this session")
    func liveBeforeCursor() {
        let batch = SyncMessage.batch(Self.batch(.live, 3, 5, from: 3))
        let received = FeedProgress(cursor: Fixture.theirs.cursor(at: 4))
        var fresh = Fixture.established(received: received)
        #expect(fresh.handle(batch, now: Fixture.at(2)).words == ["apply live 3–5"])
        var moved = Fixture.established(received: received)
        _ = moved.handle(.batch(Self.batch(.backlog, 4, 6)), now: Fixture.at(2))
        #expect(moved.handle(batch, now: Fixture.at(2)).words == ["bye cursorMismatch", "close cursorMismatch"])
    }

    @Test("with one interval more than may be remembered the shortest is forgotten, and comes once more")
    func shortestInterval() {
        let count = FeedProgress.intervalCountMax
        // Each is two positions long but the third, which is one; the live lane of this session starts behind them.
        var known = (0..<count).map { index in
            FeedInterval(
                start: UInt64(index) * 4 + 100, end: UInt64(index) * 4 + 102,
                digest: SetDigest(count: index == 2 ? 1 : 2, sum: .zero))
        }
        let received = FeedProgress(cursor: FeedCursor(feed: Fixture.theirs.name), intervals: known)
        var session = Fixture.established(received: received)
        var hasher = ContentHasher()
        let operations = Array(Fixture.theirs.operations[0..<2])
        let start = FeedCursor(feed: Fixture.theirs.name, position: 200)
        var end = FeedCursor(feed: Fixture.theirs.name, position: 202)
        for operation in operations { end.digest.insert(hasher.hash(operation)) }
        let effects = session.handle(
            .batch(
                ReceivedBatch(
                    lane: .live, start: start, end: end, operations: operations,
                    hashes: operations.map { hasher.hash($0) }, remaining: 0, wireBytes: 100)),
            now: Fixture.at(2))
        known.remove(at: 2)
        #expect(Self.intervals(effects) == known.map { [$0.start, $0.end] } + [[200, 202]])
    }

    @Test("a rebase keeps what the live lane of this session has brought, and forgets intervals from before")
    func rebaseKeepsLive() throws {
        func progress(_ effects: [SyncSession.Effect]) throws -> FeedProgress {
            guard case .saveReceived(let progress)? = effects.last else { throw Absent() }
            return progress
        }
        let old = FeedInterval(start: 5, end: 6, digest: SetDigest(count: 1, sum: .zero))
        for position in [UInt64(3), 50] {
            let received = FeedProgress(
                cursor: FeedCursor(feed: Fixture.theirs.name, position: 4), intervals: [old])
            var session = Fixture.established(received: received)
            _ = session.handle(.batch(Self.batch(.live, 7, 8, from: 7)), now: Fixture.at(2))
            let place = FeedCursor(feed: Fixture.theirs.name, position: position)
            let waiting = session.handle(.rebase(place), now: Fixture.at(2))
            #expect(waiting.words == ["remaining 0"], "what the place claims is not durable yet")
            let rebased = try progress(session.applied(.live, Self.batch(.live, 7, 8, from: 7).end))
            #expect(rebased.cursor.position == position)
            // Back to a place before: the feed has begun anew. On to one behind it: what lies before is covered.
            #expect(rebased.intervals.map(\.start) == (position == 3 ? [7] : []))
        }
        var foreign = Fixture.established()
        let refused = foreign.handle(.rebase(FeedCursor(feed: Fixture.own.name, position: 9)), now: Fixture.at(2))
        #expect(refused.words == ["bye cursorMismatch", "close cursorMismatch"])
    }

    private struct Absent: Error {}
}
