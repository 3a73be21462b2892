internal import Foundation
package import Replication
package import Store
internal import Tickets
internal import Transport

/// Whom to revoke, and from where on.
package struct RevocationWish: Sendable, Hashable {
    package var site: SiteCode
    /// Which of the site's replicas; nil for all, and for every certificate of the site.
    package var replica: ReplicaID?
    /// The last sequence that counts; nil for what is here without a hole.
    package var after: UInt64?
    package var reason: String

    package init(site: SiteCode, replica: ReplicaID? = nil, after: UInt64? = nil, reason: String) {
        self.site = site
        self.replica = replica
        self.after = after
        self.reason = reason
    }
}

package enum RevocationError: Error, Hashable, Sendable {
    case notBelow(site: SiteCode, node: SiteCode)
    /// No replica of the site has announced itself here.
    case unknownSite(SiteCode)
    case unknownReplica(ReplicaID, site: SiteCode)
    /// A sequence says nothing while there are several replicas that it could be meant for.
    case severalReplicas([ReplicaID])
    case notHeld(ReplicaID, sequence: UInt64, contiguous: UInt64)
    /// Everything that is known of it is revoked already.
    case alreadyRevoked(SiteCode)
    /// No token of that id or site is open.
    case noOpenToken(String)
}

extension SyncNode {
    /// Revokes replicas and certificates of a site below this one: one operation for each replica, in one transaction.
    /// - Parameter author: of this site, an administrator or the node itself.
    /// - Returns: the revocations that were written.
    /// - Throws: `RevocationError`, `Refusal` for an empty reason.
    package func revoke(_ wish: RevocationWish, by author: Author, keys: KeyFolder) throws -> [RevocationRecord] {
        guard !wish.reason.allSatisfy(\.isWhitespace) else { throw Refusal.missing(.reason) }
        let targets = try targets(of: wish)
        let now = NodeClock.system()
        let certificates = try certificates(of: wish, targets, keys: keys)
        let serials = Set(certificates.map(\.serialHex)).sorted()
        let publicKeys = Set(certificates.compactMap(\.keyFingerprint)).sorted { $0.lexicographicallyPrecedes($1) }
        let list = try revocationList(adding: serials, of: wish.site, keys: keys, now: now)
        let bodies = try targets.map { target in
            let last = wish.after ?? target.contiguous
            return RevokeBody(
                site: wish.site, replica: target.replica, lastSequence: last,
                lastHash: try hash(of: target, at: last), reason: wish.reason,
                certificatesBefore: wish.replica == nil ? RevocationInstant.certificatesBefore(now: now) : 0,
                serials: serials, revocationList: list, keys: publicKeys)
        }
        var dots: Set<Dot> = []
        _ = try append { transaction in
            for body in bodies {
                try transaction.append(.revoke(body), to: EntityID(announcementOf: body.replica), author: author)
            }
        }
        for body in bodies {
            let ticket = try reader.state(of: EntityID(announcementOf: body.replica))
            dots.formUnion(ticket?.operations.filter { $0.replica == identity.replica } ?? [])
        }
        return try reader.revocations().filter { record in
            dots.contains(record.dot) && bodies.contains(record.body)
        }
    }

    private func targets(of wish: RevocationWish) throws -> [RevocableReplica] {
        guard wish.site.isStrictlyBelow(identity.site) else {
            throw RevocationError.notBelow(site: wish.site, node: identity.site)
        }
        let known = try reader.replicas(of: wish.site)
        guard !known.isEmpty else { throw RevocationError.unknownSite(wish.site) }
        if let replica = wish.replica {
            guard let target = known.first(where: { $0.replica == replica }) else {
                throw RevocationError.unknownReplica(replica, site: wish.site)
            }
            return [target]
        }
        // An earlier end than the one that was given before may be asked for again; the same is nothing new.
        let targets = wish.after == nil ? known.filter { !$0.isRevoked } : known
        guard !targets.isEmpty else { throw RevocationError.alreadyRevoked(wish.site) }
        guard wish.after == nil || targets.count == 1 else {
            throw RevocationError.severalReplicas(targets.map(\.replica))
        }
        return targets
    }

    /// What is known here of their certificates: those they came with, those that their heads were signed with, and of a
    /// region as a whole the certificates of its authority.
    private func certificates(
        of wish: RevocationWish, _ targets: [RevocableReplica], keys: KeyFolder
    ) throws -> [PeerCertificate] {
        let known = PeerKeys(keys)
        var result = known.certificates(of: wish.site, node: wish.replica)
        let replicas = Set(targets.map(\.replica))
        let heads = try reader.heads()
        for record in heads where replicas.contains(record.head.replica) {
            if let leaf = try? PeerCertificate(pem: record.head.certificateChain) { result.append(leaf) }
        }
        guard wish.replica == nil, wish.site.depth <= Offices.signingDepthMax else { return result }
        result += known.authorities(of: wish.site)
        // One that was signed before such certificates were kept is in the chains of those that it has signed.
        for record in heads where record.site.isWithin(wish.site) {
            let chain = (try? PeerCertificate.chain(pem: record.head.certificateChain)) ?? []
            result += chain.filter { $0.isAuthority && $0.commonName == "\(wish.site) authority" }
        }
        return result
    }

    private func hash(of target: RevocableReplica, at sequence: UInt64) throws -> ContentHash {
        guard sequence > 0 else { return .zero }
        let held = try reader.held(of: target.replica, upTo: sequence)
        guard let held, held.sequence == sequence else {
            throw RevocationError.notHeld(target.replica, sequence: sequence, contiguous: target.contiguous)
        }
        return held.hash
    }

    /// Everything that this node's authority has revoked of its children until now. Empty where another one signs them.
    private func revocationList(
        adding serials: [String], of site: SiteCode, keys: KeyFolder, now: Int64
    ) throws -> String {
        guard site.parent == identity.site, let authority = try keys.authority(subtree: identity.site) else {
            return ""
        }
        var revoked: [String: Int64] = [:]
        for record in try reader.revocations()
        where record.isInForce && record.author.site == identity.site && record.body.site.parent == identity.site {
            for serial in record.body.serials { revoked[serial] = min(revoked[serial] ?? .max, record.time) }
        }
        for serial in serials where revoked[serial] == nil { revoked[serial] = now }
        guard !revoked.isEmpty else { return "" }
        let entries = revoked.sorted { $0.key < $1.key }.map {
            RevokedCertificate(serialHex: $0.key, revokedAtMilliseconds: $0.value)
        }
        // While a root is being replaced some certificates hang on either.
        let lists = try [authority, keys.formerAuthority(subtree: identity.site)].compactMap { signer in
            try signer?.signRevocationList(entries, number: now, nowMilliseconds: now)
        }.joined()
        return lists.utf8.count <= RevokeBody.listBytesMax ? lists : ""
    }
}
