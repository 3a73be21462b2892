import Foundation
import Node
import Replication
import Store
import TestSupport
import Testing
import Tickets
import Transport

/// A revocation names keys, so that a certificate which is signed after it for the same key opens nothing either.
/// Source: Protocols/trust.md §9.
@Suite struct RevokedKeyTests {
    @Test("a region that had not heard renews a revoked branch; once it hears, every certificate for that key fails")
    func renewedInIgnorance() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        let xihu = try await province.add("xihu.hz.zj")
        try await eventually("the province has heard of the branch's key") {
            try zj.node.reader.heads().contains { $0.site == xihu.site }
        }
        try await eventually("the region is connected") { try hz.link()?.isConnected == true }
        try await hz.runtime?.pause(zj.site)
        try await eventually("the region's line is cut") { try hz.link()?.isConnected == false }
        await xihu.stop()
        let record = try #require(try await zj.revoke(xihu.site).first)
        #expect(record.body.keys == [try #require(try xihu.keys.certificate().keyFingerprint)])
        try xihu.replace("node.pem", by: hz.sign(xihu))
        let renewed = try xihu.keys.certificate()
        #expect(renewed.notBeforeMilliseconds >= record.body.certificatesBefore)
        #expect(!record.body.serials.contains(renewed.serialHex))
        // An empty request is read, and cannot be signed.
        #expect(try await xihu.post("/renew", to: hz) == 422)
        try await hz.runtime?.resume(zj.site)
        try await eventually("the region has heard, and refuses what it has signed itself") {
            (try? await xihu.post("/renew", to: hz)) == 403
        }
        try xihu.replace("node.pem", by: hz.sign(xihu, from: Province.Office.now + 60_000))
        for path in ["/renew", "/sync/v1"] {
            // A connection that stands when the revocation is enforced is cut.
            try await eventually("\(path) is refused") { (try? await xihu.post(path, to: hz)) == 403 }
        }
        let anew = try await province.add("xihu.hz.zj", folder: "xihu-anew")
        try await eventually("the branch that is enrolled anew has another key, and is connected") {
            try anew.link()?.isConnected == true
        }
        await province.stop()
    }

    @Test("what a revoked region's authority has signed opens nothing at the region that takes its place")
    func authority() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        try await eventually("the region is known") { try !zj.node.reader.replicas(of: hz.site).isEmpty }
        try await eventually("and connected") { try hz.link()?.isConnected == true }
        await hz.stop()
        let record = try #require(try await zj.revoke(hz.site).first)
        let authority = try PeerCertificate(pem: hz.file("authority.pem"))
        #expect(record.body.serials.contains(authority.serialHex))
        let anew = try await province.add("hz.zj", folder: "hz-anew")
        try await eventually("the new region has heard of it") {
            FileManager.default.fileExists(atPath: anew.folder.tls + "/crl/zj.pem")
        }
        // Whoever has the old authority's key signs branches with it, for keys that nobody has seen.
        let forged = Province.Office(
            site: SiteCode(validated: "xihu.hz.zj"), folder: DataFolder(path: province.root + "/forged"))
        try forged.folder.create()
        try forged.replace("node.key", by: makePrivateKeyPEM())
        try forged.replace("root.pem", by: hz.file("root.pem"))
        try forged.replace("node.pem", by: hz.sign(forged))
        let (chain, root, now) = (try forged.file("node.pem"), try hz.file("root.pem"), Province.Office.now)
        #expect(throws: Never.self) { try verifyNodeChain(chain, trustRootsPEM: root, nowMilliseconds: now) }
        let list = try anew.file("crl/zj.pem")
        #expect(throws: TransportError.self) {
            try verifyNodeChain(chain, trustRootsPEM: root, crlsPEM: [list], nowMilliseconds: now)
        }
        try await eventually("its handshake is refused") { (try? await forged.post("/renew", to: anew)) == nil }
        #expect(throws: Never.self) {
            try verifyNodeChain(
                anew.file("node.pem"), trustRootsPEM: root, crlsPEM: [list], nowMilliseconds: now)
        }
        await province.stop()
    }
}
