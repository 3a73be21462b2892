internal import Replication
internal import Tickets

/// Whether an operation's origin can be justified. Source: Protocols/operations.md §7.
enum Origin {
    /// - Parameter announced: the site that the operation's incarnation has announced.
    /// - Parameter peer: who sent it, and whether that is a parent or sibling; nil for this node's own.
    /// - Returns: why the operation has to wait; nil if it may be applied.
    static func doubt(
        of operation: Operation, announced: SiteCode?, from peer: (site: SiteCode, isAbove: Bool)?
    ) -> String? {
        if let peer, !peer.isAbove, !operation.author.site.isWithin(peer.site) {
            return "its author's site \(operation.author.site) is outside \(peer.site), which sent it"
        }
        if operation.entity.type == .replica {
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
}
