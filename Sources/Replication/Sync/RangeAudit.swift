/// What the store has found when it compared a peer's reply with what it has itself.
package enum AuditComparison: Sendable {
    /// Parts and entities that differ.
    case differing(parts: [AuditRange], entities: [EntityID])
    case operations(OperationDifferences)
}

/// How the operations of some entities differ.
package struct OperationDifferences: Hashable, Sendable {
    /// The peer has them, this store does not (and does not hold them parked either).
    package var missingHere: [Dot] = []
    /// This store has them, the peer does not.
    package var missingThere: [Dot] = []
    /// Both have the dot with different hashes.
    package var conflicting: [Dot] = []

    package init(missingHere: [Dot] = [], missingThere: [Dot] = [], conflicting: [Dot] = []) {
        self.missingHere = missingHere
        self.missingThere = missingThere
        self.conflicting = conflicting
    }
}

/// What an audit has come to.
package struct AuditOutcome: Hashable, Sendable {
    /// Operations that the first pass found on one side only.
    package var missingHere: UInt64 = 0
    package var missingThere: UInt64 = 0
    /// Dots that the two sides hold with different hashes.
    package var conflicting: UInt64 = 0
    /// Found by the first pass and, after repair, by the second as well.
    package var unresolved: UInt64 = 0

    package init() {}

    package var found: UInt64 { missingHere + missingThere + conflicting }
}

