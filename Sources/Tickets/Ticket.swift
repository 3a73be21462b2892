package import Replication

/// A ticket 工单 as a CRDT: the grow-only set of what its operations say, in the order of their dots.
///
/// Merging is the union of two such sets, so it is commutative, associative and idempotent by construction; whatever
/// is shown (status, custody, conflicts, clocks) is a function of the set, see `summary()`. Texts stay in the
/// operations: a value here is the dot of its write. Names, sites and departments are kept once, in sorted tables, so
/// that equal sets have equal tables and equal bytes.
///
/// Source: Protocols/tickets.md §1.
package struct Ticket: Hashable, Sendable {
    package let id: EntityID

    /// Replicas that are named anywhere, ascending.
    var replicas: [ReplicaID] = []
    /// Texts that are named anywhere, ascending by bytes.
    var texts: [Label] = []
    /// Ascending.
    var authors: [AuthorEntry] = []
    /// Sites let in: indices into `texts`, ascending.
    var siteTexts: [UInt32] = []
    /// Ascending by dot.
    var events: [Event] = []
    /// Of those events that have one, in their order.
    var details: [EventDetail] = []
    /// The `seen` of all events, one after the other.
    var seenEntries: [Reference] = []

    package init(id: EntityID) {
        self.id = id
    }

    /// Takes an operation in. Never refuses, does not depend on order, and a repetition changes nothing. Kinds that
    /// this version does not know and bodies it cannot read count as opaque events. O(operations) to insert.
    package mutating func apply(_ operation: Operation) {
        apply(operation, OperationReading(operation))
    }

    /// - Parameter reading: of this operation.
    /// - Parameter isVoid: its replica was revoked before it: it is kept, and nothing that is shown follows from it.
    package mutating func apply(_ operation: Operation, _ reading: OperationReading, isVoid: Bool = false) {
        precondition(operation.entity == id, "an operation is applied to its own ticket only")
        guard !contains(operation.dot) else { return }
        let header = EventHeader(
            dot: operation.dot, previous: operation.previous, seen: operation.seen.entries, time: operation.time,
            author: operation.author, scope: operation.scope, kind: operation.kind.rawValue,
            isCritical: operation.isCritical, isVoid: isVoid)
        insert(header, reading.draft)
    }

    /// The join of two states: what applying all operations of both gives.
    package mutating func merge(_ other: Ticket) {
        precondition(other.id == id, "a ticket is merged with itself only")
        for index in other.events.indices {
            let dot = other.dot(at: index)
            if contains(dot) {
                if other.events[index].isVoid { setVoid(dot, true) }
            } else {
                let (header, draft) = other.expanded(index)
                insert(header, draft)
            }
        }
        for site in other.siteTexts { letIn(other.texts[Int(site)].text) }
    }

    /// Number of operations taken in.
    package var operationCount: Int { events.count }

    package var operations: [Dot] { events.indices.map(dot(at:)) }

    /// Critical operations whose body nobody here can read, and that count: while there is one, nobody edits the ticket.
    package var freezing: [Dot] {
        events.indices.filter { events[$0].freezesTicket }.map(dot(at:))
    }

    package func contains(_ dot: Dot) -> Bool {
        guard let replica = replicas.firstIndex(of: dot.replica) else { return false }
        return index(of: Reference(replica: UInt32(replica), sequence: dot.sequence)) != nil
    }

    /// Whether an operation of this row of an import is here and counts. O(operations).
    /// - Parameter row: as in `Occurrence`, not 0.
    package func containsImported(row: UInt64) -> Bool {
        events.contains { $0.detail != 0 && !$0.isVoid && detail(of: $0).row == row }
    }

    /// Sites that take part: every operation's scope and author's site, and the targets of transfers. Only grows.
    package var sites: [SiteCode] {
        siteTexts.map { SiteCode(validated: texts[Int($0)].text) }
    }

    /// Whether it was ever joined to another ticket or parted from one.
    package var hasTwinHistory: Bool {
        events.contains { $0.kind == Kind.joinTwins.rawValue || $0.kind == Kind.separateTwins.rawValue }
    }

    /// How many sites take part; a change of it is a change of `sites`.
    package var siteCount: Int { siteTexts.count }

    /// Whether a site takes part.
    package func isLetIn(_ site: SiteCode) -> Bool {
        siteTexts.contains { texts[Int($0)].text == site.rawValue }
    }

    /// Whether a site or one below it takes part. Takes no memory: the merge asks for every operation and child.
    package func isLetIn(within root: SiteCode) -> Bool {
        siteTexts.contains { SiteCode(validated: texts[Int($0)].text).isWithin(root) }
    }

    /// Highest sequence of each replica.
    package var version: VersionVector {
        VersionVector(events.indices.map(dot(at:)))
    }

    /// What a new operation may say it has seen: per replica the operations reached from the first one on over their
    /// `previous` links, up to the first hole.
    package func seen() -> VersionVector {
        var result = VersionVector()
        var expected: UInt64 = 0
        var isWhole = true
        for index in events.indices {
            let event = events[index]
            if index == 0 || events[index - 1].replica != event.replica {
                expected = 0
                isWhole = true
            }
            guard isWhole, event.previous == expected else {
                isWhole = false
                continue
            }
            expected = event.sequence
            result.record(dot(at: index))
        }
        return result
    }

    /// Sequence of the replica's latest operation here; 0 if there is none.
    package func previous(of replica: ReplicaID) -> UInt64 {
        guard let index = replicas.firstIndex(of: replica) else { return 0 }
        return events.last { $0.replica == UInt32(index) }?.sequence ?? 0
    }

    /// The customer that it was opened for; of several openings the lowest dot's. Nil if it names none.
    package var customer: EntityID? {
        for event in events where event.known == .open {
            if let entity = detail(of: event).entity, entity.type == .customer { return entity }
        }
        return nil
    }

    /// Operations of these kinds, ascending.
    package func dots(of kinds: Set<Kind>) -> [Dot] {
        events.indices.filter { events[$0].known.map(kinds.contains) ?? false }.map(dot(at:))
    }

    /// Everything that is shown of the ticket and does not depend on the present time.
    /// - Parameter bounceLimit: at so many bounces in a cycle it locks to its arbiter; from the catalog.
    package func summary(bounceLimit: Int = Catalog.bounceLimitStandard) -> TicketSummary {
        Derivation(self, bounceLimit: bounceLimit).summary()
    }
}

