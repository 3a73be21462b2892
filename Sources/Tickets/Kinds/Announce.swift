package import Replication

/// Kind 30: a replica's first operation: which site it works for, with which certificate, and whom it goes on from.
package struct AnnounceBody: Hashable, Sendable {
    package var site: SiteCode
    /// SHA-256 of the certificate; empty if there is none yet.
    package var certificateFingerprint: [UInt8]
    /// The incarnation that this one goes on from; nil for a node's first.
    package var follows: Predecessor?
    package var level: AuthorityLevel

    package init(site: SiteCode, certificateFingerprint: [UInt8], follows: Predecessor? = nil, level: AuthorityLevel) {
        self.site = site
        self.certificateFingerprint = certificateFingerprint
        self.follows = follows
        self.level = level
    }
}

extension AnnounceBody: KindBody {
    static let kind = Kind.announce
    var occurrence: Occurrence? { nil }

    init(_ wire: WireAnnounce) throws(BodyFailure) {
        guard let site = SiteCode(wire.site) else { throw .invalid(.announce, field: "site") }
        guard let level = UInt8(exactly: wire.level).flatMap(AuthorityLevel.init) else {
            throw .invalid(.announce, field: "level")
        }
        self.init(
            site: site, certificateFingerprint: Array(wire.certificateSha256),
            follows: wire.followsReplica == 0
                ? nil : Predecessor(replica: ReplicaID(wire.followsReplica), sequence: wire.followsSequence),
            level: level)
    }

    var wire: WireAnnounce {
        var wire = WireAnnounce()
        wire.site = site.rawValue
        wire.certificateSha256.append(contentsOf: certificateFingerprint)
        wire.followsReplica = follows?.replica.rawValue ?? 0
        wire.followsSequence = follows?.sequence ?? 0
        wire.level = UInt32(level.rawValue)
        return wire
    }
}
