/// A grow-only set of events, each named by its dot and kept in the order of the dots.
package struct GrowOnlySet<Event: Hashable & Sendable>: Hashable, Sendable {
    package struct Entry: Hashable, Sendable {
        package let dot: Dot
        package let event: Event

        package init(dot: Dot, event: Event) {
            self.dot = dot
            self.event = event
        }
    }

    package private(set) var entries: [Entry]

    package init() {
        entries = []
    }

    /// For decoders; `entries` in ascending order of dots without repetition.
    package init(sorted entries: [Entry]) {
        self.entries = entries
    }

    package var count: Int { entries.count }

    package func contains(_ dot: Dot) -> Bool {
        let index = insertionIndex(of: dot)
        return index < entries.endIndex && entries[index].dot == dot
    }

    /// - Returns: false if the event was there already. O(log n) to find, O(n) to insert in the middle.
    @discardableResult
    package mutating func insert(_ event: Event, dot: Dot) -> Bool {
        let index = insertionIndex(of: dot)
        if index < entries.endIndex, entries[index].dot == dot { return false }
        entries.insert(Entry(dot: dot, event: event), at: index)
        return true
    }

    package mutating func merge(_ other: Self) {
        for entry in other.entries { insert(entry.event, dot: entry.dot) }
    }

    private func insertionIndex(of dot: Dot) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].dot < dot { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// A grow-only counter: each replica's own count only rises; the value is their sum.
package struct GrowOnlyCounter: Hashable, Sendable {
    package private(set) var counts: [ReplicaID: UInt64]

    package init(counts: [ReplicaID: UInt64] = [:]) {
        self.counts = counts
    }

    /// Stays at `UInt64.max` once it would pass it.
    package var value: UInt64 {
        counts.values.reduce(0) { sum, count in
            let (total, overflow) = sum.addingReportingOverflow(count)
            return overflow ? .max : total
        }
    }

    package mutating func raise(_ replica: ReplicaID, to count: UInt64) {
        counts[replica] = max(counts[replica] ?? 0, count)
    }

    package mutating func merge(_ other: Self) {
        for (replica, count) in other.counts { raise(replica, to: count) }
    }
}
