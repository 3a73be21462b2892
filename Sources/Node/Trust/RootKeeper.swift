internal import Foundation
internal import Logging
internal import Replication
internal import Store
internal import Tickets
internal import Transport

/// Keeps `root.pem` at what the log says of roots, and this node's own certificates under the newest of them.
///
/// Every step may be repeated, and a cut between two leaves it to the next. Source: Protocols/trust.md §10.
struct RootKeeper: Sendable {
    let node: SyncNode
    let keys: KeyFolder
    let logger: Logger

    /// What one look has changed.
    struct Change: Sendable, Hashable {
        var hasAdded = false
        var hasRemoved = false
        var hasSigned = false

        var isEmpty: Bool { self == Change() }
    }

    /// - Parameter now: UTC milliseconds by the clock that certificates go by.
    /// - Throws: `StoreError`, `TransportError`.
    func refresh(now: Int64) async throws -> Change {
        let statements = try await statements()
        // One at a time: the node's own thread.
        let change = try await node.administer { _ in try follow(statements, now: now) }
        if change.hasSigned { try await node.journalOwnRenewal(keys) }
        return change
    }

    private func follow(_ statements: [Body], now: Int64) throws -> Change {
        let file = try keys.read(.root)
        let former = try TrustRoots(file: file, nowMilliseconds: now)
        let present = try TrustRoots(file: file, statements: statements, nowMilliseconds: now)
        if present.refusedCount > 0 {
            logger.notice(
                "something was said of roots that no root trusted here stands behind",
                metadata: ["count": "\(present.refusedCount)"])
        }
        node.roots.hurries = present.hurries
        var change = Change()
        change.hasAdded = present.pems.contains { !former.pems.contains($0) }
        change.hasRemoved = former.pems.contains { !present.pems.contains($0) }
        if change.hasAdded || change.hasRemoved {
            try keys.write(.root, present.text)
            logger.notice(
                "the province's roots have changed",
                metadata: ["roots": "\(present.pems.count)", "added": "\(change.hasAdded)"])
        }
        try promote(trusting: present)
        if present.pems.count == 1, !keys.exists(.nextAuthority) { try forgetFormer(newest: present.pems[0]) }
        change.hasSigned = try signOwn(now: now)
        return change
    }

    /// What the log has, in the order of arrival.
    func statements() async throws -> [Body] {
        // The entity's state lags behind the log while a backlog comes in.
        await node.writeProjection()
        return try node.reader.record(of: .trustRoots)?.operations.compactMap { try? Body(decoding: $0.operation) }
            ?? []
    }

    /// At a province: what was made for the new root takes its place once that root is trusted here.
    private func promote(trusting roots: TrustRoots) throws {
        guard keys.exists(.nextAuthority), let bridge = try? PeerCertificate(pem: keys.read(.nextAuthority)),
            let key = bridge.keyFingerprint,
            roots.pems.contains(where: { (try? PeerCertificate(pem: $0))?.keyFingerprint == key })
        else { return }
        if !keys.exists(.formerAuthority) {
            try keys.write(.formerAuthorityKey, keys.read(.authorityKey))
            try keys.write(.formerAuthority, keys.read(.authority))
        }
        if keys.exists(.nextAuthorityKey) { try keys.write(.authorityKey, keys.read(.nextAuthorityKey)) }
        try keys.write(.authority, keys.read(.nextAuthority))
        keys.remove(.nextAuthorityKey)
        keys.remove(.nextAuthority)
    }

    /// The former root's key goes, and nobody is led over it any more.
    private func forgetFormer(newest: String) throws {
        keys.remove(.formerAuthorityKey)
        keys.remove(.formerAuthority)
        guard node.identity.parent == nil, keys.exists(.authorityKey), try keys.read(.authority) != newest,
            try PeerCertificate(pem: keys.read(.authority)).keyFingerprint
                == PeerCertificate(pem: newest).keyFingerprint
        else { return }
        try keys.write(.authority, newest)
    }

    /// A node that signs its own certificate does so under the newest root: a province at once, a region once its
    /// authority has been signed anew.
    private func signOwn(now: Int64) throws -> Bool {
        guard keys.exists(.authorityKey), try !keys.isUnderNewestRoot(.node, now: now),
            try keys.isUnderNewestRoot(.authority, now: now)
        else { return false }
        try Renewal.signOwn(keys: keys, site: node.identity.site, now: now)
        logger.notice("the certificate has been signed under the new root")
        return true
    }
}
