import FoundationEssentials
package import Logging
package import Transport

/// A province, a region and the identities that the tests need. Built once: it costs a dozen keys.
package struct TestAuthority: Sendable {
    package static let shared = Result { try TestAuthority() }
    package static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

    package let root: CertificateAuthority
    package let region: CertificateAuthority
    package let server: TLSIdentity
    package let branch: TLSIdentity

    package static let serverURI = "banjie://node.province/"
    package static let branchURI = "banjie://branch.region1.province/"

    init() throws {
        root = try .makeRoot(subtree: NodeURI(host: "province")!, nowMilliseconds: Self.now)
        region = try Self.makeRegion(root, "region1.province")
        server = try Self.makeLeaf(root, "node.province")
        branch = try Self.makeLeaf(region, "branch.region1.province")
    }

    package static func makeRegion(_ root: CertificateAuthority, _ host: String) throws -> CertificateAuthority {
        let uri = NodeURI(host: host)!
        let key = try makePrivateKeyPEM()
        let request = try CertificateRequest(uri: uri, privateKeyPEM: key)
        let chain = try root.signAuthority(request, expecting: uri, nowMilliseconds: now)
        return try CertificateAuthority(chainPEM: chain, privateKeyPEM: key, subtree: uri)
    }

    package static func makeLeaf(
        _ issuer: CertificateAuthority, _ host: String, nowMilliseconds: Int64 = now, days: Int = 30
    ) throws -> TLSIdentity {
        let uri = NodeURI(host: host)!
        let key = try makePrivateKeyPEM()
        let request = try CertificateRequest(pem: CertificateRequest(uri: uri, privateKeyPEM: key).pem)
        let chain = try issuer.signLeaf(request, expecting: uri, nowMilliseconds: nowMilliseconds, days: days)
        return TLSIdentity(certificateChainPEM: chain, privateKeyPEM: key)
    }

    package var rootPEM: String { root.chainPEM }

    package func serverContext(crls: [String] = [], ignoringDates: Bool = false) throws -> TLSContext {
        try .server(identity: server, trustRootsPEM: rootPEM, crlsPEM: crls, ignoringDates: ignoringDates)
    }

    package func clientContext(_ identity: TLSIdentity?, crls: [String] = []) throws -> TLSContext {
        try .client(identity: identity, trustRootsPEM: rootPEM, crlsPEM: crls)
    }
}

package let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

/// Runs a server around `body` and shuts it down after.
package func withServer<Value: Sendable>(
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
package func failure(of body: () async throws -> Void) async -> TransportError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? TransportError
    }
}
