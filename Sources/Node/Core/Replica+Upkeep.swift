package import Replication
package import Store
internal import Tickets

// What a node does of itself: receipts, healing, the preparation of a new incarnation.
extension Replica {
    /// How often a child's word may make this node take a new incarnation.
    static let recoveryMillisecondsMin: Int64 = 86_400_000

    /// A transfer to this site that is visible here gets its receipt: the department's clock starts.
    package func writeReceipts(for tickets: [EntityID], now: Int64) throws -> ReplicaEffects {
        guard !tickets.isEmpty else { return ReplicaEffects(MergeResult()) }
        return try appending(now: now) { transaction in
            for id in tickets {
                let ticket = try transaction.ticket(id)
                for target in ticket.summary().receiptsOwed(by: identity.site) {
                    try transaction.append(.delivered(DeliveredBody(target: target)), to: id, author: systemAuthor)
                }
            }
        }
    }

    /// The same for every ticket that has waited for this node to have everything.
    package func writeWaitingReceipts(now: Int64) throws -> ReplicaEffects {
        var waiting: [EntityID] = []
        try reader.forEachAwaitingReceipt { if $0.isLetIn(identity.site) { waiting.append($0.id) } }
        return try writeReceipts(for: waiting, now: now)
    }

    /// Among what peers send outside their feeds may be sound copies of rows that are damaged here.
    /// - Returns: what was healed.
    func heal(_ batch: MergeBatch, now: Int64) throws -> [Dot] {
        let damaged = Set(try reader.damaged().map(\.dot))
        guard !damaged.isEmpty else { return [] }
        try writer.catchUpProjection()
        var healed: [Dot] = []
        for (operation, hash) in zip(batch.operations, batch.hashes) where damaged.contains(operation.dot) {
            if try writer.heal(operation, hash: hash, now: now) { healed.append(operation.dot) }
        }
        return healed
    }

    /// A peer has proved that this store does not hold the end of its own history: it goes on under a new incarnation when
    /// it is opened next.
    /// - Returns: false if a child says so again, which is not believed.
    package func prepareRecovery(
        _ reason: IncarnationReason, common: UInt64?, onWordOf role: PeerRole, now: Int64
    ) throws -> Bool {
        let record = try reader.incarnation()
        guard role != .child || now - record.since > Self.recoveryMillisecondsMin || record.follows == nil else {
            return false
        }
        try writer.setPendingRecovery(PendingRecovery(reason: reason, common: common))
        return true
    }
}
