import Replication
import TestSupport
import Testing
import Tickets

/// What is shown of histories that no single node would write: clocks that differ, imports, operations whose pair has
/// not arrived. Source: Protocols/tickets.md §2–§6.
@Suite struct DerivationTests {
    /// An operation of a replica that is no office's, as it may come from elsewhere.
    private static func foreign(
        _ body: Body, _ replica: UInt64, _ sequence: UInt64 = 1, on id: EntityID, seen: [Dot], minute: Int64
    ) -> Operation {
        Operation(
            dot: Dot(ReplicaID(replica), sequence), entity: id, previous: sequence - 1, seen: VersionVector(seen),
            time: HybridTimestamp(milliseconds: Office.start + minute * 60_000),
            author: Office("xihu.hz.zj", replica: replica).author("SVC"), scope: [], kind: body.kind.operationKind,
            isCritical: body.kind.isCritical, body: body.encoded())
    }

    private static func dispatch(_ custody: Dot, _ department: String) -> Body {
        .transfer(
            TransferBody(
                custody: custody, variant: .dispatch, site: SiteCode(validated: "xihu.hz.zj"), department: department))
    }

    @Test("a transfer whose author had seen another one from the same custody corrects it", arguments: [false, true])
    func corrected(reversed: Bool) throws {
        var scene = try Scene()
        let first = try scene.branch.perform(
            Scene.transfer(.dispatch, "xihu.hz.zj", "NET"), on: scene.id, as: "SVC", minute: 5)[0].dot
        // Its clock is behind: causality orders first.
        scene.branch.receive([
            Self.foreign(Self.dispatch(scene.root, "DATA"), 0x50, on: scene.id, seen: [scene.root, first], minute: 1)
        ])
        let summary = scene.joined(reversed: reversed)
        #expect(summary.custody?.department == "DATA" && summary.contested.isEmpty)
    }

    @Test("a settlement for a transfer that has not arrived settles nothing until it does", arguments: [false, true])
    func settlementBeforeWinner(reversed: Bool) throws {
        var scene = try Scene()
        try scene.branch.perform(Scene.transfer(.dispatch, "xihu.hz.zj", "NET"), on: scene.id, as: "SVC", minute: 1)
        try scene.desk.perform(Scene.transfer(.dispatch, "xihu.hz.zj", "BILL"), on: scene.id, as: "SVC", minute: 2)
        let late = Self.foreign(Self.dispatch(scene.root, "DATA"), 0x50, on: scene.id, seen: [scene.root], minute: 3)
        let settle = Body.settle(SettleBody(custody: scene.root, winner: late.dot, reason: "r"))
        scene.region.receive([Self.foreign(settle, 0x60, on: scene.id, seen: [scene.root], minute: 4)])
        #expect(scene.joined(reversed: reversed).contested.first?.isSettled == false)
        #expect(scene.joined(reversed: reversed).custody?.department == "NET")
        scene.region.receive([late])
        #expect(scene.joined(reversed: reversed).contested.first?.isSettled == true)
        #expect(scene.joined(reversed: reversed).custody?.department == "DATA")
    }

    @Test("of two that accept one transfer the earlier is its handler", arguments: [false, true])
    func acceptedTwice(reversed: Bool) throws {
        var scene = try Scene()
        let offered = try scene.branch.perform(
            Scene.transfer(.dispatch, "xihu.hz.zj", "NET"), on: scene.id, as: "SVC", minute: 1)[0].dot
        try scene.desk.perform(Scene.transfer(.dispatch, "xihu.hz.zj", "BILL"), on: scene.id, as: "SVC", minute: 1)
        for (replica, minute) in [(UInt64(0x50), Int64(9)), (0x60, 7), (0x70, 8)] {
            scene.region.receive([
                Self.foreign(
                    .accept(AcceptBody(custody: offered)), replica, on: scene.id, seen: [offered], minute: minute)
            ])
        }
        let custody = scene.joined(reversed: reversed).custody
        #expect(custody?.id == offered && custody?.accepted == Office.start + 7 * 60_000)
    }

