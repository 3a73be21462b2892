package import Replication

/// A wish: what a person wants done, with what they were looking at. `decide` turns it into operations or refuses.
package struct TicketCommand: Hashable, Sendable {
    /// Nil for `open`, unless the ticket's id is given from outside (imports).
    package var ticket: EntityID?
    /// The version of the ticket that its author was shown.
    package var version: VersionVector
    package var action: Action
    /// Set by imports.
    package var occurrence: Occurrence?

    package init(ticket: EntityID?, version: VersionVector, action: Action, occurrence: Occurrence? = nil) {
        self.ticket = ticket
        self.version = version
        self.action = action
        self.occurrence = occurrence
    }

    package enum Action: Hashable, Sendable {
        /// An empty `number` is filled in from the dot.
        case open(OpenBody)
        case set(Field, SetFieldBody.Value)
        case transfer(TransferBody.Variant, site: SiteCode, department: String, reason: String, note: String)
        /// Back to the custody before, with a reason.
        case returnBack(reason: String)
        case accept
        /// Of the current custody, or of one further up that relays; nil for the author's own department's.
        case reply(text: String, custody: Dot?)
        case feedback(text: String, channel: String, score: UInt8)
        /// Without a feedback before it a reason is needed.
        case close(reason: String, isConfirmedByCustomer: Bool, score: UInt8)
        case reopen(reason: String)
        case chase(customer: EntityID?, promised: Int64?, note: String, channel: String)
        case acknowledgeChase(Dot)
        case answerChase(Dot, text: String, promised: Int64?)
        case note(String)
        case settle(custody: Dot, winner: Dot, reason: String)
        case join(EntityID, reason: String)
        case separate(EntityID, reason: String)
        case tag(String)
        case untag(String)
        case watch(name: String, site: SiteCode?)
        case unwatch(name: String, site: SiteCode?)
        /// An ordinary write that has seen every value.
        case resolve(Field, SetFieldBody.Value)
        /// Writes the value back that stood before the given write.
        case undo(write: Dot)
    }
}

/// What `decide` needs to know beside the ticket.
package struct DecisionContext: Sendable {
    package var author: Author
    package var replica: ReplicaID
    /// Sequence that the first new operation will have.
    package var nextSequence: UInt64
    package var now: HybridTimestamp
    package var catalog: Catalog
    /// What `Ticket.summary` gives of the command's ticket by this catalog; nil: to be derived.
    package var summary: TicketSummary?
    /// Minutes that the site's day is ahead of UTC, for the number's day.
    package var utcOffsetMinutes: Int
    /// The operation of a dot, for values that are to be written back.
    package var operation: @Sendable (Dot) -> Operation?
    /// Another ticket's state, for twins.
    package var ticket: @Sendable (EntityID) -> Ticket?

    package init(
        author: Author, replica: ReplicaID, nextSequence: UInt64, now: HybridTimestamp, catalog: Catalog = .standard,
        summary: TicketSummary? = nil, utcOffsetMinutes: Int = 480, operation: @escaping @Sendable (Dot) -> Operation?,
        ticket: @escaping @Sendable (EntityID) -> Ticket?
    ) {
        self.author = author
        self.replica = replica
        self.nextSequence = nextSequence
        self.now = now
        self.catalog = catalog
        self.summary = summary
        self.utcOffsetMinutes = utcOffsetMinutes
        self.operation = operation
        self.ticket = ticket
    }
}

/// An operation that has been decided on and not yet been written.
package struct Draft: Hashable, Sendable {
    package var entity: EntityID
    package var sequence: UInt64
    package private(set) var content: Body
    /// `content` as the operation carries it.
    package private(set) var body: [UInt8]
    package var scope: [SiteCode]
    package var previous: UInt64
    package var seen: VersionVector

    init(
        entity: EntityID, sequence: UInt64, content: Body, body: [UInt8], scope: [SiteCode], previous: UInt64,
        seen: VersionVector
    ) {
        self.entity = entity
        self.sequence = sequence
        self.content = content
        self.body = body
        self.scope = scope
        self.previous = previous
        self.seen = seen
    }

    /// Says the same in other words.
    package mutating func replace(by content: Body) {
        self.content = content
        body = content.encoded()
    }

    /// - Parameter time: later for each draft of one decision.
    package func operation(by author: Author, of replica: ReplicaID, at time: HybridTimestamp) -> Operation {
        Operation(
            dot: Dot(replica, sequence), entity: entity, previous: previous, seen: seen, time: time, author: author,
            scope: scope, kind: content.kind.operationKind, isCritical: content.kind.isCritical, body: body)
    }
}
