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

    /// Set in the second half of a ticket's name when the operation that opened it was lost: no dot has such a sequence.
    private static let lostOpening: UInt64 = 1 << 62
    /// Of an incarnation's announcement.
    private static let announcement: UInt64 = 1

    /// The dot as it is now. What was lost is named as the announcement, which is on no ticket: the other branch may have
    /// something else at the old dot.
    func dot(_ dot: Dot, in former: WaitingOperation) throws -> Dot {
        guard former.hasLeft(dot), let last = try last(dot) else { return dot }
        return last.isLost ? Dot(last.dot.replica, Self.announcement) : last.dot
    }

    /// The entity as it is named now.
    func entity(_ entity: EntityID, in former: WaitingOperation) throws -> EntityID {
        let opening = Dot(ReplicaID(entity.high), entity.low)
        guard entity.type == .ticket, former.hasLeft(opening) else { return entity }
        var name = opening
        while let successor = try next(name), successor.moves {
            name =
                successor.isLost
                ? Dot(successor.dot.replica, name.sequence | Self.lostOpening) : successor.dot
        }
        return EntityID(ticketOpenedBy: name)
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
            if let dot = try lastKept(upTo: entry) { result.record(dot) }
        }
        return result
    }

    /// An operation may have been issued again more than once.
    private func last(_ dot: Dot) throws -> Successor? {
        guard var current = try next(dot) else { return nil }
        while let further = try next(current.dot) { current = further }
        return current
    }

    private func next(_ dot: Dot) throws -> Successor? { try recent[dot] ?? writer.successor(of: dot) }

    /// The new dot of the latest operation at or below the old one that has not been lost since.
    private func lastKept(upTo dot: Dot) throws -> Dot? {
        var former = try latest(upTo: dot)
        while let known = former {
            if let last = try last(known), !last.isLost { return last.dot }
            former = try latest(upTo: Dot(known.replica, known.sequence - 1))
        }
        return nil
    }

    /// The latest operation at or below the dot that has been issued again: they are in the order of their sequences.
    private func latest(upTo dot: Dot) throws -> Dot? {
        let stored = try writer.latestReissued(of: dot.replica, upTo: dot.sequence)
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
