package import Replication

/// Operations that do not count, because their replica was revoked before them. They stay in the set, so that digests
/// and what their authors' later operations have seen stay comparable; who takes part does not shrink by it either.
/// Source: Protocols/operations.md §10.
extension Ticket {
    /// Says whether an operation counts. Does nothing for one that is not here.
    /// - Returns: whether that was otherwise before.
    @discardableResult
    package mutating func setVoid(_ dot: Dot, _ isVoid: Bool) -> Bool {
        guard let replica = replicas.firstIndex(of: dot.replica),
            let index = index(of: Reference(replica: UInt32(replica), sequence: dot.sequence)),
            events[index].isVoid != isVoid
        else { return false }
        events[index].isVoid = isVoid
        return true
    }

    package func isVoid(_ dot: Dot) -> Bool {
        guard let replica = replicas.firstIndex(of: dot.replica),
            let index = index(of: Reference(replica: UInt32(replica), sequence: dot.sequence))
        else { return false }
        return events[index].isVoid
    }

    /// There is nothing in it that counts.
    package var isAllVoid: Bool { !events.isEmpty && events.allSatisfy(\.isVoid) }

    /// Operations that open it and count.
    package var openings: [Dot] {
        events.indices.filter { events[$0].known == .open && !events[$0].isVoid }.map(dot(at:))
    }
}
