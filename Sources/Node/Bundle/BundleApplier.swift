internal import Dispatch
internal import Foundation
internal import Replication
internal import Store
internal import Synchronization
internal import Transport

/// Takes a bundle in: reads and judges all of it, then commits its batches in order, the way a session's backlog is
/// committed. Source: Protocols/bundle.md §4, §5.
package struct BundleApplier: Sendable {
    let node: SyncNode
    let keys: KeyFolder

    package init(node: SyncNode, keys: KeyFolder) {
        self.node = node
        self.keys = keys
    }

    /// A bundle that was read from end to end.
    private struct Judged: Sendable {
        var header: BundleHeader
        var role: PeerRole
        var certificate: PeerCertificate
        /// Unwrapped.
        var key: [UInt8]
        /// What is held of the sender's feed; nil for a sender that has not been met.
        var peer: PeerRecord?
        var cursor: FeedCursor
        var isExpired: Bool
    }

    /// - Parameter now: UTC milliseconds of this machine, for certificates.
    /// - Parameter progress: the first half is reading.
    /// - Throws: `BundleFailure`, `StoreError`.
    package func apply(
        path: String, allowsExpired: Bool = false, now: Int64,
        progress: @escaping @Sendable (Int, Int) -> Void = { _, _ in }
    ) async throws -> BundleAppliedReport {
        let access = StoreAccess()
        let judged = try await access.run { try judge(path, allowsExpired: allowsExpired, now: now, progress) }
        let header = judged.header
        var report = BundleAppliedReport(header, path: path, isExpired: judged.isExpired)
        let parkedBefore = try await access.run { try node.reader.parkedCount() }
        if header.end.position > judged.cursor.position {
            let id = try await met(judged)
            let taken = try await access.run { try commit(judged, path: path, from: id, progress) }
            report.applied = taken
            await node.writeProjection()
            if judged.role == .parent, header.isLast { await node.writeWaitingReceipts() }
        }
        // A node that is only ever met this way can be answered this way.
        try await access.run {
            try PeerKeys(keys).remember(judged.certificate.pem, of: header.sender, node: header.senderReplica)
        }
        report.held = report.operations - report.applied
        report.acknowledged = try await acknowledge(judged, access)
        report.parked = max(0, try await access.run { try node.reader.parkedCount() } - parkedBefore)
        return report
    }

    // MARK: Judging

    private func judge(
        _ path: String, allowsExpired: Bool, now: Int64, _ progress: @Sendable (Int, Int) -> Void
    ) throws -> Judged {
        let file = try BundleFileReader(path: path)
        let header = file.header
        let identity = node.identity
        let leaf = try sender(of: file, allowsExpired: allowsExpired, now: now)
        guard header.senderReplica != identity.replica else { throw BundleFailure.file(path: path, .own) }
        guard header.receiver == identity.site else {
            throw BundleFailure.receiver(header.receiver, .otherSite(own: identity.site))
        }
        guard let role = identity.role(of: header.sender) else {
            throw BundleFailure.sender(header.sender, .unrelated(own: identity.site))
        }
        let key = try unwrap(header, leaf)
        let peer = try node.reader.peers().first { $0.site == header.sender && $0.node == header.senderReplica }
        let cursor = peer?.received?.cursor ?? FeedCursor(feed: header.senderReplica)
        try requireFit(header, cursor)
        var reading = Reading(header: header)
        try file.forEachMessage(key: key) { message in
            _ = try reading.take(message, path)
            progress(Int(reading.operations), Int(header.operations) * 2)
        }
        try reading.finish(path)
        return Judged(
            header: header, role: role, certificate: leaf, key: key, peer: peer, cursor: cursor,
            isExpired: leaf.notAfterMilliseconds <= now)
    }

    /// The sender's certificate, once it has signed the header and leads to the root.
    private func sender(of file: BundleFileReader, allowsExpired: Bool, now: Int64) throws -> PeerCertificate {
        let header = file.header
        func damaged() -> BundleFailure { .file(path: file.path, .damaged(part: "certificate")) }
        guard let leaf = try? PeerCertificate(pem: header.chainPEM) else { throw damaged() }
        let revoked = node.revocations.peers
        guard !revoked.includes(leaf), !revoked.includes(header.senderReplica) else {
            throw BundleFailure.sender(header.sender, .revoked)
        }
        var instant = now
        if leaf.notAfterMilliseconds <= now {
            guard allowsExpired else {
                throw BundleFailure.sender(header.sender, .expired(notAfter: leaf.notAfterMilliseconds))
            }
            // As it was when the bundle was made, or in its last second.
            instant = min(header.created, leaf.notAfterMilliseconds - 1_000)
        }
        let verified: PeerCertificate
        do {
            verified = try verifyNodeChain(
                header.chainPEM, trustRootsPEM: keys.read(.root), crlsPEM: RevocationLists(keys).read(),
                nowMilliseconds: instant)
        } catch TransportError.peerCertificateRejected(let reason) {
            throw BundleFailure.sender(header.sender, .untrusted(reason: reason))
        } catch is TransportError {
            throw damaged()
        }
        guard verified.nodeURI?.host == header.sender.rawValue else {
            let name = verified.nodeURI?.description ?? "no name"
            throw BundleFailure.sender(header.sender, .untrusted(reason: "it names \(name)"))
        }
        guard let key = try? VerifyingKey(certificatePEM: header.chainPEM), file.isSigned(by: key) else {
            throw BundleFailure.file(path: file.path, .wrongSignature)
        }
        return verified
    }

    private func unwrap(_ header: BundleHeader, _ leaf: PeerCertificate) throws -> [UInt8] {
        let identity = node.identity
        let otherNode = BundleFailure.receiver(header.receiver, .otherNode)
        if let replica = header.receiverReplica, replica != identity.replica, replica != identity.follows?.replica {
            throw otherNode
        }
        let own = try VerifyingKey(certificatePEM: keys.read(.node)).fingerprint()
        let binding = BundleFormat.binding(senderFingerprint: leaf.fingerprint, receiverKey: header.receiverKey)
        guard own == header.receiverKey,
            let key = try KeyWrapping.unwrap(
                header.wrappedKey, privateKeyPEM: keys.read(.nodeKey), binding: binding)
        else { throw otherNode }
        return key
    }

    /// The bundle goes on from what is here, and its sender knows this store's own history.
    private func requireFit(_ header: BundleHeader, _ cursor: FeedCursor) throws {
        if header.receiverReplica == node.identity.replica, let held = header.held,
            try node.reader.judge(held) != .sound
        {
            throw BundleFailure.standing(header.sender, .otherHistory)
        }
        switch cursor.placement(from: header.start, through: header.end) {
        case .held, .follows: return
        case .differs: throw BundleFailure.standing(header.sender, .differs(position: cursor.position))
        case .behindGap(let first, let last):
            throw BundleFailure.standing(
                header.sender, .gap(first: first, last: last, number: Int(header.number)))
        }
    }

    // MARK: Committing

    private func met(_ judged: Judged) async throws -> PeerID {
        let header = judged.header
        if let known = judged.peer { return known.id }
        let hello = SyncMessage.Hello(
            version: SyncSession.versionMax, site: header.sender, replica: header.senderReplica,
            wallMilliseconds: header.created, run: 0, follows: header.senderFollows)
        return try await node.meet(hello, role: judged.role).id
    }

    /// - Returns: operations in the batches that were committed.
    private func commit(
        _ judged: Judged, path: String, from id: PeerID, _ progress: @Sendable (Int, Int) -> Void
    ) throws -> Int {
        let file = try BundleFileReader(path: path)
        guard file.header == judged.header else { throw BundleFailure.file(path: path, .damaged(part: "header")) }
        var reading = Reading(header: file.header)
        var cursor = judged.cursor
        var count = 0
        try file.forEachMessage(key: judged.key) { message in
            guard let batch = try reading.take(message, path) else { return }
            let total = Int(file.header.operations)
            progress(total + Int(reading.operations), total * 2)
            // A session with the same peer may have come further meanwhile.
            if let current = try node.reader.peer(id)?.received?.cursor, current.position > cursor.position {
                cursor = current
            }
            switch cursor.placement(from: batch.start, through: batch.end) {
            case .held: return
            case .follows:
                try commit(batch, from: id)
                cursor = batch.end
                count += batch.operations.count
            case .differs: throw BundleFailure.standing(file.header.sender, .differs(position: cursor.position))
            case .behindGap: throw BundleFailure.file(path: path, .damaged(part: "batch \(reading.batches)"))
            }
        }
        return count
    }

    /// Waits for the commit: a batch must not become durable before the one that it goes on from.
    private func commit(_ batch: ReceivedBatch, from id: PeerID) throws {
        let outcome = Mutex<Result<Void, any Error>>(.success(()))
        let done = DispatchSemaphore(value: 0)
        node.merge(batch, .backlog(batch.end), from: id, in: UInt64.random(in: 1...UInt64.max)) { result in
            outcome.withLock { $0 = result }
            done.signal()
        }
        done.wait()
        try outcome.withLock { $0 }.get()
    }

    /// What the sender says it holds of this node's feed counts as acknowledged if this store can vouch for it.
    /// - Returns: the position; nil if nothing was stored.
    private func acknowledge(_ judged: Judged, _ access: StoreAccess) async throws -> UInt64? {
        let header = judged.header
        guard let cursor = header.received, header.receiverReplica == node.identity.replica else { return nil }
        let reader = node.reader
        let vouched = try await access.run { () -> PeerID? in
            guard
                let peer = try reader.peers().first(where: {
                    $0.site == header.sender && $0.node == header.senderReplica
                }), cursor.position > peer.acknowledgedPosition
            else { return nil }
            let resumption = try reader.vouch(for: FeedProgress(cursor: cursor), isPeerEmpty: false, by: peer.id)
            return resumption.cursor == cursor ? peer.id : nil
        }
        guard let id = vouched else { return nil }
        let now = node.clock.now()
        try await node.administer { try $0.saveAcknowledged(cursor, by: id, now: now) }
        return cursor.position
    }
}

