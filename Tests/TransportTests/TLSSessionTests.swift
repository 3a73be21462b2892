import Foundation
import NIOCore
import TestSupport
import Testing

@testable import Transport

@Suite("TLS session without I/O")
struct TLSSessionTests {
    let authority: TestAuthority
    init() throws { authority = try TestAuthority.shared.get() }

    private func pair(
        client: TLSIdentity?, server: TLSContext? = nil, expecting: ExpectedPeer = .uri(TestAuthority.serverURI),
        crls: [String] = [], pieceBytes: Int = 1 << 20
    ) throws -> TLSPair {
        let pair = try TLSPair(
            client: authority.clientContext(client), server: server ?? authority.serverContext(crls: crls),
            expecting: expecting, pieceBytes: pieceBytes)
        pair.run()
        return pair
    }

    @Test("both sides know each other, however the bytes are split", arguments: [1, 7, 1 << 20])
    func handshake(pieceBytes: Int) throws {
        let pair = try pair(client: authority.branch, pieceBytes: pieceBytes)
        #expect(pair.clientError == nil)
        #expect(pair.serverError == nil)
        #expect(pair.client.state == .established)
        #expect(pair.server.state == .established)
        #expect(pair.client.peerCertificate?.nodeURI?.description == TestAuthority.serverURI)
        let peer = try #require(pair.server.peerCertificate)
        #expect(peer.uris == [TestAuthority.branchURI])
        #expect(peer.commonName == TestAuthority.branchURI)
        #expect(peer.fingerprint.count == 64)
        #expect(peer.notBeforeMilliseconds < peer.notAfterMilliseconds)
        #expect(try PeerCertificate(pem: authority.branch.certificateChainPEM) == peer)

        let text = ByteBuffer(bytes: (0..<40_000).map { UInt8(truncatingIfNeeded: $0) })
        try pair.client.send(text)
        try pair.server.send(ByteBuffer(string: "answer"))
        pair.run()
        #expect(pair.serverPlaintext == text)
        #expect(String(buffer: pair.clientPlaintext) == "answer")
        pair.client.close()
        pair.run()
        #expect(pair.server.state == .peerClosed)
    }

    @Test("a client without a certificate learns that one is required, after its own handshake is done")
    func noCertificate() throws {
        let pair = try pair(client: nil)
        #expect(pair.serverError == .tls(reason: "peer did not return a certificate"))
        #expect(pair.clientError == .tls(reason: "tlsv13 alert certificate required"))
    }

    @Test("a certificate of a foreign root is refused on both sides")
    func foreignRoot() throws {
        let foreign = try CertificateAuthority.makeRoot(
            subtree: NodeURI(host: "province")!, nowMilliseconds: TestAuthority.now)
        let leaf = try TestAuthority.makeLeaf(foreign, "node.province")
        let asClient = try pair(client: leaf)
        #expect(asClient.clientError == .tls(reason: "tlsv1 alert unknown ca"))
        guard case .peerCertificateRejected(let reason) = asClient.serverError else {
            return #expect(Bool(false), "the server accepted: \(String(describing: asClient.serverError))")
        }
        #expect(reason.contains("unable to get local issuer certificate"))
        let asServer = try pair(
            client: authority.branch, server: .server(identity: leaf, trustRootsPEM: authority.rootPEM))
        guard case .peerCertificateRejected = asServer.clientError else {
            return #expect(Bool(false), "the client accepted")
        }
    }

