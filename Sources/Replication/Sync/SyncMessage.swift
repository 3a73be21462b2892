/// The messages of a session, decoded. Source: Protocols/sync.md §3.
package enum SyncMessage: Sendable {
    case hello(Hello)
    case resume(Resume)
    case batch(ReceivedBatch)
    case ack(Lane, position: UInt64, digest: SetDigest)
    case caughtUp
    case rebase(FeedCursor)
    case clock(originMilliseconds: Int64, echoMilliseconds: Int64)
    case probe(sequence: UInt64)
    case probeAnswer(HeldOperation?)
    case auditRequest(AuditRequest)
    case auditReply(AuditReply)
    case auditCall
    case auditDone(found: UInt64, unresolved: UInt64, isRepaired: Bool)
    /// For the batch that comes next, or on their own.
    case keys([PersonalKeyEntry], beforeBatch: Bool)
    case keyRequest([PersonalKeyID])
    /// What nodes have signed of their own histories.
    case heads([SignedHead])
    case bye(ByeCode, reason: String)

    package struct Hello: Hashable, Sendable {
        package var version: UInt32
        package var site: SiteCode
        package var replica: ReplicaID
        package var wallMilliseconds: Int64
        package var acceptsZstd: Bool
        /// Random, new with every start of the process.
        package var run: UInt64
        /// The incarnation that the present one follows.
        package var follows: ReplicaID?
        /// It knows messages that carry keys.
        package var acceptsKeys: Bool

        package init(
            version: UInt32, site: SiteCode, replica: ReplicaID, wallMilliseconds: Int64, acceptsZstd: Bool = true,
            run: UInt64, follows: ReplicaID? = nil, acceptsKeys: Bool = true
        ) {
            self.version = version
            self.site = site
            self.replica = replica
            self.wallMilliseconds = wallMilliseconds
            self.acceptsZstd = acceptsZstd
            self.run = run
            self.follows = follows
            self.acceptsKeys = acceptsKeys
        }
    }

    /// What the sender holds of the receiver.
    package struct Resume: Hashable, Sendable {
        package var received: FeedProgress?
        /// The highest operation that it holds of the receiver's present incarnation.
        package var held: HeldOperation?
        /// It holds nothing but what its present incarnation has written.
        package var isEmpty: Bool
        /// Another process runs under the receiver's incarnation.
        package var isCloned: Bool

        package init(received: FeedProgress?, held: HeldOperation?, isEmpty: Bool, isCloned: Bool = false) {
            self.received = received
            self.held = held
            self.isEmpty = isEmpty
            self.isCloned = isCloned
        }
    }
}

/// An operation of a known incarnation, by its sequence and hash.
package struct HeldOperation: Hashable, Sendable {
    package var sequence: UInt64
    package var hash: ContentHash

    package init(sequence: UInt64, hash: ContentHash) {
        self.sequence = sequence
        self.hash = hash
    }
}

/// Up to where two nodes have found at their meeting that they hold the same of each other's present incarnation. Of what
/// lies before that no later meeting tells. Source: Protocols/sync.md §7.
package struct AgreedHistories: Sendable, Hashable {
    /// The sequence of this store's incarnation; 0 if the peer holds nothing of it, or something else.
    package var own: UInt64
    /// The same of the peer's incarnation.
    package var peer: UInt64

    package init(own: UInt64 = 0, peer: UInt64 = 0) {
        (self.own, self.peer) = (own, peer)
    }
}

/// Operations as they arrived, each with the hash that the receiver has computed.
package struct ReceivedBatch: Sendable {
    package var lane: Lane
    package var start: FeedCursor
    package var end: FeedCursor
    package var operations: [Operation]
    package var hashes: [ContentHash]
    /// Hashes of operations that the sender could not read: they count in the digest.
    package var omitted: [ContentHash]
    package var remaining: UInt64
    /// Bytes the message took on the wire.
    package var wireBytes: Int
    /// Keys that have come for it.
    package var keys: [PersonalKeyEntry] = []
    /// What the session that brought it began with.
    package var agreed = AgreedHistories()

    package init(
        lane: Lane, start: FeedCursor, end: FeedCursor, operations: [Operation], hashes: [ContentHash],
        omitted: [ContentHash] = [], remaining: UInt64, wireBytes: Int
    ) {
        self.lane = lane
        self.start = start
        self.end = end
        self.operations = operations
        self.hashes = hashes
        self.omitted = omitted
        self.remaining = remaining
        self.wireBytes = wireBytes
    }

    /// Whether its operations, read or not, lead from the digest at its start to the one at its end. O(operations).
    package var matchesDigest: Bool {
        var digest = start.digest
        for hash in hashes { digest.insert(hash) }
        for hash in omitted { digest.insert(hash) }
        return digest == end.digest
    }
}

