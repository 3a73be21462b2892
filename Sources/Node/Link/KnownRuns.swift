package import Replication

/// Starts of peers' processes. One that was replaced by another of the same incarnation and comes back is one of two
/// that run from copies of one disk. Source: Protocols/sync.md §7.
package struct KnownRuns {
    /// Starts of a peer's process that are remembered, to tell a copy from a restart.
    static let rememberedRunsMax = 8
    /// Incarnations whose starts are remembered.
    static let rememberedReplicasMax = 8_192

    private var runs: [ReplicaID: [UInt64]] = [:]

    package init() {}

    /// - Returns: false for a process that another one of its incarnation had replaced.
    package mutating func admit(_ hello: SyncMessage.Hello) -> Bool {
        if runs.count > Self.rememberedReplicasMax { runs.removeAll() }
        var known = runs[hello.replica, default: []]
        guard known.last != hello.run else { return true }
        if known.contains(hello.run) {
            runs[hello.replica] = known.filter { $0 != hello.run }
            return false
        }
        known.append(hello.run)
        runs[hello.replica] = Array(known.suffix(Self.rememberedRunsMax))
        return true
    }
}
