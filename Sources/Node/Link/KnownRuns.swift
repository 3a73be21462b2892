package import Replication

/// Starts of peers' processes. One of an incarnation that ran before another and after it is one of two that run from
/// copies of one disk.
///
/// A Hello may come late, also behind one of the process that came next. A session shows no more than that the process ran
/// at some instant between the session's beginning here and its Hello; two processes are told apart only by what is sure.
/// Source: Protocols/sync.md §7.
package struct KnownRuns {
    /// Starts of a peer's process that are remembered, to tell a copy from a restart.
    static let rememberedRunsMax = 8
    /// Incarnations whose starts are remembered.
    static let rememberedReplicasMax = 8_192

    /// A start of a peer's process, and when it surely ran.
    private struct Run {
        let number: UInt64
        /// It ran at this instant or before.
        let firstHeard: ContinuousClock.Instant
        /// It ran at this instant or after.
        var lastBegan: ContinuousClock.Instant

        /// It ran after the other had run.
        func isSurelyAfter(_ other: Run) -> Bool { lastBegan > other.firstHeard }
    }

    /// Of each incarnation, the one that was heard last at the end.
    private var runs: [ReplicaID: [Run]] = [:]

    package init() {}

    /// - Parameter began: an instant before which the process cannot have begun to take part in the session: of one that
    ///   was dialled from here before dialling, of one that was taken here before it was answered.
    /// - Returns: false for one of two processes of the incarnation that ran at the same time.
    package mutating func admit(
        _ hello: SyncMessage.Hello, began: ContinuousClock.Instant, now: ContinuousClock.Instant
    ) -> Bool {
        precondition(began <= now, "a session begins before its Hello comes")
        guard !PlantedBug.cloneAdmitted.isActive else { return true }
        if runs.count > Self.rememberedReplicasMax { runs.removeAll() }
        var known = runs[hello.replica, default: []]
        let former = known.firstIndex { $0.number == hello.run }.map { known.remove(at: $0) }
        var run = former ?? Run(number: hello.run, firstHeard: now, lastBegan: began)
        run.lastBegan = max(run.lastBegan, began)
        let isAlone = !known.contains { $0.isSurelyAfter(run) && run.isSurelyAfter($0) }
        // Once it has been told, it goes on under another incarnation.
        if isAlone { known.append(run) }
        runs[hello.replica] = Array(known.suffix(Self.rememberedRunsMax))
        return isAlone
    }
}
