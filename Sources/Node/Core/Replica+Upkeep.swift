package import Replication
package import Store
internal import Tickets

// What a node does of itself: receipts, healing, the preparation of a new incarnation.
extension Replica {
    /// Brings tickets and measures up to the log.
    package func writeProjection() throws -> ReplicaEffects {
        ReplicaEffects(try writer.writeProjection())
    }

    /// What a peer says of keys, without operations.
    package func saveKeys(_ entries: [PersonalKeyEntry], from id: PeerID, now: Int64) throws -> ReplicaEffects {
        ReplicaEffects(try writer.saveKeys(entries, from: id, now: now))
    }

    /// Takes parked operations in on an administrator's word.
    /// - Parameter dot: nil for all.
    package func releaseParked(_ dot: Dot?, now: Int64) throws -> ReplicaEffects {
        ReplicaEffects(try writer.releaseParked(dot, now: now))
    }

    /// A transfer to this site that is visible here gets its receipt: the department's clock starts. Where a row is damaged
    /// that may be the receipt, it waits until that is healed. Source: Protocols/sync.md §11.
    ///
    /// What could not be written, for want of room on the disk, is owed and goes with the next call, whatever that is for.
    package func writeReceipts(for tickets: [EntityID], now: Int64) throws -> ReplicaEffects {
        let due = owedReceipts + tickets
        guard !due.isEmpty else { return ReplicaEffects(MergeResult()) }
        do {
            let effects = try appendReceipts(for: due, now: now)
            owedReceipts = []
            return effects
        } catch {
            var known: Set<EntityID> = []
            owedReceipts = due.filter { known.insert($0).inserted }
            throw error
        }
    }

    private func appendReceipts(for tickets: [EntityID], now: Int64) throws -> ReplicaEffects {
        try appending(now: now) { transaction in
            for id in tickets {
                let ticket = try transaction.ticket(id)
                for target in ticket.summary().receiptsOwed(by: identity.site)
                where try !reader.isDamaged(behind: target, on: id) {
                    try transaction.append(.delivered(DeliveredBody(target: target)), to: id, author: systemAuthor)
                    if PlantedBug.receiptsTwice.isActive {
                        try transaction.append(.delivered(DeliveredBody(target: target)), to: id, author: systemAuthor)
                    }
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

    /// A peer says that this store does not hold the end of its own history: it goes on under a new incarnation when it
    /// is opened next.
    /// - Returns: nil if it does; milliseconds until a child is believed again. Source: Protocols/sync.md §7.
    package func prepareRecovery(
        _ reason: IncarnationReason, common: UInt64?, onWordOf role: PeerRole, now: Int64
    ) throws -> Int64? {
        let recovery = PendingRecovery(reason: reason, common: common)
        if role == .child { return try writer.setPendingRecovery(recovery, onWordOfChildAt: now) }
        try writer.setPendingRecovery(recovery)
        return nil
    }
}
