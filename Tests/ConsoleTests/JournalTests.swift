import Node
import Replication
import Store
import Testing
import Tickets

/// What the console tells the journal, and what auditors see of it. Source: Protocols/audit.md.
@Suite struct ConsoleJournalTests {
    private static let number = "13857154321"

    private func entries(_ console: TestConsole, _ action: JournalAction) throws -> [JournalEntry] {
        try console.node.reader.journal(
            AuditFilter(journalAction: action.rawValue), .earliestFirst, behind: nil, limit: 1_000)
    }

    private func ticket(_ console: TestConsole) async throws -> EntityID {
        try await console.perform(
            .open(
                OpenBody(title: "断网", category: "NETWORK", customerLabel: Self.number, department: "SVC")), on: nil)
    }

    @Test("log-ins, wrong ones, locked ones and log-outs have their entries, with the address")
    func logIns() async throws {
        let console = try await TestConsole()
        try await console.add("li", role: .agent)
        let browser = TestBrowser(console: console)
        browser.address = "192.0.2.7"
        await browser.logIn("li", password: "falsch-falsch")
        await browser.logIn("nobody-here", password: "falsch-falsch")
        await browser.logIn("li")
        await browser.post("/logout", [:])
        for attempt in 0..<5 { await browser.logIn("x\(attempt)", password: "falsch-falsch") }
        await browser.logIn("li")
        await browser.logIn(Self.number, password: "falsch-falsch")
        await browser.logIn(String(repeating: "长", count: 200), password: "falsch-falsch")
        #expect(
            try entries(console, .logIn).map { [$0.actor, $0.origin, $0.subject, $0.detail] } == [
                ["li", "console 192.0.2.7", "li", "role=agent"]
            ])
        let failed = try entries(console, .logInFailed)
        #expect(failed.prefix(2).map(\.subject) == ["li", "nobody-here"])
        #expect(failed.allSatisfy { $0.origin == "console 192.0.2.7" && $0.actor.isEmpty })
        #expect(failed.last?.subject.count == ConsoleLimits.accountNameBytesMax, "claimed names are cut")
        #expect(try entries(console, .logInLocked).map(\.subject).contains("li"))
        #expect(try entries(console, .logOut).map(\.actor) == ["li"])
        let all = try console.node.reader.journal(AuditFilter(), .latestFirst, behind: nil, limit: 1_000)
        #expect(!all.contains { $0.subject.contains(Self.number) || $0.detail.contains("falsch") })
    }

    @Test("a thousand wrong log-ins are sixty entries and one that counts the rest")
    func flood() async throws {
        let console = try await TestConsole()
        for attempt in 0..<1_000 {
            _ = await console.respond(
                "POST", "/login", [("content-type", "application/x-www-form-urlencoded")],
                body: "name=\(String(repeating: "x", count: 70))&password=falsch", from: "192.0.2.\(attempt % 250)")
        }
        await console.node.flushJournalFlood(all: true)
        let failed = try entries(console, .logInFailed)
        let counted = failed.compactMap { entry in
            entry.detail.hasPrefix("more=") ? Int(entry.detail.dropFirst(5)) : nil
        }
        // One minute, or two where one ends meanwhile.
        #expect(failed.count <= 2 * (JournalLimits.entriesPerMinuteMax + 1))
        #expect(failed.count - counted.count + counted.reduce(0, +) == 1_000)
    }

    @Test("a log-in of which the journal cannot tell begins no session")
    func unwritable() async throws {
        let console = try await TestConsole()
        try await console.add("li", role: .agent)
        try await console.node.administer { try $0.executeForTests("DROP TABLE journal") }
        let browser = TestBrowser(console: console)
        #expect(await browser.logIn("li").status == 500)
        #expect(browser.cookies["__Host-banjie"] == nil)
    }

    @Test("numbers are hidden on every page, and shown once to who gives a reason")
    func reveal() async throws {
        let console = try await TestConsole()
        let id = try await ticket(console)
        let browser = try await console.browser("li", role: .agent)
        for path in ["/queue", "/queue/rows", "/tickets/\(id)", "/queue?text=1385715"] {
            #expect(await !browser.get(path).text.contains(Self.number), "\(path)")
        }
        let page = await browser.get("/tickets/\(id)")
        #expect(page.text.contains("138****4321") && page.text.contains("/tickets/\(id)/reveal"))
        #expect(await browser.post("/tickets/\(id)/reveal", ["reason": " "]).status == 422)
        #expect(try entries(console, .numberRevealed).isEmpty)
        let shown = await browser.post("/tickets/\(id)/reveal", ["reason": "回访"])
        #expect(shown.status == 200 && shown.text.contains(Self.number))
        #expect(shown.header("cache-control") == "no-store")
        let told = try #require(try entries(console, .numberRevealed).first)
        #expect(told.actor == "li" && told.origin == "console 192.0.2.1" && told.subject == "\(id)")
        #expect(told.detail.hasSuffix("reason=回访") && !told.detail.contains(Self.number))
        #expect(await !browser.get("/tickets/\(id)").text.contains(Self.number), "the next look hides it again")
        let auditor = try await console.browser("shen", role: .auditor)
        #expect(await !auditor.get("/tickets/\(id)").text.contains("/reveal"))
        #expect(await auditor.post("/tickets/\(id)/reveal", ["reason": "x"]).status == 403)
        try await console.node.administer { try $0.executeForTests("DROP TABLE journal") }
        let unwritten = await browser.post("/tickets/\(id)/reveal", ["reason": "回访"])
        #expect(unwritten.status == 500 && !unwritten.text.contains(Self.number))
    }

    @Test("every action and kind has its name on the page")
    func names() async throws {
        let console = try await TestConsole()
        for action in JournalAction.allCases {
            try await console.node.journal(JournalDraft(action, by: .node, on: "x"))
        }
        let auditor = try await console.browser("shen", role: .auditor)
        for language in ["zh", "en"] {
            #expect(await !auditor.get("/audit?lang=\(language)").text.contains("⟦"))
        }
    }

    @Test("an auditor reads the view, restricted and page by page, and sees no number")
    func view() async throws {
        let console = try await TestConsole()
        let id = try await ticket(console)
        let agent = try await console.browser("li", role: .agent)
        await agent.post("/tickets/\(id)/reveal", ["reason": "回访"])
        for number in 0..<60 { try await console.node.journal(JournalDraft(.logOut, by: .node, on: "u\(number)")) }
        let auditor = try await console.browser("shen", role: .auditor)
        let page = await auditor.get("/audit")
        #expect(page.status == 200 && page.text.contains("after=") && !page.text.contains(Self.number))
        let revealed = await auditor.get("/audit?action=numberRevealed")
        #expect(revealed.text.contains("回访") && revealed.text.contains("/tickets/\(id)"))
        #expect(!revealed.text.contains("<td>u1</td>"))
        #expect(await auditor.get("/audit?subject=\(id)&lang=en").text.contains("numberRevealed"))
        #expect(await auditor.get("/audit?action=nonsense").status == 400)
        #expect(await auditor.get("/audit?from=gestern").status == 400)
        #expect(await auditor.get("/audit?after=x").status == 200)
        #expect(await auditor.get("/audit?actor=%3Cscript%3E").text.contains("&lt;script&gt;"))
    }
}
