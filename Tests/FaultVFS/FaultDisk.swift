import Synchronization

/// A disk that fails when it is told to, below SQLite: every file of the folder that it stands for goes through it.
///
/// It counts what changes files (writes, truncations, flushes, deletions), fails the n-th of them as its plan says, and
/// remembers what has not been flushed, so that a power cut can lose any part of that.
package final class FaultDisk: Sendable {
    package enum Failure: Sendable {
        /// Nothing happens, and the call says so.
        case refused
        /// No room: nothing is written, flushes go on.
        case full
        /// Half of the bytes arrive.
        case short
        /// Flushes fail, and what they were for is there or not.
        case unknownFlush
        /// Flushes say that they are done and are not. No store can stand that: it shows that tests see a loss.
        case lyingFlush
    }

    package enum Duration: CaseIterable, Sendable {
        case once, fromThenOn
    }

    package struct Plan: Sendable {
        /// The first operation that fails is the first of those from this one on, counted from 0, that the failure
        /// is about.
        package var at: Int
        package var failure: Failure
        package var duration: Duration

        package init(at: Int, failure: Failure, duration: Duration) {
            self.at = at
            self.failure = failure
            self.duration = duration
        }
    }

    enum Operation {
        case write, truncate, flush, delete
    }

    enum Verdict {
        case done, refused, full, short, unknownFlush, lyingFlush
    }

    struct State {
        var plan: Plan?
        var operations = 0
        var failed = 0
        var isOff = false
        var unflushed: [String: [Change]] = [:]
    }

    /// Paths that begin with it are this disk's.
    let prefix: String
    let state = Mutex(State())

    /// - Parameter folder: absolute; registered from now until `remove`.
    package init(folder: String) {
        prefix = folder + "/"
        FaultVFS.add(self)
    }

    package func remove() {
        FaultVFS.remove(self)
    }

    package func fail(_ plan: Plan?) {
        state.withLock { $0.plan = plan }
    }

    /// Operations so far, and those of them that failed.
    package var counts: (operations: Int, failed: Int) {
        state.withLock { ($0.operations, $0.failed) }
    }

    /// The power goes: nothing reaches the disk any more, whatever is called. Close the store, then `restorePower`.
    package func cutPower() {
        state.withLock { $0.isOff = true }
    }

    /// What had not been flushed is there in a random part: changes, each whole, torn at a sector, or missing.
    /// - Precondition: no connection is open.
    package func restorePower(using generator: inout some RandomNumberGenerator) throws {
        let unflushed = state.withLock { state in
            defer { (state.unflushed, state.isOff, state.plan) = ([:], false, nil) }
            return state.unflushed
        }
        for (path, changes) in unflushed.sorted(by: { $0.key < $1.key }) {
            try Change.lose(changes, of: path, using: &generator)
        }
    }

    func verdict(on operation: Operation) -> Verdict {
        state.withLock { state in
            guard !state.isOff else { return .refused }
            defer { state.operations += 1 }
            guard let plan = state.plan, state.operations >= plan.at, plan.duration == .fromThenOn || state.failed == 0
            else { return .done }
            let verdict = Self.verdict(plan.failure, on: operation)
            if verdict != .done { state.failed += 1 }
            return verdict
        }
    }

    private static func verdict(_ failure: Failure, on operation: Operation) -> Verdict {
        switch (failure, operation) {
        case (.full, .write): .full
        case (.full, _): .done
        case (.short, .write): .short
        case (.unknownFlush, .flush): .unknownFlush
        case (.lyingFlush, .flush): .lyingFlush
        case (.short, _), (.unknownFlush, _), (.lyingFlush, _): .done
        case (.refused, _): .refused
        }
    }

    func remember(_ change: Change, of path: String) {
        state.withLock { $0.unflushed[path, default: []].append(change) }
    }

    func flushed(_ path: String) {
        state.withLock { $0.unflushed[path] = nil }
    }
}
