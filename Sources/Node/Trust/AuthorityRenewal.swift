internal import Logging
internal import Replication
internal import Store
internal import Transport

/// A region's authority is signed again by its province when there is another root, over the connection that its own
/// certificate opens. Its key stays, so what it has signed stays good. Source: Protocols/trust.md §10.
enum AuthorityRenewal {
    /// Whether this node signs others and its authority does not lead to the newest root it trusts, or not for long.
    static func isDue(_ keys: KeyFolder, site: SiteCode, now: Int64) throws -> Bool {
        guard site.parent != nil, keys.exists(.authorityKey) else { return false }
        return try !keys.isUnderNewestRoot(.authority, now: now)
            || Renewal.isDue(PeerCertificate(pem: keys.read(.authority)), now: now)
    }

    /// - Returns: whether it has been signed anew. A parent that cannot is asked again at the next contact.
    static func renewIfDue(
        keys: KeyFolder, site: SiteCode, over connection: HTTP2Connection, logger: Logger
    ) async throws -> Bool {
        let now = NodeClock.system()
        guard try isDue(keys, site: site, now: now), let uri = NodeURI(host: site.rawValue) else { return false }
        let request = try CertificateRequest(uri: uri, privateKeyPEM: keys.read(.authorityKey))
        let path = SyncRoute.renewAuthorityPath
        guard let body = try await Renewal.ask(request, at: path, keys, now: now, over: connection, logger)
        else { return false }
        try keys.write(.authority, body)
        logger.notice("the authority has been signed anew")
        return true
    }

    /// The parent's side: only for a site that signs others, and that the connection's certificate names.
    static func answer(_ requestPEM: String, from peer: NodeURI, keys: KeyFolder, site: SiteCode) throws -> String {
        guard let authority = try keys.authority(subtree: site), let child = SiteCode(peer.host),
            child.isStrictlyBelow(site), child.depth <= Offices.signingDepthMax
        else { throw EnrolmentError.noAuthority }
        let request = try CertificateRequest(pem: requestPEM)
        let known = PeerKeys(keys)
        let chain = try authority.signAuthority(
            request, expecting: peer, nowMilliseconds: NodeClock.system(), days: Enrolment.authorityDays)
        try known.remember(authority: PeerCertificate(pem: chain), of: child)
        return chain
    }
}
