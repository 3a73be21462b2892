import Replication
import TestSupport
import Testing
import Tickets

/// What `decide` refuses, kind by kind, and what it says about it in both languages.
@Suite struct RefusalTests {
    private static let long = String(repeating: "a", count: TicketLimits.stringBytesMax + 1)
    private static let tooLong: Refusal = .tooLong(
        nil, count: TicketLimits.stringBytesMax + 1, countMax: TicketLimits.stringBytesMax)

    private static func transfer(
        _ department: String = "NET", reason: String = "", note: String = ""
    ) -> TicketCommand.Action {
        .transfer(.dispatch, site: SiteCode(validated: "hz.zj"), department: department, reason: reason, note: note)
    }

    /// Wishes of the desk that holds the ticket, by what each input lacks or has too much of.
    static let inputs: [(Refusal, TicketCommand.Action)] = [
        (.missing(.department), transfer("")), (tooLong, transfer(reason: long)), (tooLong, transfer(note: long)),
        (tooLong, transfer(long)), (.missing(.text), .reply(text: " ", custody: nil)),
        (tooLong, .reply(text: long, custody: nil)),
        (.missing(.text), .feedback(text: "\n", channel: "", score: 0)),
        (tooLong, .feedback(text: long, channel: "", score: 0)),
        (tooLong, .feedback(text: "x", channel: long, score: 0)),
        (tooLong, .close(reason: long, isConfirmedByCustomer: true, score: 0)),
        (tooLong, .chase(customer: nil, promised: nil, note: long, channel: "")),
        (tooLong, .chase(customer: nil, promised: nil, note: "", channel: long)), (.missing(.text), .note(" ")),
        (tooLong, .note(long)), (.missing(.tag), .tag(" ")), (tooLong, .tag(long)),
        (.missing(.name), .watch(name: "", site: nil)), (tooLong, .watch(name: long, site: nil)),
        (.missing(.name), .unwatch(name: " ", site: nil)),
        (.wrongValue(.title), .set(.title, .number(1))), (.wrongValue(.promisedTime), .set(.promisedTime, .text("1"))),
        (.wrongValue(.urgency), .set(.urgency, .number(-1))), (.wrongValue(.title), .set(.title, .sealed(sealed))),
        (.tooLong(.cause, count: long.utf8.count, countMax: TicketLimits.stringBytesMax), .set(.cause, .text(long))),
        (.sameTicket, .separate(EntityID(ticketOpenedBy: Dot(ReplicaID(0x10), 1)), reason: "")),
        (.notJoined, .separate(EntityID(ticketOpenedBy: Dot(ReplicaID(0x10), 9)), reason: "")),
    ]

    private static let sealed = SealedValue(
        "甲", under: PersonalKey(subject: Scene.customer, secret: [UInt8](repeating: 1, count: 32)),
        at: SealedPlace(entity: Scene.customer, field: 1), nonce: [UInt8](repeating: 1, count: 12))

    @Test("an input that is missing, too long or of the wrong kind is refused by name", arguments: inputs.indices)
    func refusedInput(index: Int) throws {
        let (refusal, action) = Self.inputs[index]
        var scene = try Scene()
        #expect(throws: refusal) { try scene.branch.perform(action, on: scene.id, as: "SVC", minute: 1) }
    }

    @Test("a ticket that is opened needs a title and a department, each within its limits")
    func opening() throws {
        var office = Office("xihu.hz.zj", replica: 1)
        for (refusal, body, department) in [
            (Refusal.missing(.title), OpenBody(title: " "), "SVC"), (.missing(.department), OpenBody(title: "断网"), ""),
            (Self.tooLong, OpenBody(title: "断网", channel: Self.long), "SVC"),
        ] {
            #expect(throws: refusal) { try office.perform(.open(body), on: nil, as: department, minute: 0) }
        }
        // Each text keeps its own limit, and all of them together do not fit into one operation.
        let most = String(Self.long.dropLast())
        let heavy = OpenBody(title: "断网", category: most, customerLabel: most, channel: most, number: most)
        do {
            try office.perform(.open(heavy), on: nil, as: "SVC", minute: 0)
            Issue.record("it was taken")
        } catch Refusal.operationTooLarge(let bytes, let bytesMax) {
            #expect(bytes > 4 * most.utf8.count && bytesMax == TicketLimits.bodyBytesMax)
        }
        #expect(office.log.isEmpty)
    }

