import NIOCore
import TestSupport
import Testing

@testable import Transport

@Suite("Certificates and keys")
struct CertificateTests {
    let authority: TestAuthority
    init() throws { authority = try TestAuthority.shared.get() }

    @Test("a request shows its name after it was verified, and not when a byte was changed")
    func request() throws {
        let key = try makePrivateKeyPEM()
        #expect(key.hasPrefix("-----BEGIN PRIVATE KEY-----"))
        let uri = NodeURI(host: "a.region1.province")!
        let request = try CertificateRequest(uri: uri, privateKeyPEM: key)
        #expect(try CertificateRequest(pem: request.pem).uri == uri)
        var characters = Array(request.pem)
        let index = characters.count / 2
        characters[index] = characters[index] == "A" ? "B" : "A"
        #expect(throws: (any Error).self) { try CertificateRequest(pem: String(characters)) }
        #expect(throws: TransportError.self) { try CertificateRequest(pem: "no request") }
    }

    @Test("an issuer signs only the name it was told, and only inside its subtree")
    func issuing() throws {
        let key = try makePrivateKeyPEM()
        let inside = NodeURI(host: "b.region1.province")!
        let request = try CertificateRequest(uri: inside, privateKeyPEM: key)
        #expect(throws: TransportError.self) {
            try authority.region.signLeaf(
                request, expecting: NodeURI(host: "c.region1.province")!, nowMilliseconds: TestAuthority.now)
        }
        for host in ["b.region2.province", "province", "evilregion1.province"] {
            let uri = NodeURI(host: host)!
            let outside = try CertificateRequest(uri: uri, privateKeyPEM: key)
            #expect(throws: TransportError.self) {
                try authority.region.signLeaf(outside, expecting: uri, nowMilliseconds: TestAuthority.now)
            }
            #expect(throws: TransportError.self) {
                try authority.region.signAuthority(outside, expecting: uri, nowMilliseconds: TestAuthority.now)
            }
        }
        let chain = try authority.region.signLeaf(request, expecting: inside, nowMilliseconds: 1_800_000_000_000)
        let certificates = try PeerCertificate.chain(pem: chain)
        #expect(certificates.count == 3)
        #expect(certificates[0].nodeURI == inside)
        #expect(certificates[0].notAfterMilliseconds == 1_800_000_000_000 + 30 * 86_400_000)
        #expect(certificates[1].isAuthority)
        #expect(certificates[1].nodeURI == nil)
        #expect(Set(certificates.map(\.serialHex)).count == 3)
    }

    @Test("an authority's parts must belong together")
    func mismatch() throws {
        #expect(throws: TransportError.self) {
            try CertificateAuthority(
                chainPEM: authority.rootPEM, privateKeyPEM: makePrivateKeyPEM(), subtree: authority.root.subtree)
        }
        #expect(throws: TransportError.self) {
            try CertificateAuthority(
                chainPEM: authority.branch.certificateChainPEM, privateKeyPEM: authority.branch.privateKeyPEM,
                subtree: authority.root.subtree)
        }
        #expect(throws: TransportError.self) {
            try TLSContext.client(
                identity: TLSIdentity(
                    certificateChainPEM: authority.branch.certificateChainPEM,
                    privateKeyPEM: authority.server.privateKeyPEM), trustRootsPEM: authority.rootPEM)
        }
    }

    @Test(
        "node names have one form",
        arguments: [
            "banjie://a.b/": true, "banjie://a/": true, "banjie://a-1.b2/": true, "banjie:///": false,
            "banjie://a.b": false, "banjie://a..b/": false, "banjie://.a/": false, "banjie://a./": false,
            "banjie://-a/": false, "banjie://A/": false, "banjie://a/b/": false, "banjie://u@a/": false,
            "banjie://a:1/": false, "http://a/": false, "banjie://a\u{0}b/": false, "banjie://办结/": false,
        ])
    func names(text: String, isValid: Bool) {
        #expect((NodeURI(text) != nil) == isValid)
        if isValid { #expect(NodeURI(text)?.description == text) }
    }

    @Test("a console's certificate names localhost and what was asked for")
    func console() throws {
        let identity = try makeConsoleIdentity(dnsNames: ["office.example"], nowMilliseconds: TestAuthority.now)
        let certificate = try PeerCertificate(pem: identity.certificateChainPEM)
        #expect(certificate.dnsNames == ["localhost", "office.example"])
        #expect(certificate.otherNameCount == 4)
        #expect(throws: TransportError.self) {
            try makeConsoleIdentity(dnsNames: ["x,URI:banjie://a/"], nowMilliseconds: 0)
        }
        _ = try TLSContext.server(identity: identity, trustRootsPEM: "", clientCertificate: .none)
    }

    @Test("a chain is judged outside a connection, for any instant")
    func chain() throws {
        let chain = authority.branch.certificateChainPEM
        let now = TestAuthority.now
        let leaf = try verifyNodeChain(chain, trustRootsPEM: authority.rootPEM, nowMilliseconds: now)
        #expect(leaf.nodeURI?.host == "branch.region1.province")
        #expect(throws: TransportError.peerCertificateRejected(reason: "certificate has expired")) {
            try verifyNodeChain(chain, trustRootsPEM: authority.rootPEM, nowMilliseconds: now + 31 * 86_400_000)
        }
        let list = try authority.region.signRevocationList(
            [RevokedCertificate(serialHex: leaf.serialHex, revokedAtMilliseconds: now)], number: 1,
            nowMilliseconds: now - 1000)
        #expect(throws: TransportError.peerCertificateRejected(reason: "certificate revoked")) {
            try verifyNodeChain(chain, trustRootsPEM: authority.rootPEM, crlsPEM: [list], nowMilliseconds: now)
        }
        // A list that was made after the instant in question counts all the same.
        #expect(throws: TransportError.peerCertificateRejected(reason: "certificate revoked")) {
            try verifyNodeChain(chain, trustRootsPEM: authority.rootPEM, crlsPEM: [list], nowMilliseconds: now - 60_000)
        }
        for names in ["URI:banjie://b.region2.province/", nil] {
            let forged = try forgeLeaf(authority.region, names: names).certificateChainPEM
            #expect(throws: TransportError.self) {
                try verifyNodeChain(forged, trustRootsPEM: authority.rootPEM, nowMilliseconds: now)
            }
        }
        let foreign = try CertificateAuthority.makeRoot(subtree: authority.root.subtree, nowMilliseconds: now)
        #expect(throws: TransportError.self) {
            try verifyNodeChain(chain, trustRootsPEM: foreign.chainPEM, nowMilliseconds: now)
        }
    }

    @Test("damaged lists and serials are errors")
    func damaged() throws {
        #expect(throws: TransportError.self) { try authority.serverContext(crls: ["nothing"]) }
        for serial in ["", "xyz", "12g", String(repeating: "1", count: 41)] {
            #expect(throws: TransportError.self) {
                try authority.root.signRevocationList(
                    [RevokedCertificate(serialHex: serial, revokedAtMilliseconds: 0)], number: 1, nowMilliseconds: 0)
            }
        }
    }
}

