import Foundation
import Node
import Replication
import Store
import TestSupport
import Testing
import Tickets

/// Journals of three offices: enrolments in them, and their anchors in the logs above. Source: Protocols/audit.md §4.
@Suite struct JournalSyncTests {
    private func actions(_ office: Province.Office, _ action: JournalAction) throws -> [JournalEntry] {
        try office.node.reader.journal(
            AuditFilter(journalAction: action.rawValue), .earliestFirst, behind: nil, limit: 100)
    }

    private func hasAnchor(of office: Province.Office, at other: Province.Office) throws -> Bool {
        try other.node.reader.state(of: EntityID(journalOf: office.node.identity.replica))?.operationCount == 1
    }

    @Test("enrolments are told of where they are signed, anchors go up and not to other branches")
    func anchors() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        let xihu = try await province.add("xihu.hz.zj")
        let nb = try await province.add("nb.zj")
        #expect(try actions(zj, .tokenMade).map(\.subject) == ["hz.zj", "nb.zj"])
        #expect(try actions(zj, .tokenRedeemed).map(\.actor) == ["hz.zj", "nb.zj"])
        let signed = try actions(zj, .certificateSigned)
        #expect(signed.map(\.subject) == ["hz.zj", "nb.zj"])
        #expect(signed.allSatisfy { $0.origin.hasPrefix("127.0.0.1") && $0.detail.contains("authority=") })
        #expect(try actions(hz, .certificateSigned).map(\.subject) == ["xihu.hz.zj"])
        for office in [zj, hz, xihu, nb] {
            #expect(try actions(office, .incarnationBegun).count == 1)
            #expect(try actions(office, .configurationFound).count == 1)
            #expect(try await office.node.anchorJournal())
        }
        try await eventually("the province has every anchor") {
            try hasAnchor(of: xihu, at: zj) && hasAnchor(of: hz, at: zj) && hasAnchor(of: nb, at: zj)
        }
        try await eventually("the region has its branch's") { try hasAnchor(of: xihu, at: hz) }
        // A ticket that is opened afterwards has gone down: so would an anchor have.
        let id = try await zj.node.execute(
            TicketCommand(
                ticket: nil, version: VersionVector(),
                action: .open(OpenBody(title: "t", category: "network", department: "service"))),
            by: agent(at: zj.site)
        ).ticket
        let ticket = try #require(try zj.node.reader.state(of: id))
        _ = try await zj.node.execute(
            TicketCommand(
                ticket: id, version: ticket.seen(),
                action: .transfer(.dispatch, site: nb.site, department: "network", reason: "", note: "")),
            by: agent(at: zj.site))
        try await eventually("the other branch has the ticket") { try nb.node.reader.state(of: id) != nil }
        #expect(try !hasAnchor(of: hz, at: nb) && !hasAnchor(of: zj, at: nb) && !hasAnchor(of: xihu, at: nb))
        for office in [zj, hz, xihu, nb] {
            let check = try office.node.reader.checkJournal(now: office.node.clock.now())
            #expect(check.isIntact && check.anchorCount == 1, "\(office.site)")
            #expect(try office.node.reader.counts().parked == 0)
        }
        // Comparing the stores finds nothing missing: both sides know whose an anchor is.
        try await hz.runtime?.audit(nil, .verify)
        try await eventually("the region has compared itself with the province") {
            try hz.node.links.all.values.contains { $0.auditCount > 0 }
        }
        for link in try hz.node.links.all.values {
            if let outcome = link.lastAudit { #expect(outcome.missingHere == 0 && outcome.missingThere == 0) }
        }
        await province.stop()
    }

    /// Over the admin socket of the running node.
    private func ask(_ office: Province.Office, _ path: String, _ body: String) async throws {
        let client = try await NodeClient.open(office.folder, language: .english, logger: quiet)
        #expect(client.isRemote)
        _ = try await client.send("POST", "/api/v1/" + path, Array(body.utf8))
        await client.close()
    }

    @Test("bundles that are made and applied, and peers and heads that are forgotten, are told")
    func commands() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        try await eventually("the province has the region's head") {
            try zj.node.reader.heads().contains { $0.site == hz.site }
        }
        let file = province.root + "/x.bundle"
        try await ask(hz, "jobs/bundle", #"{"peer":"zj","path":"\#(file)"}"#)
        try await eventually("the bundle is told of") { try actions(hz, .bundleMade).map(\.subject) == ["zj"] }
        try await ask(zj, "jobs/bundle-apply", #"{"path":"\#(file)"}"#)
        try await eventually("its application too") { try actions(zj, .bundleApplied).map(\.subject) == [file] }
        #expect(try actions(hz, .bundleMade).allSatisfy { $0.origin == "admin socket uid \(getuid())" })
        let replica = try hz.node.identity.replica
        await hz.stop()
        try await ask(zj, "sync/heads/forget", #"{"replica":"\#(replica)"}"#)
        #expect(try actions(zj, .headForgotten).map(\.subject) == ["\(replica)"])
        try await eventually("the region is gone") {
            try zj.node.links.all.values.allSatisfy { !$0.isConnected }
        }
        try await ask(zj, "sync/forget", #"{"peer":"hz.zj"}"#)
        #expect(try actions(zj, .peerForgotten).map(\.subject) == ["hz.zj"])
        await province.stop()
    }

    @Test("an unknown token is told of as refused, with the address")
    func refused() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let runtime = try #require(zj.runtime)
        let text = try await Enrolment.makeToken(
            node: zj.node, folder: zj.folder, site: SiteCode(validated: "hz.zj"), addresses: runtime.addresses,
            by: JournalActor(name: "wang", origin: "admin socket uid 1"))
        #expect(try actions(zj, .tokenMade).map(\.actor) == ["wang"])
        let options = InitOptions(configuration: NodeConfiguration(), logger: quiet)
        let folder = DataFolder(path: province.root + "/hz")
        _ = try await Offices.join(folder: folder, token: text, options: options)
        await #expect(throws: EnrolmentError.self) {
            _ = try await Offices.join(
                folder: DataFolder(path: province.root + "/again"), token: text, options: options)
        }
        let told = try actions(zj, .tokenRefused)
        #expect(told.count == 1 && told.first?.origin.hasPrefix("127.0.0.1") == true)
        await province.stop()
    }

    @Test("a restored backup loses entries: the journal says so, and its former anchors are no alarm")
    func restored() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let path = province.root + "/backup.db"
        _ = try zj.node.reader.backup(to: path, now: 1) { _, _ in }
        try await zj.node.journal(JournalDraft(.logIn, by: .node, on: "li"))
        let hz = try await province.add("hz.zj")
        #expect(try await zj.node.anchorJournal())
        try await eventually("the region has the anchor of the province") {
            try hz.node.reader.counts().operations > 0
        }
        let former = try zj.node.identity.replica
        let folder = zj.folder
        await province.stop()
        let report = try Restoration.run(
            folder: folder, path: path, isForced: false,
            progress: ProgressReporter("", style: .fitting(isForProgram: true)), logger: quiet)
        #expect(report.follows?.hasPrefix("\(former)") == true)
        let opened = try SyncNode.open(folder: folder, logger: quiet)
        let begun = try opened.reader.journal(
            AuditFilter(journalAction: "incarnationBegun"), .latestFirst, behind: nil, limit: 9)
        #expect(begun.count == 2 && begun.first?.detail.contains("reason=restored") == true)
        let check = try opened.reader.checkJournal(now: opened.clock.now())
        #expect(check.isIntact)
    }
}
