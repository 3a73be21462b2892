import Synchronization

/// Counts what has begun and has not ended, and lets one wait until nothing is left.
final class Tally: Sendable {
    private struct State {
        var count = 0
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func begin() { state.withLock { $0.count += 1 } }

    func end() { change { $0.count -= 1 } }

    /// Returns at once if nothing is left. To be called once.
    func empty() async {
        await withCheckedContinuation { continuation in change { $0.waiter = continuation } }
    }

    private func change(_ body: (inout State) -> Void) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            body(&state)
            guard state.count == 0 else { return nil }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }
}
