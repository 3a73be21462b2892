import Replication
import TestSupport

/// A feed in memory: position n is its n-th operation.
struct MemoryFeed {
    let name: ReplicaID
    var operations: [Operation] = []

    static let batchOperationsMax = 3

    func cursor(at position: Int) -> FeedCursor {
        var hasher = ContentHasher()
        var cursor = FeedCursor(feed: name, position: UInt64(position))
        for operation in operations[..<position] { cursor.digest.insert(hasher.hash(operation)) }
        return cursor
    }

    func batch(after cursor: FeedCursor) -> OutgoingBatch? {
        let start = Int(cursor.position)
        let end = min(start + Self.batchOperationsMax, operations.count)
        guard start < end else { return nil }
        return OutgoingBatch(
            start: cursor, end: self.cursor(at: end), operations: Array(operations[start..<end]),
            remaining: UInt64(operations.count - end))
    }

    func vouch(for presented: FeedCursor?) -> FeedCursor {
        guard let presented, presented.feed == name, presented.position <= operations.count,
            cursor(at: Int(presented.position)) == presented
        else { return FeedCursor(feed: name) }
        return presented
    }

    static func operation(_ sequence: UInt64, of replica: ReplicaID, bodyBytes: Int = 4) -> Operation {
        Operation(
            dot: Dot(replica, sequence), entity: EntityID(type: .ticket, high: 7, low: sequence % 3),
            previous: sequence > 3 ? sequence - 3 : 0, seen: VersionVector([Dot(ReplicaID(7), sequence)]),
            time: HybridTimestamp(milliseconds: 1_800_000_000_000 + Int64(sequence)),
            author: Author(
                name: "甲", role: .agent, level: .branch, site: SiteCode(validated: "xihu.hz.zj"), department: "SVC"),
            scope: [SiteCode(validated: "hz.zj")], kind: OperationKind(rawValue: 13),
            body: [UInt8](repeating: UInt8(truncatingIfNeeded: sequence), count: bodyBytes))
    }
}

/// One end of a session with what surrounds it: its feed, its log, and effects that wait to be carried out.
final class SyncEnd {
    let site: SiteCode
    let peerSite: SiteCode
    var feed: MemoryFeed
    /// What is durable here, in the order it became so.
    private(set) var applied: [Operation] = []
    private(set) var received: FeedCursor?
    private(set) var acknowledged: FeedCursor?
    private(set) var notices: [SyncSession.Notice] = []
    private(set) var closed: ByeCode?
    /// Frames on their way to the peer.
    private(set) var wire: [[UInt8]] = []
    private(set) var reads: [SyncSession.Effect] = []
    private(set) var commits: [ReceivedBatch] = []
    private var session: SyncSession

    init(_ site: String, _ peerSite: String, replica: UInt64, operationCount: Int) {
        self.site = SiteCode(validated: site)
        self.peerSite = SiteCode(validated: peerSite)
        feed = MemoryFeed(name: ReplicaID(replica))
        session = Self.session(self.site, self.peerSite, feed.name, nil)
        for _ in 0..<operationCount { append() }
    }

    private static func session(
        _ site: SiteCode, _ peer: SiteCode, _ replica: ReplicaID, _ received: FeedCursor?
    ) -> SyncSession {
        SyncSession(SyncSession.Configuration(site: site, replica: replica, peerSite: peer, received: received))
    }

    /// A new connection: what was under way is lost, what is durable stays.
    func connect(now: SyncSession.Moment) {
        (wire, reads, commits, closed) = ([], [], [], nil)
        session = Self.session(site, peerSite, feed.name, received)
        carryOut(session.start(now: now))
    }

    func append() {
        feed.operations.append(MemoryFeed.operation(UInt64(feed.operations.count + 1), of: feed.name))
    }

    func announceNews() { carryOut(session.feedAdvanced()) }

    func takeFrame() -> [UInt8] { wire.removeFirst() }

    func take(_ frame: [UInt8], now: SyncSession.Moment) throws {
        var hasher = ContentHasher()
        let message = try SyncCodec.decode(Array(frame.dropFirst(SyncCodec.prefixBytes)), hasher: &hasher)
        carryOut(session.handle(message, now: now))
    }

    func carryOutRead() {
        switch reads.removeFirst() {
        case .vouch(let presented): carryOut(session.vouched(feed.vouch(for: presented)))
        case .readFeed(let cursor): carryOut(session.batchRead(feed.batch(after: cursor)))
        default: break
        }
    }

    func carryOutCommit() {
        let batch = commits.removeFirst()
        applied += batch.operations.filter { operation in !applied.contains { $0.dot == operation.dot } }
        received = batch.end
        carryOut(session.applied(batch.end))
    }

    private func carryOut(_ effects: [SyncSession.Effect]) {
        for effect in effects {
            switch effect {
            case .send(let message): if let frame = try? SyncCodec.encode(message) { wire.append(frame) }
            case .sendBatch(let batch, let compressed):
                if let frame = try? SyncCodec.encode(batch, compressed: compressed) { wire.append(frame) }
            case .vouch, .readFeed: reads.append(effect)
            case .apply(let batch): commits.append(batch)
            case .saveAcknowledged(let cursor): acknowledged = cursor
            case .notice(let notice): notices.append(notice)
            case .close(let code, _): closed = code
            }
        }
    }
}

/// Two ends and the wire between them, in virtual time.
struct SyncPair {
    let ends: [SyncEnd]
    private(set) var now = SyncSession.Moment(monotonicMilliseconds: 0, wallMilliseconds: 1_800_000_000_000)

    init(operationCounts: (Int, Int)) {
        ends = [
            SyncEnd("xihu.hz.zj", "hz.zj", replica: 1, operationCount: operationCounts.0),
            SyncEnd("hz.zj", "xihu.hz.zj", replica: 2, operationCount: operationCounts.1),
        ]
    }

    func connect() {
        for end in ends { end.connect(now: now) }
    }

    /// Carries one waiting thing out, drawn from all that wait.
    /// - Returns: false if nothing waits.
    func step(using generator: inout SeededGenerator) throws -> Bool {
        var choices: [() throws -> Void] = []
        for (index, end) in ends.enumerated() {
            if !end.wire.isEmpty { choices.append { try ends[1 - index].take(end.takeFrame(), now: now) } }
            if !end.reads.isEmpty { choices.append { end.carryOutRead() } }
            if !end.commits.isEmpty { choices.append { end.carryOutCommit() } }
        }
        guard let choice = choices.randomElement(using: &generator) else { return false }
        try choice()
        return true
    }

    func run(using generator: inout SeededGenerator) throws {
        while try step(using: &generator) {}
    }
}
