internal import Replication
internal import Tickets

/// Who acts. The site is the node's own.
package struct Actor: Codable, Sendable, Hashable {
    package var name: String
    package var role: String?
    /// Nil or empty for the node's configured department.
    package var department: String?

    package init(name: String, role: String? = nil, department: String? = nil) {
        self.name = name
        self.role = role
        self.department = department
    }
}

/// What every command on a ticket carries beside its own fields.
struct RequestEnvelope: Decodable, Sendable {
    var actor: Actor
    /// The version its author was looking at; nil for what this node holds.
    var seen: [String]?
}

/// A request and its envelope as one JSON object.
package struct Enveloped<Request: Encodable & Sendable>: Encodable, Sendable {
    private enum Key: String, CodingKey {
        case actor, seen
    }

    let actor: Actor
    let seen: [String]?
    let request: Request

    package init(_ request: Request, actor: Actor, seen: [String]?) {
        self.request = request
        self.actor = actor
        self.seen = seen
    }

    package func encode(to encoder: any Encoder) throws {
        try request.encode(to: encoder)
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(actor, forKey: .actor)
        try container.encodeIfPresent(seen, forKey: .seen)
    }
}

/// What a request may look at to become an action.
struct RequestReading {
    var summary: TicketSummary
    var site: SiteCode
    /// An id or a number of another ticket.
    var resolve: (String) throws -> EntityID
    /// An operation's body, for values that it wrote.
    var body: (Dot) throws -> Body?
}

/// The body of `POST /api/v1/tickets/{ticket}/<name>`.
protocol TicketRequest: Codable, Sendable {
    func action(_ reading: RequestReading) throws -> TicketCommand.Action
}

package struct OpenRequest: Codable, Sendable, Hashable {
    package var title: String
    package var body: String?
    package var category: String?
    package var urgency: String?
    /// The customer's number; sealed before it is written.
    package var customer: String?
    package var channel: String?
    package var promised: Instant?
    package var firstContact: Instant?
    package var tags: [String]?

    package init(
        title: String, body: String? = nil, category: String? = nil, urgency: String? = nil, customer: String? = nil,
        channel: String? = nil, promised: Instant? = nil, firstContact: Instant? = nil, tags: [String]? = nil
    ) {
        self.title = title
        self.body = body
        self.category = category
        self.urgency = urgency
        self.customer = customer
        self.channel = channel
        self.promised = promised
        self.firstContact = firstContact
        self.tags = tags
    }

    func openBody() throws -> OpenBody {
        OpenBody(
            title: title, body: body ?? "", category: category ?? "",
            urgency: try urgency.map { try named($0, "urgency", Urgency.self) } ?? .unknown,
            customerLabel: customer ?? "", channel: channel ?? "", promised: promised?.milliseconds,
            firstContact: firstContact?.milliseconds)
    }
}

package struct SetRequest: TicketRequest, Hashable {
    package var field: String
    /// Numbers, instants and urgencies as texts too.
    package var value: String

    package init(field: String, value: String) {
        self.field = field
        self.value = value
    }

    func action(_ reading: RequestReading) throws -> TicketCommand.Action {
        let field = try readField(self.field)
        return .set(field, try readValue(value, for: field))
    }
}

package struct TransferRequest: TicketRequest, Hashable {
    /// Nil for this site.
    package var site: String?
    package var department: String?
    /// `dispatch`, `onward` or `returning`; nil for a dispatch by the accepting department and onward by others.
    package var variant: String?
    package var reason: String?
    package var note: String?

    package init(site: String?, department: String?, variant: String?, reason: String? = nil, note: String? = nil) {
        self.site = site
        self.department = department
        self.variant = variant
        self.reason = reason
        self.note = note
    }

    func action(_ reading: RequestReading) throws -> TicketCommand.Action {
        let variant = try self.variant.map { try named($0, "variant", TransferBody.Variant.self) }
        if variant == .returning { return .returnBack(reason: reason ?? "") }
        let isAtRoot = reading.summary.custody?.parent == nil
        return .transfer(
            variant ?? (isAtRoot ? .dispatch : .onward), site: try site.map { try readSite($0) } ?? reading.site,
            department: department ?? "", reason: reason ?? "", note: note ?? "")
    }
}

