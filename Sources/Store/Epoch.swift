package import Replication

/// What a node has last put down outside its database about how far that is. A database that lies behind it was put
/// back without the node's knowledge: what others hold of this incarnation would be written a second time, otherwise.
///
/// Source: Protocols/operations.md §8.
package struct Epoch: Hashable, Sendable {
    package var replica: ReplicaID
    /// How often the store has been opened; raised in the database first.
    package var startCount: UInt64
    /// The incarnation's highest operation that was known to be durable, and its hash; 0 for none.
    package var sequence: UInt64
    package var hash: ContentHash
    /// Hash of the machine's identity; nil where the machine has none.
    package var machine: ContentHash?

    package init(
        replica: ReplicaID, startCount: UInt64, sequence: UInt64, hash: ContentHash, machine: ContentHash?
    ) {
        self.replica = replica
        self.startCount = startCount
        self.sequence = sequence
        self.hash = hash
        self.machine = machine
    }

    /// What the epoch is compared with.
    package struct Found: Hashable, Sendable {
        /// Of the database, before the start counter is raised.
        package var replica: ReplicaID
        package var follows: Predecessor?
        package var startCount: UInt64
        /// Its own highest sequence.
        package var sequence: UInt64
        /// Of its own operation at the epoch's sequence; nil if there is none.
        package var hash: ContentHash?
        /// Of the machine that looks.
        package var machine: ContentHash?

        package init(
            replica: ReplicaID, follows: Predecessor? = nil, startCount: UInt64, sequence: UInt64, hash: ContentHash?,
            machine: ContentHash?
        ) {
            self.replica = replica
            self.follows = follows
            self.startCount = startCount
            self.sequence = sequence
            self.hash = hash
            self.machine = machine
        }
    }

    package enum Judgement: Hashable, Sendable, CaseIterable {
        /// The database holds all that the file knows of, on the machine that wrote it.
        case sound
        /// The database lies behind the file, or has another history.
        case rolledBack
        /// Another machine wrote the file: the folder was copied or moved.
        case cloned
        /// There is no file, or nothing that can be read.
        case missing
    }

    /// - Parameter epoch: what the file says; nil if there is none that can be read.
    package static func judge(_ epoch: Epoch?, _ found: Found) -> Judgement {
        guard let epoch else { return .missing }
        if let then = epoch.machine, let now = found.machine, then != now { return .cloned }
        if found.startCount < epoch.startCount { return .rolledBack }
        guard epoch.replica == found.replica else {
            // A new incarnation is in the database before it is in the file.
            return found.follows?.replica == epoch.replica ? .sound : .rolledBack
        }
        if found.sequence < epoch.sequence { return .rolledBack }
        if epoch.sequence > 0, found.hash != epoch.hash { return .rolledBack }
        return .sound
    }
}
