import Foundation
import Node
import Replication
import Store
import Testing
import Tickets

/// What pages show, and what their forms do.
@Suite struct PageTests {
    @Test("the line that everybody sees is the one to the parent, not to a child")
    func line() async throws {
        let console = try await TestConsole(site: "hz.zj")
        let browser = try await console.browser("li", role: .supervisor)
        let parent = try #require(try console.node.reader.peers().first { $0.isParent }).id
        let child = SiteCode(validated: "xihu.hz.zj")
        try await console.node.administer { try $0.register(child: child) }
        let office = try #require(try console.node.reader.peer(child)).id
        console.node.links.update(office) { ($0.role, $0.isConnected) = (.child, true) }
        console.node.links.update(parent) { ($0.role, $0.isConnected, $0.since) = (.parent, false, 1) }
        let down = await browser.get("/queue?lang=en").text
        #expect(down.contains("Line to the parent down since") && !down.contains("Line to the parent is up"))
        console.node.links.update(parent) { $0.isConnected = true }
        #expect(await browser.get("/queue?lang=en").text.contains("Line to the parent is up"))
    }

    @Test("what people typed is never markup, not even behind a combining mark")
    func escaping() async throws {
        let console = try await TestConsole()
        let browser = try await console.browser("li", role: .supervisor)
        let evil = "<script>alert(1)</script>\"'&"
        let (markedQuote, markedBracket) = ("\"\u{301}", "<\u{301}")
        let combining = "x\"\u{301} onfocus=alert(1) <\u{301}b"
        let id = try await console.perform(
            .open(
                OpenBody(
                    title: evil, body: combining, category: evil, customerLabel: combining, channel: evil,
                    department: "SVC")), on: nil)
        try await console.perform(.note(evil), on: id)
        try await console.perform(.tag(combining), on: id)
        try await console.perform(.chase(customer: nil, promised: nil, note: evil, channel: combining), on: id)
        try await console.perform(
            .transfer(.dispatch, site: console.node.identity.site, department: evil, reason: evil, note: combining),
            on: id)
        for path in [
            "/queue?status=all", "/queue?text=\(query(evil))&site=\(query(evil))&department=\(query(combining))",
            "/tickets/\(id)", "/tickets/\(id)?lang=en", "/timeliness?from=\(query(evil))",
            "/timeliness/tickets?outcome=\(query(evil))&site=\(query(evil))&department=\(query(combining))",
        ] {
            let text = await browser.get(path).text
            #expect(!text.contains("<script>alert"), "\(path)")
            #expect(!text.unicodeScalars.containsSequence(markedQuote), "\(path)")
            #expect(!text.unicodeScalars.containsSequence(markedBracket), "\(path)")
        }
        let refused = await browser.act("set", on: id, ["field": "4", "value": evil])
        #expect(refused.status == 422)
        #expect(refused.text.contains("&lt;script&gt;"))
        #expect(!refused.text.contains("<script>alert"))
        let login = await console.respond(
            "POST", "/login", [("content-type", "application/x-www-form-urlencoded")],
            body: "name=\(query(evil))&password=x")
        #expect(!login.text.contains("<script>alert"))
    }

    @Test(
        "two-character words, single characters, words and numbers are found",
        arguments: [
            "宽带", "龘", "router", "断网 宽带",
        ])
    func search(_ text: String) async throws {
        let console = try await TestConsole()
        let browser = try await console.browser("li", role: .agent, department: "")
        let id = try await console.perform(
            .open(
                OpenBody(
                    title: "家庭宽带断网", body: "客户龘先生，router 红灯", category: "NETWORK", department: "SVC")), on: nil)
        try await console.perform(.open(OpenBody(title: "话费争议", category: "BILLING", department: "SVC")), on: nil)
        try await console.indexAll()
        let found = await browser.get("/queue?status=all&text=\(query(text))").text
        #expect(found.contains("/tickets/\(id)"))
        #expect(!found.contains("话费争议"))
        #expect(await browser.get("/queue?status=all&text=\(query("无此词"))").text.contains("没有符合条件的工单"))
    }

    @Test("a department's member sees first what the department holds here, and all on demand")
    func ownDepartment() async throws {
        let console = try await TestConsole()
        let browser = try await console.browser("net", role: .agent, department: "NET")
        let mine = try await console.perform(.open(OpenBody(title: "甲", department: "SVC")), on: nil)
        let other = try await console.perform(.open(OpenBody(title: "乙", department: "SVC")), on: nil)
        try await console.perform(
            .transfer(.dispatch, site: console.node.identity.site, department: "NET", reason: "", note: ""), on: mine)
        let first = await browser.get("/queue").text
        #expect(first.contains("/tickets/\(mine)") && !first.contains("/tickets/\(other)"))
        let all = await browser.get("/queue?status=all").text
        #expect(all.contains("/tickets/\(mine)") && all.contains("/tickets/\(other)"))
    }

