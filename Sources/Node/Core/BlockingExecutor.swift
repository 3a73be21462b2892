internal import DequeModule
internal import Dispatch
internal import Foundation
internal import Glibc
internal import Synchronization

/// A serial executor on a thread of its own: what runs here may wait for the disk without holding up the tasks that
/// share the cooperative threads.
final class BlockingExecutor: SerialExecutor {
    private let queue: DispatchQueue

    init(label: String) {
        queue = DispatchQueue(label: label)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let unowned = UnownedJob(job)
        let executor = asUnownedSerialExecutor()
        queue.async { unowned.runSynchronously(on: executor) }
    }

    /// The same without a task: one thread is woken, where a task that nobody waits for would begin on another first.
    func perform(_ body: @escaping @Sendable () -> Void) {
        queue.async(execute: body)
    }

    func checkIsolated() {
        dispatchPrecondition(condition: .onQueue(queue))
    }
}

/// A serial executor on a thread of its own that takes the processors' time only where little else wants it: for what
/// follows behind.
final class BackgroundExecutor: SerialExecutor {
    /// Of Linux's scheduler: beside a thread of the usual priority it gets a seventieth of the time.
    private static let niceness: Int32 = 19

    /// Shared with the thread, which ends with the executor.
    private final class Work: Sendable {
        private let jobs = Mutex<Deque<@Sendable () -> Void>>([])
        private let count = DispatchSemaphore(value: 0)

        func put(_ job: @escaping @Sendable () -> Void) {
            jobs.withLock { $0.append(job) }
            count.signal()
        }

        func end() { count.signal() }

        /// Nil once all jobs are done and it is to end.
        func next() -> (@Sendable () -> Void)? {
            count.wait()
            return jobs.withLock { $0.popFirst() }
        }
    }

    private let work = Work()

    init(label: String) {
        let thread = Thread { [work] in
            // Of this thread alone. Where it fails the thread is one like all others.
            _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Self.niceness)
            while let job = work.next() { job() }
        }
        thread.name = label
        thread.start()
    }

    deinit {
        work.end()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let unowned = UnownedJob(job)
        let executor = asUnownedSerialExecutor()
        work.put { unowned.runSynchronously(on: executor) }
    }
}

/// Reads of the store for those that run on event loops or cooperative threads.
package actor StoreAccess {
    private let executor = BlockingExecutor(label: "banjie.reader")

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    package init() {}

    package func run<Value: Sendable>(_ body: @Sendable () throws -> Value) rethrows -> Value {
        try body()
    }

    /// For what nobody waits for: in turn with `run`.
    nonisolated func perform(_ body: @escaping @Sendable () -> Void) {
        executor.perform(body)
    }
}