    @Test("nothing is done to a ticket that is not here, nor custody moved before its opening has arrived")
    func absent() throws {
        var scene = try Scene()
        let nowhere = EntityID(type: .ticket, high: 9, low: 9)
        #expect(throws: Refusal.noSuchTicket) {
            try scene.branch.perform(.note("x"), on: nowhere, as: "SVC", minute: 1)
        }
        let note = try scene.branch.perform(.note("x"), on: scene.id, as: "SVC", minute: 1)
        var early = Office("binjiang.hz.zj", replica: 0x40)
        early.receive(note)
        #expect(early.summary(scene.id).isPending)
        for action in [TicketCommand.Action.accept, .reply(text: "x", custody: nil), .returnBack(reason: "r")] {
            #expect(throws: Refusal.noSuchTicket) {
                try early.perform(action, on: scene.id, as: "SVC", minute: 2)
            }
        }
        try early.perform(.note("也可以"), on: scene.id, as: "SVC", minute: 2)
    }

    @Test("a chase is acknowledged and answered once; acknowledging alone leaves the answer owed")
    func chases() throws {
        var scene = try Scene()
        let chase = try scene.branch.perform(
            .chase(customer: nil, promised: nil, note: "催", channel: ""), on: scene.id, as: "SVC", minute: 1)[0].dot
        try scene.branch.perform(.acknowledgeChase(chase), on: scene.id, as: "SVC", minute: 2)
        let acknowledged = try #require(scene.branch.summary(scene.id).chases.first)
        #expect(acknowledged.isAcknowledged && acknowledged.isDelivered && !acknowledged.isAnswered)
        #expect(throws: Refusal.missing(.text)) {
            try scene.branch.perform(
                .answerChase(chase, text: " ", promised: nil), on: scene.id, as: "SVC", minute: 3)
        }
        try scene.branch.perform(.answerChase(chase, text: "明日", promised: nil), on: scene.id, as: "SVC", minute: 3)
        #expect(throws: Refusal.alreadyAnswered) {
            try scene.branch.perform(
                .answerChase(chase, text: "后天", promised: nil), on: scene.id, as: "SVC", minute: 4)
        }
    }

    @Test("a tag that nobody could set here is taken off all the same")
    func foreignTag() throws {
        var scene = try Scene()
        for (sequence, tag) in [(UInt64(1), " "), (2, Self.long)] {
            let body = Body.tag(TagBody(tag: tag))
            scene.branch.receive([
                Operation(
                    dot: Dot(ReplicaID(0x50), sequence), entity: scene.id, previous: sequence - 1,
                    seen: VersionVector(),
                    time: .zero, author: scene.region.author("SVC"), scope: [], kind: body.kind.operationKind,
                    body: body.encoded())
            ])
        }
        for tag in scene.branch.summary(scene.id).tags {
            try scene.branch.perform(.untag(tag), on: scene.id, as: "SVC", minute: 2)
        }
        #expect(scene.branch.summary(scene.id).tags.isEmpty)
    }

    @Test("a settlement needs a reason")
    func settling() throws {
        var scene = try Scene()
        let first = try scene.branch.perform(Self.transfer(), on: scene.id, as: "SVC", minute: 1)
        try scene.desk.perform(Self.transfer("DATA"), on: scene.id, as: "SVC", minute: 1)
        scene.sync()
        #expect(throws: Refusal.missing(.reason)) {
            try scene.region.perform(
                .settle(custody: scene.root, winner: first[0].dot, reason: " "), on: scene.id, as: "QUAL", minute: 2)
        }
    }

    @Test("transfers to two provinces have no arbiter in common: the site of the first candidate settles them")
    func noCommonArbiter() throws {
        #expect(SiteCode.lowestCommon([SiteCode(validated: "hz.zj"), SiteCode(validated: "nb.js")]) == nil)
        #expect(SiteCode.lowestCommon([]) == nil)
        var scene = try Scene()
        let first = try scene.branch.perform(
            Scene.transfer(.dispatch, "nb.js", "NET"), on: scene.id, as: "SVC", minute: 1)
        try scene.desk.perform(Scene.transfer(.dispatch, "hz.zj", "NET"), on: scene.id, as: "SVC", minute: 1)
        scene.sync()
        let contest = try #require(scene.region.summary(scene.id).contested.first)
        #expect(contest.arbiter == nil && contest.candidates[0].dot == first[0].dot)
        #expect(throws: Refusal.levelTooLow(needed: SiteCode(validated: "nb.js"))) {
            try scene.province.perform(
                .settle(custody: scene.root, winner: first[0].dot, reason: "r"), on: scene.id, as: "QUAL", minute: 2)
        }
    }

    @Test("a relaying department replies for its own custody, and only while it looks at it")
    func replies() throws {
        var scene = try Scene()
        let looked = try #require(scene.region.tickets[scene.id]).seen()
        let relay = try scene.branch.perform(Self.transfer(), on: scene.id, as: "SVC", minute: 1)[0].dot
        scene.sync()
        try scene.region.perform(Scene.transfer(.dispatch, "hz.zj", "DATA"), on: scene.id, as: "NET", minute: 2)
        let moved = Refusal.custodyMoved(site: scene.region.site, department: "DATA")
        #expect(throws: moved) {
            try scene.region.perform(
                .reply(text: "x", custody: relay), on: scene.id, as: "NET", minute: 3, version: looked)
        }
        #expect(throws: Refusal.notHolder(site: scene.region.site, department: "DATA")) {
            try scene.region.perform(.reply(text: "x", custody: scene.root), on: scene.id, as: "NET", minute: 3)
        }
        try scene.region.perform(.reply(text: "转报", custody: relay), on: scene.id, as: "NET", minute: 3)
        #expect(scene.region.summary(scene.id).path.first { $0.id == relay }?.replied != nil)
    }

    /// What a ticket was opened with, field by field, and a write over it.
    private static let written: [(Field, OpenBody, SetFieldBody.Value, SetFieldBody.Value)] = [
        (.title, OpenBody(title: "一"), .text("二"), .text("一")),
        (.body, OpenBody(title: "一", body: "昨晚起"), .text("今早起"), .text("昨晚起")),
        (.category, OpenBody(title: "一", category: "NETWORK"), .text("BILLING"), .text("NETWORK")),
        (.urgency, OpenBody(title: "一", urgency: .high), .number(4), .number(Int64(Urgency.high.rawValue))),
        (.channel, OpenBody(title: "一", channel: "10086"), .text("门店"), .text("10086")),
        (.promisedTime, OpenBody(title: "一", promised: 5), .number(6), .number(5)),
        (.customerLabel, OpenBody(title: "一", customerLabel: "138****"), .text("139****"), .text("138****")),
        (.customerLabel, OpenBody(title: "一", sealedCustomerLabel: sealed), .text("139****"), .sealed(sealed)),
    ]

    @Test("undoing writes back what the ticket was opened with, whichever field it is")
    func undo() throws {
        for (field, opening, value, former) in Self.written {
            var office = Office("xihu.hz.zj", replica: 1)
            let id = try office.perform(.open(opening), on: nil, as: "SVC", minute: 0)[0].entity
            let write = try office.perform(.set(field, value), on: id, as: "SVC", minute: 1)[0]
            #expect(try Body(decoding: write).value(of: field) == value)
            #expect(try Body(decoding: write).value(of: .cause) == nil)
            let undoing = try office.perform(.undo(write: write.dot), on: id, as: "SVC", minute: 2)[0]
            #expect(
                try Body(decoding: undoing)
                    == .setField(SetFieldBody(field: field, value: former, undoes: write.dot)),
                "field \(field.rawValue)")
        }
    }

    @Test("there is nothing to undo of a first value, of an entry that is void, and of what is no write")
    func nothingToUndo() throws {
        var scene = try Scene()
        let first = try scene.branch.perform(.set(.cause, .text("a")), on: scene.id, as: "SVC", minute: 1)[0].dot
        let second = try scene.branch.perform(.set(.cause, .text("b")), on: scene.id, as: "SVC", minute: 2)[0].dot
        let note = try scene.branch.perform(.note("n"), on: scene.id, as: "SVC", minute: 3)[0].dot
        // The customer that it was opened for is no text that could be written back.
        let customer = try scene.branch.perform(.set(.customer, .text("x")), on: scene.id, as: "SVC", minute: 3)[0].dot
        for write in [first, note, customer] {
            #expect(throws: Refusal.nothingToUndo) {
                try scene.branch.perform(.undo(write: write), on: scene.id, as: "SVC", minute: 4)
            }
        }
        var ticket = try #require(scene.branch.tickets[scene.id])
        ticket.setVoid(second, true)
        let operations = Dictionary(scene.branch.log.map { ($0.dot, $0) }, uniquingKeysWith: { first, _ in first })
        let context = DecisionContext(
            author: scene.branch.author("SVC"), replica: scene.branch.replica, nextSequence: 99,
            now: HybridTimestamp(milliseconds: Office.start), operation: { operations[$0] }, ticket: { _ in nil })
        let command = TicketCommand(ticket: scene.id, version: ticket.seen(), action: .undo(write: second))
        #expect(throws: Refusal.nothingToUndo) { try decide(command, on: ticket, context: context) }
    }

    @Test("twins are parted from either side, also where the other ticket is not here")
    func separating() throws {
        var scene = try Scene()
        let second = try scene.branch.perform(.open(OpenBody(title: "同一问题")), on: nil, as: "SVC", minute: 1)[0].entity
        try scene.branch.perform(.join(second, reason: "重复"), on: scene.id, as: "SVC", minute: 2)
        // Here only the other ticket says that they are joined.
        let others = scene.branch.log.filter { $0.entity == second }
        scene.region.receive(others)
        let made = try scene.region.perform(.separate(second, reason: "不是"), on: scene.id, as: "SVC", minute: 3)
        #expect(Set(made.map(\.entity)) == [scene.id, second])
        // There only this one does.
        scene.other.receive(scene.branch.log.filter { $0.entity == scene.id })
        let alone = try scene.other.perform(.separate(second, reason: "不是"), on: scene.id, as: "SVC", minute: 3)
        #expect(alone.map(\.entity) == [scene.id])
    }

    // MARK: Texts

    private static let site = SiteCode(validated: "hz.zj")

    /// Every refusal once.
    static let all: [Refusal] =
        RequiredInput.allCases.map { .missing($0) } + [
            .tooLong(.title, count: 201, countMax: 200), .operationTooLarge(bytes: 61_441, bytesMax: 61_440),
            .wrongValue(.title), .scoreOutOfRange(score: 6, scoreMax: 5), .noSuchTicket, .alreadyOpened,
            .notHolder(site: site, department: "NET"), .custodyMoved(site: site, department: "NET"), .transferToSelf,
            .nothingToReturn, .locked(arbiter: site), .alreadyAccepted(person: "甲"), .closed, .notClosed,
            .closeNeedsReason, .noSuchChase, .alreadyAnswered, .noSuchContest, .notCandidate, .alreadySettled,
            .levelTooLow(needed: site), .frozen, .frozenByDamage(Dot(ReplicaID(11), 1)), .sameTicket, .notJoined,
            .noSuchTag, .nothingToUndo, .adminOnly,
            .nothingToErase, .noSuchProposal, .samePerson(name: "李"), .alreadyErased,
        ]

    @Test("every refusal says in both languages what is wrong and what to do, and no two say the same")
    func texts() {
        for refusal in Self.all {
            // Two sentences at least: the fault, then the next step.
            let chinese = refusal.text(.chinese).split { "。；".contains($0) }
            let english = refusal.text(.english).split { ".,;".contains($0) }
            #expect(chinese.count + refusal.text(.chinese).filter { $0 == "，" }.count >= 2, "\(refusal)")
            #expect(english.count >= 2, "\(refusal)")
        }
        for language in Language.allCases {
            #expect(Set(Self.all.map { $0.text(language) }).count == Self.all.count, "\(language)")
        }
    }

    @Test("a refusal names the site, department, person or number that it is about, in both languages")
    func namesInTexts() {
        let named: [(Refusal, [String])] = [
            (.tooLong(.title, count: 201, countMax: 200), ["201", "200"]),
            (.operationTooLarge(bytes: 61_441, bytesMax: 61_440), ["61441", "61440"]), (.wrongValue(.urgency), ["4"]),
            (.scoreOutOfRange(score: 6, scoreMax: 5), ["6", "5"]),
            (.notHolder(site: Self.site, department: "NET"), ["hz.zj", "NET"]),
            (.custodyMoved(site: Self.site, department: "NET"), ["hz.zj", "NET"]),
            (.locked(arbiter: Self.site), ["hz.zj"]), (.levelTooLow(needed: Self.site), ["hz.zj"]),
            (.alreadyAccepted(person: "甲"), ["甲"]), (.samePerson(name: "李"), ["李"]),
        ]
        for (refusal, words) in named {
            for language in Language.allCases {
                for word in words { #expect(refusal.text(language).contains(word), "\(refusal)") }
            }
        }
    }
}
