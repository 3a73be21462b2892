internal import Replication
internal import Tickets

/// Whether an operation's origin can be justified. Source: Protocols/operations.md §7.
enum Origin {
    /// - Parameter announced: the site that the operation's incarnation has announced.
    /// - Parameter siteOf: the site that another incarnation has announced.
    /// - Parameter peer: who sent it, and whether that is a parent or sibling; nil for this node's own.
    /// - Returns: why the operation has to wait; nil if it may be applied.
    static func doubt(
        of operation: Operation, announced: SiteCode?, from peer: (site: SiteCode, isAbove: Bool)?,
        siteOf: (ReplicaID) -> SiteCode?
    ) -> String? {
        if let peer, !peer.isAbove, !operation.author.site.isWithin(peer.site) {
            return "its author's site \(operation.author.site) is outside \(peer.site), which sent it"
        }
        if operation.kind == Kind.revoke.operationKind {
            if let doubt = doubt(ofRevocation: operation, siteOf: siteOf) { return doubt }
        } else if operation.kind == Kind.journalAnchor.operationKind {
            guard operation.entity == EntityID(journalOf: operation.dot.replica) else {
                return "it speaks of another incarnation's journal than that of the one that wrote it"
            }
        } else if operation.kind == Kind.introduceRoot.operationKind || operation.kind == Kind.retireRoot.operationKind
        {
            guard operation.entity == .trustRoots, operation.author.site.parent == nil else {
                return "it speaks of the province's roots, and its author does not work there"
            }
        } else if operation.entity.type == .replica {
            guard operation.kind == Kind.announce.operationKind,
                operation.entity == EntityID(announcementOf: operation.dot.replica)
            else { return "it announces another incarnation than the one that wrote it" }
            if let announced, announced != operation.author.site {
                return "its incarnation belongs to \(announced), it announces \(operation.author.site)"
            }
            return nil
        }
        guard let announced else { return "its incarnation \(operation.dot.replica) has not announced a site yet" }
        guard announced == operation.author.site else {
            return "its author works at \(operation.author.site), its incarnation belongs to \(announced)"
        }
        return nil
    }

    /// Only a site above revokes, for itself or for its administrators. A replica that is not known here yet is judged by
    /// the site that the operation states; it comes into force when that is what the replica announces.
    private static func doubt(ofRevocation operation: Operation, siteOf: (ReplicaID) -> SiteCode?) -> String? {
        guard case .revoke(let body)? = try? Body(decoding: operation),
            operation.entity == EntityID(announcementOf: body.replica)
        else { return "it revokes nothing that can be read" }
        let author = operation.author
        guard author.role == .system || author.role == .admin else { return "its author may not revoke anybody" }
        let site = siteOf(body.replica) ?? body.site
        guard site == body.site else { return "it revokes \(body.replica) at \(body.site), which works at \(site)" }
        guard site.isStrictlyBelow(author.site) else { return "\(author.site) is not above \(site), which it revokes" }
        return nil
    }
}
