import Node
import Replication
import Store
import Testing
import Tickets

/// Who gets in, and how far.
@Suite struct AccessTests {
    private static let pages = [
        "/", "/queue", "/queue/rows", "/queue?text=%E5%AE%BD%E5%B8%A6", "/tickets/new", "/sync", "/sync/panel",
        "/timeliness", "/timeliness/tickets?outcome=late", "/no/such/page", "/static/other.css", "/login/other",
    ]

    @Test("without a session every address leads to the log-in and says nothing")
    func closedByDefault() async throws {
        let console = try await TestConsole()
        let id = try await console.perform(
            .open(OpenBody(title: "秘密标题", category: "NETWORK", department: "SVC")), on: nil)
        for path in Self.pages + ["/tickets/\(id)", "/tickets/\(id)/changes?count=0"] {
            for method in ["GET", "POST", "HEAD", "DELETE"] {
                let answer = await console.respond(method, path)
                #expect(answer.status == 303, "\(method) \(path)")
                #expect(answer.header("location") == "/login", "\(method) \(path)")
                #expect(answer.body.isEmpty, "\(method) \(path)")
            }
        }
        for path in ["/tickets", "/tickets/\(id)", "/logout"] {
            #expect(await console.respond("POST", path).status == 303)
        }
        #expect(await console.respond("GET", "/login").status == 200)
        #expect(await console.respond("GET", "/static/console.css").status == 200)
    }

    @Test("every answer carries the protecting headers, failures and assets included")
    func headers() async throws {
        let console = try await TestConsole()
        let browser = try await console.browser("li", role: .agent)
        var answers: [(String, BrowserAnswer)] = []
        for path in ["/login", "/queue", "/static/console.css", "/static/console.js", "/no/such"] {
            answers.append((path, await console.respond("GET", path)))
        }
        for path in Self.pages { answers.append((path, await browser.get(path))) }
        answers.append(("post", await browser.post("/tickets", ["title": ""])))
        answers.append(("foreign", await browser.post("/tickets", [:], withToken: false)))
        for (path, answer) in answers {
            let policy = try #require(answer.header("content-security-policy"), "\(path)")
            for part in [
                "default-src 'none'", "style-src 'self'", "script-src 'self'", "form-action 'self'",
                "frame-ancestors 'none'", "base-uri 'none'",
            ] {
                #expect(policy.contains(part), "\(path)")
            }
            #expect(!policy.contains("unsafe"), "\(path)")
            #expect(answer.header("x-content-type-options") == "nosniff", "\(path)")
            #expect(answer.header("referrer-policy") == "no-referrer", "\(path)")
            if !path.hasPrefix("/static/console") {
                #expect(answer.header("cache-control") == "no-store", "\(path)")
            }
            #expect(!answer.text.contains(" style=") && !answer.text.contains(" onclick="), "\(path)")
            #expect(!answer.text.contains("⟦"), "a text is missing on \(path)")
        }
    }

    @Test("the session cookie cannot be read by scripts, sent by other sites or sent in clear")
    func cookie() async throws {
        let console = try await TestConsole()
        try await console.add("li", role: .agent)
        let answer = await TestBrowser(console: console).post(
            "/login", ["name": "li", "password": TestConsole.password], withToken: false)
        let cookie = try #require(answer.header("set-cookie"))
        #expect(cookie.hasPrefix("__Host-banjie="))
        #expect(cookie.prefix { $0 != ";" }.count == "__Host-banjie=".count + 64)
        for attribute in ["Secure", "HttpOnly", "SameSite=Strict", "Path=/"] { #expect(cookie.contains(attribute)) }
    }

    @Test("a wrong password, an unknown account and a system account look the same")
    func wrongPassword() async throws {
        let console = try await TestConsole()
        try await console.add("li", role: .agent)
        try await console.add("node", role: .system)
        let browser = TestBrowser(console: console)
        let wrong = await browser.logIn("li", password: "falsch-falsch")
        let unknown = await browser.logIn("nobody-here", password: "falsch-falsch")
        let system = await browser.logIn("node")
        #expect([wrong.status, unknown.status, system.status] == [401, 401, 401])
        #expect(
            wrong.text.replacing("value=\"li\"", with: "")
                == unknown.text.replacing("value=\"nobody-here\"", with: ""))
        #expect(browser.cookies["__Host-banjie"] == nil)
    }