    @Test("the queue has pages")
    func pagination() async throws {
        let console = try await TestConsole()
        let browser = try await console.browser("li", role: .agent)
        for number in 0..<(ConsoleLimits.queueRowsPerPage + 3) {
            try await console.perform(.open(OpenBody(title: "第\(number)张", department: "SVC")), on: nil)
        }
        let first = await browser.get("/queue?status=all").text
        let second = await browser.get("/queue?status=all&page=1").text
        #expect(first.contains("rel=\"next\"") && !first.contains("rel=\"prev\""))
        #expect(!second.contains("rel=\"next\"") && second.contains("rel=\"prev\""))
        #expect(second.components(separatedBy: "class=\"number\"").count - 1 == 3)
    }

    @Test("from the call to the close by forms alone")
    func wholeFlow() async throws {
        let console = try await TestConsole()
        let desk = try await console.browser("desk", role: .agent, department: "SVC")
        let net = try await console.browser("net", role: .agent, department: "NET")
        let opened = await desk.post(
            "/tickets",
            [
                "title": "宽带断网", "body": "昨晚起无法上网", "category": "NETWORK.DATA", "urgency": "1", "department": "SVC",
                "customer": "王先生 13812345678", "promised": "2027-01-02T15:30",
            ])
        #expect(opened.status == 303)
        let location = try #require(opened.header("location"))
        let id = try #require(EntityID(String(location.dropFirst("/tickets/".count).prefix { $0 != "?" })))
        let page = await desk.get(location).text
        #expect(page.contains("工单已建立") && page.contains("宽带断网") && page.contains("2027-01-02 15:30"))
        #expect(page.contains("138****5678") && !page.contains("13812345678"))
        let site = console.node.identity.site.rawValue
        #expect(await desk.act("accept", on: id).status == 303)
        let target = ["variant": "dispatch", "site": site, "department": "NET", "reason": "线路"]
        #expect(await desk.act("transfer", on: id, target).status == 303)
        #expect(await net.act("accept", on: id).status == 303)
        #expect(await net.act("reply", on: id, ["text": "光猫已更换"]).status == 303)
        let feedback = await desk.act("feedback", on: id, ["text": "已告知客户", "score": "5"])
        #expect(feedback.header("location") == "/tickets/\(id)?done=feedback")
        #expect(await desk.act("close", on: id, ["confirmed": "1"]).status == 303)
        let summary = try console.summary(id)
        #expect(summary.status == .closed && summary.path.count == 2)
        let end = await desk.get("/tickets/\(id)").text
        for text in ["已办结", "光猫已更换", "已告知客户", "客户已确认", "<svg class=\"timeline\"", "action_"] {
            #expect(end.contains(text) == (text != "action_"), "\(text)")
        }
        let record = try #require(try console.node.reader.record(of: id))
        let author = try #require(record.operations.first).operation.author
        #expect(author.name == "desk" && author.department == "SVC" && author.role == .agent)
    }

    @Test("a refusal says what to do, and what was typed stays")
    func refusal() async throws {
        let console = try await TestConsole()
        let browser = try await console.browser("net", role: .agent, department: "NET")
        let id = try await console.perform(.open(OpenBody(title: "断网", department: "SVC")), on: nil)
        let refused = await browser.act("reply", on: id, ["text": "我写的处理结果"])
        #expect(refused.status == 422)
        #expect(refused.text.contains("您不能代为操作") || refused.text.contains("持有"))
        let empty = await browser.post("/tickets", ["title": " ", "body": "保留我", "department": "SVC"])
        #expect(empty.status == 422 && empty.text.contains("缺少标题") && empty.text.contains("保留我"))
        let english = await browser.post("/tickets?lang=en", ["title": " ", "department": "SVC"])
        #expect(english.text.contains("The title is missing"))
    }

    @Test("two pages that write one field make a conflict, which a third form resolves")
    func conflict() async throws {
        let console = try await TestConsole()
        let browser = try await console.browser("li", role: .agent)
        let id = try await console.perform(.open(OpenBody(title: "断网", department: "SVC")), on: nil)
        let page = await browser.get("/tickets/\(id)").text
        let version = browser.hidden("version", in: page)
        for value in ["甲地", "乙地"] {
            let answer = await browser.act("set", on: id, ["field": "8", "value": value, "version": version])
            #expect(answer.status == 303)
        }
        let shown = await browser.get("/tickets/\(id)").text
        #expect(shown.contains("字段冲突 · 地点") && shown.contains("value=\"甲地\"") && shown.contains("value=\"乙地\""))
        #expect(await browser.get("/queue?attention=1&status=all").text.contains("/tickets/\(id)"))
        #expect(await browser.act("resolve", on: id, ["subject": "8", "choice": "甲地"]).status == 303)
        #expect(try console.summary(id).conflicts.isEmpty)
        #expect(await browser.get("/tickets/\(id)").text.contains("字段冲突 · ") == false)
    }