/// Operations read from a feed, to be sent.
package struct OutgoingBatch: Sendable {
    package var lane: Lane
    package var start: FeedCursor
    package var end: FeedCursor
    package var operations: [Operation]
    package var omitted: [ContentHash]
    package var remaining: UInt64
    /// Keys that its sealed values need, as far as the sender has them.
    package var keys: [PersonalKeyEntry] = []

    package init(
        lane: Lane = .backlog, start: FeedCursor, end: FeedCursor, operations: [Operation],
        omitted: [ContentHash] = [], remaining: UInt64
    ) {
        self.lane = lane
        self.start = start
        self.end = end
        self.operations = operations
        self.omitted = omitted
        self.remaining = remaining
    }
}

/// Why a session ends; the numbers are on the wire.
package enum ByeCode: UInt32, Sendable, CaseIterable {
    case unspecified = 0
    case shuttingDown = 1
    case malformedMessage = 2
    case messageTooLarge = 3
    case hashMismatch = 4
    case cursorMismatch = 5
    case conflictingHistory = 6
    case wrongSite = 7
    case unsupportedVersion = 8
    case outOfOrder = 9
    case paused = 10
    case storeFailure = 11
    case superseded = 12
    /// The sender goes on under a new incarnation.
    case recovering = 13
    /// The peer's replica or certificate has been revoked.
    case revoked = 14

    /// Something was not as it should be; otherwise a side had its reasons, or the line was cut.
    package var isFault: Bool {
        switch self {
        case .unspecified, .shuttingDown, .paused, .superseded, .recovering: false
        case .malformedMessage, .messageTooLarge, .hashMismatch, .cursorMismatch, .conflictingHistory, .wrongSite,
            .unsupportedVersion, .outOfOrder, .storeFailure, .revoked:
            true
        }
    }
}

/// Limits of the sync protocol; listed in Protocols/limits.md.
package enum SyncLimits {
    package static let messageBytesMax = 1024 * 1024
    package static let batchOperationsMax = OperationColumns.operationCountMax
    package static let batchBytesMax = 512 * 1024
    package static let unacknowledgedBytesMax = 4 * 1024 * 1024
    /// The backlog's share of it adapts to the line between these.
    package static let backlogWindowBytesMin = 16 * 1024
    /// News further behind than this is a backlog: what comes after it goes first.
    package static let liveOperationsMax: UInt64 = 200
    package static let backlogAckMillisecondsMax: Int64 = 2_000
    package static let helloMillisecondsMax: Int64 = 10_000
    /// Until the peer's Resume has come after its Hello, and each of its answers to a probe: a large store on a slow line
    /// takes part of that.
    package static let answerMillisecondsMax: Int64 = 120_000
    package static let clockIntervalMilliseconds: Int64 = 30_000
    /// Operations in arrears with which an audit still starts.
    package static let auditBacklogMax: UInt64 = 5_000
    /// How long an audit waits for a larger backlog.
    package static let auditDelayMillisecondsMax: Int64 = 600_000
    /// Between two answers to the peer's questions for the time; what it asks in between is left unanswered.
    package static let clockAnswerIntervalMilliseconds: Int64 = 1_000
    package static let reasonBytesMax = 1024
    /// Keys of one message, and names of a request.
    package static let keysMax = 4_096
    /// Keys that may wait for their batch.
    package static let keysPendingMax = 16_384
    /// Depth to which a message may nest; it does so three deep.
    package static let nestingMax = 8
    /// Probes that a search for the last common operation takes at most: one for each bit of a sequence.
    package static let probesMax = 64
}
