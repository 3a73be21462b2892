internal import DequeModule
internal import Replication
internal import Tickets

/// Entities that the writer holds decoded: those that differ from their rows, in the order in which they began to, and
/// those that were written last. A ticket comes up again and again while it is worked on: with these it is neither
/// looked up nor decoded then, and while a backlog comes in it is written once and not with every operation.
struct WorkingSet {
    /// Events, which are most of the memory, that entities may have which are as their rows say: about 2 MiB.
    static let writtenEventsMax = 12_000
    /// Tickets of which it is kept as well what their states show; a derivation costs a short command more than its row.
    static let summariesMax = 1_024
    /// What an entity takes beside its events, in events.
    private static let entityEvents = 4

    /// An entity in one of the two orders; void once the entity has changed sides.
    private struct Place {
        let work: Merge.Work
        let turn: Int
        /// The last arrival that its row holds for certain.
        var arrival: Int64 = 0
        var since: ContinuousClock.Instant?

        var isCurrent: Bool { work.turn == turn }
    }

    private var works: [EntityID: Merge.Work] = [:]
    private var dirty: Deque<Place> = []
    private var written: Deque<Place> = []
    /// Entities that differ from their rows.
    private(set) var dirtyCount = 0
    /// Events that they have together.
    private(set) var dirtyEvents = 0
    private var writtenEvents = 0
    private var summarised: Deque<Merge.Kept> = []

    subscript(entity: EntityID) -> Merge.Work? { works[entity] }

    /// Adds an entity as it was read from its row, or one that has none.
    mutating func insert(_ work: Merge.Work) {
        works[work.ticket.id] = work
        work.events = work.ticket.operationCount + Self.entityEvents
        writtenEvents += work.events
    }

    /// An operation is about to change it.
    /// - Parameter arrival: of the last operation before that one.
    mutating func touch(_ work: Merge.Work, arrival: Int64, at moment: ContinuousClock.Instant) {
        guard !work.isDirty else { return }
        work.isDirty = true
        work.turn += 1
        dirty.append(Place(work: work, turn: work.turn, arrival: arrival, since: moment))
        dirtyCount += 1
        dirtyEvents += work.events
        writtenEvents -= work.events
    }

    mutating func addEvent(to work: Merge.Work) {
        work.events += 1
        dirtyEvents += 1
    }

    /// Until the ticket changes, or others were derived lately.
    mutating func keep(_ summary: TicketSummary, of work: Merge.Work) {
        let kept = Merge.Kept(summary, of: work)
        work.kept = kept
        summarised.append(kept)
        guard summarised.count > Self.summariesMax, let former = summarised.popFirst(), let holder = former.work,
            holder.kept === former
        else { return }
        holder.kept = nil
    }

    /// Its row says what it says.
    mutating func wrote(_ work: Merge.Work) {
        work.isDirty = false
        work.turn += 1
        written.append(Place(work: work, turn: work.turn))
        dirtyCount -= 1
        dirtyEvents -= work.events
        writtenEvents += work.events
    }

    /// What has differed from its row for longest; nil if nothing does.
    mutating func oldestDirty() -> (work: Merge.Work, arrival: Int64, since: ContinuousClock.Instant?)? {
        while let place = dirty.first {
            if place.isCurrent { return (place.work, place.arrival, place.since) }
            dirty.removeFirst()
        }
        return nil
    }

    /// Lets go of what was written longest ago. What differs from its row stays: it must not be read anew.
    mutating func trim() {
        while writtenEvents > Self.writtenEventsMax, let place = written.popFirst() {
            guard place.isCurrent else { continue }
            works[place.work.ticket.id] = nil
            writtenEvents -= place.work.events
        }
    }
}