    @Test("a chase is seen and answered on the page")
    func chases() async throws {
        let console = try await TestConsole()
        let browser = try await console.browser("li", role: .agent)
        let id = try await console.perform(.open(OpenBody(title: "断网", department: "SVC")), on: nil)
        #expect(await browser.act("chase", on: id, ["note": "何时修好", "promised": "2027-01-02T15:30"]).status == 303)
        let page = await browser.get("/tickets/\(id)").text
        #expect(page.contains("何时修好") && page.contains("value=\"answer\""))
        let chase = try #require(console.summary(id).chases.first)
        #expect(await browser.act("acknowledge", on: id, ["subject": "\(chase.dot)"]).status == 303)
        #expect(await browser.act("answer", on: id, ["subject": "\(chase.dot)", "text": "今晚"]).status == 303)
        #expect(try console.summary(id).hasUnansweredChase == false)
    }

    @Test("instants at the ends of what an operation can say are shown", arguments: [Int64.min, .max])
    func extremeInstants(_ instant: Int64) async throws {
        let console = try await TestConsole()
        let browser = try await console.browser("li", role: .agent)
        let id = try await console.perform(
            .open(OpenBody(title: "断网", promised: instant, department: "SVC", firstContact: instant)), on: nil)
        try await console.perform(.set(.promisedTime, .number(instant)), on: id)
        try await console.perform(.chase(customer: nil, promised: instant, note: "再次来电", channel: ""), on: id)
        let page = await browser.get("/tickets/\(id)")
        #expect(page.status == 200)
        #expect(page.text.contains(instant < 0 ? "0001-01-01" : "9999-12-31"))
    }

    @Test("a page learns that there is more than it shows")
    func changes() async throws {
        let console = try await TestConsole()
        let browser = try await console.browser("li", role: .agent)
        let id = try await console.perform(.open(OpenBody(title: "断网", department: "SVC")), on: nil)
        let count = try console.summary(id).operationCount
        #expect(await browser.get("/tickets/\(id)/changes?count=\(count)").text.contains("changes") == false)
        try await console.perform(.note("新备注"), on: id)
        #expect(await browser.get("/tickets/\(id)/changes?count=\(count)").text.contains("有 1 条新操作"))
        for count in ["\(Int.min)", "\(Int.max)", "-1", "x", ""] {
            #expect(await browser.get("/tickets/\(id)/changes?count=\(count)").status == 200)
        }
    }

    @Test("an address that names nothing is answered with a page")
    func notFound() async throws {
        let console = try await TestConsole()
        let browser = try await console.browser("li", role: .agent)
        for path in ["/tickets/xyz", "/tickets/1-\(String(repeating: "0", count: 32))", "/nowhere"] {
            let answer = await browser.get(path)
            #expect(answer.status == 404 && answer.text.contains("返回队列"), "\(path)")
        }
    }

    @Test("the language is chosen once and kept")
    func language() async throws {
        let console = try await TestConsole()
        let browser = try await console.browser("li", role: .supervisor)
        #expect(await browser.get("/queue").text.contains("<html lang=\"zh-CN\">"))
        let switched = await browser.get("/queue?lang=en")
        #expect(switched.text.contains("<html lang=\"en\">") && switched.text.contains("Held by"))
        #expect(await browser.get("/timeliness").text.contains("By department"))
        for path in ["/queue", "/tickets/new", "/timeliness", "/sync", "/nowhere"] {
            let text = await browser.get(path).text
            #expect(!text.contains("⟦"), "\(path)")
        }
        #expect(await browser.get("/queue?lang=xx").text.contains("<html lang=\"en\">"))
    }

    @Test("numbers of the table lead to their tickets")
    func timeliness() async throws {
        let console = try await TestConsole()
        let browser = try await console.browser("boss", role: .supervisor)
        let id = try await console.perform(.open(OpenBody(title: "断网", department: "SVC")), on: nil)
        try await console.perform(
            .transfer(.dispatch, site: console.node.identity.site, department: "NET", reason: "", note: ""), on: id)
        let day = 86_400_000 as Int64
        let now = console.node.clock.now()
        let from = CivilTime(milliseconds: now - day).day
        let to = CivilTime(milliseconds: now + day).day
        let table = await browser.get("/timeliness?from=\(from)&to=\(to)").text
        #expect(table.contains("100.0 %") && table.contains("派单"))
        let drill = await browser.get(
            "/timeliness/tickets?from=\(from)&to=\(to)&measure=step&step=1&outcome=met&department=SVC")
        #expect(drill.text.contains("/tickets/\(id)"))
        let none = await browser.get("/timeliness/tickets?from=\(from)&to=\(to)&measure=step&outcome=late")
        #expect(!none.text.contains("/tickets/\(id)"))
    }

    private func query(_ text: String) -> String {
        text.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

extension String.UnicodeScalarView {
    func containsSequence(_ text: String) -> Bool {
        let wanted = Array(text.unicodeScalars)
        let all = Array(self)
        guard all.count >= wanted.count else { return false }
        return (0...(all.count - wanted.count)).contains { all[$0..<($0 + wanted.count)].elementsEqual(wanted) }
    }
}
