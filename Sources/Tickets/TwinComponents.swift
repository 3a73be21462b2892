package import Replication

/// Tickets that were joined as twins, by the edges between them. A component is shown as its earliest ticket; its
/// scopes are united by the caller.
package struct TwinComponents: Hashable, Sendable {
    package struct Component: Hashable, Sendable {
        /// The earliest ticket; of equally early ones the lower id.
        package let representative: EntityID
        /// Ascending.
        package let members: [EntityID]
    }

    /// Components of at least two tickets, ascending by representative.
    package let components: [Component]

    /// - Parameter edges: in any order and direction, with repetitions.
    /// - Parameter openedAt: UTC milliseconds; a ticket that has not arrived comes last.
    package init(edges: some Sequence<(EntityID, EntityID)>, openedAt: (EntityID) -> Int64?) {
        var parents: [EntityID: EntityID] = [:]
        func find(_ start: EntityID) -> EntityID {
            var id = start
            while let parent = parents[id], parent != id {
                if let grandparent = parents[parent] { parents[id] = grandparent }
                id = parent
            }
            return id
        }
        for (left, right) in edges {
            for id in [left, right] where parents[id] == nil { parents[id] = id }
            let roots = (find(left), find(right))
            if roots.0 != roots.1 { parents[max(roots.0, roots.1)] = min(roots.0, roots.1) }
        }
        var members: [EntityID: [EntityID]] = [:]
        for id in parents.keys.sorted() { members[find(id), default: []].append(id) }
        components = members.values.filter { $0.count > 1 }.map { ids in
            let first = ids.dropFirst().reduce(ids[0]) { best, id in
                (openedAt(id) ?? .max) < (openedAt(best) ?? .max) ? id : best
            }
            return Component(representative: first, members: ids)
        }.sorted { $0.representative < $1.representative }
    }

    package func component(of id: EntityID) -> Component? {
        components.first { $0.members.contains(id) }
    }
}
