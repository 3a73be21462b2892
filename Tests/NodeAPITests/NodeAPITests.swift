import Foundation
import Replication
import Store
import Synchronization
import Testing
import Tickets

@testable import Node

/// A running node as far as the API can see: remembers what it was told.
private final class RecordingRuntime: RuntimeControl {
    let calls = Mutex<[String]>([])
    let addresses = RuntimeAddresses(sync: "127.0.0.1:7443")

    func pause(_ peer: SiteCode?) async throws { calls.withLock { $0.append("pause \(peer?.rawValue ?? "all")") } }
    func resume(_ peer: SiteCode?) async throws { calls.withLock { $0.append("resume \(peer?.rawValue ?? "all")") } }
    func audit(_ peer: SiteCode?, _ purpose: RangeAudit.Purpose) async throws {
        calls.withLock { $0.append("\(purpose) \(peer?.rawValue ?? "all")") }
    }
    func syncNow(_ peer: SiteCode?) async throws { calls.withLock { $0.append("now \(peer?.rawValue ?? "all")") } }
}

@Suite struct NodeAPITests {
    @Test("status is degraded while the parent is not connected")
    func degraded() async throws {
        let api = try await APINode("hz.zj", parent: "zj")
        _ = try await api.open()
        let status: NodeStatus = try await api.answer("GET", "status")
        #expect(status.degraded == [Degradation(reason: .peerDisconnected, peer: "zj")])
        #expect((status.tickets, status.overdue, status.isRunning) == (1, 0, false))
        #expect(status.peers.first?.toSend == 2)
        let parent = try #require(try api.node.reader.peer(SiteCode(validated: "zj")))
        api.node.links.update(parent.id) { $0.isConnected = true }
        let connected: NodeStatus = try await api.answer("GET", "status")
        #expect(connected.degraded.isEmpty)
    }

