import Foundation
import Node
import Replication
import Store
import TestSupport
import Testing
import Tickets

/// Several parents, and an office that goes to another one. Source: Protocols/sync.md §9, trust.md §6.
@Suite struct MoveTests {
    private func open(_ title: String, at office: Province.Office) async throws -> EntityID {
        try await office.node.execute(
            TicketCommand(
                ticket: nil, version: VersionVector(),
                action: .open(OpenBody(title: title, category: "network", department: "service"))),
            by: agent(at: office.site)
        ).ticket
    }

    private func expectHas(_ office: Province.Office, _ id: EntityID, _ what: String) async throws {
        try await eventually(what) { try office.node.reader.state(of: id) != nil }
    }

    @Test("a region goes on with the second node of the province when the first is gone, and back")
    func secondParent() async throws {
        let province = try Province()
        let first = try await province.add("zj")
        let second = try await province.addSibling(of: first)
        let hz = try await province.add("hz.zj", starting: false)
        let addresses = try [first, second].map { office in
            try #require(office.runtime?.addresses.sync.flatMap(NodeConfiguration.parse))
        }
        try hz.configure { $0.parents = addresses }
        try await hz.start()
        let one = try await open("一", at: hz)
        try await expectHas(second, one, "it is at the second node, over the first")
        await first.stop()
        // The siblings' address stays the same.
        try first.configure { $0.listen = addresses[0] }
        let two = try await open("二", at: hz)
        try await expectHas(second, two, "it is at the second node")
        let written = try await open("三", at: second)
        #expect(try second.node.reader.counts().parked == 0)
        try await eventually("the region asked for an audit, and sent what was missing only") {
            let link = try hz.node.links.all.values.first { $0.isConnected && $0.auditCount > 0 }
            return (link?.sentOperations ?? .max) <= 2
        }
        try await first.start()
        try await expectHas(first, two, "the first node gets it from its sibling")
        try await expectHas(first, written, "and what was written at the second")
        await province.stop()
    }

    @Test("an office moves below another region with all its tickets, and what it held is its own there")
    func move() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        _ = try await province.add("hz.zj")
        let nb = try await province.add("nb.zj")
        let xihu = try await province.add("xihu.hz.zj")
        let held = try await open("在办", at: xihu)
        try await expectHas(zj, held, "it is at the province")
        let new = SiteCode(validated: "xihu.nb.zj")
        let report = try await zj.node.admit(new, for: xihu.site) { _, _ in }
        #expect(report == AdmissionReport(tickets: 1, transfers: 1))
        #expect(try await zj.node.admit(new, for: xihu.site) { _, _ in } == AdmissionReport(tickets: 0, transfers: 0))
        try await expectHas(nb, held, "the new region has it")
        try await eventually("the office has what the province wrote, and all is sent") {
            let peer = try xihu.node.reader.peers().first
            return try xihu.node.reader.state(of: held)?.isLetIn(new) == true && peer?.toSendCount == 0
        }
        await xihu.stop()
        let runtime = try #require(nb.runtime)
        let token = try await Enrolment.makeToken(
            node: runtime.node, folder: nb.folder, site: new, addresses: runtime.addresses)
        let moved = try await Offices.move(
            folder: xihu.folder, token: token, isForced: false, options: InitOptions(logger: quiet))
        #expect(moved.formerSite == "xihu.hz.zj" && moved.site == "xihu.nb.zj" && moved.parent == "nb.zj")
        try await xihu.start()
        #expect(try xihu.node.identity.site == new)
        try await eventually("the office has confirmed the transfer to itself") {
            try zj.node.reader.state(of: held)?.summary().custody.map { $0.site == new && $0.delivered != nil } == true
        }
        let later = try await open("迁后", at: Province.Office(site: new, running: xihu))
        try await expectHas(zj, later, "what it writes there reaches the province")
        #expect(try nb.node.reader.counts().parked == 0 && zj.node.reader.counts().parked == 0)
        await province.stop()
    }

    @Test("an office with something unsent is not moved, nor is one to another level")
    func refusals() async throws {
        let province = try Province()
        _ = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        let nb = try await province.add("nb.zj")
        let xihu = try await province.add("xihu.hz.zj", starting: false)
        let runtime = try #require(nb.runtime)
        let token = try await Enrolment.makeToken(
            node: runtime.node, folder: nb.folder, site: SiteCode(validated: "xihu.nb.zj"),
            addresses: runtime.addresses)
        await #expect(throws: MoveError.self) {
            _ = try await Offices.move(
                folder: xihu.folder, token: token, isForced: false, options: InitOptions(logger: quiet))
        }
        await hz.stop()
        await #expect(throws: MoveError.self) {
            _ = try await Offices.move(
                folder: hz.folder, token: token, isForced: true, options: InitOptions(logger: quiet))
        }
        await #expect(throws: MoveError.self) {
            _ = try await nb.node.admit(SiteCode(validated: "a.hz.zj"), for: SiteCode(validated: "b.nb.zj")) { _, _ in }
        }
        await province.stop()
    }

    @Test("a store that is put back while its node was away takes what it lost, under a new incarnation, by itself")
    func rolledBack() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        let kept = try await open("保留", at: hz)
        try await expectHas(zj, kept, "it is at the province")
        await hz.stop()
        let copy = province.root + "/copy"
        try FileManager.default.copyItem(atPath: hz.folder.path, toPath: copy)
        try await hz.start()
        let lost = try await open("丢失", at: hz)
        try await expectHas(zj, lost, "it is at the province")
        let former = try hz.node.identity.replica
        await hz.stop()
        try FileManager.default.removeItem(atPath: hz.folder.path)
        try FileManager.default.copyItem(atPath: copy, toPath: hz.folder.path)
        try await hz.start()
        let rewritten = try await open("重写", at: hz)
        try await hz.reopenWhenAsked()
        #expect(try hz.node.identity.replica != former && hz.node.identity.follows?.replica == former)
        try await expectHas(hz, lost, "what was lost comes back")
        try await eventually("what was written meanwhile is written again, once") {
            var filter = TicketFilter()
            filter.text = nil
            let titles = try zj.node.reader.list(filter).map(\.title).sorted()
            return titles == ["丢失", "保留", "重写"].sorted()
        }
        _ = rewritten
        #expect(try zj.node.reader.counts().digest == hz.node.reader.counts().digest)
        await province.stop()
    }
}
