import Foundation
import Replication
import Store
import Testing
import Transport

@testable import Node

/// Source: Protocols/trust.md §5.
@Suite struct CertificateAlarmTests {
    private static let day: Int64 = 86_400_000

    private func leaf(days: Int) throws -> PeerCertificate {
        let uri = try #require(NodeURI(host: "zj"))
        let key = try makePrivateKeyPEM()
        let authority = try CertificateAuthority.makeRoot(
            subtree: uri, nowMilliseconds: Self.day, days: days, privateKeyPEM: makePrivateKeyPEM())
        return try PeerCertificate(
            pem: authority.signLeaf(
                CertificateRequest(uri: uri, privateKeyPEM: key), expecting: uri, nowMilliseconds: Self.day, days: days)
        )
    }

    @Test(
        "a leaf is looked at once its renewal is a day overdue, then at seven days and at one",
        arguments: [
            (29.0, nil), (13, nil), (9.5, nil), (8.5, 14), (7.5, 14), (6.9, 7), (1.1, 7), (0.9, 1), (-1, 0),
        ] as [(Double, Int64?)])
    func leafStages(daysLeft: Double, stage: Int64?) throws {
        let certificate = try leaf(days: 30)
        let now = certificate.notAfterMilliseconds - Int64(daysLeft * Double(Self.day))
        #expect(CertificateAlarm.stage(certificate, now: now) == stage)
    }

    @Test("an authority, which nobody renews by itself, is looked at from fourteen days on")
    func authorityStages() throws {
        let uri = try #require(NodeURI(host: "zj"))
        let root = try CertificateAuthority.makeRoot(
            subtree: uri, nowMilliseconds: Self.day, days: 30, privateKeyPEM: makePrivateKeyPEM())
        let certificate = try PeerCertificate(pem: root.chainPEM)
        #expect(CertificateAlarm.stage(certificate, now: certificate.notAfterMilliseconds - 15 * Self.day) == nil)
        #expect(CertificateAlarm.stage(certificate, now: certificate.notAfterMilliseconds - 14 * Self.day) == 14)
    }

    @Test("each alarm of a certificate is said once, also over restarts, and again for the next certificate")
    func once() async throws {
        let api = try await APINode()
        let keys = KeyFolder(api.folder)
        let uri = try #require(NodeURI(host: "zj"))
        func put(days: Int) throws -> Int64 {
            let root = try CertificateAuthority.makeRoot(
                subtree: uri, nowMilliseconds: Self.day, days: days, privateKeyPEM: makePrivateKeyPEM())
            try keys.write(.root, root.chainPEM)
            return try PeerCertificate(pem: root.chainPEM).notAfterMilliseconds
        }
        func stages(_ now: Int64) async throws -> [Int64] {
            try await CertificateAlarm.news(keys, node: api.node, now: now).map(\.stage)
        }
        let end = try put(days: 30)
        #expect(try await stages(end - 20 * Self.day) == [])
        #expect(try await stages(end - 10 * Self.day) == [14])
        #expect(try await stages(end - 9 * Self.day) == [])
        #expect(try await stages(end - 3 * Self.day) == [7])
        #expect(try await stages(end - 3 * Self.day) == [])
        #expect(try await stages(end - 3_600_000) == [1])
        #expect(try await stages(end + 1) == [0])
        let next = try put(days: 60)
        #expect(try await stages(next - 20 * Self.day) == [])
        #expect(try await stages(next - 10 * Self.day) == [14])
    }
}
