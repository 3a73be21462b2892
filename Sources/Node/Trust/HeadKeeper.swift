internal import Logging
internal import Replication
internal import Store
internal import Transport

/// Signs this node's own head, judges those that peers pass on, and compares them with the log.
///
/// Source: Protocols/sync.md §10.
struct HeadKeeper: Sendable {
    /// A node that writes nothing signs again after this long: who hears nothing for longer knows that something is kept
    /// back, or that the node is off.
    static let refreshMilliseconds: Int64 = 43_200_000

    let node: SyncNode
    let keys: KeyFolder
    let logger: Logger
    private let signers = SignerCache()

    init(node: SyncNode, keys: KeyFolder, logger: Logger) {
        self.node = node
        self.keys = keys
        self.logger = logger
    }

    // MARK: Own head

    /// Signs anew if this node has written since, has another certificate, or has not signed for long.
    /// - Throws: `StoreError`, `TransportError`.
    func refreshOwn() async throws {
        let (identity, reader) = (node.identity, node.reader)
        guard let history = try await node.administer({ try $0.ownHistory() }) else { return }
        let now = node.clock.now()
        let tls = try keys.identity()
        if let known = try reader.head(of: identity.replica)?.head {
            // Behind what was signed lies a row that has to be healed first.
            guard known.sequence <= history.sequence else { return }
            // A certificate signed anew is told above too: who still comes with an old root's is judged by that.
            if known.sequence == history.sequence, now - known.time < Self.refreshMilliseconds,
                known.certificateChain == tls.certificateChainPEM
            {
                return
            }
        }
        var head = SignedHead(
            replica: identity.replica, sequence: history.sequence, chain: history.chain, time: now,
            certificateChain: tls.certificateChainPEM)
        head.signature = try SigningKey(privateKeyPEM: tls.privateKeyPEM).sign(
            head.signedBytes(site: identity.site))
        let own = VerifiedHead(
            head: head, site: identity.site,
            key: try VerifyingKey(certificatePEM: tls.certificateChainPEM).fingerprint())
        try await save([own])
    }

    // MARK: Heads of others

    /// - Parameter site: that of the peer that sent them; nil for a sibling, which may speak for the whole province.
    func take(_ heads: [SignedHead], from site: SiteCode?, access: StoreAccess) async throws {
        let rootPEM = try keys.read(.root)
        let own = node.identity.replica
        let judged = await access.run {
            heads.filter { $0.replica != own }.map { head in Result { try judge(head, from: site, rootPEM) } }
        }
        var verified: [VerifiedHead] = []
        for (head, result) in zip(heads.filter { $0.replica != own }, judged) {
            switch result {
            case .success(let value): verified.append(value)
            case .failure(let error):
                logger.error(
                    "a signed head is not in order: whoever passed it on has changed it, or is no judge of it",
                    metadata: ["replica": "\(head.replica)", "error": "\(error)"])
            }
        }
        try await save(verified)
    }

    private func judge(_ head: SignedHead, from site: SiteCode?, _ rootPEM: String) throws -> VerifiedHead {
        // Judged for the time of the signature: a head may be older than its certificate's end.
        let signer = try signers.signer(of: head.certificateChain, rootsPEM: rootPEM, at: head.time)
        if let site, !signer.site.isWithin(site) { throw HeadFailure.outside(signer.site, site) }
        guard signer.key.isValid(signature: head.signature, of: head.signedBytes(site: signer.site)) else {
            throw HeadFailure.signature(signer.site)
        }
        return VerifiedHead(head: head, site: signer.site, key: signer.fingerprint)
    }

    private func save(_ heads: [VerifiedHead]) async throws {
        let now = node.clock.now()
        for head in heads {
            let state = try await node.administer { try $0.take(head, now: now) }
            if let state, state.isAlarm { report(head.head.replica, head.site, state) }
        }
        try await checkWaiting()
    }

    /// Compares every head that the log has reached since.
    func checkWaiting() async throws {
        let now = node.clock.now()
        for record in try node.reader.heads() where record.state == .waiting {
            let replica = record.head.replica
            // Commands of people get their turn between two steps.
            while try await node.administer({ try $0.checkHead(of: replica, now: now) }) {}
            if let state = try node.reader.head(of: replica)?.state, state.isAlarm {
                report(replica, record.site, state)
            }
        }
    }

    private func report(_ replica: ReplicaID, _ site: SiteCode, _ state: HeadState) {
        logger.error(
            "the history of a node is not what that node has signed: run `banjie sync heads`",
            metadata: ["site": "\(site)", "replica": "\(replica)", "state": "\(state)"])
    }
}

/// Why a head says nothing.
enum HeadFailure: Error, CustomStringConvertible {
    case noSite
    case outside(SiteCode, SiteCode)
    case signature(SiteCode)

    var description: String {
        switch self {
        case .noSite: "its certificate names no site"
        case .outside(let signer, let sender): "\(signer) is outside \(sender), which sent it"
        case .signature(let signer): "the signature is not one of \(signer)'s key over it"
        }
    }
}
