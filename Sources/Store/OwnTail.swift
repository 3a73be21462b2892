internal import Replication
internal import Synchronization
internal import Tickets

/// The end of the log where this node has written it itself, as its commits left it: what goes up the line a moment
/// later need not be read from the disk and checked again.
///
/// A run of arrivals without a gap that ends with the log; what a peer brings ends it, and it begins anew behind that.
/// Source: Protocols/operations.md §6.
final class OwnTail: Sendable {
    /// The oldest go first.
    static let operationsMax = 64
    /// A batch with more begins no run.
    static let bytesMax = 64 * 1_024

    private struct State {
        var run: [StoredOperation] = []
        var bytes = 0
        /// Of the log.
        var lastArrival: Int64 = 0

        mutating func clear() {
            run = []
            bytes = 0
        }
    }

    private let state = Mutex(State())

    /// After every commit that has lengthened the log.
    func note(lastArrival: Int64) {
        state.withLock { $0.lastArrival = lastArrival }
    }

    /// After `note`, for a batch of this node's that was taken in whole and alone.
    func append(_ batch: MergeBatch) {
        let bytes = Self.bytesToKeep(batch.operations)
        state.withLock { state in
            guard let bytes else { return state.clear() }
            let first = state.lastArrival - Int64(batch.operations.count) + 1
            if state.run.last?.arrival != first - 1 { state.clear() }
            for (index, operation) in batch.operations.enumerated() {
                state.run.append(
                    StoredOperation(
                        arrival: first + Int64(index), source: 0, operation: operation, hash: batch.hashes[index]))
            }
            state.bytes += bytes
            while state.run.count > Self.operationsMax || state.bytes > Self.bytesMax {
                state.bytes -= state.run.removeFirst().operation.approximateBytes
            }
        }
    }

    /// What the log has behind this arrival.
    /// - Returns: nil if that is nothing, or is not all here.
    func operations(after arrival: Int64) -> ArraySlice<StoredOperation>? {
        state.withLock { state in
            guard let first = state.run.first?.arrival, state.run.last?.arrival == state.lastArrival,
                first - 1 <= arrival, arrival < state.lastArrival
            else { return nil }
            return state.run[Int(arrival - first + 1)...]
        }
    }

    /// Nil for a batch that is too large. An import's thousands are not looked at.
    private static func bytesToKeep(_ operations: [Operation]) -> Int? {
        guard operations.count <= operationsMax else { return nil }
        let bytes = operations.reduce(0) { $0 + $1.approximateBytes }
        return bytes <= bytesMax ? bytes : nil
    }
}
