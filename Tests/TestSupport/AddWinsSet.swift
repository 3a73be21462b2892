package import Replication

/// An add-wins observed-remove set: a removal takes away only the additions that its author had seen. What a ticket shows
/// of its tags is compared with it.
///
/// State: the surviving additions of each element and the join of every removal's `seen` for it.
package struct AddWinsSet<Element: Hashable & Comparable & Sendable>: Hashable, Sendable {
    /// Additions and removals of one element.
    package struct Presence: Hashable, Sendable {
        package var additions: Set<Dot>
        package var removed: VersionVector

        package init(additions: Set<Dot> = [], removed: VersionVector = VersionVector()) {
            self.additions = additions
            self.removed = removed
        }
    }

    package private(set) var presences: [Element: Presence]

    package init() {
        presences = [:]
    }

    /// Present elements in ascending order.
    package var elements: [Element] {
        presences.filter { !$0.value.additions.isEmpty }.keys.sorted()
    }

    package mutating func add(_ element: Element, dot: Dot) {
        var presence = presences[element] ?? Presence()
        if !presence.removed.contains(dot) { presence.additions.insert(dot) }
        presences[element] = presence
    }

    package mutating func remove(_ element: Element, seen: VersionVector) {
        var presence = presences[element] ?? Presence()
        presence.removed.merge(seen)
        let removed = presence.removed
        presence.additions = presence.additions.filter { !removed.contains($0) }
        presences[element] = presence
    }

    package mutating func merge(_ other: Self) {
        for (element, theirs) in other.presences {
            var presence = presences[element] ?? Presence()
            presence.removed.merge(theirs.removed)
            let removed = presence.removed
            presence.additions = presence.additions.union(theirs.additions).filter { !removed.contains($0) }
            presences[element] = presence
        }
    }
}
