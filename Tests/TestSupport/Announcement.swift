package import Replication
internal import Tickets

/// The first operation of an incarnation, a second before the office's first minute.
package func announcement(_ site: String, replica: UInt64) -> Operation {
    let code = SiteCode(validated: site)
    let replica = ReplicaID(replica)
    return Operation(
        dot: Dot(replica, 1), entity: EntityID(announcementOf: replica), previous: 0, seen: VersionVector(),
        time: HybridTimestamp(milliseconds: Office.start - 1_000),
        author: Author(name: "node", role: .system, level: AuthorityLevel(of: code), site: code, department: ""),
        scope: [], kind: Kind.announce.operationKind, isCritical: true,
        body: Body.announce(AnnounceBody(site: code, certificateFingerprint: [], level: AuthorityLevel(of: code)))
            .encoded())
}
