import Replication

/// A feed in memory: position n is its n-th operation.
struct MemoryFeed {
    let name: ReplicaID
    var operations: [Operation] = []

    static let batchOperationsMax = 3

    func cursor(at position: Int, from start: Int = 0) -> FeedCursor {
        var hasher = ContentHasher()
        var cursor = FeedCursor(feed: name, position: UInt64(position))
        for operation in operations[start..<position] { cursor.digest.insert(hasher.hash(operation)) }
        return cursor
    }

    /// - Parameter start: where the lane's digests count from.
    func batch(after position: Int, through: Int? = nil, lane: Lane = .backlog, from start: Int = 0) -> OutgoingBatch? {
        let end = min(position + Self.batchOperationsMax, through ?? operations.count)
        guard position < end else { return nil }
        return OutgoingBatch(
            lane: lane, start: cursor(at: position, from: start), end: cursor(at: end, from: start),
            operations: Array(operations[position..<end]), remaining: UInt64(operations.count - end))
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