    @Test("a scrub finds a damaged row once, and status and the list show it until it is healed")
    func scrub() async throws {
        let api = try await APINode()
        let opened = try await api.open()
        func pass() async throws -> ScrubReport {
            let job = try await api.finished(try await api.answer("POST", "jobs/scrub"))
            let list: DamageList = try await api.answer("GET", "damaged")
            return ScrubReport(job, damaged: list.damaged)
        }
        let sound = try await pass()
        #expect(sound.damaged.isEmpty && sound.operations == 2 && sound.entities == 2)
        let stored = try #require(try api.node.reader.operations(after: 1, limit: 1).first)
        try await api.node.administer { try $0.damageForTests(arrival: 2) }
        for _ in 0..<2 { #expect(try await pass().damaged.map(\.arrival) == [2]) }
        let status: NodeStatus = try await api.answer("GET", "status")
        #expect(status.damaged == 1 && status.degraded.contains { $0.reason == .rowsDamaged })
        #expect(try await api.node.administer { try $0.heal(stored.operation, hash: stored.hash) })
        #expect(try await pass().damaged.isEmpty)
        let detail: TicketDetail = try await api.answer("GET", "tickets/\(opened.ticket.id)")
        #expect(detail.title == "上网慢")
    }

    @Test("a sync command needs a running node and a known peer")
    func sync() async throws {
        let stopped = try await APINode("hz.zj", parent: "zj")
        let error = try await stopped.failure("POST", "sync/now", "{}")
        #expect((error.status, error.code) == (503, "notRunning"))
        let runtime = RecordingRuntime()
        let running = try await APINode("hz.zj", parent: "zj", runtime: runtime)
        let status: SyncStatus = try await running.answer("POST", "sync/pause", #"{"peer":"zj"}"#)
        #expect(status.isRunning && status.addresses.sync == "127.0.0.1:7443")
        let _: SyncStatus = try await running.answer("POST", "sync/now", "{}")
        #expect(runtime.calls.withLock { $0 } == ["pause zj", "now all"])
        #expect(try await running.failure("POST", "sync/now", #"{"peer":"jx.zj"}"#).code == "noSuchPeer")
    }

    @Test("ended steps count by their verdict, open and overdue ones as late")
    func assessment() async throws {
        let api = try await APINode()
        let opened = try await api.open()
        let actor = #""actor":{"name":"wang","role":"dispatcher","department":"SVC"}"#
        let _: TicketReceipt = try await api.answer(
            "POST", "tickets/\(opened.ticket.id)/transfer", "{\(actor),\"department\":\"NET\"}")
        let table: AssessmentTable = try await api.answer("GET", "assessment?by=department,step")
        #expect(table.rows.map(\.keys) == [["SVC", "dispatch"]])
        #expect(table.total.met == 1 && table.total.onTimeRate == 1)
        let later = Services(api).assessment(now: APINode.now + 3 * 3_600_000)
        #expect(later.rows.map(\.keys) == [["NET", "handling"], ["SVC", "dispatch"]])
        #expect(later.total.overdue == 1 && later.total.onTimeRate == 0.5)
        let elsewhere: AssessmentTable = try await api.answer("GET", "assessment?site=jx.zj")
        #expect(elsewhere.rows.isEmpty && elsewhere.total.onTimeRate == nil)
        #expect(try await api.failure("GET", "assessment?by=weather").field == "by")
        #expect(try await api.failure("GET", "assessment?from=2026-13-01").field == "from")
    }

    private struct Services {
        let services: APIServices
        init(_ api: APINode) { services = APIServices(node: api.node, runtime: nil) }

        func assessment(now: Int64) -> AssessmentTable {
            (try? services.assessment(AssessmentQuery(), now: now))
                ?? AssessmentTable(groupings: [], now: Instant(0), rows: [], total: .init())
        }
    }

    @Test("accounts are added, changed and removed, and passwords never shown")
    func accounts() async throws {
        let api = try await APINode()
        #expect(try await api.failure("PUT", "accounts/wang", #"{"password":"short"}"#).code == "weakPassword")
        #expect(try await api.failure("PUT", "accounts/wang", "{}").field == "password")
        let made: AccountEntry = try await api.answer(
            "PUT", "accounts/wang", #"{"role":"dispatcher","department":"SVC","password":"long enough"}"#)
        #expect(made.role == "dispatcher")
        let changed: AccountEntry = try await api.answer("PUT", "accounts/wang", #"{"role":"supervisor"}"#)
        #expect((changed.role, changed.department) == ("supervisor", "SVC"))
        let stored = try api.node.reader.accounts()[0]
        #expect(PasswordVerifier.verify("long enough", against: stored.verifier))
        let (_, list) = await api.call("GET", "accounts")
        #expect(!String(decoding: list, as: UTF8.self).contains("scrypt"))
        let rest: AccountList = try await api.answer("DELETE", "accounts/wang")
        #expect(rest.accounts.isEmpty)
        #expect(try await api.failure("DELETE", "accounts/wang").status == 404)
    }

    @Test("a rebuild and a backup are jobs that end with what they made")
    func jobs() async throws {
        let api = try await APINode()
        _ = try await api.open()
        let rebuilt = try await api.finished(try await api.answer("POST", "jobs/rebuild"))
        #expect(rebuilt.result == ["operations": "2"])
        let path = api.folder.path + "/copy.db"
        let copied = try await api.finished(try await api.answer("POST", "jobs/backup", #"{"path":"\#(path)"}"#))
        #expect(copied.result?["path"] == path && copied.result?["operations"] == "2")
        let report = try BackupReport.verify(path, progress: ProgressReporter("", style: .silent))
        #expect((report.tickets, report.operations, report.findings) == (1, 2, []))
        let again = try await api.finished(try await api.answer("POST", "jobs/backup", #"{"path":"\#(path)"}"#))
        #expect(again.error?.code == "file")
        #expect(try await api.failure("GET", "jobs/99").status == 404)
    }

    @Test("an unknown route is 404 in JSON")
    func unknownRoute() async throws {
        let api = try await APINode()
        #expect(try await api.failure("GET", "weather").code == "noSuchRoute")
    }
}
