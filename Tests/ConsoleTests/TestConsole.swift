import Foundation
import Hummingbird
import Logging
import Node
import Replication
import Store
import Synchronization
import Testing
import Tickets
import Transport

/// Milliseconds that only the test moves.
final class TestClock: Sendable {
    private let value = Mutex<Int64>(1_000_000)

    func now() -> Int64 { value.withLock { $0 } }
    func advance(minutes: Int64) { value.withLock { $0 += minutes * 60_000 } }
}

/// A node on a folder of its own with a console in front of it, asked without any connection.
final class TestConsole {
    static let password = "正确的密码-123"

    let node: SyncNode
    let clock = TestClock()
    let folder: DataFolder
    private let bridge: RouterBridge<RouterResponder<NodeRequestContext>>

    init(site: String = "xihu.hz.zj") async throws {
        let code = try #require(SiteCode(site))
        folder = DataFolder(path: NSTemporaryDirectory() + "banjie-console-\(UUID().uuidString)")
        let opened = try Store.open(
            folder, creating: NodeIdentity(site: code, replica: ReplicaID(7), parent: code.parent))
        node = try SyncNode(
            writer: opened.writer, catalog: .standard, clock: NodeClock(), logger: testLogger)
        try await node.announceIfNew(certificateFingerprint: [])
        let clock = clock
        bridge = RouterBridge(
            responder: makeConsoleRouter(node: node, monotonic: { clock.now() }).buildResponder(), logger: testLogger)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: folder.path)
    }

    /// Adds an account whose verifier is cheap to check.
    func add(_ name: String, role: Role, department: String = "SVC", password: String = password) async throws {
        let verifier = try PasswordVerifier.make(
            password, for: name, parameters: ScryptParameters(cost: 16, blockSize: 1))
        try await node.administer { writer in
            try writer.save(
                Account(name: name, role: role, department: department, verifier: verifier, created: 0))
        }
    }

    func respond(
        _ method: String, _ path: String, _ headers: [(String, String)] = [], body: String = "",
        from address: String = "192.0.2.1"
    ) async -> BrowserAnswer {
        await bridge.respond(
            method: method, path: path, headers: headers, body: Array(body.utf8), remoteAddress: address)
    }

    /// Somebody who is logged in.
    func browser(_ name: String, role: Role, department: String = "SVC") async throws -> TestBrowser {
        try await add(name, role: role, department: department)
        let browser = TestBrowser(console: self)
        let answer = await browser.logIn(name)
        try #require(answer.status == 303, "the log-in worked")
        return browser
    }

    func summary(_ id: EntityID) throws -> TicketSummary {
        let ticket = try node.reader.state(of: id)
        return try #require(ticket).summary()
    }

    func indexAll() async throws {
        try await node.administer { writer in
            while try writer.reader.search.advance() > 0 {}
        }
    }

    /// Carries a command out past the console, as other offices do.
    @discardableResult
    func perform(
        _ action: TicketCommand.Action, on id: EntityID?, department: String = "SVC", role: Role = .dispatcher,
        version: VersionVector? = nil
    ) async throws -> EntityID {
        let author = Author(
            name: "小王", role: role, level: AuthorityLevel(of: node.identity.site), site: node.identity.site,
            department: department)
        let current = try id.flatMap { try node.reader.state(of: $0)?.version } ?? VersionVector()
        let command = TicketCommand(ticket: id, version: version ?? current, action: action)
        return try await node.execute(command, by: author).ticket
    }
}

/// Keeps cookies and the form token as a browser does.
final class TestBrowser {
    let console: TestConsole
    private(set) var cookies: [String: String] = [:]
    private(set) var token = ""
    var address = "192.0.2.1"

    init(console: TestConsole) {
        self.console = console
    }

    var cookieHeader: [(String, String)] {
        cookies.isEmpty ? [] : [("cookie", cookies.map { "\($0)=\($1)" }.sorted().joined(separator: "; "))]
    }

    @discardableResult
    func get(_ path: String, headers: [(String, String)] = []) async -> BrowserAnswer {
        let answer = await console.respond("GET", path, cookieHeader + headers, from: address)
        take(answer)
        return answer
    }

    @discardableResult
    func post(
        _ path: String, _ fields: [String: String], headers: [(String, String)] = [], withToken: Bool = true
    ) async -> BrowserAnswer {
        var all = fields
        if withToken { all["token"] = token }
        let body = all.map { "\(encode($0))=\(encode($1))" }.sorted().joined(separator: "&")
        let answer = await console.respond(
            "POST", path, cookieHeader + [("content-type", "application/x-www-form-urlencoded")] + headers, body: body,
            from: address)
        take(answer)
        return answer
    }

    @discardableResult
    func logIn(_ name: String, password: String = TestConsole.password) async -> BrowserAnswer {
        let answer = await post("/login", ["name": name, "password": password], withToken: false)
        if answer.status == 303 { await get("/queue") }
        return answer
    }

    /// Submits an action from a page that is fetched first, with the version that the page was rendered from.
    @discardableResult
    func act(_ action: String, on id: EntityID, _ fields: [String: String] = [:]) async -> BrowserAnswer {
        let page = await get("/tickets/\(id)")
        var all = fields
        all["action"] = action
        all["version"] = all["version"] ?? hidden("version", in: page.text)
        return await post("/tickets/\(id)", all)
    }

    func hidden(_ name: String, in html: String) -> String {
        guard let start = html.range(of: "name=\"\(name)\" value=\"") else { return "" }
        return String(html[start.upperBound...].prefix { $0 != "\"" })
    }

    private func take(_ answer: BrowserAnswer) {
        for header in answer.headers where header.name == "set-cookie" {
            let pair = header.value.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1)
            guard pair.count == 2 else {
                cookies[String(pair[0])] = nil
                continue
            }
            cookies[String(pair[0])] = String(pair[1])
        }
        let found = hidden("token", in: answer.text)
        if !found.isEmpty { token = found }
    }

    private func encode(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
    }
}

let testLogger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