    @Test("five failures lock an account, the right password included, for 15 minutes")
    func lockOut() async throws {
        let console = try await TestConsole()
        try await console.add("li", role: .agent)
        let browser = TestBrowser(console: console)
        for attempt in 0..<5 {
            browser.address = "192.0.2.\(attempt)"
            #expect(await browser.logIn("li", password: "falsch-\(attempt)").status == 401)
        }
        browser.address = "192.0.2.99"
        let locked = await browser.logIn("li")
        #expect(locked.status == 429)
        #expect(locked.header("retry-after") == "901")
        console.clock.advance(minutes: 14)
        #expect(await browser.logIn("li").status == 429)
        console.clock.advance(minutes: 1)
        #expect(await browser.logIn("li").status == 303)
    }

    @Test("five failures lock an address for every account, and no other address")
    func addressLockOut() async throws {
        let console = try await TestConsole()
        try await console.add("li", role: .agent)
        let browser = TestBrowser(console: console)
        for attempt in 0..<5 { await browser.logIn("guess-\(attempt)", password: "falsch-falsch") }
        #expect(await browser.logIn("li").status == 429)
        browser.address = "192.0.2.77"
        #expect(await browser.logIn("li").status == 303)
    }

    @Test("twenty attempts at the same time are five tries")
    func concurrentGuesses() async throws {
        let console = try await TestConsole()
        try await console.add("li", role: .agent)
        let statuses = await withTaskGroup(of: Int.self) { group in
            for attempt in 0..<20 {
                group.addTask { [console = SendableBox(console)] in
                    await console.value.respond(
                        "POST", "/login", [("content-type", "application/x-www-form-urlencoded")],
                        body: "name=li&password=falsch-\(attempt)", from: "192.0.2.\(attempt)"
                    ).status
                }
            }
            return await group.reduce(into: [Int]()) { $0.append($1) }
        }
        #expect(statuses.count { $0 == 401 } == 5)
        #expect(statuses.count { $0 == 429 } == 15)
    }

    @Test("a session ends after 30 minutes without use; what a page asks by itself is no use")
    func idle() async throws {
        let console = try await TestConsole()
        let browser = try await console.browser("li", role: .agent)
        console.clock.advance(minutes: 29)
        #expect(await browser.get("/queue").status == 200)
        console.clock.advance(minutes: 29)
        #expect(await browser.get("/queue/rows", headers: [("x-banjie-refresh", "1")]).status == 200)
        console.clock.advance(minutes: 1)
        #expect(await browser.get("/queue").status == 303)
    }

    @Test("a session ends after 12 hours however much it is used")
    func absolute() async throws {
        let console = try await TestConsole()
        let browser = try await console.browser("li", role: .agent)
        for _ in 0..<35 {
            console.clock.advance(minutes: 20)
            #expect(await browser.get("/queue").status == 200)
        }
        console.clock.advance(minutes: 20)
        #expect(await browser.get("/queue").status == 303)
    }

    @Test("log-out, another password and a removed account end a session")
    func ends() async throws {
        let console = try await TestConsole()
        let first = try await console.browser("li", role: .agent)
        #expect(await first.post("/logout", [:]).status == 303)
        #expect(await first.get("/queue").status == 303)
        let second = try await console.browser("wang", role: .agent)
        try await console.add("wang", role: .agent, password: "ein-anderes-wort")
        #expect(await second.get("/queue").status == 303)
        let third = try await console.browser("zhao", role: .agent)
        _ = try await console.node.administer { try $0.removeAccount("zhao") }
        #expect(await third.get("/queue").status == 303)
    }

