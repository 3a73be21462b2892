import Replication
import ServiceLevels
import TestSupport
import Testing
@testable import Tickets

@Suite struct ServiceLevelTests {
    static let catalog = Catalog.standard
    static func at(_ minute: Int64) -> Int64 { Office.start + minute * 60_000 }
    static let id = EntityID(type: .ticket, high: 1, low: 1)
    static let desk = SiteCode(validated: "xihu.hz.zj")

    /// A branch opens and dispatches to the region's NET at minute 10; the receipt is written at minute 40.
    static func dispatched() throws -> (branch: Office, region: Office, id: EntityID, transfer: Dot) {
        var branch = Office("xihu.hz.zj", replica: 1)
        var region = Office("hz.zj", replica: 2)
        let id = try branch.perform(.open(OpenBody(title: "断网")), on: nil, as: "SVC", minute: 0)[0].entity
        let transfer = try branch.perform(
            .transfer(.dispatch, site: region.site, department: "NET", reason: "", note: ""), on: id, as: "SVC",
            minute: 10)[0].dot
        region.receive(branch.log)
        region.confirm(transfer, on: id, minute: 40)
        Office.exchange(&branch, &region)
        return (branch, region, id, transfer)
    }

    private func states(_ verdicts: [StepVerdict]) -> [LimitSubject: VerdictState] {
        Dictionary(verdicts.map { ($0.subject, $0.state) }, uniquingKeysWith: { first, _ in first })
    }

    @Test("what has ended is judged without the present time: a late step at once, totals once the customer was told")
    func ended() throws {
        var (branch, region, id, _) = try Self.dispatched()
        #expect(endedVerdicts(branch.summary(id), Self.catalog).map(\.subject) == [.step(.dispatch)])
        try region.perform(.accept, on: id, as: "NET", minute: 50)
        try region.perform(.reply(text: "已修复", custody: nil), on: id, as: "NET", minute: 50_000)
        Office.exchange(&branch, &region)
        let late = endedVerdicts(branch.summary(id), Self.catalog)
        #expect(late.allSatisfy { $0.ended != nil } && late.contains(where: \.isBreach))
        #expect(!late.map(\.subject).contains(.ticket), "the customer was not told yet")
        try branch.perform(
            .feedback(text: "已告知", channel: "phone", score: 5), on: id, as: "SVC", minute: 50_010)
        let told = endedVerdicts(branch.summary(id), Self.catalog)
        #expect(told.map(\.subject).contains(.ticket) && told.count > late.count)
    }

    @Test("a dispatch runs, is warned of at four fifths, and is overdue after its 15 minutes")
    func dispatch() throws {
        var branch = Office("xihu.hz.zj", replica: 1)
        let id = try branch.perform(.open(OpenBody(title: "断网")), on: nil, as: "SVC", minute: 0)[0].entity
        let summary = branch.summary(id)
        func state(_ minute: Int64) -> VerdictState? {
            states(deadlines(summary, Self.catalog, now: Self.at(minute)))[.step(.dispatch)]
        }
        #expect(state(11) == .running && state(12) == .warning && state(15) == .warning && state(16) == .overdue)
        #expect(ticketStatus(summary, Self.catalog, now: Self.at(1)).nextDeadline == Self.at(12))
        #expect(ticketStatus(summary, Self.catalog, now: Self.at(13)).nextDeadline == Self.at(15))
        #expect(ticketStatus(summary, Self.catalog, now: Self.at(16)).worst == .overdue)
    }

