import Replication
import TestSupport
import Testing
import Tickets

/// One test for each row of the table of concurrent outcomes (Protocols/tickets.md §5), in both orders of arrival.
@Suite struct ConcurrentOutcomeTests {
    @Test(
        "two values for a field are both shown until a write that has seen both, which can be undone",
        arguments: [false, true])
    func twoValues(reversed: Bool) throws {
        var scene = try Scene()
        let first = try scene.branch.perform(.set(.title, .text("一")), on: scene.id, as: "SVC", minute: 1)
        let second = try scene.region.perform(.set(.title, .text("二")), on: scene.id, as: "SVC", minute: 2)
        let conflict = try #require(scene.joined(reversed: reversed).conflicts.first)
        #expect(conflict.field == .title)
        #expect(conflict.writes == [first[0].dot, second[0].dot].sorted())
        #expect(conflict.displayed == second[0].dot, "the later is shown first")
        scene.sync()
        let resolving = try scene.branch.perform(.resolve(.title, .text("三")), on: scene.id, as: "SVC", minute: 3)
        #expect(!scene.joined(reversed: reversed).hasConflict)
        let undoing = try scene.branch.perform(.undo(write: resolving[0].dot), on: scene.id, as: "SVC", minute: 4)
        guard case .setField(let body) = try Body(decoding: undoing[0]) else {
            Issue.record("undoing is a write")
            return
        }
        #expect(body.value == .text("二") && body.undoes == resolving[0].dot)
        #expect(scene.joined(reversed: reversed).displayedWrite(.title) == undoing[0].dot)
    }

    @Test(
        "of two transfers from one custody the higher authority's counts and the other stays visible",
        arguments: [false, true])
    func higherAuthority(reversed: Bool) throws {
        var scene = try Scene()
        let low = try scene.branch.perform(
            Scene.transfer(.dispatch, "xihu.hz.zj", "NET"), on: scene.id, as: "SVC", minute: 1)
        let high = try scene.region.perform(
            Scene.transfer(.dispatch, "hz.zj", "DATA"), on: scene.id, as: "SVC", minute: 5)
        let summary = scene.joined(reversed: reversed)
        let contest = try #require(summary.contested.first)
        #expect(contest.winner == high[0].dot && summary.custody?.id == high[0].dot)
        #expect(contest.candidates.map(\.dot) == [low[0].dot, high[0].dot].sorted())
        #expect(!contest.isSettled && summary.custody?.isContested == true)
        #expect(contest.arbiter == scene.region.site)
    }

    @Test("at equal authority the accepted transfer counts before the merely offered one", arguments: [false, true])
    func acceptedBeforeOffered(reversed: Bool) throws {
        var scene = try Scene()
        try scene.branch.perform(Scene.transfer(.dispatch, "xihu.hz.zj", "NET"), on: scene.id, as: "SVC", minute: 1)
        let later = try scene.desk.perform(
            Scene.transfer(.dispatch, "binjiang.hz.zj", "DATA"), on: scene.id, as: "SVC", minute: 5)
        scene.other.receive(later)
        try scene.other.perform(.accept, on: scene.id, as: "DATA", minute: 6)
        #expect(scene.joined(reversed: reversed).custody?.id == later[0].dot)
        #expect(scene.joined(reversed: reversed).custody?.person == "data@binjiang.hz.zj")
    }

    @Test("at equal authority and acceptance the earlier transfer counts", arguments: [false, true])
    func earlierTransfer(reversed: Bool) throws {
        var scene = try Scene()
        let late = try scene.branch.perform(
            Scene.transfer(.dispatch, "xihu.hz.zj", "NET"), on: scene.id, as: "SVC", minute: 5)
        let early = try scene.desk.perform(
            Scene.transfer(.dispatch, "xihu.hz.zj", "DATA"), on: scene.id, as: "SVC", minute: 1)
        let summary = scene.joined(reversed: reversed)
        #expect(summary.custody?.id == early[0].dot && late[0].dot < early[0].dot)
    }

    @Test("at equal authority, acceptance and time the lower dot counts", arguments: [false, true])
    func lowerDot(reversed: Bool) throws {
        var scene = try Scene()
        let low = try scene.branch.perform(
            Scene.transfer(.dispatch, "xihu.hz.zj", "NET"), on: scene.id, as: "SVC", minute: 5)
        let high = try scene.desk.perform(
            Scene.transfer(.dispatch, "xihu.hz.zj", "DATA"), on: scene.id, as: "SVC", minute: 5)
        #expect(low[0].time == high[0].time)
        #expect(scene.joined(reversed: reversed).custody?.id == low[0].dot)
    }

