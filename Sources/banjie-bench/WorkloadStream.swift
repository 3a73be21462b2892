internal import Replication
internal import Tickets

/// A history of complaint tickets, the same for the same seed: twelve offices write operations on tickets that live for
/// about a day and a half, in the order of their times, so that every prefix is causally closed.
///
/// Per ticket one `open`, then `set`, `transfer`, `chase` and `note` as 34 : 22 : 13 : 31, then a `close` in 17 of 20.
/// Three operations in ten are another office's than the one that opened it; it sees what is older than ten minutes.
///
/// An operation at a time, so that a history of millions need not be in memory.
struct WorkloadStream: Sequence, IteratorProtocol {
    static let originCount = 12
    static let province = SiteCode(validated: "zj")
    static let region = SiteCode(validated: "hz.zj")
    static let startMilliseconds: Int64 = 1_767_225_600_000
    static let openIntervalMilliseconds = 26_000
    static let gapMeanMilliseconds = 14_400_000.0
    static let delayMilliseconds: Int64 = 600_000
    private static let peoplePerOrigin = 8
    private static let categories = ["道路", "噪声", "供水", "占道", "环卫", "物业", "欠薪", "供暖"]

    /// What the twelve offices' incarnations say before anything else.
    let announcements: [Operation]
    private let replicas: [ReplicaID]
    private let people: [[Author]]
    private let phrases: Phrases
    private let plan: [Planned]
    private var random: Random
    private var position = 0
    private var sequences: [UInt64]
    private var open: [Int: Open] = [:]
    private var last = HybridTimestamp.zero

    static func site(_ origin: Int) -> SiteCode { SiteCode(validated: "b\(origin).\(region)") }

    private struct Planned {
        var time: Int64
        var ticket: Int
        var kind: Kind
        var origin: Int
    }

    /// What the operations so far have made of a ticket.
    private struct Open {
        var id: EntityID
        /// The reference's key: it names the office that opened the ticket.
        var key: Int
        var history: [(dot: Dot, time: Int64, isCustody: Bool)] = []
    }

    init(operations count: Int, tickets: Int, seed: UInt64) {
        var random = Random(seed: seed)
        let phrases = Phrases(&random)
        let replicas = (0..<Self.originCount).map { _ in ReplicaID(random.next()) }
        people = (1...Self.originCount).map { origin in
            (0..<Self.peoplePerOrigin).map { _ in
                Author(
                    name: phrases.name(&random), role: .dispatcher, level: .branch, site: Self.site(origin),
                    department: phrases.department(&random))
            }
        }
        plan = Self.plan(operations: count, tickets: tickets, &random)
        announcements = replicas.enumerated().map { Self.announcement(of: $1, site: Self.site($0 + 1)) }
        sequences = [UInt64](repeating: 1, count: Self.originCount)
        self.replicas = replicas
        self.phrases = phrases
        self.random = random
    }

    /// In the order of the operations' times.
    mutating func next() -> WorkloadOperation? {
        guard position < plan.count else { return nil }
        let planned = plan[position]
        position += 1
        let origin = planned.origin
        sequences[origin - 1] += 1
        let dot = Dot(replicas[origin - 1], sequences[origin - 1])
        let wall = HybridTimestamp(milliseconds: planned.time)
        last = wall > last ? wall : HybridTimestamp(rawValue: last.rawValue + 1)
        var ticket =
            open[planned.ticket] ?? Open(id: EntityID(ticketOpenedBy: dot), key: origin << 32 | planned.ticket)
        let seen = ticket.history.filter {
            $0.dot.replica == dot.replica || $0.time < planned.time - Self.delayMilliseconds
        }
        let custody = seen.last(where: \.isCustody) ?? ticket.history.first
        let made = Self.body(
            planned.kind, custody: custody?.dot ?? dot, dot: dot, time: planned.time, origin: origin, phrases, &random)
        let operation = Operation(
            dot: dot, entity: ticket.id,
            previous: ticket.history.last { $0.dot.replica == dot.replica }?.dot.sequence ?? 0,
            seen: VersionVector(seen.map(\.dot)), time: last, author: random.pick(people[origin - 1]),
            scope: planned.kind == .open ? [Self.site(origin)] : [], kind: planned.kind.operationKind,
            isCritical: planned.kind.isCritical, body: made.body.encoded())
        ticket.history.append((dot, planned.time, planned.kind == .open || planned.kind == .transfer))
        open[planned.ticket] = ticket
        return WorkloadOperation(
            operation: operation, origin: origin, ticket: ticket.key, register: made.register, text: made.text,
            body: made.body)
    }

