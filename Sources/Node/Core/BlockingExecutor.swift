internal import Dispatch

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
}

/// Reads of the store for those that run on event loops or cooperative threads.
package actor StoreAccess {
    private let executor = BlockingExecutor(label: "banjie.reader")

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    package init() {}

    package func run<Value: Sendable>(_ body: @Sendable () throws -> Value) rethrows -> Value {
        try body()
    }
}
