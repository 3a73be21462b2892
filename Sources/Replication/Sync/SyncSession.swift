/// One connection between two nodes, as a state machine without I/O: messages and results of effects in, effects out.
///
/// Call order: `start`, then `handle` for each message as it arrives and `tick` from time to time. Each `.vouch` is
/// answered with `vouched`, each `.readFeed` with `batchRead`, each `.apply` with `applied` after the commit. Both
/// sides run the same machine; which of them dialled makes no difference here.
///
/// Source: Protocols/sync.md §5.
package struct SyncSession: ~Copyable {
    package static let versionMax: UInt32 = 1
    package static let versionMin: UInt32 = 1

    package struct Configuration: Sendable {
        package var site: SiteCode
        /// This store's present incarnation, which also names the feed it sends.
        package var replica: ReplicaID
        /// The site that the peer's certificate names.
        package var peerSite: SiteCode
        /// What is durable here of the peer's feed.
        package var received: FeedCursor?

        package init(site: SiteCode, replica: ReplicaID, peerSite: SiteCode, received: FeedCursor?) {
            self.site = site
            self.replica = replica
            self.peerSite = peerSite
            self.received = received
        }
    }

    /// What the shell has to do, in this order.
    package enum Effect: Sendable {
        case send(SyncMessage)
        case sendBatch(OutgoingBatch, compressed: Bool)
        /// Find out from which cursor the feed to the peer goes on, and answer with `vouched`.
        case vouch(presented: FeedCursor?)
        /// Read the feed to the peer behind this cursor, and answer with `batchRead`.
        case readFeed(after: FeedCursor)
        /// Commit these operations together with the cursor, and answer with `applied`.
        case apply(ReceivedBatch)
        /// The peer holds its feed durably up to here.
        case saveAcknowledged(FeedCursor)
        case notice(Notice)
        /// The session is over. With a code to say, a `Bye` has been put before it.
        case close(ByeCode, reason: String)
    }

    package enum Notice: Sendable, Hashable {
        case established(peer: ReplicaID, version: UInt32)
        /// The peer has sent everything it had for this node.
        case receivedEverything
        /// The peer holds everything that this node had for it.
        case deliveredEverything
        /// Peer's clock minus ours, milliseconds; right to half the round trip.
        case clockOffset(milliseconds: Int64, roundTripMilliseconds: Int64)
        /// Operations that the peer still has for this node.
        case remaining(UInt64)
        /// The peer could not vouch for our cursor: its feed starts from the beginning, and duplicates are dropped.
        case feedRestarted
    }

    private enum Phase {
        case idle
        case awaitingHello(deadline: Int64)
        case awaitingVouch
        case established
        case closed
    }

    /// A moment on two clocks: one that never steps, for time-outs, and the wall's, for what the peer is told.
    package struct Moment: Sendable, Hashable {
        package var monotonicMilliseconds: Int64
        package var wallMilliseconds: Int64

        package init(monotonicMilliseconds: Int64, wallMilliseconds: Int64) {
            self.monotonicMilliseconds = monotonicMilliseconds
            self.wallMilliseconds = wallMilliseconds
        }
    }

    private struct Unacknowledged {
        var end: FeedCursor
        var bytes: Int
    }

    private let configuration: Configuration
    private var phase = Phase.idle
    private var peerReplica: ReplicaID?
    private var peerTakesZstd = false
    // Sending.
    private var sentCursor: FeedCursor
    private var unacknowledged: [Unacknowledged] = []
    private var unacknowledgedBytes = 0
    private var isReading = false
    private var feedMayHaveMore = true
    private var saidCaughtUpAt: UInt64?
    private var saidDeliveredAt: UInt64?
    // Receiving.
    private var arrivedCursor: FeedCursor?
    private var hasReceivedBatch = false
    private var applyingCount = 0
    private var peerCaughtUpAt: UInt64?
    private var appliedPosition: UInt64 = 0
    // Clock.
    private var nextClockAt: Int64 = 0
    private var clockAskedAt: Int64?
    private var clockAnsweredAt: Int64?

    package init(_ configuration: Configuration) {
        self.configuration = configuration
        sentCursor = FeedCursor(feed: configuration.replica)
        arrivedCursor = configuration.received
        appliedPosition = configuration.received?.position ?? 0
    }

    package var isEstablished: Bool {
        if case .established = phase { true } else { false }
    }

    // MARK: Inputs

    package mutating func start(now: Moment) -> [Effect] {
        guard case .idle = phase else { return [] }
        phase = .awaitingHello(deadline: now.monotonicMilliseconds + SyncLimits.helloMillisecondsMax)
        return [
            .send(
                .hello(
                    SyncMessage.Hello(
                        version: Self.versionMax, site: configuration.site, replica: configuration.replica,
                        wallMilliseconds: now.wallMilliseconds, received: configuration.received)))
        ]
    }

    package mutating func handle(_ message: SyncMessage, now: Moment) -> [Effect] {
        switch (phase, message) {
        case (.closed, _), (.idle, _): return []
        case (_, .bye(let code, let reason)):
            phase = .closed
            return [.close(code, reason: "the peer ended the session: \(reason)")]
        case (.awaitingHello, .hello(let hello)): return take(hello, now: now)
        case (.awaitingHello, _): return close(.outOfOrder, "a session starts with Hello")
        case (_, .hello): return close(.outOfOrder, "a second Hello")
        case (_, .clock(let origin, let echo)): return take(clockOrigin: origin, echo: echo, now: now)
        case (_, .batch(let batch)): return take(batch)
        case (_, .ack(let position, let digest)): return acknowledge(position: position, digest: digest)
        case (_, .caughtUp(let position)):
            peerCaughtUpAt = position
            return receivedEverything()
        }
    }

    /// - Parameter cursor: the presented cursor if the store can vouch for it, otherwise the feed's beginning.
    package mutating func vouched(_ cursor: FeedCursor) -> [Effect] {
        guard case .awaitingVouch = phase else { return [] }
        phase = .established
        sentCursor = cursor
        // The peer holds what it presents: an acknowledgement that was lost with the last session is made up for.
        let known: [Effect] = cursor.position > 0 ? [.saveAcknowledged(cursor)] : []
        return known + pump()
    }

    /// There are new rows in the feed to the peer.
    package mutating func feedAdvanced() -> [Effect] {
        feedMayHaveMore = true
        return pump()
    }

    /// - Parameter batch: nil if the feed has nothing behind the cursor.
    package mutating func batchRead(_ batch: OutgoingBatch?) -> [Effect] {
        isReading = false
        guard case .established = phase else { return [] }
        guard let batch, batch.end.position > sentCursor.position else {
            return caughtUp()
        }
        let bytes = batch.operations.reduce(64) { $0 + $1.approximateBytes }
        sentCursor = batch.end
        unacknowledged.append(Unacknowledged(end: batch.end, bytes: bytes))
        unacknowledgedBytes += bytes
        feedMayHaveMore = true
        return [.sendBatch(batch, compressed: peerTakesZstd)] + pump()
    }

    /// The batch that ends here is durable.
    package mutating func applied(_ end: FeedCursor) -> [Effect] {
        applyingCount -= 1
        appliedPosition = max(appliedPosition, end.position)
        switch phase {
        case .idle, .awaitingHello, .closed: return []
        // The peer may be further than this side, which still looks for the cursor that it goes on from.
        case .awaitingVouch, .established:
            return [.send(.ack(position: end.position, digest: end.digest))] + receivedEverything()
        }
    }

    /// This side ends the session.
    package mutating func close(_ code: ByeCode, _ reason: String) -> [Effect] {
        if case .closed = phase { return [] }
        phase = .closed
        return [.send(.bye(code, reason: reason)), .close(code, reason: reason)]
    }

    package mutating func tick(now: Moment) -> [Effect] {
        switch phase {
        case .awaitingHello(let deadline) where now.monotonicMilliseconds >= deadline:
            return close(.outOfOrder, "no Hello within \(SyncLimits.helloMillisecondsMax) ms")
        case .established where now.monotonicMilliseconds >= nextClockAt:
            nextClockAt = now.monotonicMilliseconds + SyncLimits.clockIntervalMilliseconds
            clockAskedAt = now.wallMilliseconds
            return [.send(.clock(originMilliseconds: now.wallMilliseconds, echoMilliseconds: 0))]
        case .idle, .awaitingHello, .awaitingVouch, .established, .closed: return []
        }
    }

    // MARK: Rules

    private mutating func take(_ hello: SyncMessage.Hello, now: Moment) -> [Effect] {
        let version = min(hello.version, Self.versionMax)
        guard version >= Self.versionMin else {
            return close(.unsupportedVersion, "the peer speaks \(hello.version), this node at least \(Self.versionMin)")
        }
        guard hello.site == configuration.peerSite else {
            return close(
                .wrongSite, "Hello says \(hello.site), the certificate \(configuration.peerSite): enrol that node anew")
        }
        guard hello.replica != configuration.replica else {
            return close(.conflictingHistory, "the peer runs under this node's own incarnation \(hello.replica)")
        }
        phase = .awaitingVouch
        peerReplica = hello.replica
        peerTakesZstd = hello.acceptsZstd
        if arrivedCursor?.feed != hello.replica {
            arrivedCursor = FeedCursor(feed: hello.replica)
            appliedPosition = 0
        }
        nextClockAt = now.monotonicMilliseconds
        return [
            .notice(.established(peer: hello.replica, version: version)),
            .vouch(presented: hello.received),
        ]
    }

    private mutating func take(_ batch: ReceivedBatch) -> [Effect] {
        guard let peerReplica, batch.start.feed == peerReplica, batch.end.feed == peerReplica else {
            return close(.cursorMismatch, "a batch of feed \(batch.start.feed), not of the peer's own")
        }
        var effects: [Effect] = []
        if batch.start != arrivedCursor {
            // The sender may start over, but only at its very beginning and before it has sent anything else.
            guard batch.start == FeedCursor(feed: peerReplica), !hasReceivedBatch else {
                return close(
                    .cursorMismatch,
                    "a batch starts at \(batch.start.position), \(arrivedCursor?.position ?? 0) was expected")
            }
            effects.append(.notice(.feedRestarted))
            appliedPosition = 0
        }
        var digest = batch.start.digest
        for hash in batch.hashes { digest.insert(hash) }
        guard batch.end.position > batch.start.position else {
            return close(.cursorMismatch, "a batch that does not advance the feed")
        }
        guard digest == batch.end.digest else {
            return close(
                .hashMismatch, "the batch \(batch.start.position)–\(batch.end.position) does not match its digest")
        }
        hasReceivedBatch = true
        arrivedCursor = batch.end
        applyingCount += 1
        return effects + [.notice(.remaining(batch.remaining)), .apply(batch)]
    }

    private mutating func acknowledge(position: UInt64, digest: SetDigest) -> [Effect] {
        guard let index = unacknowledged.firstIndex(where: { $0.end.position == position }) else {
            return close(.cursorMismatch, "an acknowledgement of \(position), where no sent batch ends")
        }
        let end = unacknowledged[index].end
        guard end.digest == digest else {
            return close(.hashMismatch, "the peer's digest at \(position) differs from what was sent")
        }
        for batch in unacknowledged[...index] { unacknowledgedBytes -= batch.bytes }
        unacknowledged.removeSubrange(...index)
        return [.saveAcknowledged(end)] + deliveredEverything() + pump()
    }

    private mutating func take(clockOrigin origin: Int64, echo: Int64, now: Moment) -> [Effect] {
        guard echo != 0 else {
            if let last = clockAnsweredAt,
                now.monotonicMilliseconds - last < SyncLimits.clockAnswerIntervalMilliseconds
            {
                return []
            }
            clockAnsweredAt = now.monotonicMilliseconds
            return [.send(.clock(originMilliseconds: origin, echoMilliseconds: now.wallMilliseconds))]
        }
        // Only the answer to what was asked: any other would be a clock of the peer's invention.
        guard clockAskedAt == origin else { return [] }
        clockAskedAt = nil
        let roundTrip = max(0, now.wallMilliseconds - origin)
        let offset = echo - (origin + roundTrip / 2)
        return [.notice(.clockOffset(milliseconds: offset, roundTripMilliseconds: roundTrip))]
    }

    /// Asks for the next rows unless a read is under way or enough is unacknowledged.
    private mutating func pump() -> [Effect] {
        guard case .established = phase, !isReading, feedMayHaveMore,
            unacknowledgedBytes < SyncLimits.unacknowledgedBytesMax
        else { return [] }
        isReading = true
        feedMayHaveMore = false
        return [.readFeed(after: sentCursor)]
    }

    private mutating func caughtUp() -> [Effect] {
        // Rows may have come in while the read was under way.
        if feedMayHaveMore { return pump() }
        guard saidCaughtUpAt != sentCursor.position else { return [] }
        saidCaughtUpAt = sentCursor.position
        return [.send(.caughtUp(position: sentCursor.position))] + deliveredEverything()
    }

    /// Once for every position at which the feed was exhausted and all of it acknowledged.
    private mutating func deliveredEverything() -> [Effect] {
        guard unacknowledged.isEmpty, saidCaughtUpAt == sentCursor.position, saidDeliveredAt != sentCursor.position
        else { return [] }
        saidDeliveredAt = sentCursor.position
        return [.notice(.deliveredEverything)]
    }

    private mutating func receivedEverything() -> [Effect] {
        guard let position = peerCaughtUpAt, applyingCount == 0, appliedPosition >= position else { return [] }
        peerCaughtUpAt = nil
        return [.notice(.remaining(0)), .notice(.receivedEverything)]
    }
}
