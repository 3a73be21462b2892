import Replication
import TestSupport
import Testing
import Tickets

@Suite struct DecisionTests {
    private func expect(
        _ refusal: Refusal, _ action: TicketCommand.Action, as department: String = "SVC", role: Role = .dispatcher,
        in scene: Scene, version: VersionVector? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var office = scene.branch
        #expect(throws: refusal, sourceLocation: sourceLocation) {
            try office.perform(action, on: scene.id, as: department, role: role, minute: 500, version: version)
        }
    }

    @Test("only whoever holds a ticket, or disposes of it from above, hands it on")
    func holder() throws {
        var scene = try Scene()
        let notHolder = Refusal.notHolder(site: scene.branch.site, department: "SVC")
        expect(notHolder, Scene.transfer(.dispatch, "hz.zj", "NET"), as: "NET", role: .agent, in: scene)
        expect(notHolder, .accept, as: "NET", in: scene)
        expect(notHolder, .reply(text: "x", custody: nil), as: "NET", in: scene)
        expect(.transferToSelf, Scene.transfer(.dispatch, "xihu.hz.zj", "SVC"), in: scene)
        #expect(throws: notHolder) {
            try scene.other.perform(Scene.transfer(.dispatch, "zj", "NET"), on: scene.id, as: "SVC", minute: 1)
        }
        try scene.region.perform(Scene.transfer(.dispatch, "zj", "NET"), on: scene.id, as: "QUAL", minute: 1)
    }

    @Test("a return needs a reason and somebody to go back to")
    func returning() throws {
        var scene = try Scene()
        expect(.nothingToReturn, .returnBack(reason: "r"), in: scene)
        try scene.branch.perform(Scene.transfer(.dispatch, "xihu.hz.zj", "NET"), on: scene.id, as: "SVC", minute: 1)
        expect(.missing(.returnReason), .returnBack(reason: " "), as: "NET", in: scene)
    }

    @Test("a score that no reader would take is not written")
    func scores() throws {
        let scene = try Scene()
        let refusal = Refusal.scoreOutOfRange(score: 6, scoreMax: 5)
        expect(refusal, .feedback(text: "已告知", channel: "", score: 6), in: scene)
        expect(refusal, .close(reason: "r", isConfirmedByCustomer: true, score: 6), in: scene)
    }

    @Test("who looked before the ticket moved is told where it is")
    func stale() throws {
        var scene = try Scene()
        let looked = try #require(scene.branch.tickets[scene.id]).seen()
        try scene.branch.perform(Scene.transfer(.dispatch, "xihu.hz.zj", "NET"), on: scene.id, as: "SVC", minute: 1)
        expect(
            .custodyMoved(site: scene.branch.site, department: "NET"), .accept, as: "NET", in: scene, version: looked)
    }

    @Test("closing and reopening follow one another, and closing untold needs a reason")
    func closing() throws {
        var scene = try Scene()
        expect(.notClosed, .reopen(reason: "r"), in: scene)
        expect(.closeNeedsReason, .close(reason: "", isConfirmedByCustomer: false, score: 0), in: scene)
        try scene.branch.perform(
            .close(reason: "撤诉", isConfirmedByCustomer: true, score: 0), on: scene.id, as: "SVC", minute: 1)
        expect(.closed, .close(reason: "r", isConfirmedByCustomer: false, score: 0), in: scene)
        expect(.closed, .chase(customer: nil, promised: nil, note: "", channel: ""), in: scene)
        expect(.closed, Scene.transfer(.dispatch, "hz.zj", "NET"), in: scene)
        expect(.missing(.reason), .reopen(reason: ""), in: scene)
    }

    @Test("a settlement takes a level that stands over all contesting sites, and only a higher one overrules it")
    func settling() throws {
        var scene = try Scene()
        let first = try scene.branch.perform(
            Scene.transfer(.dispatch, "xihu.hz.zj", "NET"), on: scene.id, as: "SVC", minute: 1)
        try scene.desk.perform(Scene.transfer(.dispatch, "binjiang.hz.zj", "NET"), on: scene.id, as: "SVC", minute: 1)
        scene.sync()
        let settle = TicketCommand.Action.settle(custody: scene.root, winner: first[0].dot, reason: "r")
        expect(.levelTooLow(needed: scene.region.site), settle, in: scene)
        expect(.noSuchContest, .settle(custody: first[0].dot, winner: first[0].dot, reason: "r"), in: scene)
        expect(.notCandidate, .settle(custody: scene.root, winner: scene.root, reason: "r"), in: scene)
        try scene.region.perform(settle, on: scene.id, as: "QUAL", minute: 2)
        scene.sync()
        #expect(throws: Refusal.alreadySettled) {
            try scene.region.perform(settle, on: scene.id, as: "QUAL", minute: 3)
        }
        try scene.province.perform(settle, on: scene.id, as: "QUAL", minute: 3)
    }

    @Test("what is too long, empty or of the wrong form is refused before it becomes a fact")
    func limits() throws {
        let scene = try Scene()
        expect(.missing(.title), .set(.title, .text("  ")), in: scene)
        expect(
            .tooLong(.title, count: 201, countMax: 200), .set(.title, .text(String(repeating: "长", count: 201))),
            in: scene)
        expect(
            .tooLong(.body, count: 8_001, countMax: 8_000), .set(.body, .text(String(repeating: "长", count: 8_001))),
            in: scene)
        expect(.tooLong(nil, count: 16_385, countMax: 16_384), .note(String(repeating: "a", count: 16_385)), in: scene)
        expect(.wrongValue(.urgency), .set(.urgency, .text("急")), in: scene)
        expect(.wrongValue(.urgency), .set(.urgency, .number(9)), in: scene)
        expect(.missing(.text), .note(""), in: scene)
        expect(.noSuchTag, .untag("没有"), in: scene)
        expect(.sameTicket, .join(scene.id, reason: ""), in: scene)
        expect(.noSuchTicket, .join(EntityID(type: .ticket, high: 1, low: 1), reason: ""), in: scene)
        expect(.noSuchChase, .acknowledgeChase(scene.root), in: scene)
        expect(.nothingToUndo, .undo(write: scene.root), in: scene)
        expect(.alreadyOpened, .open(OpenBody(title: "x")), in: scene)
    }

    @Test("a body at its limit of characters fits into an operation")
    func largestBody() throws {
        var scene = try Scene()
        let text = String(repeating: "诉", count: TicketLimits.bodyCharactersMax)
        let made = try scene.branch.perform(.set(.body, .text(text)), on: scene.id, as: "SVC", minute: 1)
        #expect(made[0].body.count <= TicketLimits.bodyBytesMax)
        try made[0].check()
    }

    @Test("title, body and other texts of exactly their limits are taken")
    func atTheLimits() throws {
        var scene = try Scene()
        let title = String(repeating: "长", count: TicketLimits.titleCharactersMax)
        let body = String(repeating: "长", count: TicketLimits.bodyCharactersMax)
        let note = String(repeating: "a", count: TicketLimits.stringBytesMax)
        try scene.branch.perform(.set(.title, .text(title)), on: scene.id, as: "SVC", minute: 1)
        try scene.branch.perform(.set(.body, .text(body)), on: scene.id, as: "SVC", minute: 2)
        try scene.branch.perform(.note(note), on: scene.id, as: "SVC", minute: 3)
    }

    @Test("an operation's body may nest eight messages deep, itself counted; one more is unreadable")
    func nesting() throws {
        let body = Body.note(NoteBody(text: "x")).encoded()
        // Groups within groups, as a field that this version does not know (number 99).
        func nested(_ depth: Int) -> [UInt8] {
            body + (0..<depth).flatMap { _ in [0x9b, 0x06] as [UInt8] } + (0..<depth).flatMap { _ in [0x9c, 0x06] }
        }
        let kind = Kind.note.operationKind
        #expect(throws: Never.self) { try Body(kind: kind, bytes: nested(TicketLimits.nestingMax - 1)) }
        #expect(throws: BodyFailure.self) { try Body(kind: kind, bytes: nested(TicketLimits.nestingMax)) }
    }

    @Test("a second call within the window joins the first, also over the edge of a window")
    func chaseWindow() throws {
        var scene = try Scene()
        let day: Int64 = 24 * 60
        // Minute 0 lies at 08:00 UTC; windows of a day end at midnight, 960 minutes later.
        try scene.branch.perform(
            .chase(customer: nil, promised: nil, note: "", channel: ""), on: scene.id, as: "SVC", minute: 900)
        try scene.branch.perform(
            .chase(customer: nil, promised: nil, note: "", channel: ""), on: scene.id, as: "SVC", minute: 1_000)
        #expect(scene.branch.summary(scene.id).chases.count == 1)
        try scene.branch.perform(
            .chase(customer: nil, promised: nil, note: "", channel: ""), on: scene.id, as: "SVC", minute: 900 + day)
        #expect(scene.branch.summary(scene.id).chases.count == 2)
    }

    @Test("a ticket's number reads back in any case and spacing, and tells a slip of the tongue")
    func numbers() throws {
        let site = try #require(SiteCode("xihu.hz.zj"))
        // 2026-11-21 17:00 UTC is the 22nd in China.
        let number = TicketNumber.label(dot: Dot(ReplicaID(7), 3), site: site, openedAt: 1_795_280_400_000)
        #expect(number.hasPrefix("XIHU-261122-") && number.count == 18 && TicketNumber.isValid(number))
        #expect(TicketNumber.parse(number.lowercased()) == number)
        #expect(TicketNumber.parse(" " + number.filter { $0 != "-" } + " ") == number)
        var characters = Array(number)
        for index in characters.indices.dropLast(2) where characters[index] != "-" {
            let right = characters[index]
            characters[index] = right == "K" ? "L" : "K"
            #expect(!TicketNumber.isValid(String(characters)), "position \(index)")
            characters[index] = right
        }
        #expect(TicketNumber.parse("XIHU") == nil && TicketNumber.parse("") == nil)
        // Heard with a sign that no number has, and with a wrong check character.
        let compact = number.filter { $0 != "-" }
        #expect(TicketNumber.parse(compact.dropLast() + "#") == nil)
        #expect(TicketNumber.parse(String(compact.dropLast()) + (number.hasSuffix("K") ? "L" : "K")) == nil)
        #expect(TicketNumber.parse("#" + compact.dropFirst()) == nil)
    }

    @Test("the standard catalog reads back from its JSON, and a useless one is refused")
    func catalog() throws {
        let standard = Catalog.standard
        #expect(try Catalog(json: standard.json()) == standard)
        #expect(
            standard.category("NETWORK.MMS")?.department == "DATA" && standard.department("SVC")?.isAccepting == true)
        #expect(throws: CatalogFailure.self) { try Catalog(json: Array("{}".utf8)) }
    }

    private static let day = WorkingHours.Day(fromMinute: 0, toMinute: 24 * 60)

    /// Values that are just beyond what an office can work with, by the field.
    static let unworkable: [(field: String, change: @Sendable (inout Catalog) -> Void)] = [
        ("chaseWindowHours", { $0.chaseWindowHours = 0 }), ("chaseWindowHours", { $0.chaseWindowHours = 1_001 }),
        ("bounceLimit", { $0.bounceLimit = 0 }), ("bounceLimit", { $0.bounceLimit = 1_001 }),
        ("warningFraction", { $0.warningFraction = 0 }), ("warningFraction", { $0.warningFraction = 1.01 }),
        ("limits", { $0.limits.replyMinutes = 0 }), ("limits", { $0.totals.relayed.ticketMinutes = 366 * 24 * 60 + 1 }),
        ("workingHours.NET", { $0.workingHours = ["NET": hours(week: [day, nil])] }),
        ("workingHours.NET", { $0.workingHours = ["NET": hours(week: Array(repeating: nil, count: 7))] }),
        ("workingHours.NET", { $0.workingHours = ["NET": hours(offset: 14 * 60 + 1)] }),
        ("workingHours.NET", { $0.workingHours = ["NET": hours(offset: .min)] }),
        ("workingHours.NET", { $0.workingHours = ["NET": hours(day: WorkingHours.Day(fromMinute: 9, toMinute: 9))] }),
        (
            "workingHours.NET",
            { $0.workingHours = ["NET": hours(day: WorkingHours.Day(fromMinute: 9, toMinute: 24 * 60 + 1))] }
        ),
    ]

    private static func hours(
        offset: Int = 480, day: WorkingHours.Day = day, week: [WorkingHours.Day?]? = nil
    ) -> WorkingHours {
        WorkingHours(utcOffsetMinutes: offset, week: week ?? Array(repeating: day, count: 7))
    }

    @Test("a catalog with a value that no office can work with is refused by its field", arguments: unworkable.indices)
    func unworkableCatalog(index: Int) throws {
        let (field, change) = Self.unworkable[index]
        var catalog = Catalog.standard
        change(&catalog)
        let failure = CatalogFailure.invalid(field: field)
        #expect(throws: failure) { try Catalog(json: catalog.json()) }
        #expect(failure.description.contains(field))
    }

    @Test("a catalog at the ends of its ranges is taken")
    func extremeCatalog() throws {
        var catalog = Catalog.standard
        catalog.chaseWindowHours = 1_000
        catalog.bounceLimit = 1
        catalog.warningFraction = 1
        catalog.limits.replyMinutes = 366 * 24 * 60
        catalog.workingHours = ["NET": Self.hours(offset: -14 * 60), "SVC": Self.hours(offset: 14 * 60)]
        #expect(try Catalog(json: catalog.json()) == catalog)
    }
}