    private static func plan(operations count: Int, tickets: Int, _ random: inout Random) -> [Planned] {
        let perTicket = Swift.max(1, count / tickets)
        var plan: [Planned] = []
        plan.reserveCapacity(count)
        for ticket in 1...tickets {
            let opener = random.within(1...originCount)
            var kinds: [Kind] = [.open]
            for _ in 0..<Swift.max(0, perTicket - 2) {
                kinds.append([Kind.setField, .transfer, .chase, .note][random.weighted([34, 22, 13, 31])])
            }
            if perTicket > 1 { kinds.append(random.isTrue(0.85) ? .close : .note) }
            var time = startMilliseconds + Int64(ticket * openIntervalMilliseconds + random.below(20_000))
            for kind in kinds {
                let isOwn = kind == .open || random.isTrue(0.7)
                plan.append(
                    Planned(
                        time: time, ticket: ticket, kind: kind, origin: isOwn ? opener : random.within(1...originCount))
                )
                time += Int64(random.exponential(mean: gapMeanMilliseconds)) + 1_000
            }
        }
        plan.sort { ($0.time, $0.ticket) < ($1.time, $1.ticket) }
        return Array(plan.prefix(count))
    }

    static func announcement(of replica: ReplicaID, site: SiteCode) -> Operation {
        let body = Body.announce(
            AnnounceBody(site: site, certificateFingerprint: [], level: AuthorityLevel(of: site)))
        return Operation(
            dot: Dot(replica, 1), entity: EntityID(announcementOf: replica), previous: 0, seen: VersionVector(),
            time: HybridTimestamp(milliseconds: startMilliseconds),
            author: Author(
                name: "node", role: .system, level: AuthorityLevel(of: site), site: site, department: ""),
            scope: [], kind: body.kind.operationKind, isCritical: body.kind.isCritical, body: body.encoded())
    }

    private static func body(
        _ kind: Kind, custody: Dot, dot: Dot, time: Int64, origin: Int, _ phrases: Phrases, _ random: inout Random
    ) -> (body: Body, text: String, register: Int?) {
        switch kind {
        case .open:
            let phone = phrases.phone(&random)
            let title = "\(phrases.address(&random))\(phrases.complaint(&random))"
            let body =
                "\(phrases.name(&random))，\(phone)，来电称\(phrases.free(random.within(40...210), &random))要求\(phrases.department(&random))尽快处理。"
            return (
                .open(
                    OpenBody(
                        title: title, body: body, category: random.pick(categories), urgency: .middle,
                        number: TicketNumber.label(dot: dot, site: site(origin), openedAt: time),
                        department: "热线受理科")),
                title + body, 100
            )
        case .transfer:
            let department = phrases.department(&random)
            let note =
                "\(phrases.action(&random))：经办\(phrases.name(&random))，限\(phrases.date(&random))前，由\(phrases.department(&random))移交，\(phrases.free(random.within(12...70), &random))"
            return (
                .transfer(
                    TransferBody(
                        custody: custody, variant: .dispatch, site: site(random.within(1...originCount)),
                        department: department, note: note)),
                department + note, 101
            )
        case .chase:
            let note =
                "第\(random.within(1...9))次来电催问，\(phrases.free(random.within(18...76), &random))请\(phrases.department(&random))答复。"
            return (.chase(ChaseBody(note: note)), note, nil)
        case .close:
            let reason =
                "\(phrases.date(&random))办结。\(phrases.department(&random))\(phrases.free(random.within(50...190), &random))已电话告知，市民\(random.pick(["认可", "基本认可", "不认可", "未接电话"]))。"
            return (.close(CloseBody(reason: reason)), reason, 102)
        case .setField: return set(phrases, &random)
        default:
            let text = "\(phrases.name(&random))：\(phrases.free(random.within(45...250), &random))"
            return (.note(NoteBody(text: text)), text, nil)
        }
    }

    private static func set(_ phrases: Phrases, _ random: inout Random) -> (body: Body, text: String, register: Int?) {
        let fields: [Field] = [
            .contact, .customerLabel, .location, .category, .relatedSystem, .cause, .business, .phenomenon, .title,
            .body,
            .responsibleCause, .channel,
        ]
        let field = random.pick(fields)
        let value: String
        switch field {
        case .category: value = random.pick(categories)
        case .contact:
            value =
                "\(phrases.name(&random))，\(phrases.phone(&random))，\(phrases.free(random.within(20...50), &random))"
        case .location: value = "\(phrases.address(&random))，\(phrases.free(random.within(12...40), &random))"
        default: value = "\(phrases.department(&random))核定：\(phrases.free(random.within(40...110), &random))"
        }
        return (.setField(SetFieldBody(field: field, value: .text(value))), value, Int(field.rawValue))
    }
}