    @Test("a form without the session's token, or from another site, does nothing")
    func foreignForms() async throws {
        let console = try await TestConsole()
        let browser = try await console.browser("li", role: .agent)
        let other = try await console.browser("wang", role: .agent)
        let fields = ["title": "断网", "department": "SVC"]
        #expect(await browser.post("/tickets", fields, withToken: false).status == 403)
        let borrowed = fields.merging(["token": other.token]) { $1 }
        #expect(await browser.post("/tickets", borrowed, withToken: false).status == 403)
        #expect(await browser.post("/logout", [:], withToken: false).status == 403)
        for headers in [
            [("origin", "https://evil.example")], [("sec-fetch-site", "cross-site")], [("origin", "null")],
            [("sec-fetch-site", "same-site"), ("origin", "https://console.test")],
        ] {
            #expect(await browser.post("/tickets", fields, headers: headers).status == 403)
            #expect(
                await browser.post("/login", ["name": "li", "password": TestConsole.password], headers: headers)
                    .status == 403)
        }
        #expect(try console.node.reader.counts().tickets == 0)
        let own = [("origin", "null"), ("sec-fetch-site", "same-origin")]
        #expect(await browser.post("/tickets", fields, headers: own).status == 303)
        #expect(await browser.post("/tickets", fields, headers: [("origin", "https://console.test")]).status == 303)
    }

    @Test("each role reaches its pages and no others", arguments: Role.allCases.filter { $0 != .system })
    func roles(_ role: Role) async throws {
        let console = try await TestConsole()
        let id = try await console.perform(
            .open(OpenBody(title: "断网", category: "NETWORK", department: "SVC")), on: nil)
        let browser = try await console.browser("someone", role: role)
        let acts = [.agent, .dispatcher, .supervisor, .admin].contains(role)
        let syncs = [.supervisor, .admin].contains(role)
        #expect(await browser.get("/queue").status == 200)
        #expect(await browser.get("/queue/rows").status == 200)
        #expect(await browser.get("/tickets/\(id)").status == 200)
        #expect(await browser.get("/tickets/\(id)/changes").status == 200)
        #expect(await browser.get("/tickets/new").status == (acts ? 200 : 403))
        #expect(await browser.post("/tickets", ["title": "新", "department": "SVC"]).status == (acts ? 303 : 403))
        #expect(await browser.act("note", on: id, ["text": "看过"]).status == (acts ? 303 : 403))
        #expect(await browser.get("/sync").status == (syncs ? 200 : 403))
        #expect(await browser.get("/sync/panel").status == (syncs ? 200 : 403))
        #expect(await browser.get("/timeliness").status == (role == .agent ? 403 : 200))
        #expect(await browser.get("/timeliness/tickets?outcome=late").status == (role == .agent ? 403 : 200))
        #expect(await browser.get("/tickets/\(id)").text.contains("name=\"action\" value=\"note\"") == acts)
    }

    @Test("a form above 64 KiB, of another type, or with too many fields is refused")
    func bounds() async throws {
        let console = try await TestConsole()
        let browser = try await console.browser("li", role: .agent)
        #expect(await browser.post("/tickets", ["body": String(repeating: "a", count: 70_000)]).status == 413)
        let many = Dictionary(uniqueKeysWithValues: (0..<80).map { ("f\($0)", "x") })
        #expect(await browser.post("/tickets", many).status == 413)
        let json = await console.respond(
            "POST", "/tickets", browser.cookieHeader + [("content-type", "application/json")], body: "{}")
        #expect(json.status == 415)
    }
}

/// The console is only read by the tasks that share it.
private struct SendableBox: @unchecked Sendable {
    let value: TestConsole

    init(_ value: TestConsole) {
        self.value = value
    }
}