/// The batches of a bundle on their way by: each goes on from the one before it, and has the digest that it says.
private struct Reading: ~Copyable {
    private let header: BundleHeader
    private var decoder = SyncDecoder()
    private var cursor: FeedCursor
    private(set) var operations: UInt64 = 0
    private(set) var batches: UInt32 = 0
    /// Keys for the batch that comes next.
    private var keys: [PersonalKeyEntry] = []

    init(header: BundleHeader) {
        self.header = header
        cursor = header.start
    }

    /// - Returns: nil for keys, which come with the batch behind them.
    /// - Throws: `BundleFailure.file`, `DecodingFailure`.
    mutating func take(_ message: [UInt8], _ path: String) throws -> ReceivedBatch? {
        func damaged() -> BundleFailure { .file(path: path, .damaged(part: "batch \(batches)")) }
        let decoded = try decoder.decode(message)
        if case .keys(let entries, beforeBatch: true) = decoded {
            keys += entries
            guard keys.count <= SyncLimits.keysPendingMax else { throw damaged() }
            return nil
        }
        batches += 1
        guard case .batch(var batch) = decoded, batch.lane == .backlog, batch.start == cursor,
            batch.end.feed == header.senderReplica, batch.end.position > batch.start.position,
            batch.end.position <= header.end.position, batch.matchesDigest
        else { throw damaged() }
        operations += UInt64(batch.operations.count)
        cursor = batch.end
        batch.keys = keys
        keys = []
        return batch
    }

    func finish(_ path: String) throws {
        guard cursor == header.end, operations == header.operations, batches == header.batches else {
            throw BundleFailure.file(path: path, .damaged(part: "the number of its operations"))
        }
    }
}
