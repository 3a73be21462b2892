/// How a part of a feed that comes outside a session stands to what is held of that feed.
/// Source: Protocols/bundle.md §5.
package enum FeedPlacement: Hashable, Sendable {
    /// All of it is here.
    case held
    /// It goes on from what is here; its beginning may be here already.
    case follows
    /// These positions would be missing in between.
    case behindGap(first: UInt64, last: UInt64)
    /// It begins where this store stands, and the two do not agree on what came before.
    case differs
}

extension FeedCursor {
    /// - Parameter start: where the part begins; of the same feed, as is `end`.
    /// - Parameter end: where it ends.
    package func placement(from start: FeedCursor, through end: FeedCursor) -> FeedPlacement {
        if end.position <= position { return .held }
        if start.position > position { return .behindGap(first: position + 1, last: start.position) }
        // Behind its beginning a part says nothing about single positions: only the beginning can be compared.
        if start.position == position, start.digest != digest { return .differs }
        return .follows
    }
}
