/// How far each replica's operations are known: replica → highest sequence, all below it included.
///
/// Kept as a short sorted array, since the vectors of one entity name a handful of replicas. The join is the
/// element-wise maximum; the order is partial.
package struct VersionVector: Hashable, Sendable {
    package private(set) var entries: [Dot]

    package init() {
        entries = []
    }

    /// - Parameter entries: in any order; the highest sequence of a replica counts; zeros are dropped.
    package init(_ entries: some Sequence<Dot>) {
        self.entries = []
        for entry in entries { record(entry) }
    }

    package subscript(replica: ReplicaID) -> UInt64 {
        guard let index = index(of: replica) else { return 0 }
        return entries[index].sequence
    }

    package func contains(_ dot: Dot) -> Bool {
        self[dot.replica] >= dot.sequence
    }

    /// Raises the entry of the dot's replica to at least its sequence.
    package mutating func record(_ dot: Dot) {
        guard dot.sequence > 0 else { return }
        // Vectors arrive in ascending order: then each entry goes to the end.
        guard let last = entries.last, last.replica >= dot.replica else {
            entries.append(dot)
            return
        }
        var index = entries.endIndex
        for candidate in entries.indices where entries[candidate].replica >= dot.replica {
            index = candidate
            break
        }
        if index < entries.endIndex, entries[index].replica == dot.replica {
            if entries[index].sequence < dot.sequence { entries[index] = dot }
        } else {
            entries.insert(dot, at: index)
        }
    }

    package mutating func merge(_ other: VersionVector) {
        if entries.isEmpty {
            entries = other.entries
        } else {
            for entry in other.entries { record(entry) }
        }
    }

    /// True if everything in `other` is also in this vector.
    package func dominates(_ other: VersionVector) -> Bool {
        other.entries.allSatisfy(contains)
    }

    private func index(of replica: ReplicaID) -> Int? {
        for index in entries.indices where entries[index].replica == replica { return index }
        return nil
    }
}