    @Test("the time between sending and delivery is the link's and charged to nobody")
    func link() throws {
        let (branch, _, id, _) = try Self.dispatched()
        let summary = branch.summary(id)
        let clocks = clocks(of: summary, now: Self.at(100))
        #expect(clocks.link == 30 * 60_000 && clocks.customer == 100 * 60_000 && clocks.ticket == 100 * 60_000)
        #expect(clocks.departments.map(\.milliseconds) == [10 * 60_000, 60 * 60_000])
        let handling = try #require(
            deadlines(summary, Self.catalog, now: Self.at(100)).first { $0.subject == .step(.handling) })
        #expect(
            handling.due == Self.at(160) && handling.elapsedMilliseconds == 60 * 60_000 && handling.state == .running)
    }

    @Test("while a transfer travels nobody's clock runs but the link's and the customer's")
    func travelling() throws {
        var branch = Office("xihu.hz.zj", replica: 1)
        let id = try branch.perform(.open(OpenBody(title: "断网")), on: nil, as: "SVC", minute: 0)[0].entity
        try branch.perform(
            .transfer(.dispatch, site: SiteCode(validated: "hz.zj"), department: "NET", reason: "", note: ""), on: id,
            as: "SVC", minute: 10)
        let verdicts = deadlines(branch.summary(id), Self.catalog, now: Self.at(1_000))
        #expect(states(verdicts)[.step(.dispatch)] == .met && states(verdicts)[.step(.handling)] == nil)
        #expect(clocks(of: branch.summary(id), now: Self.at(1_000)).link == 990 * 60_000)
    }

    @Test("a step is met up to its last instant and late after it")
    func metAndLate() throws {
        for (minute, expected) in [(160, VerdictState.met), (161, .late)] as [(Int64, VerdictState)] {
            var (_, region, id, _) = try Self.dispatched()
            try region.perform(.reply(text: "好", custody: nil), on: id, as: "NET", minute: minute)
            // The clock of the test ticks once more than the wall while it writes: the last instant is met.
            let verdicts = deadlines(region.summary(id), Self.catalog, now: Self.at(500))
            #expect(states(verdicts)[.step(.handling)] == expected, "replied at minute \(minute)")
            #expect(states(verdicts)[.step(.feedback)] == .overdue)
        }
    }

    @Test("without a receipt a verdict is uncertain")
    func missingReceipt() throws {
        var branch = Office("xihu.hz.zj", replica: 1)
        var region = Office("hz.zj", replica: 2)
        let id = try branch.perform(.open(OpenBody(title: "断网")), on: nil, as: "SVC", minute: 0)[0].entity
        try branch.perform(
            .transfer(.dispatch, site: region.site, department: "NET", reason: "", note: ""), on: id, as: "SVC",
            minute: 10)
        region.receive(branch.log)
        try region.perform(.accept, on: id, as: "NET", minute: 20)
        let verdicts = deadlines(region.summary(id), Self.catalog, now: Self.at(30))
        #expect(states(verdicts)[.step(.handling)] == .uncertain)
    }

    @Test("a contested transfer charges nobody until it is settled, and from then on the winner")
    func contested() throws {
        var branch = Office("xihu.hz.zj", replica: 1)
        var twin = Office("xihu.hz.zj", replica: 2)
        var region = Office("hz.zj", replica: 3)
        let opened = try branch.perform(.open(OpenBody(title: "断网")), on: nil, as: "SVC", minute: 0)
        let id = opened[0].entity
        twin.receive(branch.log)
        let first = try branch.perform(
            .transfer(.dispatch, site: region.site, department: "NET", reason: "", note: ""), on: id, as: "SVC",
            minute: 1)
        try twin.perform(
            .transfer(.dispatch, site: region.site, department: "DATA", reason: "", note: ""), on: id, as: "SVC",
            minute: 2)
        region.receive(branch.log + twin.log)
        region.confirm(first[0].dot, on: id, minute: 3)
        let unsettled = deadlines(region.summary(id), Self.catalog, now: Self.at(900))
        #expect(states(unsettled)[.step(.handling)] == .contested)
        #expect(clocks(of: region.summary(id), now: Self.at(900)).departments.map(\.department) == ["SVC"])
        try region.perform(
            .settle(custody: opened[0].dot, winner: first[0].dot, reason: "归网络"), on: id, as: "QUAL", minute: 900)
        let handling = try #require(
            deadlines(region.summary(id), Self.catalog, now: Self.at(910)).first { $0.subject == .step(.handling) })
        #expect(handling.state == .running && handling.started == Self.at(900))
    }

    /// A summary with holdings as given, for the totals alone.
    private func summary(_ holdings: [(String, Int64, Int64)], routes: [(RouteCase, Int64)]) -> TicketSummary {
        var summary = TicketSummary(id: Self.id)
        let root = Dot(ReplicaID(1), 1)
        summary.cycles = [TicketSummary.Cycle(dot: root, start: Self.at(0))]
        summary.path = [
            Custody(
                id: root, cycle: 0, site: Self.desk, department: "SVC", since: Self.at(0), delivered: Self.at(0),
                isReceiptMissing: false, isContested: false)
        ]
        summary.routes = routes.map { RouteChange(cycle: 0, route: $0.0, from: Self.at($0.1)) }
        summary.steps = holdings.map {
            StepInterval(
                step: .handling, cycle: 0, custody: root, site: Self.desk, department: $0.0, start: Self.at($0.1),
                end: Self.at($0.2), isContested: false, isUncertain: false)
        }
        return summary
    }

    @Test("a department's total is the sum of its holdings, not a span")
    func totals() {
        let routes: [(RouteCase, Int64)] = [(.desk, 0), (.direct, 5)]
        func total(_ holdings: [(String, Int64, Int64)]) -> StepVerdict? {
            deadlines(summary(holdings, routes: routes), Self.catalog, now: Self.at(5_000)).first {
                $0.subject == .departmentTotal
            }
        }
        let met = total([("SVC", 0, 15), ("SVC", 1_000, 1_060)])
        #expect(met?.state == .met && met?.elapsedMilliseconds == 75 * 60_000 && met?.limitMilliseconds == 75 * 60_000)
        let late = total([("SVC", 0, 15), ("SVC", 1_000, 1_061)])
        #expect(late?.state == .late && late?.due == Self.at(1_060))
    }

    @Test("a stricter case holds from its transfer on: nobody turns late backwards")
    func caseChange() {
        let routes: [(RouteCase, Int64)] = [(.desk, 0), (.direct, 10), (.relayed, 300)]
        func total(_ holdings: [(String, Int64, Int64)]) -> StepVerdict? {
            deadlines(summary(holdings, routes: routes), Self.catalog, now: Self.at(5_000)).first {
                $0.subject == .departmentTotal && $0.department == "NET"
            }
        }
        #expect(total([("NET", 10, 300)])?.state == .met, "290 minutes under the old limit of 405")
        #expect(
            total([("NET", 10, 300), ("NET", 400, 401)])?.state == .late, "what is held after it counts by the new")
        #expect(total([("NET", 10, 500)])?.due == Self.at(300))
        #expect(total([("NET", 10, 150), ("NET", 400, 440)])?.state == .met, "180 minutes in all")
    }

    @Test("working hours stop a clock at night and on days off")
    func workingHours() throws {
        var catalog = Self.catalog
        // 2027-01-15 08:00 UTC is a Friday, 16:00 in China; work ends at 17:30.
        let day = WorkingHours.Day(fromMinute: 8 * 60 + 30, toMinute: 17 * 60 + 30)
        catalog.workingHours = [
            "NET": WorkingHours(utcOffsetMinutes: 480, week: [day, day, day, day, day, nil, nil])
        ]
        let (branch, _, id, _) = try Self.dispatched()
        let handling = try #require(
            deadlines(branch.summary(id), catalog, now: Self.at(41)).first { $0.subject == .step(.handling) })
        // 50 minutes on Friday, 70 on Monday from 08:30: 3 days and 16 h 40 after the beginning of minute 0.
        #expect(handling.due == Self.at(3 * 24 * 60 - 7 * 60 - 30 + 70))
    }

    private static let allDay = WorkingHours.Day(fromMinute: 0, toMinute: 24 * 60)

    @Test("days off are nobody's time: what is held over them is what was worked on either side")
    func daysOff() throws {
        var catalog = Self.catalog
        let day = WorkingHours.Day(fromMinute: 8 * 60 + 30, toMinute: 17 * 60 + 30)
        catalog.workingHours = ["NET": WorkingHours(utcOffsetMinutes: 480, week: [day, day, day, day, day, nil, nil])]
        let (branch, _, id, _) = try Self.dispatched()
        // Friday 16:40 to Monday 09:30 in China.
        let monday = Self.at(3 * 24 * 60 - 6 * 60 - 30)
        let handling = try #require(
            deadlines(branch.summary(id), catalog, now: monday).first { $0.subject == .step(.handling) })
        #expect(handling.elapsedMilliseconds == 110 * 60_000)
    }

    @Test("a department without working time for a year has no limit, and nothing of it turns late or is warned of")
    func noWorkingTime() throws {
        var catalog = Self.catalog
        let today = Int(Office.start / 86_400_000)
        catalog.workingHours = [
            "NET": WorkingHours(
                utcOffsetMinutes: 0, week: Array(repeating: Self.allDay, count: 7),
                holidays: Array(today...today + 366))
        ]
        var (_, region, id, _) = try Self.dispatched()
        let minutes: Int64 = 300 * 24 * 60
        for subject in [LimitSubject.step(.handling), .departmentTotal] {
            let verdict = try #require(
                deadlines(region.summary(id), catalog, now: Self.at(minutes)).first {
                    $0.subject == subject && $0.department == "NET"
                })
            #expect(verdict.due == nil && verdict.warned == nil && verdict.state == .running)
            #expect(verdict.elapsedMilliseconds == 0)
        }
        try region.perform(.reply(text: "好", custody: nil), on: id, as: "NET", minute: minutes)
        let done = deadlines(region.summary(id), catalog, now: Self.at(minutes + 1))
        #expect(states(done)[.step(.handling)] == .met)
    }

    @Test("a day of work is the department's own, also before 1970 begins there")
    func beforeTheFirstDay() throws {
        var catalog = Self.catalog
        // The first instant of 1970 is 23:00 on a Wednesday; work is done on Wednesdays from 22:00 to midnight.
        var week = [WorkingHours.Day?](repeating: nil, count: 7)
        week[2] = WorkingHours.Day(fromMinute: 22 * 60, toMinute: 24 * 60)
        catalog.workingHours = ["NET": WorkingHours(utcOffsetMinutes: -60, week: week)]
        var summary = summary([("NET", 0, 1)], routes: [(.desk, 0)])
        summary.steps[0].start = 0
        summary.steps[0].end = nil
        let handling = try #require(deadlines(summary, catalog, now: 1).first { $0.subject == .step(.handling) })
        // An hour of the two is left, the other one comes a week later.
        #expect(handling.limitMilliseconds == 2 * 3_600_000 && handling.due == 7 * 86_400_000)
    }

    @Test("a department's total is warned of at four fifths while it holds the ticket")
    func totalWarned() throws {
        let (branch, _, id, _) = try Self.dispatched()
        func total(_ minute: Int64) throws -> StepVerdict {
            try #require(
                deadlines(branch.summary(id), Self.catalog, now: Self.at(minute)).first {
                    $0.subject == .departmentTotal && $0.department == "NET"
                })
        }
        let warned = try #require(try total(41).warned)
        let minute = (warned - Office.start) / 60_000
        #expect(try total(minute - 1).state == .running && total(minute).state == .warning)
        #expect(try total(minute).due == Self.at(40) + total(minute).limitMilliseconds)
    }

    @Test("a ticket of which nothing runs is as its worst verdict, and no instant changes that")
    func done() throws {
        for (minute, worst) in [(Int64(5), VerdictState.met), (50_000, .late)] {
            var branch = Office("xihu.hz.zj", replica: 1)
            let id = try branch.perform(.open(OpenBody(title: "断网")), on: nil, as: "SVC", minute: 0)[0].entity
            try branch.perform(.accept, on: id, as: "SVC", minute: 1)
            try branch.perform(.reply(text: "好了", custody: nil), on: id, as: "SVC", minute: minute)
            try branch.perform(.feedback(text: "已告知", channel: "", score: 5), on: id, as: "SVC", minute: minute + 1)
            let status = ticketStatus(branch.summary(id), Self.catalog, now: Self.at(90_000))
            #expect(status.worst == worst && status.nextDeadline == nil)
            #expect(status.verdicts.allSatisfy { !$0.state.isRunning })
        }
    }

    @Test("what a department held in two holdings is one clock; a ticket whose opening has not arrived has none")
    func departmentClocks() throws {
        var branch = Office("xihu.hz.zj", replica: 1)
        let id = try branch.perform(.open(OpenBody(title: "断网")), on: nil, as: "SVC", minute: 0)[0].entity
        try branch.perform(
            .transfer(.dispatch, site: branch.site, department: "NET", reason: "", note: ""), on: id, as: "SVC",
            minute: 10)
        let transfer = try #require(branch.summary(id).custody)
        branch.confirm(transfer.id, on: id, minute: 10)
        let back = try branch.perform(.returnBack(reason: "非网络"), on: id, as: "NET", minute: 30)[0].dot
        branch.confirm(back, on: id, minute: 30)
        let clocks = clocks(of: branch.summary(id), now: Self.at(45))
        #expect(clocks.departments.map(\.department) == ["SVC", "NET"])
        #expect(clocks.departments.map { $0.milliseconds / 60_000 } == [25, 20])
        let pending = TicketSummary(id: id)
        #expect(ServiceLevels.clocks(of: pending, now: Self.at(45)).customer == 0)
        #expect(ticketStatus(pending, Self.catalog, now: Self.at(45)).worst == nil)
    }
}
