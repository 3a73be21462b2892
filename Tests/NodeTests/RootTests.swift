import Foundation
import Node
import Replication
import Store
import TestSupport
import Testing
import Tickets
import Transport

extension [SiteCode] {
    fileprivate func contains(allOf others: [SiteCode]) -> Bool { Set(self).isSuperset(of: others) }
}

/// A province replaces its root while its offices work. Source: Protocols/trust.md §10.
@Suite struct RootTests {
    @Test("a root is replaced in a hurry: every node is signed anew, sessions go on, and the former root can go")
    func hurried() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let second = try await province.addSibling(of: zj)
        let hz = try await province.add("hz.zj")
        let xihu = try await province.add("xihu.hz.zj")
        try await xihu.work(tickets: 1)
        try await eventually("the province has heard of the branch") {
            try zj.node.reader.heads().contains { $0.site == xihu.site }
        }
        let former = try zj.roots()
        #expect(former.count == 1)
        try await zj.rotate(hurries: true)
        for office in [zj, second, hz, xihu] {
            try await eventually("\(office.folder.path) trusts both roots, the newer first") {
                let roots = try office.roots()
                return roots.count == 2 && roots[1] == former[0]
            }
            try await eventually("\(office.folder.path) is signed under the newer one") { try office.isMoved() }
        }
        #expect(try hz.isMoved("authority.pem"))
        let newest = try zj.roots()[0]
        await #expect(throws: RootError.isNewest(newest)) { try await zj.retire(newest) }
        try await eventually("the province has heard that all have moved") { try zj.behind().isEmpty }
        try await zj.retire(String(former[0].prefix(16)))
        for office in [zj, second, hz, xihu] {
            try await eventually("\(office.folder.path) trusts the newer root alone") { try office.roots() == [newest] }
        }
        #expect(!FileManager.default.fileExists(atPath: zj.folder.tls + "/authority-former.key"))
        let ticket = try #require(try await xihu.work(tickets: 1).first)
        try await eventually("what the branch writes arrives") { try zj.node.reader.state(of: ticket) != nil }
        try await eventually("and its history is as it has signed it, with the new chain") {
            let head = try zj.node.reader.head(of: xihu.node.identity.replica)
            return try head?.state == .sound && head?.head.certificateChain == xihu.file("node.pem")
        }
        let anew = try await province.add("nb.zj")
        #expect(try anew.roots() == [newest])
        try await eventually("an office enrolled after it is connected") { try anew.link()?.isConnected == true }
        await province.stop()
    }

    @Test("an office that was away while the second root came connects by the bridge, and moves when it is due")
    func away() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        let xihu = try await province.add("xihu.hz.zj")
        try await hz.work(tickets: 1)
        try await xihu.work(tickets: 1)
        try await eventually("the province has heard of both") {
            try zj.node.reader.heads().map(\.site).contains(allOf: [hz.site, xihu.site])
        }
        await hz.stop()
        try await zj.rotate()
        let roots = try zj.roots()
        #expect(try roots.count == 2 && zj.isMoved())
        await #expect(throws: RootError.isRotating(former: roots[1])) { try await zj.rotate() }
        try await hz.start()
        // It listens elsewhere now.
        await xihu.stop()
        let address = try #require(hz.runtime?.addresses.sync.flatMap(NodeConfiguration.parse))
        try xihu.configure { $0.parents = [address] }
        try await xihu.start()
        for office in [hz, xihu] {
            try await eventually("\(office.site) has both roots") { try office.roots() == roots }
        }
        try await eventually("the region's authority is signed anew at the next contact") {
            try hz.isMoved("authority.pem")
        }
        try await eventually("and the region's own certificate with it") { try hz.isMoved() }
        #expect(try !xihu.isMoved())
        try await eventually("the province knows who is behind") { try zj.behind() == [xihu.site] }
        await #expect(throws: RootError.stillUsed([xihu.site])) { try await zj.retire(roots[1]) }
        // The branch's certificate comes due: it is signed again under the authority as it is now.
        await xihu.stop()
        try xihu.replace("node.pem", by: hz.sign(xihu, from: Province.Office.now - 21 * 86_400_000))
        let due = try xihu.keys.certificate()
        try await xihu.start()
        try await eventually("the branch is renewed, under the new root") {
            try xihu.isMoved() && xihu.keys.certificate() != due
        }
        try await eventually("nobody is behind") { try zj.behind().isEmpty }
        try await zj.retire(roots[1])
        try await eventually("the branch trusts the new root alone") { try xihu.roots() == [roots[0]] }
        await province.stop()
    }

    @Test("an office that was away during the whole overlap is told to be enrolled anew, and works then")
    func tooLate() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        try await hz.work(tickets: 1)
        try await eventually("the region is known") { try !zj.node.reader.replicas(of: hz.site).isEmpty }
        try await eventually("its head too") { try zj.node.reader.heads().contains { $0.site == hz.site } }
        await hz.stop()
        let former = try zj.roots()[0]
        try await zj.rotate(hurries: true)
        await #expect(throws: RootError.stillUsed([hz.site])) { try await zj.retire(former) }
        try await zj.retire(former, isForced: true)
        #expect(try zj.roots().count == 1)
        try await hz.start()
        try await eventually("the office says why, and what to do") {
            try hz.link()?.lastFailure?.contains("enrol it anew") == true
        }
        #expect(try hz.link()?.isConnected == false)
        let unsent = try #require(try await hz.work(tickets: 1).first)
        await hz.stop()
        let token = try await Enrolment.makeToken(
            node: zj.node, folder: zj.folder, site: hz.site, addresses: #require(zj.runtime).addresses)
        _ = try await Offices.move(
            folder: hz.folder, token: token, isForced: false, options: InitOptions(logger: quiet))
        try await hz.start()
        try await eventually("with a token and its old store it is connected") { try hz.link()?.isConnected == true }
        try await eventually("and what it wrote meanwhile arrives") { try zj.node.reader.state(of: unsent) != nil }
        await province.stop()
    }

    @Test("lists, bundles and the second parent work while two roots are trusted")
    func overlap() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let second = try await province.addSibling(of: zj)
        let hz = try await province.add("hz.zj")
        let nb = try await province.add("nb.zj")
        for office in [hz, nb] {
            try await eventually("\(office.site) is known") { try !zj.node.reader.replicas(of: office.site).isEmpty }
            try await eventually("\(office.site) is connected") { try office.link()?.isConnected == true }
        }
        try await hz.runtime?.pause(zj.site)
        try await eventually("the line is cut") { try hz.link()?.isConnected == false }
        try await zj.rotate()
        // The region knows the former root alone, and is signed under it.
        let ticket = try #require(try await zj.work(tickets: 1, transferTo: hz.site).first)
        let down = try #require(try await zj.create(for: hz).bundles.first?.path)
        _ = try await hz.apply(down)
        #expect(try hz.node.reader.state(of: ticket) != nil)
        try await eventually("the bundle has brought the new root too") { try hz.roots().count == 2 }
        try await hz.work(tickets: 1)
        let up = try #require(try await hz.create(for: zj).bundles.first?.path)
        _ = try await zj.apply(up)
        #expect(try zj.node.reader.counts().tickets == 2)
        // A certificate that the former root has signed is on its own list.
        try await eventually("the other region has both roots") { try nb.roots().count == 2 }
        _ = try await zj.revoke(nb.site)
        try await eventually("there is a list of either root") {
            (try? zj.file("crl/zj.pem").components(separatedBy: "BEGIN X509 CRL").count) == 3
        }
        try await eventually("the revoked region is cut off") { try nb.link()?.isConnected == false }
        try await eventually("and its handshake refused") { (try? await nb.post("/renew", to: zj)) == nil }
        // The first node goes away: the second, signed under the new root, takes the child.
        let address = try #require(second.runtime?.addresses.sync.flatMap(NodeConfiguration.parse))
        try await eventually("the second node has both roots") { try second.roots().count == 2 }
        await hz.stop()
        try hz.configure { $0.parents = [address] }
        try await hz.start()
        await zj.stop()
        try await eventually("the second node has the child") {
            try hz.node.links.all.values.contains { $0.role == .parent && $0.isConnected }
        }
        await province.stop()
    }

    @Test("what nobody trusted vouches for changes no root, whoever has brought it")
    func unvouched() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        try await eventually("the region is connected") { try hz.link()?.isConnected == true }
        let uri = try #require(NodeURI(host: "zj"))
        let stranger = try CertificateAuthority.makeRoot(subtree: uri, nowMilliseconds: Province.Office.now)
        let evil = try stranger.makeSuccessor(nowMilliseconds: Province.Office.now, days: 100)
        let own = try zj.roots()
        let author = zj.administrator
        let fingerprint = [UInt8](repeating: 7, count: 32)
        _ = try await zj.node.append { transaction in
            try transaction.append(
                .introduceRoot(IntroduceRootBody(root: evil.rootPEM, bridge: evil.bridgePEM)), to: .trustRoots,
                author: author)
            try transaction.append(
                .retireRoot(RetireRootBody(fingerprint: fingerprint, signer: fingerprint, signature: [1])),
                to: .trustRoots, author: author)
        }
        try await eventually("the region has heard of it") {
            try hz.node.reader.record(of: .trustRoots)?.operations.count == 2
        }
        // A statement that counts, behind those that do not: when it has taken effect they have been judged.
        try await zj.rotate()
        try await eventually("the region has taken the true one") { try hz.roots().count == 2 }
        #expect(try hz.roots() == zj.roots() && zj.roots()[1] == own[0])
        #expect(try !hz.file("root.pem").contains(evil.rootPEM))
        await province.stop()
    }
}