@Suite("Cryptography")
struct CryptoTests {
    @Test("a signature holds for its message and its key alone")
    func signatures() throws {
        let key = try SigningKey(privateKeyPEM: makePrivateKeyPEM())
        let verifying = try VerifyingKey(publicKeyPEM: key.publicKeyPEM())
        let message = Array("head 17".utf8)
        let signature = try key.sign(message)
        #expect(verifying.isValid(signature: signature, of: message))
        #expect(!verifying.isValid(signature: signature, of: Array("head 18".utf8)))
        #expect(!verifying.isValid(signature: [], of: message))
        #expect(!verifying.isValid(signature: [1, 2, 3], of: message))
        let other = try SigningKey(privateKeyPEM: makePrivateKeyPEM())
        #expect(try !VerifyingKey(publicKeyPEM: other.publicKeyPEM()).isValid(signature: signature, of: message))
        #expect(try verifying.isValid(signature: key.sign([]), of: []))
    }

    @Test("a certificate's key verifies what its node signed")
    func certificateKey() throws {
        let branch = try TestAuthority.shared.get().branch
        let signature = try SigningKey(privateKeyPEM: branch.privateKeyPEM).sign([1, 2])
        #expect(try VerifyingKey(certificatePEM: branch.certificateChainPEM).isValid(signature: signature, of: [1, 2]))
    }

    @Test("HMAC-SHA256 gives RFC 4231's second vector; an empty key is allowed")
    func hmac() {
        let code = hmacSHA256(key: Array("Jefe".utf8), message: Array("what do ya want for nothing?".utf8))
        #expect(hexadecimalText(code) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        #expect(
            hexadecimalText(hmacSHA256(key: [], message: []))
                == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
    }

    @Test("scrypt gives RFC 7914's third vector and refuses absurd costs")
    func scryptVector() throws {
        let key = try scrypt(
            password: Array("pleaseletmein".utf8), salt: Array("SodiumChloride".utf8),
            parameters: ScryptParameters(cost: 16_384, blockSize: 8, parallelism: 1, outputBytes: 64))
        #expect(hexadecimalText(key).hasPrefix("7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"))
        #expect(throws: TransportError.self) {
            try scrypt(password: [1], salt: [2], parameters: ScryptParameters(cost: 1 << 30))
        }
        #expect(throws: TransportError.self) { try scrypt(password: [1], salt: [2], parameters: .init(cost: 1000)) }
    }

    @Test("random bytes differ and comparison tells equal from unequal")
    func small() {
        #expect(randomBytes(0).isEmpty)
        #expect(randomBytes(32) != randomBytes(32))
        #expect(equalInConstantTime([1, 2], [1, 2]))
        #expect(!equalInConstantTime([1, 2], [1, 3]))
        #expect(!equalInConstantTime([1, 2], [1]))
        #expect(equalInConstantTime([], []))
    }
}
