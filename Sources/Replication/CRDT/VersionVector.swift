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

    package var isEmpty: Bool { entries.isEmpty }

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

    package func merged(with other: VersionVector) -> VersionVector {
        var result = self
        result.merge(other)
        return result
    }

    /// True if everything in `other` is also in this vector.
    package func dominates(_ other: VersionVector) -> Bool {
        other.entries.allSatisfy(contains)
    }

    package func isConcurrent(with other: VersionVector) -> Bool {
        !dominates(other) && !other.dominates(self)
    }

    private func index(of replica: ReplicaID) -> Int? {
        for index in entries.indices where entries[index].replica == replica { return index }
        return nil
    }
}

/// What is known of one replica where its stream has holes: a contiguous prefix and the intervals beyond it.
package struct KnownSequences: Hashable, Sendable {
    /// Most intervals kept beyond the prefix; what would make one more is left to the caller to look up.
    package static let intervalCountMax = 64

    package private(set) var prefix: UInt64
    package private(set) var intervals: [ClosedRange<UInt64>]

    package init(prefix: UInt64 = 0) {
        self.prefix = prefix
        intervals = []
    }

    package func contains(_ sequence: UInt64) -> Bool {
        sequence <= prefix || intervals.contains { $0.contains(sequence) }
    }

    /// - Returns: false if the list of intervals is full and the sequence was not taken in.
    @discardableResult
    package mutating func insert(_ sequence: UInt64) -> Bool {
        if sequence == prefix + 1 && intervals.isEmpty {
            prefix = sequence
            return true
        }
        guard !contains(sequence) else { return true }
        var merged = sequence...sequence
        var rest: [ClosedRange<UInt64>] = []
        for interval in intervals {
            if interval.upperBound + 1 >= merged.lowerBound && merged.upperBound + 1 >= interval.lowerBound {
                merged = min(interval.lowerBound, merged.lowerBound)...max(interval.upperBound, merged.upperBound)
            } else {
                rest.append(interval)
            }
        }
        if merged.lowerBound == prefix + 1 {
            prefix = merged.upperBound
        } else {
            guard rest.count < Self.intervalCountMax else { return false }
            rest.append(merged)
            rest.sort { $0.lowerBound < $1.lowerBound }
        }
        intervals = rest
        return true
    }
}
