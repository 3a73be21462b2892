internal import Foundation
internal import Node
internal import Replication
internal import Store
internal import Synchronization
internal import Tickets

/// What peers do on the word of the process that has started them: operations written while a backlog runs, and
/// operations caught up over a connection that is warm.
extension Peer {
    /// Between two operations that a sender writes while its backlog runs.
    static let liveIntervalMilliseconds = 200
    /// Between two looks for what has become durable.
    static let lookMicroseconds: UInt32 = 1_000
    /// The same where a look asks the database.
    static let storeLookMicroseconds: UInt32 = 2_000

    /// Tickets to write to, one operation each, all in one transaction.
    struct Wish: Codable {
        var tickets: [String]
    }

    /// How a node stands.
    struct Status: Codable {
        var residentKibibytes = 0.0
        var peakMebibytes = 0.0
        var connected = 0
        var searchBacklog = 0
    }

    /// What came of a wish, nanoseconds of CLOCK_MONOTONIC.
    struct Written: Codable {
        var begun: UInt64
        /// The writer's own commit was done.
        var committed: UInt64
        /// The peer's acknowledgement was here.
        var acknowledged: UInt64
    }

    // MARK: Answering

    func serve(_ runtime: NodeRuntime, _ lines: AsyncStream<String>) async throws {
        try await sayReady(runtime)
        let node = runtime.node
        for await _ in lines {
            try PeerSpeech.say(
                Status(
                    residentKibibytes: Machine.residentKibibytes(), peakMebibytes: Machine.peakMebibytes(),
                    connected: node.links.all.values.filter(\.isConnected).count,
                    searchBacklog: try node.reader.search.backlog()))
        }
    }

    // MARK: Catching up

    func write(_ runtime: NodeRuntime, _ lines: AsyncStream<String>) async throws {
        let (node, until) = (runtime.node, until)
        try await wait(every: 20) {
            guard let link = link(node) else { return false }
            return link.isConnected && !link.isAuditing && link.acknowledgedPosition >= until
        }
        try PeerSpeech.say(Ready(address: ""))
        for await line in lines {
            try await wait { try node.reader.search.backlog() == 0 }
            let wish = try JSONDecoder().decode(Wish.self, from: Data(line.utf8))
            try PeerSpeech.say(try await catchUp(wish, node))
        }
    }

    private func catchUp(_ wish: Wish, _ node: SyncNode) async throws -> Written {
        let tickets = try Self.tickets(wish)
        let target = (link(node)?.acknowledgedCount ?? 0) + UInt64(tickets.count)
        let committed = Mutex<UInt64>(0)
        // Publishing follows the commit immediately: the links hear of it at the same moment.
        let subscription = node.subscribers.add { _ in
            committed.withLock { if $0 == 0 { $0 = Instant.monotonic() } }
        }
        defer { node.subscribers.remove(subscription) }
        async let acknowledged = Self.acknowledged(node.links, count: target)
        let begun = Instant.monotonic()
        try await Self.chase(tickets, node)
        let end = try await acknowledged
        return Written(begun: begun, committed: committed.withLock { $0 }, acknowledged: end)
    }

    /// Looks on a thread of its own, so that the node's tasks keep theirs.
    private static func acknowledged(_ links: LinkTable, count: UInt64) async throws -> UInt64 {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                let end = Instant.monotonic() + secondsMax * 1_000_000_000
                while true {
                    if let status = links.all.values.first, status.acknowledgedCount >= count {
                        return continuation.resume(returning: status.acknowledgedAt)
                    }
                    guard Instant.monotonic() < end else {
                        return continuation.resume(throwing: BenchError("nothing was acknowledged"))
                    }
                    usleep(lookMicroseconds)
                }
            }
        }
    }

    private static func tickets(_ wish: Wish) throws -> [EntityID] {
        try wish.tickets.map { text in
            guard let id = EntityID(text) else { throw BenchError("\(text) names no ticket") }
            return id
        }
    }

    /// One chase on each, in one transaction.
    private static func chase(_ tickets: [EntityID], _ node: SyncNode) async throws {
        let site = node.identity.site
        let author = Author(
            name: "陈静", role: .dispatcher, level: AuthorityLevel(of: site), site: site, department: "热线受理科")
        _ = try await node.append { transaction in
            for id in tickets {
                try transaction.append(.chase(ChaseBody(note: BareCatchUp.text)), to: id, author: author)
            }
        }
    }

    // MARK: Writing beside a backlog

    /// Sends a backlog and writes an operation now and then, until the peer has the backlog and all before it.
    func sendLive(_ runtime: NodeRuntime, _ report: inout Report, _ lines: AsyncStream<String>) async throws {
        let (node, until) = (runtime.node, until)
        var words = lines.makeAsyncIterator()
        guard let line = await words.next() else { return }
        let tickets = try Self.tickets(try JSONDecoder().decode(Wish.self, from: Data(line.utf8)))
        try await wait { link(node)?.isConnected ?? false }
        var sequence = try node.reader.held(of: node.identity.replica, upTo: UInt64(Int64.max))?.sequence ?? 0
        let end = Instant.monotonic() + Self.secondsMax * 1_000_000_000
        while link(node)?.acknowledgedPosition ?? 0 < until {
            guard Instant.monotonic() < end else { throw BenchError("the backlog did not come to its end") }
            sequence += 1
            report.live[sequence] = Instant.monotonic()
            try await Self.chase([tickets[Int(sequence) % tickets.count]], node)
            try await Task.sleep(for: .milliseconds(Self.liveIntervalMilliseconds))
        }
        report.durable = Instant.monotonic()
        report.peakMebibytes = Machine.peakMebibytes()
        report.wireBytes = link(node)?.sentBytes ?? 0
        try PeerSpeech.say(report)
        while await words.next() != nil {}
    }

    /// Receives it, and notes when each of the live operations was there.
    func receiveLive(_ runtime: NodeRuntime, _ report: inout Report, _ lines: AsyncStream<String>) async throws {
        let node = runtime.node
        try await sayReady(runtime)
        let watch = LiveWatch(node.reader)
        var words = lines.makeAsyncIterator()
        _ = await words.next()
        report.durable = Instant.monotonic()
        report.live = watch.stop()
        try await finish(node, &report)
        try PeerSpeech.say(report)
        while await words.next() != nil {}
    }
}

/// Notes, on a thread of its own, when the operations of a region's node become durable here: what a reader sees has
/// been committed.
private final class LiveWatch: Sendable {
    private struct State {
        var seen: [UInt64: UInt64] = [:]
        var isStopped = false
    }

    private let state = Mutex(State())

    init(_ reader: StoreReader) {
        Thread.detachNewThread { [self] in
            var replica: ReplicaID?
            var last: UInt64 = 0
            while !state.withLock(\.isStopped) {
                usleep(Peer.storeLookMicroseconds)
                // A look that fails is made up for by the next one.
                replica = replica ?? (try? reader.peers())?.first { $0.site == WorkloadStream.region }?.node
                guard let replica,
                    let held = try? reader.held(of: replica, upTo: UInt64(Int64.max)), held.sequence > last
                else { continue }
                let now = Instant.monotonic()
                state.withLock { for sequence in last + 1...held.sequence { $0.seen[sequence] = now } }
                last = held.sequence
            }
        }
    }

    func stop() -> [UInt64: UInt64] {
        state.withLock { state in
            state.isStopped = true
            return state.seen
        }
    }
}