    @Test("a reopening may name where the new cycle begins, and ends a cycle that nobody had closed")
    func reopening() throws {
        var scene = try Scene()
        let place = SiteCode(validated: "hz.zj")
        for (index, body) in [
            ReopenBody(reason: "a", site: place, department: "QUAL"), ReopenBody(reason: "b"),
        ].enumerated() {
            let before = scene.branch.summary(scene.id).cycles.map(\.dot)
            scene.branch.receive([
                Self.foreign(
                    .reopen(body), 0x50 + UInt64(index), on: scene.id, seen: before, minute: 10 * Int64(index + 1))
            ])
        }
        let summary = scene.branch.summary(scene.id)
        #expect(summary.path.map(\.site) == [scene.branch.site, place, scene.branch.site])
        #expect(summary.path.map(\.department) == ["SVC", "QUAL", "SVC"])
        let closed = summary.cycles.map { $0.closed.map { ($0 - Office.start) / 60_000 } }
        #expect(closed == [10, 20, nil] && summary.status == .open)
    }

    @Test("the customer's clock starts at the first contact, but never after the opening")
    func firstContact() throws {
        for (given, expected) in [(Int64(-30), Int64(-30)), (30, 0)] {
            var office = Office("xihu.hz.zj", replica: 1)
            let contact = Office.start + given * 60_000
            let id = try office.perform(
                .open(OpenBody(title: "断网", firstContact: contact)), on: nil, as: "SVC", minute: 0)[0].entity
            let opening = try #require(office.summary(id).opening)
            #expect(opening.firstContact == opening.at + expected * 60_000)
        }
    }

    @Test(
        "a ticket that bounced too often is its sites' lowest common one's to send on, or the one's above a single site"
    )
    func arbiters() throws {
        // From SVC at a site to NET at another and back; who is the arbiter.
        for (from, to, arbiter) in [
            ("xihu.hz.zj", "binjiang.hz.zj", "hz.zj"), ("xihu.hz.zj", "xihu.hz.zj", "hz.zj"), ("zj", "zj", "zj"),
            ("xihu.hz.zj", "nb.js", nil),
        ] as [(String, String, String?)] {
            var office = Office(from, replica: 1)
            var other = Office(to, replica: 2)
            let id = try office.perform(.open(OpenBody(title: "断网")), on: nil, as: "SVC", minute: 0)[0].entity
            try office.perform(Scene.transfer(.dispatch, to, "NET"), on: id, as: "SVC", minute: 1)
            other.receive(office.log)
            try other.perform(.returnBack(reason: "r"), on: id, as: "NET", minute: 2)
            let ticket = try #require(other.tickets[id])
            #expect(ticket.summary(bounceLimit: 1).lockedToArbiter?.rawValue == arbiter, "\(from) and \(to)")
            #expect(ticket.summary(bounceLimit: 2).lockedToArbiter == nil)
        }
    }

    @Test("writes that all claim to have seen one another all stand", arguments: [false, true])
    func impossibleWrites(reversed: Bool) throws {
        var scene = try Scene()
        let dots = [Dot(ReplicaID(0x50), 1), Dot(ReplicaID(0x60), 1)]
        for (index, dot) in dots.enumerated() {
            let body = Body.setField(SetFieldBody(field: .cause, value: .text("\(index)")))
            scene.region.receive([
                Self.foreign(body, dot.replica.rawValue, on: scene.id, seen: dots, minute: Int64(index))
            ])
        }
        let state = try #require(scene.joined(reversed: reversed).state(of: .cause))
        #expect(state.writes == dots && state.displayed == dots[1])
    }

    @Test("watchers are listed once each, by name and then by site")
    func watchers() throws {
        var scene = try Scene()
        let sites = [SiteCode(validated: "zj"), nil, SiteCode(validated: "hz.zj")]
        for (minute, site) in sites.enumerated() {
            try scene.branch.perform(.watch(name: "乙", site: site), on: scene.id, as: "SVC", minute: Int64(minute))
        }
        try scene.region.perform(.watch(name: "乙", site: nil), on: scene.id, as: "SVC", minute: 5)
        try scene.region.perform(.watch(name: "丙", site: nil), on: scene.id, as: "SVC", minute: 6)
        scene.sync()
        let watchers = scene.branch.summary(scene.id).watchers
        #expect(watchers.map(\.name) == ["丙", "乙", "乙", "乙"])
        #expect(watchers.map { $0.site?.rawValue } == [nil, nil, "hz.zj", "zj"])
        try scene.branch.perform(.unwatch(name: "乙", site: nil), on: scene.id, as: "SVC", minute: 7)
        #expect(scene.branch.summary(scene.id).watchers.count == 3)
    }

