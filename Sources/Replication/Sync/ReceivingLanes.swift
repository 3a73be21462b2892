/// The receiving half of a session: which batch may come next in each lane, and what is on its way to the disk.
///
/// Source: Protocols/sync.md §5.
struct ReceivingLanes: Sendable {
    /// What has arrived, durable or not; nil before the peer is known.
    private(set) var progress: FeedProgress?
    /// The interval that the live lane of this session fills.
    private var live: FeedInterval?
    /// The cursor has moved in this session.
    private var hasMoved = false
    /// Batches of each lane that are on their way to the disk, in the lane's order.
    private var applying = Counts()
    /// Where a rebase has moved the place to, and what was on its way to the disk at that moment, which the place claims.
    private var rebased: (progress: FeedProgress, behind: Counts)?
    /// Operations that the peer's backlog still has, as its last batch said.
    private(set) var backlogCount: UInt64 = 0
    var isPeerCaughtUp = false

    var applyingCount: Int { applying.all }
    var repairingCount: Int { applying[.repair] }

    /// By lane.
    private struct Counts {
        private var values = Lane.allCases.map { _ in 0 }

        subscript(lane: Lane) -> Int {
            get { values[lane.rawValue] }
            set { values[lane.rawValue] = newValue }
        }

        var all: Int { values.reduce(0, +) }
    }

    mutating func begin(_ received: FeedProgress?, feed: ReplicaID) {
        progress = received ?? FeedProgress(cursor: FeedCursor(feed: feed))
    }

    /// - Returns: what becomes durable with the batch; nil if it does not start where its lane stands.
    mutating func take(_ batch: ReceivedBatch) -> FeedPlace? {
        guard var progress else { return nil }
        let place: FeedPlace
        switch batch.lane {
        case .backlog:
            // An interval that the sender could not vouch for is sent again, the others are jumped over.
            guard let start = expected(batch.start, progress) else { return nil }
            hasMoved = true
            progress.cursor = batch.end
            progress.intervals.removeAll { $0.start < start.position }
            backlogCount = batch.remaining
            place = .backlog(batch.end)
        case .live:
            if let known = live, batch.start.digest == .empty, batch.start.position > known.end {
                // The lane begins anew further on; what it left out comes with the backlog.
                live = nil
            }
            if let live {
                guard batch.start.position == live.end, batch.start.digest == live.digest else { return nil }
            } else {
                // A lane that begins before the cursor: the sender's feed was begun anew, and is rebased after the audit.
                guard batch.start.digest == .empty, !hasMoved || batch.start.position >= progress.cursor.position
                else { return nil }
            }
            let interval = FeedInterval(
                start: live?.start ?? batch.start.position, end: batch.end.position, digest: batch.end.digest)
            live = interval
            progress.intervals.removeAll { $0.start >= interval.start }
            progress.forgetShortest()
            progress.intervals.append(interval)
            place = .live(progress.intervals)
        case .repair: place = .repair
        }
        self.progress = progress
        applying[batch.lane] += 1
        isPeerCaughtUp = false
        return place
    }

    /// The cursor itself, or where it comes to over the intervals that begin there.
    private func expected(_ start: FeedCursor, _ progress: FeedProgress) -> FeedCursor? {
        if start == progress.cursor { return start }
        var normalised = progress
        normalised.normalise()
        return normalised.cursor == start ? start : nil
    }

    mutating func applied(_ lane: Lane) {
        applying[lane] -= 1
        if let waiting = rebased?.behind[lane], waiting > 0 { rebased?.behind[lane] = waiting - 1 }
    }

    /// The place that a rebase has moved to, once everything that it claims is durable.
    mutating func takeRebased() -> FeedProgress? {
        guard let rebased, rebased.behind.all == 0 else { return nil }
        self.rebased = nil
        return rebased.progress
    }

    /// The peer could not vouch for what it was presented, and an audit has found everything up to here. The place may lie
    /// before the one presented: the feed begins anew for a node under a new incarnation, whose store remembers the old.
    /// - Returns: false if it lies before what has come in order in this session.
    mutating func rebase(to cursor: FeedCursor) -> Bool {
        guard var progress else { return false }
        if cursor.position < progress.cursor.position {
            guard !hasMoved else { return false }
            // Intervals of the old feed mean nothing in the new one.
            progress.intervals = live.map { [$0] } ?? []
        }
        progress.rebase(to: cursor)
        hasMoved = true
        self.progress = progress
        rebased = (progress, applying)
        return true
    }
}
