internal import GRDB
internal import Replication

// The step at each start, and the file outside the database. Source: Protocols/operations.md §8.
extension StoreWriter {
    /// The step that every opening takes before anything else: goes on under a new incarnation if it has to, and raises
    /// the start counter, in one transaction.
    /// - Returns: who the node is from now on; nil if that has not changed.
    func start(isNew: Bool, context: StoreContext) throws -> NodeIdentity? {
        use(context.catalog)
        let epoch = isNew ? nil : EpochFile(reader.folder).read()
        let judgement = Epoch.judge(epoch, try found(comparingWith: epoch))
        let recovery = try reader.pendingRecovery() ?? Self.recovery(after: judgement)
        func count(_ db: Database) throws {
            try Meta.set("start_count", Int64(bitPattern: try Incarnation.startCount(db) + 1), db)
            try Meta.set("epoch_missing", judgement == .missing && !isNew ? 1 : 0, db)
        }
        guard let recovery else {
            // A projection that cannot be brought up to the log keeps nobody from opening: `rebuild` mends it.
            try transaction(folding: false) { db, _ in try count(db) }
            forgetCache()
            return nil
        }
        return try transaction { db, cache in
            try count(db)
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

    private func found(comparingWith epoch: Epoch?) throws -> Epoch.Found {
        let identity = reader.identity
        return try reader.read { db in
            let last = try StoreReader.held(of: identity.replica, upTo: UInt64(Int64.max), db)
            let there = try epoch.flatMap { try StoreReader.held(of: identity.replica, upTo: $0.sequence, db) }
            return Epoch.Found(
                replica: identity.replica, follows: identity.follows, startCount: try Incarnation.startCount(db),
                sequence: last?.sequence ?? 0, hash: there?.sequence == epoch?.sequence ? there?.hash : nil,
                machine: machine)
        }
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

    /// Nothing is written by a writer that never came to the end of opening.
    func saveEpochAtEnd() throws {
        if savedEpoch != nil { try saveEpoch() }
    }
}