    @Test("a correction of a reply moves the start of the feedback step, unless the customer was told before it")
    func correctedReply() throws {
        for (told, start) in [(Int64(60), Int64(40)), (30, 20)] {
            var scene = try Scene()
            try scene.branch.perform(.accept, on: scene.id, as: "SVC", minute: 10)
            try scene.branch.perform(.reply(text: "好了", custody: nil), on: scene.id, as: "SVC", minute: 20)
            if told < 40 {
                try scene.branch.perform(
                    .feedback(text: "告知", channel: "", score: 0), on: scene.id, as: "SVC", minute: told)
            }
            try scene.branch.perform(.reply(text: "更正", custody: nil), on: scene.id, as: "SVC", minute: 40)
            if told > 40 {
                try scene.branch.perform(
                    .feedback(text: "告知", channel: "", score: 0), on: scene.id, as: "SVC", minute: told)
            }
            let feedback = try #require(scene.branch.summary(scene.id).steps.first { $0.step == .feedback })
            let minutes = [feedback.start, feedback.end ?? 0].map { ($0 - Office.start) / 60_000 }
            #expect(minutes == [start, told])
        }
    }

    @Test("what was done on either copy of an opening that two offices imported is done on the one that counts")
    func copies() throws {
        let id = EntityID(type: .ticket, high: 5, low: 5)
        var first = Office("xihu.hz.zj", replica: 1)
        var second = Office("xihu.hz.zj", replica: 2)
        let when = Occurrence(milliseconds: Office.start - 86_400_000, source: "旧系统", row: 42)
        let open = TicketCommand.Action.open(OpenBody(title: "旧工单", department: "SVC"))
        let low = try first.perform(open, on: id, as: "SVC", minute: 5, occurrence: when)[0].dot
        try second.perform(open, on: id, as: "SVC", minute: 1, occurrence: when)
        try second.perform(.accept, on: id, as: "SVC", minute: 2)
        Office.exchange(&first, &second)
        let custody = try #require(first.summary(id).custody)
        #expect(custody.id == low && custody.person == "svc@xihu.hz.zj")
    }

    @Test(
        "of two rows that an import has at one instant, the one that was read first is shown first",
        arguments: [false, true])
    func sameInstant(reversed: Bool) throws {
        var scene = try Scene()
        let when = Occurrence(milliseconds: Office.start, source: "旧系统", row: 0)
        let later = try scene.branch.perform(
            .set(.title, .text("后")), on: scene.id, as: "SVC", minute: 9, occurrence: when)[0].dot
        try scene.region.perform(.set(.title, .text("先")), on: scene.id, as: "SVC", minute: 8, occurrence: when)
        let state = try #require(scene.joined(reversed: reversed).state(of: .title))
        #expect(state.writes.count == 2 && state.displayed == later, "the latest of all is displayed")
    }

    @Test("a ticket of which nothing is known has no customer, no urgency and no holder")
    func nothing() {
        let ticket = Ticket(id: EntityID(type: .ticket, high: 1, low: 1))
        #expect(ticket.customer == nil && ticket.summary().urgency == .unknown && ticket.summary().custody == nil)
        #expect(ticket.previous(of: ReplicaID(1)) == 0 && ticket.seen() == VersionVector())
    }

    @Test("joined tickets form components, each shown as its earliest ticket, of equally early ones the lower id")
    func components() {
        let ids = (1...6).map { EntityID(type: .ticket, high: 1, low: UInt64($0)) }
        // The first and the fifth have not arrived: they come last.
        let opened: [EntityID: Int64] = [ids[1]: 5, ids[2]: 5, ids[3]: 1, ids[5]: 0]
        let edges = [(4, 3), (2, 1), (0, 1), (1, 2), (3, 4), (5, 5)].map { (ids[$0.0], ids[$0.1]) }
        let components = TwinComponents(edges: edges) { opened[$0] }
        #expect(components.components.map(\.representative) == [ids[1], ids[3]])
        #expect(components.components.map(\.members) == [Array(ids[0...2]), Array(ids[3...4])])
        #expect(components.component(of: ids[4])?.representative == ids[3])
        #expect(components.component(of: ids[5]) == nil, "a ticket alone is no component")
    }
}
