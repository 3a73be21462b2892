package import Replication

/// A multi-value register: writes replace what their author had seen; concurrent writes stay side by side. What a ticket
/// shows of its fields is compared with it.
///
/// State: the surviving writes and the join of every write's `seen`, so that a write which arrives after its successor
/// is recognised as superseded. Commutative, associative and idempotent under `merge`.
package struct MultiValueRegister<Value: Hashable & Sendable>: Hashable, Sendable {
    package struct Write: Hashable, Sendable {
        package let dot: Dot
        package let time: HybridTimestamp
        package let value: Value

        package init(dot: Dot, time: HybridTimestamp, value: Value) {
            self.dot = dot
            self.time = time
            self.value = value
        }
    }

    /// Surviving writes in the order of their dots.
    package private(set) var writes: [Write]
    /// What any write to this register had seen.
    package private(set) var context: VersionVector

    package init() {
        writes = []
        context = VersionVector()
    }

    /// The write to show first: the latest, ties by the greater dot. Nil if nothing was written.
    package var displayed: Write? {
        writes.max { ($0.time, $0.dot) < ($1.time, $1.dot) }
    }

    /// Records a write whose author had seen `seen`. Any order, any repetition. O(writes).
    package mutating func write(_ value: Value, dot: Dot, time: HybridTimestamp, seen: VersionVector) {
        context.merge(seen)
        writes.removeAll { context.contains($0.dot) }
        insert(Write(dot: dot, time: time, value: value))
    }

    package mutating func merge(_ other: Self) {
        context.merge(other.context)
        writes.removeAll { context.contains($0.dot) }
        for write in other.writes { insert(write) }
    }

    private mutating func insert(_ write: Write) {
        guard !context.contains(write.dot) else { return }
        let index = writes.firstIndex { $0.dot >= write.dot } ?? writes.endIndex
        if index < writes.endIndex, writes[index].dot == write.dot { return }
        writes.insert(write, at: index)
    }
}
