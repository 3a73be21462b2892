/// The sending half of a session: what to read next, what is on its way, what the peer holds.
///
/// The live lane starts at the feed's head and goes first; the backlog fills up to where it started, then only the
/// live lane is left. Source: Protocols/sync.md §5.
struct SendingLanes: Sendable {
    enum Next: Sendable {
        case read(Lane, FeedCursor, through: UInt64?, bytesMax: Int)
        case readAnnouncements(after: UInt64, through: UInt64)
        case caughtUp
        case wait
    }

    enum Acknowledgement: Sendable {
        /// `contiguous`: what the peer holds from the beginning, if that has grown.
        case taken(contiguous: FeedCursor?, auditBatches: Int)
        case unknown
        case differs
    }

    private enum Backlog {
        case notBegun
        /// What the peer holds behind the cursor is jumped over.
        case reading(FeedCursor, known: [FeedInterval])
        /// An audit finds out what the peer lacks; then the feed goes on from `liveStart`.
        case awaitingAudit(headCount: UInt64)
        case done(base: SetDigest)
    }

    private struct Unacknowledged {
        var lane: Lane
        var end: FeedCursor
        var bytes: Int
        var sentAt: Int64
        var isForAudit: Bool
    }

    private let feed: ReplicaID
    private let bytesMax: Int
    private var backlog = Backlog.notBegun
    private var liveStart: UInt64 = 0
    /// Digests count from `liveStart`.
    private var live: FeedCursor
    private var liveAcknowledged: FeedCursor
    private var unacknowledged: [Unacknowledged] = []
    private var bytes = 0
    private var backlogBytes = 0
    private var liveBytes = 0
    private var window: SendingWindow
    private var repairPosition: UInt64 = 0
    private var announcementsAreDue = false
    private var saidCaughtUp = false
    private var saidDelivered = false
    var isReading = false
    var liveMayHaveMore = true

    init(feed: ReplicaID, bytesMax: Int) {
        self.feed = feed
        self.bytesMax = bytesMax
        window = SendingWindow(bytesMax: bytesMax)
        live = FeedCursor(feed: feed)
        liveAcknowledged = live
    }

    mutating func begin(_ resumption: SyncSession.Resumption) {
        liveStart = resumption.head
        live = FeedCursor(feed: feed, position: liveStart)
        liveAcknowledged = live
        guard let cursor = resumption.cursor else {
            backlog = .awaitingAudit(headCount: resumption.headCount)
            return
        }
        announcementsAreDue = cursor.position < liveStart
        advance(cursor, known: resumption.known)
    }

    /// The backlog stands at this cursor: jumps over what the peer knows, and ends where the live lane began.
    private mutating func advance(_ cursor: FeedCursor, known: [FeedInterval]) {
        var cursor = cursor
        var known = ArraySlice(known)
        while let interval = known.first, interval.start <= cursor.position {
            if interval.start == cursor.position {
                cursor.position = interval.end
                cursor.digest.merge(disjoint: interval.digest)
            }
            known = known.dropFirst()
        }
        backlog =
            cursor.position >= liveStart
            ? .done(base: cursor.digest) : .reading(cursor, known: Array(known))
    }

    /// What to do next; each `read` is to be answered before the next.
    mutating func next() -> Next {
        guard !isReading, bytes < bytesMax else { return .wait }
        if liveMayHaveMore {
            guard liveBytes < window.bytes else { return .wait }
            liveMayHaveMore = false
            isReading = true
            return .read(.live, live, through: nil, bytesMax: batchBytes)
        }
        switch backlog {
        case .notBegun, .awaitingAudit: return .wait
        case .reading(let cursor, let known):
            if announcementsAreDue {
                announcementsAreDue = false
                isReading = true
                return .readAnnouncements(after: cursor.position, through: liveStart)
            }
            guard backlogBytes < window.bytes else { return .wait }
            isReading = true
            return .read(
                .backlog, cursor, through: known.first?.start ?? liveStart,
                bytesMax: batchBytes)
        case .done:
            guard !saidCaughtUp else { return .wait }
            saidCaughtUp = true
            return .caughtUp
        }
    }

    /// The feed goes on once an audit has found out what the peer lacks.
    var isAwaitingAudit: Bool { if case .awaitingAudit = backlog { true } else { false } }

    /// Positions that the backlog has still to go through.
    var backlogCount: UInt64 {
        guard case .reading(let cursor, _) = backlog else { return 0 }
        return liveStart - cursor.position
    }

    /// No batch is more than half of what may be on its way.
    private var batchBytes: Int {
        min(SyncLimits.batchBytesMax, max(window.bytes / 2, SyncLimits.backlogWindowBytesMin))
    }

    mutating func exhausted(_ lane: Lane) {
        guard lane == .backlog, case .reading(var cursor, let known) = backlog else { return }
        // The store closes a lane with an empty batch; this is for one that had nothing to close.
        cursor.position = known.first?.start ?? liveStart
        advance(cursor, known: known)
    }

