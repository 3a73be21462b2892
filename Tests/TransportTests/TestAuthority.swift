import Foundation
import Logging
import NIOCore
import Synchronization

@testable import Transport

/// A province, a region and the identities that the tests need. Built once: it costs a dozen keys.
struct TestAuthority: Sendable {
    static let shared = Result { try TestAuthority() }
    static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

    let root: CertificateAuthority
    let region: CertificateAuthority
    let server: TLSIdentity
    let branch: TLSIdentity

    static let serverURI = "banjie://node.province/"
    static let branchURI = "banjie://branch.region1.province/"

    init() throws {
        root = try .makeRoot(subtree: NodeURI(host: "province")!, nowMilliseconds: Self.now)
        region = try Self.makeRegion(root, "region1.province")
        server = try Self.makeLeaf(root, "node.province")
        branch = try Self.makeLeaf(region, "branch.region1.province")
    }

    static func makeRegion(_ root: CertificateAuthority, _ host: String) throws -> CertificateAuthority {
        let uri = NodeURI(host: host)!
        let key = try makePrivateKeyPEM()
        let request = try CertificateRequest(uri: uri, privateKeyPEM: key)
        let chain = try root.signAuthority(request, expecting: uri, nowMilliseconds: now)
        return try CertificateAuthority(chainPEM: chain, privateKeyPEM: key, subtree: uri)
    }

    static func makeLeaf(
        _ issuer: CertificateAuthority, _ host: String, nowMilliseconds: Int64 = now, days: Int = 30
    ) throws -> TLSIdentity {
        let uri = NodeURI(host: host)!
        let key = try makePrivateKeyPEM()
        let request = try CertificateRequest(pem: CertificateRequest(uri: uri, privateKeyPEM: key).pem)
        let chain = try issuer.signLeaf(request, expecting: uri, nowMilliseconds: nowMilliseconds, days: days)
        return TLSIdentity(certificateChainPEM: chain, privateKeyPEM: key)
    }

    var rootPEM: String { root.chainPEM }

    func serverContext(crls: [String] = [], ignoringDates: Bool = false) throws -> TLSContext {
        try .server(identity: server, trustRootsPEM: rootPEM, crlsPEM: crls, ignoringDates: ignoringDates)
    }

    func clientContext(_ identity: TLSIdentity?, crls: [String] = []) throws -> TLSContext {
        try .client(identity: identity, trustRootsPEM: rootPEM, crlsPEM: crls)
    }
}

let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

/// Runs a server around `body` and shuts it down after.
func withServer<Value: Sendable>(
    _ server: HTTP2Server, _ body: @Sendable (HTTP2Server) async throws -> Value
) async throws -> Value {
    let running = Task { try await server.run() }
    defer { running.cancel() }
    let value: Value
    do {
        value = try await body(server)
    } catch {
        running.cancel()
        _ = try? await running.value
        throw error
    }
    running.cancel()
    try await running.value
    return value
}

/// Runs to the first error of the wanted kind.
func failure(of body: () async throws -> Void) async -> TransportError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? TransportError
    }
}

/// A certificate that no careful authority would sign: any names, any issuer.
func forgeLeaf(
    _ issuer: CertificateAuthority, names: String?, usage: String = "clientAuth,serverAuth",
    commonName: String = "a name", days: Int = 30, nowMilliseconds: Int64 = TestAuthority.now
) throws -> TLSIdentity {
    let keyPEM = try makePrivateKeyPEM()
    let draft = try CertificateDraft(
        commonName: commonName, publicKey: KeyReference(privateKeyPEM: keyPEM), nowMilliseconds: nowMilliseconds,
        days: days)
    try draft.setIssuer(try X509Reference.parseChain(issuer.chainPEM)[0])
    if let names { try draft.add(85, names) }  // NID_subject_alt_name
    try draft.add(126, usage)  // NID_ext_key_usage
    let pem = try draft.sign(with: KeyReference(privateKeyPEM: issuer.privateKeyPEM))
    return TLSIdentity(certificateChainPEM: pem + issuer.chainPEM, privateKeyPEM: keyPEM)
}
