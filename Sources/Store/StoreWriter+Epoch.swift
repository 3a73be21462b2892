internal import GRDB
internal import Replication

// The step at each start, and the file outside the database. Source: Protocols/operations.md §8.
extension StoreWriter {
    /// The step that every opening takes before anything else: raises the start counter, notes what the epoch file tells,
    /// and goes on under a new incarnation if it has to. The two are transactions of their own: a cut in between leaves
    /// the recovery pending.
    /// - Returns: who the node is from now on; nil if that has not changed.
    func start(isNew: Bool, context: StoreContext) throws -> NodeIdentity? {
        let epoch = isNew ? nil : EpochFile(reader.folder).read()
        let recovery = try reader.pool.write { db -> PendingRecovery? in
            let judgement = Epoch.judge(epoch, try found(comparingWith: epoch, db))
            try Meta.set("start_count", Int64(bitPattern: try Incarnation.startCount(db) + 1), db)
            try Meta.set("epoch_missing", judgement == .missing && !isNew ? 1 : 0, db)
            if try Incarnation.pending(db) == nil, let recovery = Self.recovery(after: judgement) {
                try Incarnation.setPending(recovery, db)
            }
            return try Incarnation.pending(db)
        }
        guard let recovery else { return nil }
        let refold = Refold(catalog: context.catalog, site: reader.identity.site, now: context.now)
        // Only what leaves the log needs a whole projection; otherwise one that cannot be read must not stop this.
        return try transaction(folding: recovery.common != nil) { db, cache in
            try Incarnation.begin(
                recovery, replica: context.nextReplica, now: context.now, db: db, cache: cache, refold: refold)
        }
    }

    private static func recovery(after judgement: Epoch.Judgement) -> PendingRecovery? {
        switch judgement {
        case .sound, .missing: nil
        case .rolledBack: PendingRecovery(reason: .rolledBack)
        case .cloned: PendingRecovery(reason: .cloned)
        }
    }

    private func found(comparingWith epoch: Epoch?, _ db: Database) throws -> Epoch.Found {
        let identity = reader.identity
        let last = try StoreReader.held(of: identity.replica, upTo: UInt64(Int64.max), db)
        let then = try epoch.flatMap { try StoreReader.held(of: identity.replica, upTo: $0.sequence, db) }
        var hash = then?.sequence == epoch?.sequence ? then?.hash : nil
        if let epoch, let found = hash, found != epoch.hash {
            let held = HeldOperation(sequence: epoch.sequence, hash: epoch.hash)
            // Neither a row that is damaged now nor one that was when the file was written tells anything.
            let isEvidence = try StoreReader.isEvidence(then, of: identity.replica, against: held, db)
            if epoch.hash == .zero || !isEvidence { hash = epoch.hash }
        }
        return Epoch.Found(
            replica: identity.replica, follows: identity.follows, startCount: try Incarnation.startCount(db),
            sequence: last?.sequence ?? 0, hash: hash, machine: machine)
    }

    /// Brings the epoch file up to what is durable. Costs a flush of the disk if this node has written since; to be
    /// called now and then, never within a commit.
    /// - Throws: `StoreError.file`.
    package func saveEpoch() throws {
        let replica = reader.identity.replica
        let epoch = try reader.read { db in
            let last = try StoreReader.held(of: replica, upTo: UInt64(Int64.max), db)
            return Epoch(
                replica: replica, startCount: try Incarnation.startCount(db), sequence: last?.sequence ?? 0,
                hash: last?.hash ?? .zero, machine: machine)
        }
        guard epoch != savedEpoch else { return }
        try EpochFile(reader.folder).write(epoch)
        savedEpoch = epoch
    }

    /// Brings the row of this incarnation up to the log; to be called with `saveEpoch`. A commit if the row is behind.
    package func writeOwnRow() throws {
        let replica = reader.identity.replica
        guard cache?.replicas[replica]?.isChanged == true else { return }
        try transaction(folding: false) { _, cache in
            if let own = cache.replicas[replica] { try cache.write(own) }
        }
    }

    /// Nothing is written by a writer that never came to the end of opening.
    func saveEpochAtEnd() throws {
        guard savedEpoch != nil else { return }
        try saveEpoch()
        try writeOwnRow()
    }
}