    mutating func sent(_ batch: OutgoingBatch, head: UInt64, at milliseconds: Int64) {
        switch batch.lane {
        case .backlog:
            guard case .reading(_, let known) = backlog else { return }
            advance(batch.end, known: known)
        case .live:
            live = batch.end
            // What came while the rows were read has set it already.
            liveMayHaveMore = liveMayHaveMore || head == 0 || head > live.position
            if PlantedBug.newsForgotten.isActive { liveMayHaveMore = false }
            if head > live.position, head - live.position > SyncLimits.liveOperationsMax { split(at: head) }
        case .repair: break
        }
        enqueue(batch, isForAudit: false, at: milliseconds)
    }

    /// An import, say, has put more into the feed than is news: that becomes backlog, and what comes next goes before it.
    private mutating func split(at head: UInt64) {
        switch backlog {
        case .done(var digest):
            digest.merge(disjoint: live.digest)
            backlog = .reading(FeedCursor(feed: feed, position: live.position, digest: digest), known: [])
        case .reading(let cursor, var known):
            // The receiver has to remember as many intervals.
            guard known.count + 2 < FeedProgress.intervalCountMax else { return }
            known.append(FeedInterval(start: liveStart, end: live.position, digest: live.digest))
            backlog = .reading(cursor, known: known)
        case .notBegun, .awaitingAudit: return
        }
        liveStart = head
        live = FeedCursor(feed: feed, position: head)
        liveAcknowledged = live
    }

    mutating func repair(
        _ operations: [Operation], hashes: [ContentHash], forAudit: Bool, at milliseconds: Int64
    ) -> OutgoingBatch {
        var end = FeedCursor(feed: feed, position: repairPosition + 1)
        for hash in hashes { end.digest.insert(hash) }
        let batch = OutgoingBatch(
            lane: .repair, start: FeedCursor(feed: feed, position: repairPosition), end: end, operations: operations,
            remaining: 0)
        repairPosition += 1
        enqueue(batch, isForAudit: forAudit, at: milliseconds)
        return batch
    }

    private mutating func enqueue(_ batch: OutgoingBatch, isForAudit: Bool, at milliseconds: Int64) {
        let size = batch.operations.reduce(64) { $0 + $1.approximateBytes }
        unacknowledged.append(
            Unacknowledged(lane: batch.lane, end: batch.end, bytes: size, sentAt: milliseconds, isForAudit: isForAudit))
        bytes += size
        if batch.lane == .backlog { backlogBytes += size }
        if batch.lane == .live { liveBytes += size }
        saidCaughtUp = false
        saidDelivered = false
    }

    /// An acknowledgement covers everything of its lane before it.
    mutating func acknowledge(
        _ lane: Lane, position: UInt64, digest: SetDigest, at milliseconds: Int64
    ) -> Acknowledgement {
        guard let index = unacknowledged.firstIndex(where: { $0.lane == lane && $0.end.position == position }) else {
            return .unknown
        }
        let batch = unacknowledged[index]
        guard batch.end.digest == digest else { return .differs }
        var auditBatches = 0
        for done in unacknowledged[...index] where done.lane == lane {
            bytes -= done.bytes
            if done.isForAudit { auditBatches += 1 }
            if lane == .backlog { backlogBytes -= done.bytes }
            if lane == .live { liveBytes -= done.bytes }
        }
        var position = 0
        unacknowledged.removeAll { entry in
            defer { position += 1 }
            return position <= index && entry.lane == lane
        }
        switch lane {
        case .repair: return .taken(contiguous: nil, auditBatches: auditBatches)
        case .backlog:
            window.acknowledged(afterMilliseconds: milliseconds - batch.sentAt)
            return .taken(contiguous: contiguous ?? batch.end, auditBatches: 0)
        case .live:
            window.acknowledged(afterMilliseconds: milliseconds - batch.sentAt)
            if batch.end.position > liveStart { liveAcknowledged = batch.end }
            return .taken(contiguous: contiguous, auditBatches: 0)
        }
    }

    /// What the peer holds from the beginning, once the backlog is through.
    private var contiguous: FeedCursor? {
        guard case .done(var digest) = backlog, backlogBytes == 0 else { return nil }
        digest.merge(disjoint: liveAcknowledged.digest)
        return FeedCursor(feed: feed, position: liveAcknowledged.position, digest: digest)
    }

    /// An audit has found out that the peer holds everything up to the head.
    /// - Returns: the cursor that it goes on from; nil if no audit was waited for.
    mutating func rebase() -> FeedCursor? {
        guard case .awaitingAudit(let headCount) = backlog else { return nil }
        // Both ends only ever compare differences to this.
        let base = SetDigest(count: headCount, sum: .zero)
        backlog = .done(base: base)
        saidCaughtUp = false
        return FeedCursor(feed: feed, position: liveStart, digest: base)
    }

    /// True once each time the feed was exhausted and all of it acknowledged.
    mutating func takeDelivered() -> Bool {
        guard saidCaughtUp, !saidDelivered, unacknowledged.isEmpty else { return false }
        saidDelivered = true
        return true
    }
}