    @Test("a settlement stands, also against a higher transfer that arrives later", arguments: [false, true])
    func settlementStands(reversed: Bool) throws {
        var scene = try Scene()
        let chosen = try scene.branch.perform(
            Scene.transfer(.dispatch, "xihu.hz.zj", "NET"), on: scene.id, as: "SVC", minute: 5)
        try scene.desk.perform(Scene.transfer(.dispatch, "xihu.hz.zj", "DATA"), on: scene.id, as: "SVC", minute: 1)
        let high = try scene.province.perform(
            Scene.transfer(.dispatch, "hz.zj", "NET"), on: scene.id, as: "SVC", minute: 7)
        scene.region.receive(scene.branch.log + scene.desk.log)
        try scene.region.perform(
            .settle(custody: scene.root, winner: chosen[0].dot, reason: "归属西湖"), on: scene.id, as: "QUAL", minute: 9)
        let summary = scene.joined(reversed: reversed)
        #expect(summary.custody?.id == chosen[0].dot && summary.custody?.isContested == false)
        #expect(summary.contested.first?.candidates.map(\.dot).contains(high[0].dot) == true)
    }

    @Test("of two settlements the higher level's counts, then the lower dot's", arguments: [false, true])
    func twoSettlements(reversed: Bool) throws {
        var scene = try Scene()
        let first = try scene.branch.perform(
            Scene.transfer(.dispatch, "xihu.hz.zj", "NET"), on: scene.id, as: "SVC", minute: 1)
        let second = try scene.desk.perform(
            Scene.transfer(.dispatch, "xihu.hz.zj", "DATA"), on: scene.id, as: "SVC", minute: 1)
        scene.sync()
        try scene.branch.perform(
            .settle(custody: scene.root, winner: first[0].dot, reason: "甲"), on: scene.id, as: "SVC", minute: 2)
        try scene.desk.perform(
            .settle(custody: scene.root, winner: second[0].dot, reason: "乙"), on: scene.id, as: "SVC", minute: 2)
        #expect(scene.joined(reversed: reversed).custody?.id == first[0].dot, "the lower dot's")
        try scene.province.perform(
            .settle(custody: scene.root, winner: second[0].dot, reason: "丙"), on: scene.id, as: "QUAL", minute: 3)
        #expect(scene.joined(reversed: reversed).custody?.id == second[0].dot, "the higher level's")
    }

    @Test("a ticket closed and reopened at the same time is open", arguments: [false, true])
    func closeAndReopen(reversed: Bool) throws {
        var scene = try Scene()
        try scene.branch.perform(
            .close(reason: "客户撤诉", isConfirmedByCustomer: true, score: 0), on: scene.id, as: "SVC", minute: 1)
        scene.region.receive(scene.branch.log)
        try scene.region.perform(.reopen(reason: "客户再次来电"), on: scene.id, as: "SVC", minute: 2)
        try scene.other.perform(
            .close(reason: "重复", isConfirmedByCustomer: false, score: 0), on: scene.id, as: "SVC", minute: 3)
        let summary = scene.joined(reversed: reversed)
        #expect(summary.status == .open && summary.reopenedCount == 1 && summary.cycles.count == 2)
    }

    @Test("a ticket closed while it is chased is closed, and an answer is owed", arguments: [false, true])
    func closeAndChase(reversed: Bool) throws {
        var scene = try Scene()
        try scene.branch.perform(
            .close(reason: "已解决", isConfirmedByCustomer: true, score: 5), on: scene.id, as: "SVC", minute: 1)
        let chase = try scene.region.perform(
            .chase(customer: nil, promised: nil, note: "催", channel: ""), on: scene.id, as: "SVC", minute: 2)
        #expect(scene.joined(reversed: reversed).status == .closed)
        #expect(scene.joined(reversed: reversed).hasUnansweredChase)
        scene.sync()
        try scene.branch.perform(
            .answerChase(chase[0].dot, text: "已回电", promised: nil), on: scene.id, as: "SVC", minute: 3)
        #expect(!scene.joined(reversed: reversed).hasUnansweredChase)
    }

