import Replication
import TestSupport
import Testing
import Tickets

/// What the store and the node ask of a ticket beside its summary.
@Suite struct TicketQueryTests {
    private func ticket(_ scene: Scene) throws -> Ticket {
        try #require(scene.branch.tickets[scene.id])
    }

    @Test("a ticket knows its operations, its customer, and who takes part")
    func contents() throws {
        var scene = try Scene()
        let opened = try ticket(scene)
        #expect(opened.operations == [scene.root] && opened.openings == [scene.root])
        #expect(opened.customer == Scene.customer && opened.siteCount == 1)
        #expect(opened.isLetIn(scene.branch.site) && !opened.isLetIn(scene.region.site))
        #expect(opened.isLetIn(within: scene.region.site) && !opened.isLetIn(within: SiteCode(validated: "nb.zj")))
        try scene.branch.perform(Scene.transfer(.dispatch, "hz.zj", "NET"), on: scene.id, as: "SVC", minute: 5)
        try scene.branch.perform(.tag("vip"), on: scene.id, as: "SVC", minute: 6)
        let later = try ticket(scene)
        #expect(later.isLetIn(scene.region.site) && later.siteCount == 2)
        #expect(later.dots(of: [.transfer, .tag]).count == 2 && later.dots(of: [.close]).isEmpty)
        #expect(!later.hasTwinHistory && !later.containsImported(row: 1))
    }

    @Test("a transfer without a receipt is owed one by its target and by nobody else")
    func receipts() throws {
        var scene = try Scene()
        let transfer = try scene.branch.perform(
            Scene.transfer(.dispatch, "hz.zj", "NET"), on: scene.id, as: "SVC", minute: 5)[0].dot
        let sent = scene.branch.summary(scene.id)
        #expect(sent.receiptsOwed(by: scene.region.site) == [transfer])
        #expect(sent.receiptsOwed(by: scene.branch.site).isEmpty && sent.receiptsOwed(by: scene.other.site).isEmpty)
        scene.sync()
        scene.region.confirm(transfer, on: scene.id, minute: 7)
        #expect(scene.region.summary(scene.id).receiptsOwed(by: scene.region.site).isEmpty)
        let chase = try scene.province.perform(
            .chase(customer: nil, promised: nil, note: "催", channel: "phone"), on: scene.id, as: "SVC", minute: 8)
        scene.sync()
        #expect(scene.region.summary(scene.id).receiptsOwed(by: scene.region.site) == [chase[0].dot])
    }

    @Test("what is void stays in the ticket and does not count")
    func void() throws {
        var scene = try Scene()
        let tag = try scene.branch.perform(.tag("vip"), on: scene.id, as: "SVC", minute: 5)[0].dot
        var ticket = try ticket(scene)
        #expect(ticket.summary().tags == ["vip"])
        let changes = [ticket.setVoid(tag, true), ticket.setVoid(tag, true)]
        #expect(changes == [true, false], "it was void already")
        #expect(ticket.isVoid(tag) && !ticket.isVoid(scene.root) && !ticket.isAllVoid)
        #expect(ticket.summary().tags.isEmpty && ticket.operationCount == 2)
        let stranger = Dot(ReplicaID(0xFFFF), 1)
        let hasStranger = ticket.setVoid(stranger, true)
        #expect(!hasStranger && !ticket.isVoid(stranger))
        ticket.setVoid(scene.root, true)
        #expect(ticket.isAllVoid && ticket.openings.isEmpty)
        ticket.setVoid(tag, false)
        #expect(!ticket.isAllVoid && ticket.summary().tags == ["vip"])
    }

    @Test("fields of the summary are those that were written")
    func fields() throws {
        var scene = try Scene()
        #expect(scene.branch.summary(scene.id).category == "NETWORK.MMS")
        #expect(scene.branch.summary(scene.id).urgency == .high && scene.branch.summary(scene.id).promised == nil)
        try scene.branch.perform(.set(.promisedTime, .number(Office.start)), on: scene.id, as: "SVC", minute: 5)
        try scene.branch.perform(.set(.responsibleDepartment, .text("NET")), on: scene.id, as: "SVC", minute: 6)
        try scene.branch.perform(.set(.responsibleCause, .text("设备")), on: scene.id, as: "SVC", minute: 7)
        let summary = scene.branch.summary(scene.id)
        #expect(summary.promised == Office.start && summary.contested.isEmpty)
        #expect(summary.responsibleDepartment == "NET" && summary.responsibleCause == "设备")
    }

    @Test("each kind belongs to the type of entity that operations.md gives it")
    func kinds() {
        let others: [Kind: Set<EntityType>] = [
            .announce: [.replica], .revoke: [.replica], .journalAnchor: [.replica], .catalogDocument: [.catalog],
            .introduceRoot: [.catalog], .retireRoot: [.catalog], .proposeErasure: [.customer, .ticket],
            .confirmErasure: [.customer, .ticket],
        ]
        for kind in Kind.allCases { #expect(kind.entityTypes == others[kind] ?? [.ticket], "\(kind)") }
    }

    @Test("what tells who somebody is, is personal")
    func personal() {
        let personal: [Field] = [.contact, .location, .customer, .customerLabel]
        #expect((1...20).map { Field(rawValue: $0) }.filter(\.isPersonal) == personal.sorted())
    }
}
