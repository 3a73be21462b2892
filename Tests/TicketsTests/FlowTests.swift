import Replication
import TestSupport
import Testing
import Tickets

/// Status, custody, steps and imports along one ticket's way.
@Suite struct FlowTests {
    /// Desk → NET at the region (relays) → DATA at another branch (handles), each with its receipt.
    static func relayed() throws -> Scene {
        var scene = try Scene()
        let first = try scene.branch.perform(
            Scene.transfer(.dispatch, "hz.zj", "NET"), on: scene.id, as: "SVC", minute: 10)
        scene.sync()
        scene.region.confirm(first[0].dot, on: scene.id, minute: 30)
        let second = try scene.region.perform(
            Scene.transfer(.dispatch, "binjiang.hz.zj", "DATA"), on: scene.id, as: "NET", minute: 40)
        scene.sync()
        scene.other.confirm(second[0].dot, on: scene.id, minute: 45)
        try scene.other.perform(.accept, on: scene.id, as: "DATA", minute: 50)
        try scene.other.perform(.reply(text: "已修复", custody: nil), on: scene.id, as: "DATA", minute: 105)
        scene.sync()
        try scene.region.perform(.reply(text: "转报", custody: nil), on: scene.id, as: "NET", minute: 115)
        scene.sync()
        return scene
    }

    @Test("a relayed ticket has its five steps, and the way between sites is nobody's")
    func steps() throws {
        var scene = try Self.relayed()
        #expect(scene.branch.summary(scene.id).status == .replied)
        try scene.branch.perform(
            .feedback(text: "已告知", channel: "10086", score: 5), on: scene.id, as: "SVC", minute: 130)
        let summary = scene.branch.summary(scene.id)
        #expect(summary.status == .fedBack)
        let steps = summary.steps.map { step in
            [step.start, step.end ?? 0].map { ($0 - Office.start) / 60_000 }
        }
        #expect(summary.steps.map(\.step) == [.dispatch, .redispatch, .handling, .reply, .feedback])
        #expect(steps == [[0, 10], [30, 40], [45, 105], [105, 115], [115, 130]])
        #expect(summary.links.map { ($0.delivered ?? 0) - $0.sent } == [20 * 60_000, 5 * 60_000])
        #expect(summary.routes.map(\.route) == [.desk, .direct, .relayed])
        #expect(summary.steps.allSatisfy { !$0.isUncertain && !$0.isContested })
    }

    @Test("status goes from open over the steps to closed, and a reopening starts a new cycle at the desk")
    func status() throws {
        var scene = try Self.relayed()
        try scene.branch.perform(.feedback(text: "已告知", channel: "", score: 0), on: scene.id, as: "SVC", minute: 130)
        try scene.branch.perform(
            .close(reason: "", isConfirmedByCustomer: true, score: 5), on: scene.id, as: "SVC", minute: 140)
        #expect(scene.branch.summary(scene.id).status == .closed)
        let before = scene.branch.summary(scene.id).steps
        let reopening = try scene.branch.perform(.reopen(reason: "复发"), on: scene.id, as: "SVC", minute: 200)
        let summary = scene.branch.summary(scene.id)
        #expect(summary.status == .open && summary.reopenedCount == 1)
        #expect(summary.custody?.id == reopening[0].dot && summary.custody?.department == "SVC")
        #expect(Array(summary.steps.prefix(before.count)) == before, "old results stand")
        #expect(summary.steps.last?.step == .dispatch && summary.steps.last?.cycle == 1)
    }

    @Test("a desk that handles a ticket itself dispatches by accepting it")
    func desk() throws {
        var scene = try Scene()
        try scene.branch.perform(.accept, on: scene.id, as: "SVC", minute: 5)
        #expect(scene.branch.summary(scene.id).status == .inProgress)
        try scene.branch.perform(.reply(text: "好了", custody: nil), on: scene.id, as: "SVC", minute: 25)
        let summary = scene.branch.summary(scene.id)
        #expect(summary.status == .replied && summary.steps.map(\.step) == [.dispatch, .handling, .feedback])
        #expect(summary.routes.map(\.route) == [.desk])
    }