    @Test("a ticket closed while it is edited is closed, the edit kept", arguments: [false, true])
    func closeAndEdit(reversed: Bool) throws {
        var scene = try Scene()
        try scene.branch.perform(
            .close(reason: "已解决", isConfirmedByCustomer: true, score: 5), on: scene.id, as: "SVC", minute: 1)
        let edit = try scene.region.perform(.set(.cause, .text("基站故障")), on: scene.id, as: "NET", minute: 2)
        let summary = scene.joined(reversed: reversed)
        #expect(summary.status == .closed && summary.displayedWrite(.cause) == edit[0].dot)
    }

    @Test("one call of a customer recorded at two sites is one chase with both notes", arguments: [false, true])
    func oneChase(reversed: Bool) throws {
        var scene = try Scene()
        let first = try scene.branch.perform(
            .chase(customer: Scene.customer, promised: 5, note: "甲", channel: "10086"), on: scene.id, as: "SVC",
            minute: 30)
        let second = try scene.other.perform(
            .chase(customer: Scene.customer, promised: nil, note: "乙", channel: "门店"), on: scene.id, as: "SVC",
            minute: 31)
        let chases = scene.joined(reversed: reversed).chases
        #expect(chases.count == 1)
        #expect(chases.first?.records == [first[0].dot, second[0].dot].sorted() && chases.first?.dot == first[0].dot)
    }

    @Test("joining twins wins over separating them, and the earliest ticket stands for them", arguments: [false, true])
    func twins(reversed: Bool) throws {
        var scene = try Scene()
        let second = try scene.other.perform(.open(OpenBody(title: "同一问题")), on: nil, as: "SVC", minute: 3)[0].entity
        scene.sync()
        try scene.branch.perform(.join(second, reason: "重复"), on: scene.id, as: "SVC", minute: 4)
        scene.region.receive(scene.branch.log)
        try scene.region.perform(.separate(second, reason: "不是"), on: scene.id, as: "SVC", minute: 5)
        try scene.desk.perform(.join(second, reason: "确实重复"), on: scene.id, as: "SVC", minute: 5)
        #expect(scene.joined(reversed: reversed).twins == [second], "the addition that was not seen stays")
        scene.sync()
        #expect(scene.branch.tickets[second]?.sites.contains(scene.branch.site) == true, "scopes are united")
        let states = scene.branch
        let components = TwinComponents(edges: [(second, scene.id)]) { states.summary($0).opening?.at }
        #expect(components.component(of: second)?.representative == scene.id)
        try scene.branch.perform(.separate(second, reason: "核实"), on: scene.id, as: "SVC", minute: 6)
        #expect(scene.joined(reversed: reversed).twins.isEmpty)
    }

    @Test("bounces on both sides of a cut are counted together, and the lock holds on both", arguments: [false, true])
    func bounceLock(reversed: Bool) throws {
        var scene = try Scene()
        try scene.branch.perform(Scene.transfer(.dispatch, "xihu.hz.zj", "NET"), on: scene.id, as: "SVC", minute: 1)
        try scene.branch.perform(.returnBack(reason: "非网络"), on: scene.id, as: "NET", minute: 2)
        scene.sync()
        for office in [\Scene.branch, \Scene.desk] {
            try scene[keyPath: office].perform(
                Scene.transfer(.dispatch, "xihu.hz.zj", "NET"), on: scene.id, as: "SVC", minute: 3)
        }
        #expect(scene.branch.summary(scene.id).bounceCount == 2 && scene.desk.summary(scene.id).lockedToArbiter == nil)
        let summary = scene.joined(reversed: reversed)
        #expect(summary.bounceCount == 3 && summary.lockedToArbiter == scene.region.site)
        scene.sync()
        for department in ["NET", "SVC"] {
            #expect(throws: Refusal.locked(arbiter: scene.region.site)) {
                try scene.branch.perform(
                    Scene.transfer(.onward, "xihu.hz.zj", "BILL"), on: scene.id, as: department, minute: 9)
            }
        }
        try scene.region.perform(Scene.transfer(.dispatch, "xihu.hz.zj", "BILL"), on: scene.id, as: "QUAL", minute: 10)
        #expect(scene.joined(reversed: reversed).custody?.department == "BILL")
    }
}
