package import Replication

/// Kind 35: how far an incarnation's journal was, so that it cannot be written anew unseen.
///
/// Source: Protocols/audit.md §4.
package struct JournalAnchorBody: Hashable, Sendable {
    /// Of the last entry that is covered.
    package var sequence: UInt64
    /// The chain's hash there.
    package var hash: ContentHash
    /// Of that entry, UTC milliseconds: says when it may be pruned.
    package var time: Int64

    package init(sequence: UInt64, hash: ContentHash, time: Int64) {
        self.sequence = sequence
        self.hash = hash
        self.time = time
    }
}

extension JournalAnchorBody: KindBody {
    static let kind = Kind.journalAnchor
    var occurrence: Occurrence? { nil }

    init(_ wire: WireJournalAnchor) throws(BodyFailure) {
        guard let hash = ContentHash(Array(wire.hash)) else { throw .invalid(.journalAnchor, field: "hash") }
        self.init(sequence: wire.sequence, hash: hash, time: wire.timeMilliseconds)
    }

    var wire: WireJournalAnchor {
        var wire = WireJournalAnchor()
        wire.sequence = sequence
        wire.hash.append(contentsOf: hash.bytes)
        wire.timeMilliseconds = time
        return wire
    }
}
