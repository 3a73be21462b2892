internal import Logging
internal import NIOCore
internal import Replication
internal import Store
internal import Synchronization
internal import Transport

/// One session with one peer over one stream: feeds `SyncSession` with messages and results, and carries out its
/// effects. Dialled or accepted makes no difference here.
///
/// Three tasks: one reads, decodes and hashes; one runs the session; one writes. Flow-control credit for a batch goes
/// back after its commit, so a slow disk here slows the sender and nobody else.
struct PeerLink {
    /// What the session is fed with, in order.
    private enum Input: Sendable {
        case message(SyncMessage)
        case feedAdvanced
        case vouched(FeedCursor)
        case batchRead(OutgoingBatch?)
        case applied(FeedCursor, bytes: Int)
        case tick
        case failed(ByeCode, String)
        case stopped(ByeCode, String)
        case streamEnded(String)
    }

    /// What goes out, in order. Batches are encoded and compressed by the task that writes, while the next is read.
    private enum Outgoing: Sendable {
        case frame([UInt8])
        case batch(OutgoingBatch, compressed: Bool)
    }

    /// How a session ended.
    struct Ending: Sendable {
        var code: ByeCode
        var reason: String
        /// The session was established before it ended.
        var wasEstablished: Bool
    }

    static let tickMilliseconds = 500
    /// Between two looks at an apply queue that is full.
    static let fullQueuePauseMilliseconds = 20
    /// How long queued frames may take to go out once the session is over.
    static let farewellMillisecondsMax = 2_000

    let node: SyncNode
    let site: SiteCode
    let stream: HTTP2Stream
    let access: StoreAccess
    let logger: Logger

    init(node: SyncNode, site: SiteCode, stream: HTTP2Stream, access: StoreAccess, logger: Logger) {
        self.node = node
        self.site = site
        self.stream = stream
        self.access = access
        var logger = logger
        logger[metadataKey: "peer"] = "\(site)"
        self.logger = logger
    }

