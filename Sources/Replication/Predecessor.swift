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
