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
    private(set) var applyingCount = 0
    private(set) var repairingCount = 0
    /// Operations that the peer's backlog still has, as its last batch said.
    private(set) var backlogCount: UInt64 = 0
    var isPeerCaughtUp = false

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
        case .repair:
            repairingCount += 1
            place = .repair
        }
        self.progress = progress
        applyingCount += 1
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
        applyingCount -= 1
        if lane == .repair { repairingCount -= 1 }
    }

    /// The peer could not vouch for what it was presented, and an audit has found everything up to here. The place may lie
    /// before the one presented: the feed begins anew for a node under a new incarnation, whose store remembers the old.
    /// - Returns: nil if it lies before what has come in order in this session.
    mutating func rebase(to cursor: FeedCursor) -> FeedProgress? {
        guard var progress else { return nil }
        if cursor.position < progress.cursor.position {
            guard !hasMoved else { return nil }
            // Intervals of the old feed mean nothing in the new one.
            progress.intervals = live.map { [$0] } ?? []
        }
        progress.rebase(to: cursor)
        hasMoved = true
        self.progress = progress
        return progress
    }
}
