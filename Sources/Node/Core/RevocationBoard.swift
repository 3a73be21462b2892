internal import Logging
internal import Replication
internal import Store
internal import Tickets
internal import Synchronization
internal import Transport

/// The revocations in force, for whoever opens or takes a connection, and who is to act when they change.
final class RevocationBoard: Sendable {
    private struct State {
        var peers = RevokedPeers()
        var reported: Set<Dot> = []
        var listener: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    var peers: RevokedPeers { state.withLock { $0.peers } }

    /// - Parameter listener: called after a commit that has changed them; must not block.
    func onChange(_ listener: @escaping @Sendable () -> Void) {
        state.withLock { $0.listener = listener }
    }

    /// Reads them again from the store, and logs what is new.
    func read(_ reader: StoreReader, _ logger: Logger) {
        let records: [RevocationRecord]
        do {
            records = try reader.revocations()
        } catch {
            logger.error("the revocations cannot be read: run `banjie doctor`", metadata: ["error": "\(error)"])
            return
        }
        let (news, listener) = state.withLock { state in
            let news = records.filter { $0.isInForce && !state.reported.contains($0.dot) }
            state.reported.formUnion(news.map(\.dot))
            state.peers = RevokedPeers(records)
            return (news, state.listener)
        }
        for record in news { report(record, reader.identity, logger) }
        listener?()
    }

    private func report(_ record: RevocationRecord, _ identity: NodeIdentity, _ logger: Logger) {
        let body = record.body
        let metadata: Logger.Metadata = [
            "site": "\(body.site)", "replica": "\(body.replica)", "last": "\(body.lastSequence)",
            "void": "\(record.voidCount)", "by": "\(record.author.name)@\(record.author.site)",
            "reason": "\(body.reason)",
        ]
        logger.warning("a replica is revoked", metadata: metadata)
        if record.differs {
            logger.error(
                "the revoked replica has two histories: the operation here is not the one that counts as its last",
                metadata: metadata)
        }
        if body.replica == identity.replica {
            logger.error(
                "this node has been revoked: what it writes counts nowhere; enrol it anew with a token of its parent",
                metadata: metadata)
        }
    }
}
