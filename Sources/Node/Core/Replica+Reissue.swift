internal import Replication
internal import Store
internal import Tickets

extension Replica {
    /// Operations that one transaction issues again.
    package static let reissueOperationsMax = 500

    /// Writes what waits from another branch of this node's history again, in its order, under this incarnation. Each
    /// keeps its time, author and content; what it names is named as it is now. A cut leaves the rest for the next start.
    /// - Returns: what all of it has changed.
    package func reissuePending(now: Int64) throws -> ReplicaEffects {
        var effects = ReplicaEffects(MergeResult())
        if PlantedBug.reissueForgotten.isActive { return effects }
        while let next = try reissueNext(now: now) { effects.add(next) }
        return effects
    }

    /// One transaction of it.
    /// - Returns: nil if nothing waits.
    package func reissueNext(
        now: Int64, operationsMax: Int = Replica.reissueOperationsMax
    ) throws -> ReplicaEffects? {
        precondition(writtenSequence > 0, "an incarnation announces itself first")
        let waiting = try writer.waitingOperations(limit: operationsMax)
        guard !waiting.isEmpty else { return nil }
        var sealer = sealer()
        let operations = try renamed(waiting, sealing: &sealer)
        return try commit(operations, keys: sealer.made, reissuing: waiting, now: now)
    }

    private func renamed(
        _ waiting: [WaitingOperation], sealing sealer: inout PersonalSealer
    ) throws -> [Operation] {
        var renaming = Renaming(writer: writer)
        var tickets: [EntityID: Ticket] = [:]
        var result: [Operation] = []
        for former in waiting {
            let dot = Dot(identity.replica, writtenSequence + UInt64(result.count) + 1)
            // First, because a ticket may be named by its own opening.
            renaming.record(former.operation.dot, Successor(dot: dot, moves: former.moves))
            let id = try renaming.entity(former.operation.entity, in: former)
            var ticket = try tickets.removeValue(forKey: id) ?? writer.state(of: id) ?? Ticket(id: id)
            var operation = try rename(former, to: dot, on: ticket, renaming)
            if id != former.operation.entity, let body = try? Body(decoding: operation) {
                // Sealed values open in their own ticket only.
                let sealed = try sealer.reseal(body, from: former.operation.entity, to: id)
                if sealed != body { operation.body = sealed.encoded() }
            }
            ticket.apply(operation)
            tickets[id] = ticket
            result.append(operation)
        }
        return result
    }

    private func rename(
        _ former: WaitingOperation, to dot: Dot, on ticket: Ticket, _ renaming: Renaming
    ) throws -> Operation {
        var operation = former.operation
        var failure: (any Error)?
        operation.body = operation.bodyMapping { dot in
            do { return try renaming.dot(dot, in: former) } catch { failure = error }
            return dot
        } entities: { entity in
            do { return try renaming.entity(entity, in: former) } catch { failure = error }
            return entity
        }
        if let failure { throw failure }
        operation.seen = try renaming.seen(former.operation.seen, of: ticket, in: former)
        operation.dot = dot
        operation.entity = ticket.id
        operation.previous = ticket.previous(of: dot.replica)
        let extensions = ReissueReference(dot: former.operation.dot, hash: former.hash)
            .appended(to: operation.extensions)
        // An operation at the limit keeps its content rather than the reference.
        if operation.body.count + extensions.count <= OperationLimits.bytesMax { operation.extensions = extensions }
        return operation
    }
}
