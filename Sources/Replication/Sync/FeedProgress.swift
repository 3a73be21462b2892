/// A place in a feed and the digest of all it carried up to there.
///
/// `feed` names the sending store's incarnation: a cursor of another feed says nothing about this one.
package struct FeedCursor: Hashable, Sendable {
    package var feed: ReplicaID
    package var position: UInt64
    package var digest: SetDigest

    package init(feed: ReplicaID, position: UInt64 = 0, digest: SetDigest = .empty) {
        self.feed = feed
        self.position = position
        self.digest = digest
    }
}

/// Positions behind `start` up to `end` of a feed, and the digest of what they carry.
package struct FeedInterval: Hashable, Sendable {
    package var start: UInt64
    package var end: UInt64
    package var digest: SetDigest

    package init(start: UInt64, end: UInt64, digest: SetDigest) {
        self.start = start
        self.end = end
        self.digest = digest
    }
}

/// What a node holds of a peer's feed: everything up to a cursor, and some intervals behind it that overtook the rest.
///
/// Source: Protocols/sync.md §2.
package struct FeedProgress: Hashable, Sendable {
    /// Intervals that are remembered; with one more the shortest is forgotten, and its operations come once more.
    package static let intervalCountMax = 8

    package var cursor: FeedCursor
    /// Ascending, without overlap, each behind the cursor.
    package var intervals: [FeedInterval]

    package init(cursor: FeedCursor, intervals: [FeedInterval] = []) {
        self.cursor = cursor
        self.intervals = intervals
        normalise()
    }

    /// Joins what has met: intervals that begin where the cursor stands, or where another ends.
    package mutating func normalise() {
        intervals.sort { $0.start < $1.start }
        var joined: [FeedInterval] = []
        for interval in intervals where interval.end > interval.start {
            if interval.start == cursor.position {
                cursor.position = interval.end
                cursor.digest.merge(disjoint: interval.digest)
            } else if let last = joined.last, interval.start == last.end {
                joined[joined.count - 1].end = interval.end
                joined[joined.count - 1].digest.merge(disjoint: interval.digest)
            } else if interval.start > max(cursor.position, joined.last?.end ?? 0) {
                joined.append(interval)
            }
        }
        intervals = joined
    }

    /// Makes room for one more.
    mutating func forgetShortest() {
        guard intervals.count >= Self.intervalCountMax,
            let index = intervals.indices.min(by: { intervals[$0].digest.count < intervals[$1].digest.count })
        else { return }
        intervals.remove(at: index)
    }

    /// The cursor moves to a place up to which an audit has found everything. What begins there is not joined to it: the
    /// lane that fills this interval goes on, and says so of the interval alone.
    mutating func rebase(to place: FeedCursor) {
        cursor = place
        intervals.removeAll { $0.start < place.position }
    }
}

/// Which of the ways through a session a batch takes. Source: Protocols/sync.md §5.
package enum Lane: Int, Hashable, Sendable, CaseIterable {
    /// Contiguous from the cursor.
    case backlog = 0
    /// From the feed's head as it was when the session began.
    case live = 1
    /// Single operations outside the feed's order.
    case repair = 2
}

/// What becomes durable together with a batch.
package enum FeedPlace: Hashable, Sendable {
    case backlog(FeedCursor)
    case live([FeedInterval])
    case repair
}
