internal import Foundation
internal import Synchronization

/// Keeps a node from filling the disk that it lives on: below a share that is free it writes nothing new, and goes on
/// sending what it has. A database that meets a full disk fails in the middle of things; this one stops before.
///
/// What little goes on being written (acknowledgements of others, accounts) does not grow with what peers send.
package final class DiskGuard: Sendable {
    /// Below this much free space the node is read-only.
    static let freePercentMin = 5.0
    /// Between two looks at the disk.
    static let lookMilliseconds: Int64 = 1_000

    private struct State {
        var freePercent: @Sendable () -> Double?
        var lastLook: Int64?
        var isLow = false
    }

    package let path: String
    private let state: Mutex<State>

    /// - Parameter freePercent: what is free for this process, of the whole; nil if it cannot be told.
    package init(path: String, freePercent: (@Sendable () -> Double?)? = nil) {
        self.path = path
        state = Mutex(State(freePercent: freePercent ?? { Self.freePercent(of: path) }))
    }

    /// - Parameter now: milliseconds of a clock that never steps.
    func isLow(now: Int64 = NodeClock.monotonic()) -> Bool {
        state.withLock { state in
            if let last = state.lastLook, now - last < Self.lookMilliseconds { return state.isLow }
            state.lastLook = now
            // A disk that does not answer is not known to be full.
            state.isLow = state.freePercent().map { $0 < Self.freePercentMin } ?? false
            return state.isLow
        }
    }

    /// What is free at this moment, of 100; nil if it cannot be told.
    var measured: Double? { state.withLock { $0.freePercent }() }

    /// From now on asks another, beginning at once.
    package func measure(_ freePercent: @escaping @Sendable () -> Double?) {
        state.withLock { $0 = State(freePercent: freePercent) }
    }

    static func freePercent(of path: String) -> Double? {
        var status = statvfs()
        guard statvfs(path, &status) == 0, status.f_blocks > 0 else { return nil }
        return Double(status.f_bavail) * 100 / Double(status.f_blocks)
    }
}
