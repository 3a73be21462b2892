internal import Synchronization

/// One timer for all links of a node; it runs while there are any.
final class LinkTicker: Sendable {
    static let tickMilliseconds = 500

    private struct State {
        var next = 0
        var listeners: [Int: @Sendable () -> Void] = [:]
        var isRunning = false
    }

    private let state = Mutex(State())

    /// - Parameter listener: called at once and with every tick; must not block.
    /// - Returns: a number to remove it with.
    func add(_ listener: @escaping @Sendable () -> Void) -> Int {
        listener()
        let (number, isFirst) = state.withLock { state in
            state.next += 1
            state.listeners[state.next] = listener
            defer { state.isRunning = true }
            return (state.next, !state.isRunning)
        }
        if isFirst { Task { await run() } }
        return number
    }

    func remove(_ number: Int) {
        _ = state.withLock { $0.listeners.removeValue(forKey: number) }
    }

    private func run() async {
        var isRunning = true
        var trim = MemoryTrim()
        while isRunning {
            try? await Task.sleep(for: .milliseconds(Self.tickMilliseconds))
            let listeners = state.withLock { state in
                state.isRunning = !state.listeners.isEmpty
                return Array(state.listeners.values)
            }
            for listener in listeners { listener() }
            if trim.isDue(links: listeners.count) { MemoryTrim.giveBack() }
            isRunning = !listeners.isEmpty
        }
    }
}