package struct AcceptRequest: TicketRequest, Hashable {
    package init() {}
    func action(_ reading: RequestReading) -> TicketCommand.Action { .accept }
}

package struct ReplyRequest: TicketRequest, Hashable {
    package var text: String
    /// Nil for the acting department's own.
    package var custody: String?

    package init(text: String, custody: String? = nil) {
        self.text = text
        self.custody = custody
    }

    func action(_ reading: RequestReading) throws -> TicketCommand.Action {
        .reply(text: text, custody: try custody.map { try readDot($0, "custody") })
    }
}

package struct FeedbackRequest: TicketRequest, Hashable {
    package var text: String
    package var channel: String?
    /// 1–5; nil for none given.
    package var score: UInt8?

    package init(text: String, channel: String? = nil, score: UInt8? = nil) {
        self.text = text
        self.channel = channel
        self.score = score
    }

    func action(_ reading: RequestReading) throws -> TicketCommand.Action {
        .feedback(text: text, channel: channel ?? "", score: try readScore(score))
    }
}

package struct CloseRequest: TicketRequest, Hashable {
    package var reason: String?
    package var isConfirmedByCustomer: Bool?
    package var score: UInt8?

    package init(reason: String? = nil, isConfirmedByCustomer: Bool? = nil, score: UInt8? = nil) {
        self.reason = reason
        self.isConfirmedByCustomer = isConfirmedByCustomer
        self.score = score
    }

    func action(_ reading: RequestReading) throws -> TicketCommand.Action {
        .close(
            reason: reason ?? "", isConfirmedByCustomer: isConfirmedByCustomer ?? false, score: try readScore(score))
    }
}

package struct ReopenRequest: TicketRequest, Hashable {
    package var reason: String

    package init(reason: String) {
        self.reason = reason
    }

    func action(_ reading: RequestReading) -> TicketCommand.Action { .reopen(reason: reason) }
}

package struct ChaseRequest: TicketRequest, Hashable {
    package var note: String?
    package var channel: String?
    package var promised: Instant?

    package init(note: String? = nil, channel: String? = nil, promised: Instant? = nil) {
        self.note = note
        self.channel = channel
        self.promised = promised
    }

    func action(_ reading: RequestReading) -> TicketCommand.Action {
        .chase(
            customer: reading.summary.opening?.customer, promised: promised?.milliseconds, note: note ?? "",
            channel: channel ?? "")
    }
}

package struct AcknowledgeRequest: TicketRequest, Hashable {
    /// Nil for the earliest that nobody has acknowledged.
    package var chase: String?

    package init(chase: String? = nil) {
        self.chase = chase
    }

    func action(_ reading: RequestReading) throws -> TicketCommand.Action {
        if let chase { return .acknowledgeChase(try readDot(chase, "chase")) }
        let waiting = reading.summary.chases.first { !$0.isAcknowledged && !$0.isAnswered }
        guard let waiting else { throw Refusal.noSuchChase }
        return .acknowledgeChase(waiting.dot)
    }
}

package struct AnswerRequest: TicketRequest, Hashable {
    /// Nil for the earliest that nobody has answered.
    package var chase: String?
    package var text: String
    package var promised: Instant?

    package init(chase: String? = nil, text: String, promised: Instant? = nil) {
        self.chase = chase
        self.text = text
        self.promised = promised
    }

    func action(_ reading: RequestReading) throws -> TicketCommand.Action {
        let waiting = reading.summary.chases.first { !$0.isAnswered }?.dot
        guard let dot = try chase.map({ try readDot($0, "chase") }) ?? waiting else { throw Refusal.noSuchChase }
        return .answerChase(dot, text: text, promised: promised?.milliseconds)
    }
}

package struct NoteRequest: TicketRequest, Hashable {
    package var text: String

    package init(text: String) {
        self.text = text
    }

    func action(_ reading: RequestReading) -> TicketCommand.Action { .note(text) }
}

