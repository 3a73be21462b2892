internal import DequeModule
internal import Synchronization

/// What one receiver takes in, one at a time and in order, by a task that exists only while something waits. A province
/// has a thousand links that mostly wait: a task that waits with them would keep the stack of its busiest moment.
final class Mailbox<Element: Sendable>: Sendable {
    /// - Returns: false if nothing further is to be taken.
    typealias Receiver = @Sendable (Element) async -> Bool

    private struct State {
        var waiting: Deque<Element> = []
        var receiver: Receiver?
        var isRunning = false
        var isClosed = false
        var isStopped = false
        var finish: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// What was put in before waits for this.
    func open(_ receiver: @escaping Receiver) {
        startIfIdle { $0.receiver = receiver }
    }

    /// Behind the end it does nothing.
    func put(_ element: Element) {
        startIfIdle { state in
            if !state.isClosed { state.waiting.append(element) }
        }
    }

    /// Does nothing while something waits: for a call that is as good as several.
    func putIfNothingWaits(_ element: Element) {
        startIfIdle { state in
            if !state.isClosed, state.waiting.isEmpty { state.waiting.append(element) }
        }
    }

    /// Nothing further is put in; what waits is still taken.
    func close() {
        end { $0.isClosed = true }
    }

    /// The same without what waits. What is under way goes on.
    func cancel() {
        end(by: Self.stop)
    }

    /// Closed, by whom it belongs to or by its receiver.
    var isClosed: Bool { state.withLock(\.isClosed) }

    /// Waits until it is closed, nothing waits and nothing is under way. To be called once.
    /// - Returns: true if everything was taken.
    func finished() async -> Bool {
        await withCheckedContinuation { continuation in
            end { $0.finish = continuation }
        }
        return state.withLock { state in
            // It holds whoever put it there.
            state.receiver = nil
            return !state.isStopped
        }
    }

    private static func stop(_ state: inout State) {
        state.isClosed = true
        state.isStopped = true
        state.waiting.removeAll()
    }

    /// Wakes who waits for the end if this was it.
    private func end(by change: (inout State) -> Void) {
        let finish = state.withLock { state in
            change(&state)
            return Self.takeFinish(&state)
        }
        finish?.resume()
    }

    private static func takeFinish(_ state: inout State) -> CheckedContinuation<Void, Never>? {
        guard state.isClosed, !state.isRunning else { return nil }
        defer { state.finish = nil }
        return state.finish
    }

    private func startIfIdle(after change: (inout State) -> Void) {
        let starts = state.withLock { state in
            change(&state)
            guard !state.isRunning, state.receiver != nil, !state.waiting.isEmpty else { return false }
            state.isRunning = true
            return true
        }
        // Not under the lock: it wakes a thread that takes it first of all.
        if starts { Task { await run() } }
    }

    private func run() async {
        while let (element, receiver) = next() {
            if await !receiver(element) { state.withLock { Self.stop(&$0) } }
        }
    }

    private func next() -> (Element, Receiver)? {
        let (next, finish) = state.withLock { state -> ((Element, Receiver)?, CheckedContinuation<Void, Never>?) in
            if let receiver = state.receiver, let element = state.waiting.popFirst() {
                return ((element, receiver), nil)
            }
            state.isRunning = false
            // Keeps no room either for what it once held.
            if state.waiting.isEmpty { state.waiting = [] }
            return (nil, Self.takeFinish(&state))
        }
        finish?.resume()
        return next
    }
}
