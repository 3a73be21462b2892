import Foundation
import NIOCore
import Node
import Replication
import Store
import TestSupport
import Testing
import Tickets
import Transport

/// A laptop is stolen; certificates run out. Source: Protocols/trust.md §5 and §9.
@Suite struct RevocationTests {
    private func open(_ title: String, at office: Province.Office) async throws -> EntityID {
        try await office.node.execute(
            TicketCommand(
                ticket: nil, version: VersionVector(),
                action: .open(OpenBody(title: title, category: "network", department: "service"))),
            by: agent(at: office.site)
        ).ticket
    }

    private func act(
        _ action: TicketCommand.Action, on id: EntityID, at office: Province.Office
    ) async throws -> Dot {
        let ticket = try #require(try office.node.reader.state(of: id))
        let executed = try await office.node.execute(
            TicketCommand(ticket: id, version: ticket.seen(), action: action), by: agent(at: office.site))
        return try #require(executed.dots.first)
    }

    private func revoke(
        _ wish: RevocationWish, at office: Province.Office
    ) async throws -> [RevocationRecord] {
        try await office.node.revoke(wish, by: agent(at: office.site).asAdmin, keys: KeyFolder(office.folder))
    }

    private func journal(of office: Province.Office, _ action: JournalAction) throws -> [JournalEntry] {
        try office.node.reader.journal(
            AuditFilter(journalAction: action.rawValue), .earliestFirst, behind: nil, limit: 100)
    }

    private func link(of office: Province.Office) throws -> LinkTable.Status? {
        try office.node.links.all.values.first { $0.role == .parent }
    }

    private func isVoid(_ dot: Dot, of id: EntityID, at office: Province.Office) throws -> Bool {
        try office.node.reader.state(of: id)?.isVoid(dot) == true
    }

