package import Replication
package import Tickets

/// A node with people at it, reduced to what pure tests need: it decides, applies, and exchanges operations by hand.
package struct Office {
    package let site: SiteCode
    package let replica: ReplicaID
    package private(set) var log: [Operation] = []
    package private(set) var tickets: [EntityID: Ticket] = [:]
    private var clock = HybridClock()
    private var sequence: UInt64

    /// - Parameter announced: leaves sequence 1 to an announcement.
    package init(_ site: String, replica: UInt64, announced: Bool = false) {
        self.site = SiteCode(validated: site)
        self.replica = ReplicaID(replica)
        sequence = announced ? 1 : 0
    }

    package func author(_ department: String, role: Role = .dispatcher) -> Author {
        Author(
            name: "\(department.lowercased())@\(site)", role: role, level: AuthorityLevel(of: site), site: site,
            department: department)
    }

    /// Carries a command out with everything that is here in view, and applies what comes of it.
    /// - Parameter minute: of the wall clock, from an arbitrary start.
    @discardableResult
    package mutating func perform(
        _ action: TicketCommand.Action, on id: EntityID?, as department: String, role: Role = .dispatcher,
        minute: Int64, version: VersionVector? = nil, occurrence: Occurrence? = nil
    ) throws -> [Operation] {
        let ticket = id.flatMap { tickets[$0] }
        let now = clock.tick(wall: Self.start + minute * 60_000)
        let author = author(department, role: role)
        let operations = Dictionary(log.map { ($0.dot, $0) }, uniquingKeysWith: { first, _ in first })
        let known = tickets
        let context = DecisionContext(
            author: author, replica: replica, nextSequence: sequence + 1, now: now,
            operation: { operations[$0] }, ticket: { known[$0] })
        let command = TicketCommand(
            ticket: id, version: version ?? ticket?.seen() ?? VersionVector(), action: action, occurrence: occurrence)
        let drafts = try decide(command, on: ticket, context: context)
        let made = drafts.map { $0.operation(by: author, of: replica, at: clock.tick(wall: 0)) }
        sequence += UInt64(made.count)
        receive(made)
        return made
    }

    /// The receipt that a caught-up node writes for a transfer or a chase.
    @discardableResult
    package mutating func confirm(_ target: Dot, on id: EntityID, minute: Int64) -> Operation {
        sequence += 1
        let ticket = tickets[id] ?? Ticket(id: id)
        let operation = Operation(
            dot: Dot(replica, sequence), entity: id, previous: ticket.previous(of: replica), seen: ticket.seen(),
            time: clock.tick(wall: Self.start + minute * 60_000),
            author: Author(name: "node", role: .system, level: AuthorityLevel(of: site), site: site, department: ""),
            scope: [], kind: Kind.delivered.operationKind, body: Body.delivered(DeliveredBody(target: target)).encoded()
        )
        receive([operation])
        return operation
    }

    package mutating func receive(_ operations: [Operation]) {
        for operation in operations where !log.contains(where: { $0.dot == operation.dot }) {
            log.append(operation)
            tickets[operation.entity, default: Ticket(id: operation.entity)].apply(operation)
            clock.observe(operation.time, wall: .max / 2)
        }
    }

    /// Both have what either had.
    package static func exchange(_ left: inout Office, _ right: inout Office) {
        let (first, second) = (left.log, right.log)
        left.receive(second)
        right.receive(first)
    }

    package func summary(_ id: EntityID) -> TicketSummary {
        (tickets[id] ?? Ticket(id: id)).summary()
    }

    /// UTC milliseconds of minute 0.
    package static let start: Int64 = 1_800_000_000_000
}

extension Array {
    /// The same elements in an order drawn from the generator, each possibly several times.
    package func shuffledWithRepetitions(using generator: inout SeededGenerator) -> [Element] {
        var result = self
        for element in self where Int.random(in: 0..<4, using: &generator) == 0 { result.append(element) }
        return result.shuffled(using: &generator)
    }
}
