internal import GRDB
internal import Replication

// The step at each start, and the file outside the database. Source: Protocols/operations.md §8.
extension StoreWriter {
    /// The step that every opening takes before anything else: goes on under a new incarnation if it has to, and raises
    /// the start counter, in one transaction.
    /// - Returns: who the node is from now on; nil if that has not changed.
    func start(isNew: Bool, context: StoreContext) throws -> NodeIdentity? {
        let epoch = isNew ? nil : EpochFile(reader.folder).read()
        return try transaction { db, cache in
            let judgement = Epoch.judge(epoch, try found(comparingWith: epoch, db, cache))
            try Meta.set("start_count", Int64(bitPattern: try Incarnation.startCount(db) + 1), db)
            try Meta.set("epoch_missing", judgement == .missing && !isNew ? 1 : 0, db)
            let recovery = try Incarnation.pending(db) ?? Self.recovery(after: judgement)
            guard let recovery else { return nil }
            let refold = Refold(catalog: context.catalog, site: reader.identity.site, now: context.now)
            return try Incarnation.begin(
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

    private func found(comparingWith epoch: Epoch?, _ db: Database, _ cache: WriterCache) throws -> Epoch.Found {
        let identity = reader.identity
        return Epoch.Found(
            replica: identity.replica, follows: identity.follows, startCount: try Incarnation.startCount(db),
            sequence: cache.replicas[identity.replica]?.highest ?? 0,
            hash: try epoch.flatMap { try hash(of: Dot(identity.replica, $0.sequence), cache) }, machine: machine)
    }

    private func hash(of dot: Dot, _ cache: WriterCache) throws -> ContentHash? {
        guard let replica = cache.replicas[dot.replica] else { return nil }
        let find = cache.statements.findOperation
        find.bind(1, replica.id)
        find.bind(2, dot.sequence)
        guard try find.step() else { return nil }
        defer { find.reset() }
        return ContentHash(find.blob(1))
    }

    /// Brings the epoch file up to what is durable. Costs a flush of the disk if this node has written since; to be
    /// called now and then, never within a commit.
    /// - Throws: `StoreError.file`.
    package func saveEpoch() throws {
        let replica = reader.identity.replica
        let epoch = try transaction { db, cache in
            let sequence = cache.replicas[replica]?.highest ?? 0
            return Epoch(
                replica: replica, startCount: try Incarnation.startCount(db), sequence: sequence,
                hash: try hash(of: Dot(replica, sequence), cache) ?? .zero, machine: machine)
        }
        guard epoch != savedEpoch else { return }
        try EpochFile(reader.folder).write(epoch)
        savedEpoch = epoch
    }

    /// Nothing is written by a writer that never came to the end of opening.
    func saveEpochAtEnd() throws {
        if savedEpoch != nil { try saveEpoch() }
    }
}
