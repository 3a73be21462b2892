import Foundation
import Replication
import Store
import Testing
import Tickets

@testable import Node

/// The audit view, and what is revealed, through the API. Source: Protocols/audit.md.
@Suite struct JournalAPITests {
    private static let number = "13857154321"
    private static let agent = #""actor":{"name":"wang","role":"agent","department":"SVC"}"#

    private func open(_ api: APINode) async throws -> TicketReceipt {
        return try await api.answer(
            "POST", "tickets", "{\(Self.agent),\"title\":\"断网\",\"customer\":\"\(Self.number)\"}")
    }

    private func entries(_ api: APINode, _ action: String) async throws -> [AuditEntry] {
        let page: AuditPage = try await api.answer("GET", "audit?action=\(action)")
        return page.entries
    }

    @Test("every change of users, tokens, peers and what is parked has its entry, with who and from where")
    func changes() async throws {
        let api = try await APINode("zj")
        let _: AccountEntry = try await api.answer(
            "PUT", "accounts/wang", #"{"role":"agent","password":"ein-langes-wort"}"#)
        let _: AccountEntry = try await api.answer("PUT", "accounts/wang", #"{"role":"auditor"}"#)
        let _: AccountList = try await api.answer("DELETE", "accounts/wang")
        let saved = try await entries(api, "accountSaved")
        #expect(saved.map(\.detail).contains { $0.hasPrefix("new role=agent") && $0.hasSuffix("password=set") })
        #expect(saved.map(\.detail).contains { $0.hasPrefix("role=auditor") && $0.hasSuffix("password=kept") })
        #expect(saved.allSatisfy { $0.subject == "wang" && $0.origin == "folder uid \(getuid())" && !$0.actor.isEmpty })
        #expect(try await entries(api, "accountRemoved").map(\.subject) == ["wang"])
        // What did nothing is not told.
        _ = try await api.failure("DELETE", "accounts/wang")
        #expect(try await entries(api, "accountRemoved").count == 1)

        let now = NodeClock.system()
        try await api.node.administer {
            try $0.saveEnrolment(
                token: ContentHash(words: (1, 2, 3, 4)), site: SiteCode(validated: "hz.zj"), expires: now + 1_000_000)
        }
        let _: TokenList = try await api.answer("POST", "enrolment/tokens/revoke", #"{"site":"hz.zj"}"#)
        #expect(try await entries(api, "tokenRevoked").map(\.detail) == ["count=1"])

        let path = api.folder.path + "/b.db"
        _ = try await api.finished(try await api.answer("POST", "jobs/backup", #"{"path":"\#(path)"}"#))
        #expect(try await entries(api, "backupMade").map(\.subject) == [path])
        #expect(try await entries(api, "incarnationBegun").count == 1)
        let report: JournalReport = try await api.answer("GET", "audit/verify")
        #expect(report.isIntact && report.count == Int(report.last))
    }

    @Test("what is parked and released or thrown away is told")
    func parked() async throws {
        let api = try await APINode("zj")
        let body = Body.note(NoteBody(text: "x"))
        func stray(_ sequence: UInt64, replica: UInt64) -> Replication.Operation {
            Operation(
                dot: Dot(ReplicaID(replica), sequence), entity: EntityID(type: .ticket, high: 1, low: sequence),
                previous: 0, seen: VersionVector(), time: .zero,
                author: Author(
                    name: "x", role: .agent, level: .region, site: SiteCode(validated: "hz.zj"), department: "d"),
                scope: [], kind: body.kind.operationKind, body: body.encoded())
        }
        let strays = [stray(1, replica: 5), stray(1, replica: 6)]
        try await api.node.administer { writer in
            var hasher = ContentHasher()
            let hashes = strays.map { hasher.hash($0) }
            _ = try writer.commit([MergeBatch(source: .local, operations: strays, hashes: hashes)], now: 1)
            // As if somebody else had sent what the announced replica wrote.
            try writer.executeForTests("UPDATE replica SET site = 'hz.zj' WHERE replica = 5")
            writer.forgetCacheForTests()
        }
        let _: ReleaseReport = try await api.answer(
            "POST", "parked/release", #"{"dot":"0000000000000005:1"}"#)
        let _: ReleaseReport = try await api.answer("POST", "parked/void", #"{"dot":"0000000000000006:1"}"#)
        #expect(try await entries(api, "parkedReleased").map(\.subject) == ["0000000000000005:1"])
        #expect(try await entries(api, "parkedVoided").map(\.subject) == ["0000000000000006:1"])
    }

    @Test("operations and entries are one view, the latest first, page by page and restricted")
    func view() async throws {
        let api = try await APINode("zj")
        let opened = try await open(api)
        let _: AccountEntry = try await api.answer(
            "PUT", "accounts/li", #"{"role":"agent","password":"ein-langes-wort"}"#)
        let _: TicketReceipt = try await api.answer(
            "POST", "tickets/\(opened.ticket.id)/note", "{\(Self.agent),\"text\":\"客户电话 13857154321\"}")
        let all: AuditPage = try await api.answer("GET", "audit?limit=500")
        #expect(Set(all.entries.map(\.action)).isSuperset(of: ["open", "note", "accountSaved", "announce"]))
        #expect(all.next == nil)
        var paged: [AuditEntry] = []
        var after: String?
        repeat {
            let page: AuditPage = try await api.answer(
                "GET", APIPath.query("audit", [("limit", "1"), ("after", after)]))
            paged += page.entries
            after = page.next
        } while after != nil
        #expect(paged == all.entries)
        let own: AuditPage = try await api.answer("GET", "audit?ticket=\(opened.ticket.number)")
        #expect(own.entries.map(\.action) == ["note", "open"])
        let named: AuditPage = try await api.answer("GET", "audit?actor=wang&action=note")
        #expect(named.entries.count == 1 && named.entries.first?.role == "agent")
        let none: AuditPage = try await api.answer("GET", "audit?to=2020-01-01")
        #expect(none.entries.isEmpty)
        for query in ["action=nonsense", "from=gestern", "limit=0", "after=x", "nosuch=1"] {
            #expect(await api.call("GET", "audit?\(query)").status == 400, "\(query)")
        }
        // Neither numbers nor free texts.
        let text = String(decoding: try JSONReply.encode(all), as: UTF8.self)
        #expect(!text.contains("13857154321") && !text.contains("客户电话") && !text.contains("断网"))
    }

    @Test("numbers are masked wherever a ticket is shown, and in full only to who gives a reason")
    func reveal() async throws {
        let api = try await APINode("zj")
        let opened = try await open(api)
        let path = "tickets/\(opened.ticket.id)"
        let _: TicketReceipt = try await api.answer(
            "POST", path + "/set", "{\(Self.agent),\"field\":\"contact\",\"value\":\"张三 13900001111\"}")
        for place in [path, path + "/history", "tickets", "audit?limit=500"] {
            let (status, answer) = await api.call("GET", place)
            let text = String(decoding: answer, as: UTF8.self)
            #expect(status == 200)
            #expect(!text.contains(Self.number) && !text.contains("13900001111"), "\(place)")
        }
        for role in ["assessor", "auditor"] {
            let refused = await api.call(
                "POST", path + "/reveal", #"{"actor":{"name":"x","role":"\#(role)"},"reason":"看看"}"#)
            #expect(refused.status == 403)
        }
        #expect(await api.call("POST", path + "/reveal", "{\(Self.agent),\"reason\":\" \"}").status == 422)
        #expect(try await entries(api, "numberRevealed").isEmpty)
        let shown: RevealedNumbers = try await api.answer(
            "POST", path + "/reveal", "{\(Self.agent),\"reason\":\"回访 13700002222\"}")
        #expect(Set(shown.values.map(\.value)) == [Self.number, "张三 13900001111"])
        let told = try #require(try await entries(api, "numberRevealed").first)
        #expect(told.actor == "wang" && told.subject == opened.ticket.id)
        #expect(told.detail.contains("fields=contact,customerLabel") && told.detail.contains("customer=-"))
        #expect(told.detail.contains("reason=回访 137****2222"))
        let journal = try api.node.reader.journal(AuditFilter(), .latestFirst, behind: nil, limit: 100)
        for entry in journal {
            for text in [entry.actor, entry.origin, entry.subject, entry.detail] {
                #expect(!text.contains(Self.number) && !text.contains("13900001111") && !text.contains("张三"))
            }
        }
    }

    @Test("what the journal cannot tell of is not shown")
    func unwritable() async throws {
        let api = try await APINode("zj")
        let opened = try await open(api)
        try await api.node.administer { try $0.executeForTests("DROP TABLE journal") }
        let (status, answer) = await api.call(
            "POST", "tickets/\(opened.ticket.id)/reveal", "{\(Self.agent),\"reason\":\"回访\"}")
        #expect(status == 500)
        #expect(!String(decoding: answer, as: UTF8.self).contains(Self.number))
    }

    @Test("a ticket without a number, or whose number is gone, reveals nothing and tells nothing")
    func nothing() async throws {
        let api = try await APINode("zj")
        let opened = try await api.open()
        let failure = try await api.failure(
            "POST", "tickets/\(opened.ticket.id)/reveal", "{\(Self.agent),\"reason\":\"回访\"}")
        #expect(failure.status == 404 && failure.code == "nothingToReveal" && !failure.next.isEmpty)
        #expect(try await entries(api, "numberRevealed").isEmpty)
    }

    @Test("an export says itself whether it is whole", arguments: AuditFileFormat.allCases)
    func export(format: AuditFileFormat) async throws {
        let api = try await APINode("zj")
        _ = try await open(api)
        let path = api.folder.path + "/audit.\(format.rawValue)"
        let request = #"{"path":"\#(path)","format":"\#(format.rawValue)","filter":{}}"#
        let job = try await api.finished(try await api.answer("POST", "jobs/audit-export", request))
        #expect(job.error == nil && job.done == job.total)
        let report = try AuditFileCheck.run(path)
        let end = try api.node.reader.journalEnd()
        #expect(report.problem == nil && report.first == 1 && report.last == end.sequence)
        #expect(report.hash == "\(end.hash)" && report.site == "zj")
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.contains("auditExported"), "the export has its own entry")
        // A second one of that name is refused, and leaves the first.
        let again = try await api.finished(try await api.answer("POST", "jobs/audit-export", request))
        #expect(again.error != nil)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == text)

        func problem(_ change: (String) -> String) throws -> AuditFileReport.Problem? {
            let other = path + ".changed"
            try change(text).write(toFile: other, atomically: true, encoding: .utf8)
            return try AuditFileCheck.run(other).problem
        }
        let changed = try problem { $0.replacing("auditExported", with: "auditExporteD") }
        #expect(changed == (format == .jsonl ? .chainBroken : .changed))
        let shortened = try problem { $0.split(separator: "\n").dropLast().joined(separator: "\n") + "\n" }
        #expect(shortened == .noTrailer)
        let dropped = try problem { text in
            var lines = text.split(separator: "\n")
            lines.remove(at: lines.count - 2)
            return lines.joined(separator: "\n") + "\n"
        }
        #expect(dropped != nil)
        #expect(try problem { _ in "nothing\n" } == .noHeader)
    }

    @Test("a part of the view is exported without a chain, and still says whether it was changed")
    func partialExport() async throws {
        let api = try await APINode("zj")
        _ = try await open(api)
        let path = api.folder.path + "/part.jsonl"
        let request = #"{"path":"\#(path)","format":"jsonl","filter":{"action":"open"}}"#
        let job = try await api.finished(try await api.answer("POST", "jobs/audit-export", request))
        #expect(job.result?["entries"] == "1")
        let report = try AuditFileCheck.run(path)
        #expect(report.problem == nil && report.hash == nil && report.lines == 3)
    }

    @Test("a changed journal is a finding of the doctor, and of verify")
    func doctor() async throws {
        let api = try await APINode("zj")
        try await api.node.journal(JournalDraft(.logIn, by: .node, on: "li"))
        try await api.node.executeSQL("UPDATE journal SET subject = 'wang' WHERE sequence = 2")
        let report: DoctorReport = try await api.answer("GET", "doctor")
        let finding = try #require(report.findings.first { $0.code == .journalChanged })
        #expect(finding.check == "journal" && !finding.next.isEmpty)
        let check: JournalReport = try await api.answer("GET", "audit/verify")
        #expect(!check.isIntact && check.findings.first?.code == .changed)
    }

    @Test("strangers cause so many entries a minute, and one that counts the rest")
    func flood() {
        var flood = JournalFlood()
        var written = 0
        for index in 0..<1_000 where flood.admit(.logInFailed, now: 1_000 + Int64(index)) { written += 1 }
        #expect(written == JournalLimits.entriesPerMinuteMax)
        let isOtherAdmitted = flood.admit(.logInLocked, now: 2_000)
        #expect(isOtherAdmitted, "each action for itself")
        let early = flood.takeDue(now: 60_999)
        #expect(early.isEmpty)
        let due = flood.takeDue(now: 61_000)
        #expect(due.map(\.action) == [.logInFailed] && due.map(\.count) == [940])
        let rest = flood.takeDue(now: 200_000)
        #expect(rest.isEmpty)
        let isAdmittedAgain = flood.admit(.logInFailed, now: 200_001)
        #expect(isAdmittedAgain)
    }

    @Test("the journal's end is anchored at once, then once a day, and only if there is news")
    func anchored() async throws {
        let api = try await APINode("zj")
        #expect(try await api.node.anchorJournal())
        #expect(try await !api.node.anchorJournal())
        try await api.node.journal(JournalDraft(.logIn, by: .node, on: "li"))
        #expect(try await !api.node.anchorJournal(), "a day has not passed")
        try await api.node.administer { try $0.setFact(SyncNode.anchoredFact, "\(APINode.now - 86_400_000)") }
        #expect(try await api.node.anchorJournal())
        try await api.node.administer { try $0.setFact(SyncNode.anchoredFact, "\(APINode.now - 86_400_000)") }
        #expect(try await !api.node.anchorJournal(), "there is no news")
        let check = try api.node.reader.checkJournal(now: APINode.now)
        #expect(check.isIntact && check.anchorCount == 2)
    }

    @Test("the keeper prunes what is older than 13 months, anchors what is left, and looks whether it is whole")
    func keeper() async throws {
        let api = try await APINode("zj")
        let (month, now) = (Int64(31 * 86_400_000), APINode.now)
        try await api.node.administer { writer in
            try writer.executeForTests("DELETE FROM journal")
            for age in [15, 14, 12, 1] {
                try writer.journal([JournalDraft(.logIn, by: .node, on: "\(age)")], now: now - Int64(age) * month)
            }
        }
        let keeper = JournalKeeper(node: api.node, logger: api.node.logger)
        try await keeper.look()
        let rest = try api.node.reader.journal(AuditFilter(), .earliestFirst, behind: nil, limit: 100)
        #expect(rest.map(\.action) == ["logIn", "logIn", "journalPruned"])
        #expect(rest.last?.subject == "2" && rest.last?.detail.hasPrefix("count=2 hash=") == true)
        let check = try api.node.reader.checkJournal(now: now)
        #expect(check.isIntact && check.first == 3 && check.anchorCount == 1)
        try await keeper.look()
        #expect(try api.node.reader.journalCount() == 3, "nothing more to do")
    }

    @Test("a changed configuration is told of by its keys, without values, and once")
    func configuration() throws {
        let folder = DataFolder(path: "/tmp/bj-\(UUID().uuidString.prefix(8))")
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        let opened = try Store.open(
            folder,
            creating: NodeIdentity(site: SiteCode(validated: "zj"), replica: ReplicaID(1), parent: nil))
        func note(_ yaml: String) throws -> [JournalEntry] {
            try yaml.write(toFile: folder.configuration, atomically: true, encoding: .utf8)
            try ConfigurationJournal.note(folder, catalog: .standard, writer: opened.writer, now: 1)
            return try opened.reader.journal(
                AuditFilter(journalAction: "configurationFound"), .latestFirst, behind: nil, limit: 9)
        }
        #expect(try note("name: 省\nlisten: 127.0.0.1:7443\n").count == 1)
        #expect(try note("# a remark\nname: 省\nlisten: 127.0.0.1:7443\n").count == 1)
        let changed = try note("name: 省\nlisten: 10.0.0.9:7443\nparents:\n  - 10.0.0.8:1\n")
        #expect(changed.count == 2)
        #expect(changed.first?.detail.hasSuffix("keys=listen,parents") == true)
        #expect(changed.first?.detail.contains("10.0.0") == false)
        #expect(
            try opened.reader.journal(
                AuditFilter(journalAction: "catalogFound"), .latestFirst, behind: nil, limit: 9
            ).count == 1)
    }
}

extension SyncNode {
    fileprivate func executeSQL(_ sql: String) throws {
        try administer { try $0.executeForTests(sql) }
    }
}
