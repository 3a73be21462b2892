internal import Dispatch
package import Logging
internal import Replication
internal import Store

/// Takes what waits into transactions, one turn at a time. Synchronous: a batch's completion is called, and `follow`
/// hears of the effects, after the commit and never before.
///
/// Source: Protocols/operations.md §6.
package struct Applier {
    /// Sessions remembered because a batch of theirs has failed.
    static let failedSessionsMax = 4_096

    private var failedSessions: Set<UInt64> = []

    package init() {}

    /// One turn: what one transaction takes at most, or each batch alone if one of them is at fault. The projection may
    /// be behind after it: peers need not wait for what people look at.
    /// - Parameter now: UTC milliseconds.
    /// - Returns: whether more is about to come, so that the projection may wait too; nil if nothing waited.
    package mutating func drain(
        _ queue: ApplyQueue, into replica: Replica, now: Int64, _ logger: Logger, follow: (ReplicaEffects) -> Void
    ) -> Bool? {
        let taken = queue.take(operationsMax: StoreWriter.transactionOperationsMax)
        guard !taken.isEmpty else { return nil }
        let entries = withoutFailed(taken)
        let isMoreComing = ApplyQueue.isMoreComing(behind: entries) || !queue.isEmpty
        apply(entries, into: replica, now: now, logger, follow: follow)
        // To free thousands of operations takes a tenth of the transaction's time: that is for another thread.
        let batches = taken.map(\.batch)
        DispatchQueue.global(qos: .utility).async { withExtendedLifetime(batches) {} }
        return isMoreComing
    }

    private mutating func apply(
        _ entries: [ApplyQueue.Entry], into replica: Replica, now: Int64, _ logger: Logger,
        follow: (ReplicaEffects) -> Void
    ) {
        var rest = entries[...]
        do {
            for entry in entries where entry.isRepair {
                heal(entry.batch, in: replica, now: now, logger)
            }
            while !rest.isEmpty {
                let effects = try replica.merge(rest.map(\.batch), now: now)
                for entry in rest.prefix(effects.batchCount) { entry.completion(.success(())) }
                rest = rest.dropFirst(effects.batchCount)
                follow(effects)
            }
        } catch {
            commitOneByOne(rest, into: replica, now: now, after: error, follow: follow)
        }
    }

    /// A row that cannot be healed does not hold up what else has come.
    private func heal(_ batch: MergeBatch, in replica: Replica, now: Int64, _ logger: Logger) {
        do {
            for dot in try replica.heal(batch, now: now) {
                logger.notice("a damaged row was healed", metadata: ["operation": "\(dot)"])
            }
        } catch {
            logger.error("a damaged row cannot be healed", metadata: ["error": "\(error)"])
        }
    }

    /// What a session has sent after a batch that failed must not be committed: its cursor would claim the failed one.
    private func withoutFailed(_ entries: [ApplyQueue.Entry]) -> [ApplyQueue.Entry] {
        guard !failedSessions.isEmpty else { return entries }
        return entries.filter { entry in
            guard failedSessions.contains(entry.session) else { return true }
            entry.completion(.failure(StoreError.afterFailure))
            return false
        }
    }

    private mutating func noteFailed(_ session: UInt64) {
        // Sessions end with their first failure: few are ever here at a time.
        if failedSessions.count >= Self.failedSessionsMax { failedSessions.removeAll() }
        failedSessions.insert(session)
    }

    /// One batch is at fault: the others go in without it. A session's later batches fail with its faulty one.
    private mutating func commitOneByOne(
        _ entries: ArraySlice<ApplyQueue.Entry>, into replica: Replica, now: Int64, after failure: any Error,
        follow: (ReplicaEffects) -> Void
    ) {
        guard entries.count > 1 else {
            for entry in entries {
                noteFailed(entry.session)
                entry.completion(.failure(failure))
            }
            return
        }
        for entry in entries {
            guard !failedSessions.contains(entry.session) else {
                entry.completion(.failure(failure))
                continue
            }
            do {
                let effects = try replica.merge([entry.batch], now: now)
                entry.completion(.success(()))
                follow(effects)
            } catch {
                noteFailed(entry.session)
                entry.completion(.failure(error))
            }
        }
    }
}