package struct SettleRequest: TicketRequest, Hashable {
    /// Dot of the transfer that shall count.
    package var winner: String
    package var reason: String

    package init(winner: String, reason: String) {
        self.winner = winner
        self.reason = reason
    }

    func action(_ reading: RequestReading) throws -> TicketCommand.Action {
        let winner = try readDot(self.winner, "winner")
        let contest = reading.summary.contested.first { $0.candidates.contains { $0.dot == winner } }
        guard let contest else { throw Refusal.noSuchContest }
        return .settle(custody: contest.parent, winner: winner, reason: reason)
    }
}

package struct TwinRequest: Codable, Sendable, Hashable {
    /// Id or number of the other ticket.
    package var other: String
    package var reason: String?

    package init(other: String, reason: String? = nil) {
        self.other = other
        self.reason = reason
    }
}

struct JoinRequest: TicketRequest {
    var other: String
    var reason: String?

    func action(_ reading: RequestReading) throws -> TicketCommand.Action {
        .join(try reading.resolve(other), reason: reason ?? "")
    }
}

struct SeparateRequest: TicketRequest {
    var other: String
    var reason: String?

    func action(_ reading: RequestReading) throws -> TicketCommand.Action {
        .separate(try reading.resolve(other), reason: reason ?? "")
    }
}

package struct TagRequest: Codable, Sendable, Hashable {
    package var tag: String

    package init(tag: String) {
        self.tag = tag
    }
}

struct AddTagRequest: TicketRequest {
    var tag: String
    func action(_ reading: RequestReading) -> TicketCommand.Action { .tag(tag) }
}

struct RemoveTagRequest: TicketRequest {
    var tag: String
    func action(_ reading: RequestReading) -> TicketCommand.Action { .untag(tag) }
}

package struct ResolveRequest: TicketRequest, Hashable {
    package var field: String
    /// A value, or the write whose value shall stand.
    package var value: String?
    package var write: String?

    package init(field: String, value: String? = nil, write: String? = nil) {
        self.field = field
        self.value = value
        self.write = write
    }

    func action(_ reading: RequestReading) throws -> TicketCommand.Action {
        let field = try readField(self.field)
        guard let state = reading.summary.state(of: field), state.writes.count > 1 else {
            throw APIFailure.noSuchConflict
        }
        if let value { return .resolve(field, try readValue(value, for: field)) }
        guard let write, let chosen = try reading.body(try readDot(write, "write"))?.value(of: field) else {
            throw APIFailure.malformed(field: "write", expected: state.writes.map(\.description).joined(separator: "|"))
        }
        return .resolve(field, chosen)
    }
}

package struct UndoRequest: TicketRequest, Hashable {
    /// Dot of the write to take back.
    package var write: String

    package init(write: String) {
        self.write = write
    }

    func action(_ reading: RequestReading) throws -> TicketCommand.Action {
        .undo(write: try readDot(write, "write"))
    }
}

// MARK: Reading texts

func named<Value: APINamed>(_ text: String, _ field: String, _ type: Value.Type) throws -> Value {
    guard let value = Value(apiName: text) else { throw APIFailure.malformed(field: field, expected: Value.apiNames) }
    return value
}

func readDot(_ text: String, _ field: String) throws -> Dot {
    guard let dot = Dot(text: text) else {
        throw APIFailure.malformed(field: field, expected: "0123456789abcdef:42")
    }
    return dot
}

func readSite(_ text: String, _ field: String = "site") throws -> SiteCode {
    guard let site = SiteCode(text) else { throw APIFailure.malformed(field: field, expected: "xihu.hz.zj") }
    return site
}

private func readField(_ text: String) throws -> Field {
    guard let field = Field(apiName: text) else {
        throw APIFailure.malformed(field: "field", expected: Field.apiNames)
    }
    return field
}

private func readValue(_ text: String, for field: Field) throws -> SetFieldBody.Value {
    guard field.shape == .number else { return .text(text) }
    if field == .urgency { return .number(Int64(try named(text, "value", Urgency.self).rawValue)) }
    if let number = Int64(text) { return .number(number) }
    guard let instant = Instant(text) else {
        throw APIFailure.malformed(field: "value", expected: "2026-11-21T08:15:00Z")
    }
    return .number(instant.milliseconds)
}

private func readScore(_ score: UInt8?) throws -> UInt8 {
    guard let score else { return 0 }
    guard (1...5).contains(score) else { throw APIFailure.malformed(field: "score", expected: "1–5") }
    return score
}
