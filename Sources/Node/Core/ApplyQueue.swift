package import Replication
package import Store
internal import Synchronization

/// Batches that wait for a transaction. Effects are never run under the lock.
package final class ApplyQueue: Sendable {
    /// Bytes of decoded operations, some ten times what they were on the wire, that may wait for their transaction.
    package static let bytesMax = 4 * 1024 * 1024

    package struct Entry: Sendable {
        var batch: MergeBatch
        var bytes: Int
        /// The peer has said that it has more.
        var isMoreComing: Bool
        /// Waits behind what others do now.
        var isBacklog: Bool
        var isRepair: Bool
        var session: UInt64
        /// Called once, when the batch is durable or has failed; must not block.
        var completion: @Sendable (Result<Void, any Error>) -> Void
    }

    /// A batch as it came, with what becomes durable of the peer's feed together with it.
    /// - Parameter session: a random number of the session that sends it.
    package static func entry(
        _ batch: ReceivedBatch, _ place: FeedPlace, from id: PeerID, in session: UInt64,
        completion: @escaping @Sendable (Result<Void, any Error>) -> Void
    ) -> Entry {
        let merge = MergeBatch(
            source: .peer(id, place), operations: batch.operations, hashes: batch.hashes, keys: batch.keys,
            agreed: batch.agreed)
        return Entry(
            batch: merge, bytes: merge.memoryBytes, isMoreComing: batch.lane == .backlog && batch.remaining > 0,
            isBacklog: batch.lane == .backlog, isRepair: batch.lane == .repair, session: session,
            completion: completion)
    }

    private struct State {
        var entries: [Entry] = []
        var bytes = 0
        var isDraining = false
    }

    private let state = Mutex(State())

    package init() {}

    package var isEmpty: Bool { state.withLock { $0.entries.isEmpty } }
    /// What waits now.
    package var bytes: Int { state.withLock { $0.bytes } }
    package var isFull: Bool { state.withLock { $0.bytes > Self.bytesMax } }

    /// - Returns: true if somebody has to start draining.
    package func push(_ entry: Entry) -> Bool {
        if PlantedBug.acknowledgesBeforeCommit.isActive { entry.completion(.success(())) }
        return state.withLock { state in
            // Of one link, live batches stay in order among each other, and so do those of its backlog.
            if !entry.isBacklog, let index = state.entries.firstIndex(where: \.isBacklog) {
                state.entries.insert(entry, at: index)
            } else {
                state.entries.append(entry)
            }
            state.bytes += entry.bytes
            defer { state.isDraining = true }
            return !state.isDraining
        }
    }

    /// Whether a peer has said, with its last batch among these, that it has more.
    static func isMoreComing(behind entries: [Entry]) -> Bool {
        var known: Set<PeerID> = []
        for entry in entries.reversed() {
            guard case .peer(let peer, _) = entry.batch.source, known.insert(peer).inserted else { continue }
            if entry.isMoreComing { return true }
        }
        return false
    }

    /// The next entries, together not more than this many operations (but at least one entry).
    func take(operationsMax: Int) -> [Entry] {
        state.withLock { state in
            var count = 0
            var operations = 0
            for entry in state.entries {
                operations += entry.batch.operations.count
                if count > 0, operations > operationsMax { break }
                count += 1
            }
            let taken = Array(state.entries.prefix(count))
            state.entries.removeFirst(count)
            state.bytes -= taken.reduce(0) { $0 + $1.bytes }
            return taken
        }
    }

    /// - Returns: false if there is more to drain.
    package func finishedDraining() -> Bool {
        state.withLock { state in
            if state.entries.isEmpty { state.isDraining = false }
            return state.entries.isEmpty
        }
    }
}