extension Ticket {
    func dot(at index: Int) -> Dot {
        Dot(replicas[Int(events[index].replica)], events[index].sequence)
    }

    func detail(of event: Event) -> EventDetail {
        event.detail == 0 ? .none : details[Int(event.detail) - 1]
    }

    /// UTC milliseconds at which an event happened.
    func instant(of event: Event) -> Int64 {
        event.isImported ? detail(of: event).occurred : Int64(event.time >> 16)
    }

    func dot(_ reference: Reference) -> Dot? {
        reference.sequence == 0 ? nil : Dot(replicas[Int(reference.replica)], reference.sequence)
    }

    /// O(log operations).
    func index(of reference: Reference) -> Int? {
        let index = insertionIndex(of: reference)
        guard index < events.count, events[index].replica == reference.replica,
            events[index].sequence == reference.sequence
        else { return nil }
        return index
    }

    func insertionIndex(of reference: Reference) -> Int {
        var low = 0
        var high = events.count
        while low < high {
            let middle = (low + high) / 2
            let event = events[middle]
            let isLower =
                event.replica == reference.replica
                ? event.sequence < reference.sequence : event.replica < reference.replica
            if isLower { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func seenRange(_ index: Int) -> Range<Int> {
        (index == 0 ? 0 : Int(events[index - 1].seenEnd))..<Int(events[index].seenEnd)
    }

    func text(_ index: UInt32) -> String? {
        index == 0 ? nil : texts[Int(index) - 1].text
    }

    func site(_ index: UInt32) -> SiteCode? {
        text(index).map(SiteCode.init(validated:))
    }
}
