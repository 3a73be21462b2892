/// The incarnation that another one goes on from, and how far both have the same history.
///
/// Source: Protocols/operations.md §8.
package struct Predecessor: Hashable, Sendable, CustomStringConvertible {
    package let replica: ReplicaID
    /// Operations of `replica` up to here are common; what it wrote beyond is another branch. 0: none is.
    package let sequence: UInt64

    package init(replica: ReplicaID, sequence: UInt64) {
        self.replica = replica
        self.sequence = sequence
    }

    package var description: String { "\(replica):\(sequence)" }
}

/// Why a node begins a new incarnation. The raw value is what the store keeps.
package enum IncarnationReason: String, Sendable, Hashable, CaseIterable, Codable {
    /// A backup was put back by `backup restore`.
    case restored
    /// The database lies behind what this incarnation is known to have written.
    case rolledBack
    /// Another copy of this store has written under the same incarnation.
    case forked
    /// The folder was copied or moved to another machine.
    case cloned
    /// A person asked for it.
    case requested
}
