import Hummingbird
import Node
import Replication
import Store
import Testing
import Tickets

/// Every route of the console, as its router has them, against everybody who might ask. A route that is not in the table
/// fails, so that whoever adds one says whom it is for.
@Suite struct RouteAccessTests {
    private enum Rule {
        /// Without a session too.
        case open
        /// Everybody who is logged in.
        case loggedIn
        case roles(Set<Role>)

        func admits(_ role: Role) -> Bool {
            switch self {
            case .open, .loggedIn: true
            case .roles(let roles): roles.contains(role)
            }
        }
    }

    private static let people = Set(Role.allCases.filter { $0 != .system })
    private static let acting: Set<Role> = [.agent, .dispatcher, .supervisor, .admin]

    private static let rules: [String: Rule] = [
        "GET /login": .open, "POST /login": .open, "GET /static/console.css": .open,
        "GET /static/console.js": .open, "GET /static/icon.svg": .open,
        "POST /logout": .loggedIn, "GET /": .loggedIn, "GET /queue": .loggedIn, "GET /queue/rows": .loggedIn,
        "GET /tickets/{id}": .loggedIn, "GET /tickets/{id}/changes": .loggedIn,
        "GET /tickets/new": .roles(acting), "POST /tickets": .roles(acting), "POST /tickets/{id}": .roles(acting),
        "POST /tickets/{id}/reveal": .roles(acting),
        "GET /sync": .roles([.supervisor, .admin]), "GET /sync/panel": .roles([.supervisor, .admin]),
        "GET /timeliness": .roles(people.subtracting([.agent])),
        "GET /timeliness/tickets": .roles(people.subtracting([.agent])),
        "GET /audit": .roles([.auditor, .admin]),
    ]

    private struct Route {
        var method: String
        var path: String
        var rule: Rule

        func path(_ id: EntityID) -> String { path.replacing("{id}", with: "\(id)") }
    }

    private static func routes(_ console: TestConsole) throws -> [Route] {
        let described = makeConsoleRouter(node: console.node).routes.map { route in
            (route.method.rawValue, route.path.description)
        }
        #expect(Set(described.map { "\($0) \($1)" }) == Set(rules.keys), "a rule for every route, and no others")
        return try described.map { method, path in
            let rule = try #require(rules["\(method) \(path)"], "a rule for \(method) \(path)")
            return Route(method: method, path: path, rule: rule)
        }
    }

    private func ticket(_ console: TestConsole) async throws -> EntityID {
        try await console.perform(
            .open(OpenBody(title: "断网", category: "NETWORK", customerLabel: "13857154321", department: "SVC")),
            on: nil)
    }

    private func ask(
        _ route: Route, _ id: EntityID, _ browser: TestBrowser, withToken: Bool = true,
        headers: [(String, String)] = []
    ) async -> BrowserAnswer {
        route.method == "GET"
            ? await browser.get(route.path(id), headers: headers)
            : await browser.post(route.path(id), [:], headers: headers, withToken: withToken)
    }

    @Test("nobody who is not logged in reaches anything but the log-in and its assets")
    func nobody() async throws {
        let console = try await TestConsole()
        let id = try await ticket(console)
        for route in try Self.routes(console) {
            let answer = await ask(route, id, TestBrowser(console: console))
            if case .open = route.rule {
                #expect([200, 401].contains(answer.status), "\(route.method) \(route.path)")
            } else {
                #expect(answer.status == 303, "\(route.method) \(route.path)")
                #expect(answer.header("location") == "/login" && answer.body.isEmpty)
            }
        }
    }

    @Test(
        "each role reaches the routes that are for it and no others", arguments: Role.allCases.filter { $0 != .system })
    func roles(_ role: Role) async throws {
        let console = try await TestConsole()
        let id = try await ticket(console)
        for route in try Self.routes(console) where route.path != "/logout" {
            let browser = try await console.browser("someone", role: role)
            let answer = await ask(route, id, browser)
            if route.rule.admits(role) {
                #expect(answer.status != 403, "\(role) \(route.method) \(route.path)")
            } else {
                #expect(answer.status == 403, "\(role) \(route.method) \(route.path)")
                #expect(!answer.text.contains("断网"))
            }
        }
    }

    @Test("no route that changes or reveals anything takes a missing, wrong or borrowed token, or a foreign form")
    func foreignForms() async throws {
        let console = try await TestConsole()
        let id = try await ticket(console)
        let admin = try await console.browser("zhao", role: .admin)
        let other = try await console.browser("li", role: .admin)
        let before = try (console.node.reader.counts().operations, console.node.reader.journalCount())
        for route in try Self.routes(console) where route.method != "GET" && route.path != "/login" {
            let path = route.path(id)
            #expect(await admin.post(path, ["reason": "x"], withToken: false).status == 403, "\(path)")
            for token in ["", "x", other.token, String(admin.token.dropLast())] {
                let answer = await admin.post(path, ["token": token, "reason": "x"], withToken: false)
                #expect(answer.status == 403, "\(path) \(token)")
            }
            for headers in [[("origin", "https://evil.example")], [("sec-fetch-site", "cross-site")]] {
                #expect(await admin.post(path, ["reason": "x"], headers: headers).status == 403, "\(path)")
            }
        }
        #expect(try console.node.reader.counts().operations == before.0)
        #expect(try console.node.reader.journalCount() == before.1)
    }

    @Test("a user of another site's console is nobody here, on any route")
    func otherSite() async throws {
        let console = try await TestConsole()
        let elsewhere = try await TestConsole(site: "xiaoshan.hz.zj")
        let id = try await ticket(console)
        let visitor = try await elsewhere.browser("zhao", role: .admin)
        for route in try Self.routes(console) {
            if case .open = route.rule { continue }
            let answer = await console.respond(
                route.method, route.path(id),
                visitor.cookieHeader + [("content-type", "application/x-www-form-urlencoded")],
                body: route.method == "GET" ? "" : "token=\(visitor.token)")
            #expect(answer.status == 303 && answer.header("location") == "/login", "\(route.method) \(route.path)")
        }
    }

    @Test("an account that was made a lesser one, or removed, has nothing any more on any route")
    func lesser() async throws {
        let console = try await TestConsole()
        let id = try await ticket(console)
        for route in try Self.routes(console) {
            if case .open = route.rule { continue }
            let browser = try await console.browser("zhao", role: .admin)
            try await console.add("zhao", role: .auditor)
            #expect(await ask(route, id, browser).status == 303, "\(route.method) \(route.path)")
        }
    }
}
