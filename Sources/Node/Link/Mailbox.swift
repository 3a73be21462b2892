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
        var task: Task<Void, Never>?
        var isClosed = false
        var isStopped = false
        var finish: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// What was put in before waits for this.
    func open(_ receiver: @escaping Receiver) {
        state.withLock { state in
            state.receiver = receiver
            startIfIdle(&state)
        }
    }

    /// Behind the end it does nothing.
    func put(_ element: Element) {
        state.withLock { state in
            guard !state.isClosed else { return }
            state.waiting.append(element)
            startIfIdle(&state)
        }
    }

    /// Nothing further is put in; what waits is still taken.
    func close() {
        state.withLock { $0.isClosed = true }
    }

    /// The same without what waits, and the receiver's task is cancelled.
    func cancel() {
        state.withLock { state in
            Self.stop(&state)
            return state.task
        }?.cancel()
    }

    /// Waits, after `close`, until nothing waits and nothing is under way. To be called once.
    /// - Returns: true if everything was taken.
    func finished() async -> Bool {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                if state.task != nil { state.finish = continuation }
                return state.task == nil
            }
            if isIdle { continuation.resume() }
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

    private func startIfIdle(_ state: inout State) {
        guard state.task == nil, state.receiver != nil, !state.waiting.isEmpty else { return }
        state.task = Task { await run() }
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
            state.task = nil
            defer { state.finish = nil }
            return (nil, state.finish)
        }
        finish?.resume()
        return next
    }
}
