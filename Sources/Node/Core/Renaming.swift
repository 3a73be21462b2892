internal import Replication
internal import Store
internal import Tickets

/// Old names of operations and tickets, and those they have been issued again under.
///
/// What is asked for belongs to one waiting operation: only dots of its own incarnation beyond the common history have a
/// new name; the same dots may name something else in the branch that others go on with.
/// Source: Protocols/operations.md §8.
struct Renaming {
    private let writer: StoreWriter
    /// Of the transaction that is being made: not in the store yet.
    private var recent: [Dot: Successor] = [:]

    init(writer: StoreWriter) {
        self.writer = writer
    }

    mutating func record(_ former: Dot, _ successor: Successor) {
        recent[former] = successor
    }

    /// The dot as it is now.
    func dot(_ dot: Dot, in former: WaitingOperation) throws -> Dot {
        guard former.hasLeft(dot) else { return dot }
        return try last(dot) ?? dot
    }

    /// The entity as it is named now.
    func entity(_ entity: EntityID, in former: WaitingOperation) throws -> EntityID {
        let opening = Dot(ReplicaID(entity.high), entity.low)
        guard entity.type == .ticket, former.hasLeft(opening), try next(opening)?.moves == true,
            let dot = try last(opening)
        else { return entity }
        return EntityID(ticketOpenedBy: dot)
    }

    /// What the operation's author had seen, by the names of now.
    /// - Parameter ticket: the entity as it stands.
    func seen(_ seen: VersionVector, of ticket: Ticket, in former: WaitingOperation) throws -> VersionVector {
        var result = VersionVector()
        for entry in seen.entries {
            guard former.hasLeft(entry) else {
                result.record(entry)
                continue
            }
            let kept = ticket.operations.last {
                $0.replica == entry.replica && $0.sequence <= former.common
            }
            if let kept { result.record(kept) }
            if let dot = try last(try latest(upTo: entry)) { result.record(dot) }
        }
        return result
    }

    /// An operation may have been issued again more than once.
    private func last(_ dot: Dot?) throws -> Dot? {
        guard var current = dot, let first = try next(current) else { return nil }
        current = first.dot
        while let further = try next(current) { current = further.dot }
        return current
    }

    private func next(_ dot: Dot) throws -> Successor? {
        if let known = recent[dot] { return known }
        guard let stored = try writer.successor(ofLatest: dot.replica, upTo: dot.sequence), stored.of == dot else {
            return nil
        }
        return stored.is
    }

    /// The latest operation at or below the dot that has been issued again: they are in the order of their sequences.
    private func latest(upTo dot: Dot) throws -> Dot? {
        let stored = try writer.successor(ofLatest: dot.replica, upTo: dot.sequence)?.of
        let here = recent.keys.filter { $0.replica == dot.replica && $0.sequence <= dot.sequence }.max()
        return [stored, here].compactMap { $0 }.max()
    }
}

extension WaitingOperation {
    /// Whether the dot is of the branch that this operation was written in, which nobody goes on with.
    func hasLeft(_ dot: Dot) -> Bool {
        dot.replica == operation.dot.replica && dot.sequence > common
    }
}