    @Test("a revocation cuts the session, voids what came after at every office, and a site enrolled anew works")
    func stolen() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        let nb = try await province.add("nb.zj")
        let ticket = try await open("宽带断网", at: hz)
        let transfer = try await act(
            .transfer(.dispatch, site: nb.site, department: "network", reason: "", note: ""), on: ticket, at: hz)
        let note = try await act(.note("偷来的"), on: ticket, at: hz)
        let forged = try await open("偷来的单", at: hz)
        try await eventually("the sister office has what the thief wrote") {
            try nb.node.reader.state(of: ticket)?.contains(note) == true
        }
        try await eventually("and so has the province") { try zj.node.reader.state(of: forged) != nil }
        let records = try await revoke(
            RevocationWish(site: hz.site, after: transfer.sequence, reason: "笔记本被盗"), at: zj)
        #expect(records.count == 1 && records[0].isInForce && !records[0].differs && records[0].voidCount >= 2)
        try await eventually("the session has ended, and the laptop is told why", within: 5) {
            let link = try self.link(of: hz)
            return link?.isConnected == false && link?.lastFailure != nil
        }
        try await eventually("the note is void at the sister office") { try isVoid(note, of: ticket, at: nb) }
        #expect(try !isVoid(transfer, of: ticket, at: nb))
        #expect(try zj.node.reader.state(of: forged)?.summary().opening == nil)
        #expect(try zj.node.reader.counts().tickets == 1)
        // It goes on writing, and dialling.
        let late = try await open("更晚", at: hz)
        try await hz.runtime?.syncNow(nil)
        try await eventually("a handshake or a session is refused") {
            let failure = try link(of: hz)?.lastFailure ?? ""
            return failure.contains("revoked") || failure.contains("alert") || failure.contains("closed")
        }
        #expect(try zj.node.reader.state(of: late) == nil)
        #expect(try link(of: hz)?.isConnected == false)
        await hz.stop()
        let anew = try await province.add("hz.zj", folder: "hz-anew")
        let fresh = try await open("新机器", at: anew)
        try await eventually("what the site enrolled anew writes arrives") {
            try zj.node.reader.state(of: fresh)?.summary().opening != nil
        }
        try await eventually("and it has learned of the revocation, and what is void") {
            try isVoid(note, of: ticket, at: anew) && anew.node.reader.revocations().count == 1
        }
        await province.stop()
    }

    @Test("the province revokes a branch: its region cuts it, and takes no session of that replica again")
    func grandchild() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        let xihu = try await province.add("xihu.hz.zj")
        let ticket = try await open("一", at: xihu)
        try await eventually("the province has it") { try zj.node.reader.state(of: ticket) != nil }
        _ = try await revoke(RevocationWish(site: xihu.site, reason: "离职"), at: zj)
        try await eventually("the region knows") { try hz.node.reader.revocations().contains(where: \.isInForce) }
        try await eventually("the branch is cut") { try link(of: xihu)?.isConnected == false }
        let late = try await open("二", at: xihu)
        try await xihu.runtime?.syncNow(nil)
        try await eventually("it is refused") { try link(of: xihu)?.lastFailure?.contains("revoked") == true }
        #expect(try hz.node.reader.state(of: late) == nil)
        // What it wrote before stands.
        #expect(try zj.node.reader.state(of: ticket)?.summary().opening != nil)
        await province.stop()
    }

    @Test("a site that is not below, or not known, cannot be revoked")
    func notBelow() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        for site in ["zj", "hz.zj", "nb.zj", "xihu.nb.zj"] {
            let wish = RevocationWish(site: SiteCode(validated: site), reason: "r")
            await #expect(throws: RevocationError.notBelow(site: wish.site, node: hz.site)) {
                _ = try await self.revoke(wish, at: hz)
            }
        }
        let unknown = RevocationWish(site: SiteCode(validated: "nb.zj"), reason: "r")
        await #expect(throws: RevocationError.unknownSite(unknown.site)) { _ = try await self.revoke(unknown, at: zj) }
        let unheld = RevocationWish(site: hz.site, after: 1_000, reason: "r")
        try await eventually("the region is known") { try !zj.node.reader.replicas(of: hz.site).isEmpty }
        await #expect(throws: RevocationError.self) { _ = try await self.revoke(unheld, at: zj) }
        await #expect(throws: Refusal.missing(.reason)) {
            _ = try await self.revoke(RevocationWish(site: hz.site, reason: " "), at: zj)
        }
        #expect(try zj.node.reader.revocations().isEmpty)
        await province.stop()
    }

    @Test("no bundle of a revoked office is taken, and none is made for it")
    func bundles() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        try await eventually("the region is known") { try !zj.node.reader.replicas(of: hz.site).isEmpty }
        try await eventually("and connected") { try link(of: hz)?.isConnected == true }
        try await hz.runtime?.pause(zj.site)
        try await eventually("the line is cut") { try link(of: hz)?.isConnected == false }
        try await hz.work(tickets: 1)
        let made = try await hz.create(for: zj)
        let path = try #require(made.bundles.first?.path)
        _ = try await revoke(RevocationWish(site: hz.site, reason: "r"), at: zj)
        let refused = await #expect(throws: APIError.self) { _ = try await zj.apply(path) }
        #expect(refused?.code == "bundle.revoked")
        try await zj.work(tickets: 1, transferTo: hz.site)
        let unmade = await #expect(throws: APIError.self) { _ = try await zj.create(for: hz) }
        #expect(unmade?.code == "bundle.revoked")
        #expect(try zj.node.reader.counts().tickets == 1)
        await province.stop()
    }

    // MARK: Certificates

    /// Gives an office a certificate that ended so many days ago.
    private func expire(_ office: Province.Office, days: Int64, by issuer: Province.Office) throws {
        let authority = try #require(try KeyFolder(issuer.folder).authority(subtree: issuer.site))
        let uri = try #require(NodeURI(host: office.site.rawValue))
        let key = try String(contentsOfFile: office.folder.tls + "/node.key", encoding: .utf8)
        let now = Int64(Date().timeIntervalSince1970 * 1_000)
        let chain = try authority.signLeaf(
            CertificateRequest(uri: uri, privateKeyPEM: key), expecting: uri,
            nowMilliseconds: now - (30 + days) * 86_400_000, days: 30)
        try chain.write(toFile: office.folder.tls + "/node.pem", atomically: true, encoding: .utf8)
    }

    private func post(_ path: String, as office: Province.Office, to parent: Province.Office) async throws -> Int {
        let address = try #require(parent.runtime?.addresses.sync.flatMap(NodeConfiguration.parse))
        let connection = try await HTTP2Client.connect(
            to: address, tls: try KeyFolder(office.folder).clientContext(),
            expectedPeer: .uri("banjie://\(parent.site)/"), logger: quiet)
        let stream = try await connection.open(
            HTTP2RequestHead(method: "POST", authority: "p", path: path), endStream: true)
        let status = try await stream.responseHead.status
        await connection.close()
        return status
    }

    @Test("an expired certificate opens renewal and nothing else, and the office goes on with the new one")
    func expired() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj", starting: false)
        try expire(hz, days: 1, by: zj)
        #expect(try await post("/sync/v1", as: hz, to: zj) == 403)
        #expect(try await post("/other", as: hz, to: zj) == 403)
        // An empty request is read, and cannot be signed.
        #expect(try await post("/renew", as: hz, to: zj) == 422)
        try await hz.start()
        try await eventually("it is connected") { try link(of: hz)?.isConnected == true }
        let certificate = try KeyFolder(hz.folder).certificate()
        #expect(certificate.notAfterMilliseconds > Int64(Date().timeIntervalSince1970 * 1_000))
        // A region signs its own; a branch asks.
        let own = try journal(of: hz, .ownCertificateRenewed)
        #expect(own.map(\.detail) == ["fingerprint=\(certificate.fingerprint)"])
        let xihu = try await province.add("xihu.hz.zj", starting: false)
        try expire(xihu, days: 1, by: hz)
        try await xihu.start()
        try await eventually("the branch is connected") { try link(of: xihu)?.isConnected == true }
        let renewed = try #require(try journal(of: hz, .certificateRenewed).first)
        #expect(renewed.subject == "xihu.hz.zj" && renewed.origin.hasPrefix("127.0.0.1"))
        #expect(renewed.detail == "fingerprint=\(try KeyFolder(xihu.folder).certificate().fingerprint)")
        let refused = try journal(of: zj, .certificateRefused)
        #expect(refused.count >= 2 && refused.allSatisfy { $0.subject == "hz.zj" && $0.actor == "hz.zj" })
        await province.stop()
    }

    @Test("a certificate that ended too long ago, or was revoked, is not renewed")
    func neverRenewed() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        let nb = try await province.add("nb.zj", starting: false)
        try expire(nb, days: 31, by: zj)
        #expect(try await post("/renew", as: nb, to: zj) == 403)
        #expect(try journal(of: zj, .certificateRefused).map(\.subject) == ["nb.zj"])
        try await eventually("the region is known") { try !zj.node.reader.replicas(of: hz.site).isEmpty }
        await hz.stop()
        _ = try await revoke(RevocationWish(site: hz.site, reason: "r"), at: zj)
        try expire(hz, days: 1, by: zj)
        // A handshake that is under way while the listener takes the list up is cut.
        try await eventually("it is refused") { (try? await post("/renew", as: hz, to: zj)) == 403 }
        await province.stop()
    }

    @Test("a token that was revoked lets nobody join, and the list says what became of each")
    func tokens() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        _ = try await province.add("hz.zj", starting: false)
        let runtime = try #require(zj.runtime)
        let token = try await Enrolment.makeToken(
            node: runtime.node, folder: zj.folder, site: SiteCode(validated: "nb.zj"), addresses: runtime.addresses)
        let known = try zj.node.reader.enrolments()
        let used = try #require(known.first { $0.site.rawValue == "hz.zj" })
        let open = try #require(known.first { $0.site.rawValue == "nb.zj" })
        #expect(used.used != nil && used.usedBy?.count == 64 && open.used == nil)
        let now = Int64(Date().timeIntervalSince1970 * 1_000)
        #expect(try await zj.node.administer { try $0.revokeEnrolments(known.map(\.token), now: now) } == 1)
        await #expect(throws: EnrolmentError.self) {
            _ = try await Offices.join(
                folder: DataFolder(path: province.root + "/nb"), token: token, options: InitOptions(logger: quiet))
        }
        #expect(try zj.node.reader.enrolments().first { $0.site.rawValue == "nb.zj" }?.revoked == now)
        await province.stop()
    }
}

extension Author {
    fileprivate var asAdmin: Author {
        var author = self
        author.role = .admin
        return author
    }
}