    @Test("another name than the dialled one is refused, and the server learns it")
    func wrongName() throws {
        let expected = "banjie://node2.province/"
        let byName = try pair(client: authority.branch, expecting: .uri(expected))
        #expect(
            byName.clientError == .peerNameMismatch(expected: expected, presented: TestAuthority.serverURI))
        #expect(byName.serverError != nil)
        let byPredicate = try pair(client: authority.branch, expecting: .matching { $0.uris == [expected] })
        #expect(byPredicate.clientError != nil)
        let fitting = try pair(client: authority.branch, expecting: .matching { $0.nodeURI?.host == "node.province" })
        #expect(fitting.clientError == nil)
        #expect(fitting.serverError == nil)
    }

    @Test("a client without ALPN finishes the handshake and is refused by ourselves")
    func missingProtocol() throws {
        let context = try TLSContext(role: .client, requiresPeerCertificate: true)
        try context.use(authority.branch)
        try context.trust(rootsPEM: authority.rootPEM, crlsPEM: [], ignoringDates: false)
        let pair = try TLSPair(
            client: context, server: authority.serverContext(), expecting: .uri(TestAuthority.serverURI))
        pair.run()
        #expect(pair.serverError == .applicationProtocolMissing)
        #expect(pair.clientError == .applicationProtocolMissing)
    }

    @Test(
        "names that are not exactly one node name are refused",
        arguments: [
            nil, "URI:banjie://a.province/,URI:banjie://b.province/", "URI:banjie://a.province/,DNS:a.province",
            "URI:https://a.province/", "URI:banjie://a.province/path", "URI:banjie://x@a.province/",
            "URI:banjie://A.province/", "URI:banjie://a.province:1/", "IP:127.0.0.1", "DNS:a.province",
        ])
    func oddNames(names: String?) throws {
        let pair = try pair(client: forgeLeaf(authority.root, names: names))
        guard case .peerCertificateRejected(let reason) = pair.serverError else {
            return #expect(Bool(false), "accepted \(names ?? "no name")")
        }
        #expect(reason.contains("exactly one name"))
        #expect(pair.clientError != nil)
    }

    @Test(
        "a region cannot vouch for names outside its subtree",
        arguments: [
            "URI:banjie://node.province/", "URI:banjie://branch.region2.province/", "URI:banjie://xregion1.province/",
            "URI:banjie://a.region1.province/,DNS:a.region1.province", "URI:banjie://a.region1.province/,IP:10.0.0.1",
            "URI:banjie://a.region1.province/,IP:::2",
        ])
    func constraints(names: String) throws {
        let pair = try pair(client: forgeLeaf(authority.region, names: names))
        guard case .peerCertificateRejected(let reason) = pair.serverError else {
            return #expect(Bool(false), "accepted \(names)")
        }
        #expect(reason.contains("subtree violation"), "\(reason)")
    }

    @Test(
        "a region can vouch for itself and for what lies below it",
        arguments: [
            "URI:banjie://region1.province/", "URI:banjie://a.b.region1.province/",
        ])
    func permitted(names: String) throws {
        #expect(try pair(client: forgeLeaf(authority.region, names: names)).serverError == nil)
    }

    @Test("a certificate for servers only is no client's")
    func wrongUsage() throws {
        let leaf = try forgeLeaf(authority.root, names: "URI:banjie://a.province/", usage: "serverAuth")
        #expect(try pair(client: leaf).serverError != nil)
    }

    @Test("a revoked certificate is refused; the lists of other issuers do not matter")
    func revocation() throws {
        let serial = try PeerCertificate(pem: authority.branch.certificateChainPEM).serialHex
        let revoked = [RevokedCertificate(serialHex: serial, revokedAtMilliseconds: TestAuthority.now)]
        let now = TestAuthority.now - 1000
        let list = try authority.region.signRevocationList(revoked, number: 1, nowMilliseconds: now)
        let refused = try pair(client: authority.branch, crls: [list])
        #expect(refused.serverError == .peerCertificateRejected(reason: "certificate revoked"))
        #expect(refused.clientError == .tls(reason: "sslv3 alert certificate revoked"))

        let otherIssuer = try authority.root.signRevocationList(revoked, number: 1, nowMilliseconds: now)
        #expect(try pair(client: authority.branch, crls: [otherIssuer]).serverError == nil)
        let empty = try authority.region.signRevocationList([], number: 2, nowMilliseconds: now)
        #expect(try pair(client: authority.branch, crls: [empty, otherIssuer]).serverError == nil)
        // A list past its next update still revokes: an office that is cut off gets no newer one.
        let old = try authority.region.signRevocationList(
            revoked, number: 3, nowMilliseconds: now - 40 * 86_400_000, days: 30)
        #expect(
            try pair(client: authority.branch, crls: [old]).serverError
                == .peerCertificateRejected(reason: "certificate revoked"))
    }

    @Test("revoking a region's authority refuses all its branches")
    func revokedAuthority() throws {
        let serial = try PeerCertificate(pem: authority.region.chainPEM).serialHex
        let list = try authority.root.signRevocationList(
            [RevokedCertificate(serialHex: serial, revokedAtMilliseconds: TestAuthority.now)], number: 1,
            nowMilliseconds: TestAuthority.now - 1000)
        #expect(
            try pair(client: authority.branch, crls: [list]).serverError
                == .peerCertificateRejected(reason: "certificate revoked"))
    }

    @Test("an expired certificate is refused, unless the listener decides about dates itself")
    func expiry() throws {
        let leaf = try TestAuthority.makeLeaf(
            authority.root, "old.province", nowMilliseconds: TestAuthority.now - 31 * 86_400_000)
        let refused = try pair(client: leaf)
        #expect(refused.serverError == .peerCertificateRejected(reason: "certificate has expired"))
        #expect(refused.clientError == .tls(reason: "sslv3 alert certificate expired"))
        let tolerated = try pair(client: leaf, server: authority.serverContext(ignoringDates: true))
        #expect(tolerated.serverError == nil)
        #expect(tolerated.server.peerCertificate!.notAfterMilliseconds < TestAuthority.now)
    }

    @Test("garbage and cut-off bytes end in an error, not in a trap")
    func garbage() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            let session = try TLSSession(context: authority.serverContext())
            let count = Int.random(in: 1...600, using: &generator)
            var bytes = ByteBuffer(bytes: (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) })
            if Bool.random() { bytes.setBytes([22, 3, 1], at: 0) }
            var plaintext = ByteBuffer()
            try? session.receive(bytes, plaintext: &plaintext)
            #expect(plaintext.readableBytes == 0)
        }
    }
}