    /// Runs the session to its end. Returns when the stream has ended, a side has said goodbye, or the task is cancelled.
    func run(control: LinkControl) async -> Ending {
        let received = await access.run { try? node.reader.peer(site)?.received }
        var session = SyncSession(
            SyncSession.Configuration(
                site: node.identity.site, replica: node.identity.replica, peerSite: site, received: received ?? nil))
        let (inputs, feed) = AsyncStream<Input>.makeStream()
        let (frames, outbox) = AsyncStream<Outgoing>.makeStream()
        let subscription = node.subscribers.add { peers in
            if peers.contains(site) { feed.yield(.feedAdvanced) }
        }
        control.attach { code, reason in feed.yield(.stopped(code, reason)) }
        defer {
            node.subscribers.remove(subscription)
            control.detach()
            feed.finish()
            outbox.finish()
        }
        var ending = Ending(code: .unspecified, reason: "cancelled", wasEstablished: false)
        var unsaved: FeedCursor?
        let writer = Task { await write(frames, reportingTo: feed) }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await read(into: feed) }
            group.addTask { await tick(into: feed) }
            perform(session.start(now: moment()), feed: feed, outbox: outbox, ending: &ending)
            for await input in inputs {
                ending.wasEstablished = ending.wasEstablished || session.isEstablished
                let effects: [SyncSession.Effect]
                switch input {
                case .message(let message): effects = session.handle(message, now: moment())
                case .feedAdvanced: effects = session.feedAdvanced()
                case .vouched(let cursor): effects = session.vouched(cursor)
                case .batchRead(let batch): effects = session.batchRead(batch)
                case .applied(let end, let bytes):
                    stream.consume(bytes: bytes)
                    effects = session.applied(end)
                case .tick:
                    effects = session.tick(now: moment())
                    await save(&unsaved)
                case .failed(let code, let reason), .stopped(let code, let reason):
                    effects = session.close(code, reason)
                case .streamEnded(let reason):
                    ending.reason = reason
                    effects = []
                }
                for case .saveAcknowledged(let cursor) in effects { unsaved = cursor }
                let isOver = perform(effects, feed: feed, outbox: outbox, ending: &ending)
                if case .streamEnded = input { break }
                if isOver { break }
            }
            group.cancelAll()
        }
        // What is queued, a last Bye among it, still goes out, unless the peer takes nothing any more.
        outbox.finish()
        let limit = Task {
            try await Task.sleep(for: .milliseconds(Self.farewellMillisecondsMax))
            writer.cancel()
        }
        await writer.value
        limit.cancel()
        await save(&unsaved)
        return ending
    }

    /// Stores the latest acknowledgement: now and then, since every commit waits for the disk.
    private func save(_ unsaved: inout FeedCursor?) async {
        guard let cursor = unsaved else { return }
        unsaved = nil
        let (site, now) = (site, node.clock.now())
        do {
            try await node.administer { try $0.saveAcknowledged(cursor, by: site, now: now) }
        } catch {
            logger.error("an acknowledgement cannot be stored", metadata: ["error": "\(error)"])
        }
    }

    private func moment() -> SyncSession.Moment {
        SyncSession.Moment(
            monotonicMilliseconds: NodeClock.monotonic(), wallMilliseconds: node.clock.now())
    }

    // MARK: Effects

    /// - Returns: true if the session is over.
    @discardableResult
    private func perform(
        _ effects: [SyncSession.Effect], feed: AsyncStream<Input>.Continuation,
        outbox: AsyncStream<Outgoing>.Continuation, ending: inout Ending
    ) -> Bool {
        for effect in effects {
            switch effect {
            case .send(let message): send(message, outbox)
            case .sendBatch(let batch, let compressed):
                outbox.yield(.batch(batch, compressed: compressed))
            case .vouch(let presented): vouch(presented, feed)
            case .readFeed(let cursor): readFeed(after: cursor, feed)
            case .apply(let batch): apply(batch, feed)
            case .saveAcknowledged(let cursor):
                node.links.update(site) { $0.acknowledgedPosition = cursor.position }
            case .notice(let notice): take(notice)
            case .close(let code, let reason):
                ending.code = code
                ending.reason = reason
                return true
            }
        }
        return false
    }

    private func send(_ message: SyncMessage, _ outbox: AsyncStream<Outgoing>.Continuation) {
        do {
            outbox.yield(.frame(try SyncCodec.encode(message)))
        } catch {
            preconditionFailure("a message of known fields always encodes: \(error)")
        }
    }

    private func vouch(_ presented: FeedCursor?, _ feed: AsyncStream<Input>.Continuation) {
        Task {
            do {
                let cursor = try await access.run { try node.reader.vouch(for: presented, by: site) }
                feed.yield(.vouched(cursor))
            } catch {
                feed.yield(.failed(.storeFailure, "\(error)"))
            }
        }
    }

    private func readFeed(after cursor: FeedCursor, _ feed: AsyncStream<Input>.Continuation) {
        Task {
            do {
                let batch = try await access.run { try node.reader.nextBatch(for: site, after: cursor) }
                feed.yield(.batchRead(batch))
            } catch {
                feed.yield(.failed(.storeFailure, "\(error)"))
            }
        }
    }

    private func apply(_ batch: ReceivedBatch, _ feed: AsyncStream<Input>.Continuation) {
        let bytes = batch.wireBytes + SyncCodec.prefixBytes
        let count = UInt64(batch.operations.count)
        let (links, site) = (node.links, site)
        node.merge(batch, from: site) { result in
            switch result {
            case .success:
                links.update(site) { $0.receivedOperations += count }
                feed.yield(.applied(batch.end, bytes: bytes))
            case .failure(StoreError.conflictingHistory(let dot, let stored, let received)):
                let error = StoreError.conflictingHistory(dot: dot, stored: stored, received: received)
                feed.yield(.failed(.conflictingHistory, "\(error)"))
            case .failure(let error): feed.yield(.failed(.storeFailure, "\(error)"))
            }
        }
    }

    private func take(_ notice: SyncSession.Notice) {
        let now = node.clock.now()
        switch notice {
        case .established(let peer, let version):
            logger.info("session established", metadata: ["replica": "\(peer)", "version": "\(version)"])
            node.links.update(site) { status in
                status.isConnected = true
                status.since = now
                status.lastFailure = nil
            }
        case .receivedEverything:
            node.links.update(site) { status in
                status.remainingToGet = 0
                status.remainingKnownAt = now
            }
            if site == node.identity.parent { Task { await node.setCaughtUp(true) } }
        case .deliveredEverything: break
        case .clockOffset(let offset, let roundTrip):
            node.links.update(site) { status in
                status.clockOffsetMilliseconds = offset
                status.roundTripMilliseconds = roundTrip
            }
        case .remaining(let count):
            node.links.update(site) { status in
                status.remainingToGet = count
                status.remainingKnownAt = now
            }
        case .feedRestarted:
            logger.notice("the peer starts its feed over; what is here already is dropped as it comes")
        }
    }

    // MARK: Tasks

    private func read(into feed: AsyncStream<Input>.Continuation) async {
        var buffer = ByteBuffer()
        var hasher = ContentHasher()
        do {
            for try await var chunk in stream.manualConsumption {
                node.links.update(site) { $0.receivedBytes += UInt64(chunk.readableBytes) }
                buffer.writeBuffer(&chunk)
                while let length = try SyncCodec.messageBytes(prefix: buffer.readableBytesView) {
                    guard buffer.readableBytes >= SyncCodec.prefixBytes + length else { break }
                    buffer.moveReaderIndex(forwardBy: SyncCodec.prefixBytes)
                    guard let bytes = buffer.readBytes(length: length) else { break }
                    while node.isApplyQueueFull {
                        try await Task.sleep(for: .milliseconds(Self.fullQueuePauseMilliseconds))
                    }
                    let message = try SyncCodec.decode(bytes, hasher: &hasher)
                    // A batch's credit goes back after its commit, everything else's now.
                    if case .batch = message {} else { stream.consume(bytes: SyncCodec.prefixBytes + length) }
                    feed.yield(.message(message))
                }
                buffer.discardReadBytes()
            }
            feed.yield(
                .streamEnded(
                    buffer.readableBytes == 0 ? "the peer ended the stream" : "the stream ended within a message"))
        } catch let failure as DecodingFailure {
            if case .tooLarge(field: "message", _, _) = failure {
                feed.yield(.failed(.messageTooLarge, "\(failure)"))
            } else {
                feed.yield(.failed(.malformedMessage, "\(failure)"))
            }
        } catch {
            feed.yield(.streamEnded("\(error)"))
        }
    }

    private func write(_ frames: AsyncStream<Outgoing>, reportingTo feed: AsyncStream<Input>.Continuation) async {
        do {
            for await outgoing in frames {
                let frame: [UInt8]
                switch outgoing {
                case .frame(let bytes): frame = bytes
                case .batch(let batch, let compressed): frame = try SyncCodec.encode(batch, compressed: compressed)
                }
                try await stream.write(ByteBuffer(bytes: frame))
                node.links.update(site) { status in
                    status.sentBytes += UInt64(frame.count)
                    if case .batch(let batch, _) = outgoing { status.sentOperations += UInt64(batch.operations.count) }
                }
            }
            try stream.finish()
        } catch {
            feed.yield(.streamEnded("\(error)"))
        }
    }

    private func tick(into feed: AsyncStream<Input>.Continuation) async {
        while !Task.isCancelled {
            feed.yield(.tick)
            try? await Task.sleep(for: .milliseconds(Self.tickMilliseconds))
        }
    }
}

/// Lets others end a running link with a reason: an admin's pause, a newer connection, a shutdown.
final class LinkControl: Sendable {
    private let stop = Mutex<(@Sendable (ByeCode, String) -> Void)?>(nil)

    func attach(_ stop: @escaping @Sendable (ByeCode, String) -> Void) {
        self.stop.withLock { $0 = stop }
    }

    func detach() {
        stop.withLock { $0 = nil }
    }

    func end(_ code: ByeCode, _ reason: String) {
        stop.withLock { $0 }?(code, reason)
    }
}
