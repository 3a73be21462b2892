import Foundation
import Replication
import Testing

@testable import Node
@testable import Transport

/// Chains of signers are verified once, and again only where that may come out otherwise.
struct SignerCacheTests {
    private static let day: Int64 = 86_400_000
    private static let start: Int64 = 1_790_000_000_000

    private let root: CertificateAuthority
    private let chain: String

    init() throws {
        root = try .makeRoot(subtree: NodeURI(host: "province")!, nowMilliseconds: Self.start)
        let uri = NodeURI(host: "branch.province")!
        let request = try CertificateRequest(uri: uri, privateKeyPEM: makePrivateKeyPEM())
        chain = try root.signLeaf(request, expecting: uri, nowMilliseconds: Self.start, days: 30)
    }

    @Test("a chain counts for every instant at which it is valid, in any order, and for none beyond")
    func instants() throws {
        let cache = SignerCache()
        for days in [20, 1, 10, 29, 10] as [Int64] {
            let signer = try cache.signer(of: chain, rootsPEM: root.chainPEM, at: Self.start + days * Self.day)
            #expect(signer.site.rawValue == "branch.province")
        }
        for days in [31, -2] as [Int64] {
            #expect(throws: (any Error).self) {
                try cache.signer(of: chain, rootsPEM: root.chainPEM, at: Self.start + days * Self.day)
            }
        }
        #expect(
            try cache.signer(of: chain, rootsPEM: root.chainPEM, at: Self.start + 5 * Self.day).fingerprint.count == 32)
    }

    @Test("a chain that counted under one root does not count under another")
    func roots() throws {
        let cache = SignerCache()
        _ = try cache.signer(of: chain, rootsPEM: root.chainPEM, at: Self.start + Self.day)
        let other = try CertificateAuthority.makeRoot(subtree: NodeURI(host: "province")!, nowMilliseconds: Self.start)
        #expect(throws: (any Error).self) {
            try cache.signer(of: chain, rootsPEM: other.chainPEM, at: Self.start + Self.day)
        }
        _ = try cache.signer(of: chain, rootsPEM: root.chainPEM, at: Self.start + Self.day)
    }
}