    @Test("a return goes to the department before as a custody of its own and leaves the route")
    func returns() throws {
        var scene = try Scene()
        try scene.branch.perform(Scene.transfer(.dispatch, "xihu.hz.zj", "NET"), on: scene.id, as: "SVC", minute: 5)
        let back = try scene.branch.perform(.returnBack(reason: "非网络"), on: scene.id, as: "NET", minute: 9)
        let summary = scene.branch.summary(scene.id)
        #expect(summary.custody?.id == back[0].dot && summary.custody?.department == "SVC")
        #expect(summary.returnCount == 1 && summary.bounceCount == 1 && summary.routes.last?.route == .desk)
        #expect(summary.steps.map(\.step) == [.dispatch, .handling])
    }

    @Test("a ticket works before its opening has arrived, and transfers wait for the custody they name")
    func pending() throws {
        let scene = try Self.relayed()
        let operations = scene.operations.filter { $0.entity == scene.id }
        var ticket = Ticket(id: scene.id)
        for operation in operations.reversed() where operation.dot != scene.root { ticket.apply(operation) }
        #expect(ticket.summary().isPending && ticket.summary().custody == nil)
        let opening = try #require(operations.first { $0.dot == scene.root })
        ticket.apply(opening)
        #expect(ticket.summary().custody?.department == "DATA")
    }

    @Test("what a new operation has seen ends at the first hole")
    func holes() throws {
        let scene = try Self.relayed()
        let own = scene.branch.log.filter { $0.entity == scene.id && $0.dot.replica == scene.region.replica }
        var ticket = Ticket(id: scene.id)
        for (index, operation) in own.enumerated() where index != 1 { ticket.apply(operation) }
        #expect(own.count >= 3 && ticket.seen()[scene.region.replica] == own[0].dot.sequence)
        #expect(ticket.version[scene.region.replica] == own[own.count - 1].dot.sequence)
        #expect(ticket.previous(of: scene.region.replica) == own[own.count - 1].dot.sequence)
        ticket.apply(own[1])
        #expect(ticket.seen() == ticket.version)
    }

    @Test("a row that two offices imported counts once, the lower dot's, and what followed either copy follows it")
    func importedTwice() throws {
        let id = EntityID(type: .ticket, high: 5, low: 5)
        var first = Office("xihu.hz.zj", replica: 1)
        var second = Office("binjiang.hz.zj", replica: 2)
        let when = Occurrence(milliseconds: Office.start - 86_400_000, source: "旧系统", row: 42)
        let open = TicketCommand.Action.open(OpenBody(title: "旧工单", department: "SVC", site: SiteCode("hz.zj")))
        let low = try first.perform(open, on: id, as: "SVC", minute: 5, occurrence: when)
        try second.perform(open, on: id, as: "SVC", minute: 1, occurrence: when)
        let edit = try second.perform(.set(.title, .text("改")), on: id, as: "SVC", minute: 2)
        Office.exchange(&first, &second)
        let summary = first.summary(id)
        #expect(summary == second.summary(id) && summary.operationCount == 3 && summary.duplicateCount == 1)
        #expect(summary.opening?.dot == low[0].dot && summary.opening?.at == when.milliseconds)
        #expect(summary.opening?.site.rawValue == "hz.zj")
        #expect(!summary.hasConflict && summary.displayedWrite(.title) == edit[0].dot)
    }

    @Test("an unknown critical kind freezes a ticket, another unknown kind does not")
    func frozen() throws {
        var scene = try Scene()
        func strange(_ sequence: UInt64, isCritical: Bool) -> Operation {
            Operation(
                dot: Dot(ReplicaID(0x99), sequence), entity: scene.id, previous: sequence - 1, seen: VersionVector(),
                time: .zero, author: scene.region.author("X"), scope: [], kind: OperationKind(rawValue: 500),
                isCritical: isCritical, body: [1])
        }
        scene.branch.receive([strange(1, isCritical: false)])
        #expect(!scene.branch.summary(scene.id).isFrozenForEditing && scene.branch.summary(scene.id).opaqueCount == 1)
        try scene.branch.perform(.note("可以"), on: scene.id, as: "SVC", minute: 1)
        scene.branch.receive([strange(2, isCritical: true)])
        #expect(throws: Refusal.frozen) {
            try scene.branch.perform(.note("不行"), on: scene.id, as: "SVC", minute: 2)
        }
    }

    @Test("sites let in are scopes, authors' sites and the targets of transfers")
    func sites() throws {
        let scene = try Self.relayed()
        #expect(
            scene.province.tickets[scene.id]?.sites.map(\.rawValue) == ["binjiang.hz.zj", "hz.zj", "xihu.hz.zj"])
    }
}
