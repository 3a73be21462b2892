internal import Logging
internal import Store
internal import Synchronization

/// Keeps the search index up to the log, on a thread of its own: neither commits nor readers wait for it, and while much
/// comes in it takes what they leave of the processors.
actor SearchFollower {
    /// How long nothing may have come before the index takes less than a whole step: commands and batches
    /// one after the other share one.
    static let delayMilliseconds: Int64 = 50
    /// The same while a peer has said that it has more.
    static let backlogDelayMilliseconds: Int64 = 200
    /// Between two steps while much comes in: even the least of threads slows down the others, by its use of memory.
    static let busyDelayMilliseconds: Int64 = 1_000
    /// After this many delays in a row less is taken all the same.
    static let postponementsMax = 100
    /// Between a step that failed and the next.
    static let retryMilliseconds: Int64 = 10_000

    private struct News {
        /// By the clock that never steps.
        var last: Int64 = 0
        var isCommitting = false
        var isMoreComing = false
        var isPlanned = false
        var isStopped = false
    }

    private let executor = BackgroundExecutor(label: "banjie.search")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Not kept open by what only follows.
    private struct Held: @unchecked Sendable {
        weak var reader: StoreReader?
    }

    private nonisolated let held: Held
    private nonisolated let logger: Logger
    private nonisolated let news = Mutex(News())
    private nonisolated let access = StoreAccess()
    private var postponements = 0
    /// When the last step was taken while much came in, by the clock that never steps.
    private var lastBusyStep = Int64.min / 2
    private var isAtWork = false
    /// Those who wait for the work to end.
    private var waiters: [CheckedContinuation<Void, Never>] = []

    init(_ reader: StoreReader, logger: Logger) {
        held = Held(reader: reader)
        self.logger = logger
        reader.search.onLoss { [weak self] in
            logger.error("the search index was lost or damaged, and is built anew")
            self?.plan()
        }
    }

    /// A transaction of peers' operations begins.
    nonisolated func wait() {
        news.withLock { $0.isCommitting = true }
    }

    /// Something has been committed.
    /// - Parameter isMoreComing: a peer has said so; nil where none was heard.
    nonisolated func follow(isMoreComing: Bool? = nil) {
        news.withLock { news in
            news.isCommitting = false
            news.isMoreComing = isMoreComing ?? news.isMoreComing
            news.last = NodeClock.monotonic()
        }
        plan()
    }

    /// Nothing is read or written once this has returned: the store can be closed. What the index lacks it takes up after
    /// the next start. Takes as long as the step under way, at the least of priorities.
    func stop() async {
        news.withLock { $0.isStopped = true }
        guard isAtWork else { return }
        await withCheckedContinuation { waiters.append($0) }
    }

    /// Nil once stopped.
    private nonisolated var reader: StoreReader? {
        news.withLock { $0.isStopped } ? nil : held.reader
    }

    private nonisolated func plan(after milliseconds: Int64 = SearchFollower.delayMilliseconds) {
        let isFirst = news.withLock { news in
            defer { news.isPlanned = true }
            return !news.isPlanned && !news.isStopped
        }
        guard isFirst else { return }
        // What is only planned does not keep a stopped node, and its folder, in use.
        Task { [weak self] in
            try? await Task.sleep(for: .milliseconds(milliseconds))
            await self?.advance()
        }
    }

    private nonisolated var isQuiet: Bool {
        news.withLock { news in
            let delay = news.isMoreComing ? Self.backlogDelayMilliseconds : Self.delayMilliseconds
            return !news.isCommitting && NodeClock.monotonic() - news.last >= delay
        }
    }

    private func advance() async {
        news.withLock { $0.isPlanned = false }
        guard !isAtWork else { return plan() }
        isAtWork = true
        defer {
            isAtWork = false
            for waiter in waiters { waiter.resume() }
            waiters = []
        }
        do {
            // Not later where it is behind: what comes may have ended.
            guard try await takeSteps() else { return plan() }
            while isQuiet, try reader?.search.merge() ?? false { await Task.yield() }
        } catch {
            logger.error("the search index cannot follow the log: run `banjie doctor`", metadata: ["error": "\(error)"])
            plan(after: Self.retryMilliseconds)
        }
    }

    /// - Returns: false where the index stays behind the log for now.
    private func takeSteps() async throws -> Bool {
        while let reader {
            let backlog = try reader.search.backlog()
            guard backlog > 0 else { return true }
            guard !isQuiet else {
                try await takeWhileQuiet()
                continue
            }
            let isLong = backlog >= SearchStep.operationsMax || postponements >= Self.postponementsMax
            guard isLong, NodeClock.monotonic() - lastBusyStep >= Self.busyDelayMilliseconds else {
                if !isLong { postponements += 1 }
                return false
            }
            postponements = 0
            try reader.search.advance()
            lastBusyStep = NodeClock.monotonic()
        }
        return true
    }

    /// Each step is read while the one before it goes into the index; the store is kept open for a step at a time.
    private func takeWhileQuiet() async throws {
        postponements = 0
        let access = access
        var former: SearchStep?
        while let reader, isQuiet {
            guard let current = former else {
                former = try await access.run { try reader.search.step() }
                continue
            }
            guard !current.isEmpty else { return }
            async let next = access.run { try reader.search.step(after: current) }
            try reader.search.take(current)
            former = try await next
        }
    }
}