/// The side of an audit that asks: walks down ranges whose digests differ, then exchanges what is missing, then looks
/// once more. The side that answers keeps no state.
///
/// Call order: `start`; each `.ask` is answered by the peer with `reply`, each `.compare` by the store with `compared`,
/// each `.send` with `sent` once the peer has acknowledged it. Source: Protocols/sync.md §8.
package struct RangeAudit: ~Copyable {
    package enum Purpose: Sendable, Hashable {
        /// Counts differences and moves nothing.
        case verify
        case repair
        /// Compares nothing: asks for operations whose rows are damaged here.
        case heal
    }

    package enum Effect: Sendable {
        case ask(AuditRequest)
        case compare(AuditReply, with: AuditRequest)
        /// Send these operations in the repair lane.
        case send([Dot])
        case finished(AuditOutcome)
    }

    private enum Pass {
        case first, second, over
    }

    package let purpose: Purpose
    package private(set) var outcome = AuditOutcome()
    private var pass = Pass.first
    private var nextNumber: UInt64 = 1
    private var pending: AuditRequest?
    /// What is still to be asked, the last one first.
    private var todo: [AuditRequest.Content] = []
    private var unsentCount = 0
    private var firstPass: Set<Dot> = []
    private var isComparing = false
    /// Nothing is asked for: this side has no room for it.
    private(set) var takesNothing = false

    package init(_ purpose: Purpose) {
        self.purpose = purpose
    }

    /// - Parameter dots: operations to ask for.
    package init(healing dots: [Dot]) {
        purpose = .heal
        todo = dots.portions(of: AuditLimits.fetchedOperationsMax).map { .fetch($0) }
    }

    package mutating func start() -> [Effect] {
        if purpose != .heal { todo = [.summarise(.all)] }
        return next()
    }

    package mutating func reply(_ reply: AuditReply) -> [Effect] {
        guard let request = pending, request.number == reply.number else { return [] }
        switch (request.content, reply.content) {
        case (.summarise, .parts), (.summarise, .leaf), (.list, .operations):
            guard !isComparing else { return [] }
            isComparing = true
            let reply = bounded(reply, by: request)
            if case (.list(let entities, _), .operations(let lists, let isCut)) = (request.content, reply.content) {
                askForTheRest(of: entities, after: lists, isCut: isCut)
            }
            return [.compare(reply, with: request)]
        case (.fetch(let dots), .sent(let count)):
            // What does not fit into a batch is asked for again.
            if count > 0, count < dots.count, !takesNothing { todo.append(.fetch(Array(dots.dropFirst(Int(count))))) }
            pending = nil
            return next()
        case (.fetch, _), (.list, _), (.summarise, _):
            // A list that is not answered by one: the peer knows none of these entities any more, and the next audit
            // will tell.
            pending = nil
            return next()
        }
    }

    package mutating func compared(_ comparison: AuditComparison) -> [Effect] {
        guard isComparing else { return [] }
        isComparing = false
        pending = nil
        switch comparison {
        case .differing(let parts, let entities):
            todo += parts.map { .summarise($0) }
            todo += entities.portions(of: AuditLimits.leafEntitiesMax).map { .list($0, after: nil) }
            return next()
        case .operations(let differences): return take(differences) + next()
        }
    }

    /// What is missing here stays missing, and does not count as unresolved: what is missing there still goes out.
    package mutating func takeNothing() {
        takesNothing = true
        todo.removeAll { if case .fetch = $0 { true } else { false } }
    }

    /// Of what a `.send` names only some fit into a batch: these are sent in another.
    package mutating func sendsBesides(_ rest: [Dot]) -> [Effect] {
        unsentCount += 1
        return [.send(rest)]
    }

    /// The peer has acknowledged what a `.send` gave it.
    package mutating func sent() -> [Effect] {
        unsentCount -= 1
        return next()
    }

    // MARK: Rules

    /// Parts are named by where they end; the first begins and the last ends where the request's range does.
    private func bounded(_ reply: AuditReply, by request: AuditRequest) -> AuditReply {
        guard case .parts(var parts) = reply.content, case .summarise(let range) = request.content, !parts.isEmpty
        else { return reply }
        parts[0].range.low = range.low
        parts[parts.count - 1].range.high = range.high
        return AuditReply(number: reply.number, content: .parts(parts))
    }

    private mutating func askForTheRest(of entities: [EntityID], after lists: [EntityOperations], isCut: Bool) {
        guard lists.count <= entities.count else { return }
        var rest = Array(entities.dropFirst(lists.count))
        if isCut, let last = lists.last, let dot = last.entries.last?.dot {
            rest.insert(last.entity, at: 0)
            todo.append(.list(rest, after: dot))
        } else if !rest.isEmpty, !lists.isEmpty {
            todo.append(.list(rest, after: nil))
        }
    }

    private mutating func take(_ differences: OperationDifferences) -> [Effect] {
        let missingHere = takesNothing ? [] : differences.missingHere
        switch pass {
        case .first:
            outcome.missingHere += UInt64(differences.missingHere.count)
            outcome.missingThere += UInt64(differences.missingThere.count)
            outcome.conflicting += UInt64(differences.conflicting.count)
            for dot in differences.missingHere + differences.missingThere + differences.conflicting
            where firstPass.count < AuditLimits.rememberedOperationsMax {
                firstPass.insert(dot)
            }
        case .second:
            let all = missingHere + differences.missingThere + differences.conflicting
            outcome.unresolved += UInt64(all.count { firstPass.contains($0) })
            return []
        case .over: return []
        }
        guard purpose == .repair else { return [] }
        if !PlantedBug.auditDoesNotFetch.isActive {
            todo += missingHere.portions(of: AuditLimits.fetchedOperationsMax).map { .fetch($0) }
        }
        let sent = differences.missingThere.portions(of: AuditLimits.fetchedOperationsMax)
        unsentCount += sent.count
        return sent.map { .send($0) }
    }

    private mutating func next() -> [Effect] {
        guard pending == nil, !isComparing else { return [] }
        if let content = todo.popLast() {
            let request = AuditRequest(number: nextNumber, content: content)
            nextNumber += 1
            pending = request
            return [.ask(request)]
        }
        guard unsentCount == 0 else { return [] }
        switch pass {
        case .first where outcome.found > 0 && purpose == .repair:
            pass = .second
            return start()
        case .first, .second:
            pass = .over
            return [.finished(outcome)]
        case .over: return []
        }
    }
}
