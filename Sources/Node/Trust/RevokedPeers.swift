internal import Replication
internal import Store
internal import Tickets
internal import Transport

/// Whom this node speaks to no more: what the revocations in force say of certificates and replicas.
/// Source: Protocols/trust.md §9.
struct RevokedPeers: Sendable, Hashable {
    /// Certificates of a site whose validity begins before this are revoked; UTC milliseconds.
    private var before: [SiteCode: Int64] = [:]
    private var serials: [SiteCode: Set<String>] = [:]
    private var replicas: Set<ReplicaID> = []
    /// SHA-256 of public keys, by the site that has revoked them: it speaks for what lies below it.
    private var keys: [SiteCode: Set<[UInt8]>] = [:]

    init() {}

    init(_ records: [RevocationRecord]) {
        for record in records where record.isInForce {
            let body = record.body
            before[body.site] = max(before[body.site] ?? 0, body.certificatesBefore)
            serials[body.site, default: []].formUnion(body.serials)
            if !body.keys.isEmpty { keys[record.author.site, default: []].formUnion(body.keys) }
            replicas.insert(body.replica)
        }
    }

    /// - Parameter certificate: of a peer, as its connection has shown it.
    func includes(_ certificate: PeerCertificate) -> Bool {
        guard let uri = certificate.nodeURI, let site = SiteCode(uri.host) else { return false }
        if certificate.notBeforeMilliseconds < before[site] ?? 0
            || serials[site]?.contains(certificate.serialHex) == true
        {
            return true
        }
        // Whoever signs for a revoked key again, not having heard of it or not caring, gives it nothing.
        let above = keys.filter { site.isStrictlyBelow($0.key) }
        guard !above.isEmpty, let key = certificate.keyFingerprint else { return false }
        return above.values.contains { $0.contains(key) }
    }

    func includes(_ replica: ReplicaID) -> Bool { replicas.contains(replica) }

    /// What a peer that is refused is told.
    static let reason = "this certificate or replica has been revoked: enrol anew with a token of the parent"
}

/// The instant that revokes every certificate which has been signed until now.
enum RevocationInstant {
    /// Certificates begin before they are signed, at a whole second.
    static func certificatesBefore(now: Int64) -> Int64 {
        (now - CertificateAuthority.backdateMilliseconds) / 1_000 * 1_000
    }
}
