import COpenSSL
import Foundation
import Logging
import Replication
import Store
import Synchronization
import TestSupport
import Testing
import Tickets

@testable import Node
@testable import Transport

/// Whoever finds a node's sync listener on the network, and is no child of it. Source: Protocols/trust.md §3.
@Suite(.timeLimit(.minutes(2))) struct StrangerTests {
    /// Keeps why peers were turned away.
    private struct Journal: LogHandler {
        final class Lines: Sendable {
            private let reasons = Mutex<[String]>([])
            var all: [String] { reasons.withLock { $0 } }
            func add(_ reason: String) { reasons.withLock { $0.append(reason) } }
        }
        let lines: Lines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            guard event.level >= .warning else { return }
            let metadata = event.metadata ?? [:]
            if let reason = metadata["reason"] ?? metadata["name"] { lines.add("\(reason)") }
        }
    }

    enum Stranger: CaseIterable {
        case noCertificate, selfSigned, foreignAuthority, expired, notYetValid
        case noName, twoNames, anotherScheme, authorityItself, signedBySister
        case wrongProtocol, noProtocol, olderTLS

        /// What the one line in the log has to say.
        var reason: String {
            switch self {
            case .noCertificate: "did not return a certificate"
            case .selfSigned: "self-signed"
            case .foreignAuthority: "signature failure"
            case .expired: "expired"
            case .notYetValid: "not yet valid"
            case .noName, .twoNames, .anotherScheme: "exactly one name"
            case .authorityItself: "purpose"
            case .signedBySister: "subtree violation"
            case .wrongProtocol, .noProtocol: "ALPN h2"
            case .olderTLS: "unsupported protocol"
            }
        }
    }

    /// A province, its region hz, connected, and its region nb, whose keys a stranger has got.
    private struct Ground {
        let province = try! Province()
        let lines = Journal.Lines()
        var zj: Province.Office
        var hz: Province.Office

        init() async throws {
            zj = try await province.add("zj")
            await zj.stop()
            let lines = lines
            zj.logger = Logger(label: "test") { _ in Journal(lines: lines) }
            try await zj.start()
            hz = try await province.add("hz.zj")
            let node = try zj.node
            try await eventually("hz is connected") { node.links.all.values.contains(where: \.isConnected) }
        }

        var address: TransportAddress {
            get throws { try #require(zj.runtime?.addresses.sync.flatMap(NodeConfiguration.parse)) }
        }

        /// When the session began that stands now.
        var session: Int64? {
            get throws { try zj.node.links.all.values.first(where: \.isConnected)?.since }
        }

        /// A ticket of the proper child arrives, over the session that stood all the time.
        func expectSyncGoesOn(since session: Int64?) async throws {
            let opened = try await hz.node.execute(
                TicketCommand(
                    ticket: nil, version: VersionVector(), action: .open(OpenBody(title: "照常", department: "service"))),
                by: agent(at: hz.site))
            try await eventually("the child's ticket arrives") {
                try zj.node.reader.state(of: opened.ticket) != nil
            }
            #expect(try self.session == session)
        }
    }

    /// What the stranger shows, and how.
    private func context(_ stranger: Stranger, _ ground: Ground) throws -> TLSContext {
        let keys = KeyFolder(ground.zj.folder)
        let root = try keys.read(.root)
        let uri = NodeURI(host: "nb.zj")!
        let authority = try #require(try keys.authority(subtree: ground.zj.site))
        let now = NodeClock.system()
        func forged(_ names: String?, by issuer: CertificateAuthority, at start: Int64 = now) throws -> TLSIdentity {
            try Forgery.leaf(of: issuer, names: names, nowMilliseconds: start)
        }
        let proper = try forged("URI:\(uri)", by: authority)
        var identity: TLSIdentity? = proper
        switch stranger {
        case .noCertificate: identity = nil
        case .selfSigned: identity = try Forgery.selfSigned(names: "URI:\(uri)", nowMilliseconds: now)
        case .foreignAuthority:
            let foreign = try CertificateAuthority.makeRoot(subtree: NodeURI(host: "zj")!, nowMilliseconds: now)
            identity = try forged("URI:\(uri)", by: foreign)
        case .expired: identity = try forged("URI:\(uri)", by: authority, at: now - 31 * 86_400_000)
        case .notYetValid: identity = try forged("URI:\(uri)", by: authority, at: now + 86_400_000)
        case .noName: identity = try forged(nil, by: authority)
        case .twoNames: identity = try forged("URI:\(uri),URI:banjie://hz.zj/", by: authority)
        case .anotherScheme: identity = try forged("URI:https://nb.zj/", by: authority)
        case .authorityItself:
            identity = TLSIdentity(
                certificateChainPEM: authority.chainPEM, privateKeyPEM: try keys.read(.authorityKey))
        case .signedBySister:
            let key = try makePrivateKeyPEM()
            let chain = try authority.signAuthority(
                CertificateRequest(uri: uri, privateKeyPEM: key), expecting: uri, nowMilliseconds: now)
            let sister = try CertificateAuthority(chainPEM: chain, privateKeyPEM: key, subtree: uri)
            identity = try forged("URI:banjie://hz.zj/", by: sister)
        case .wrongProtocol, .noProtocol, .olderTLS: break
        }
        let context = try TLSContext(role: .client, requiresPeerCertificate: true)
        if let identity { try context.use(identity) }
        try context.trust(rootsPEM: root, crlsPEM: [], ignoringDates: false)
        let offered: [UInt8] = stranger == .wrongProtocol ? Array("\u{08}http/1.1".utf8) : Array("\u{02}h2".utf8)
        if stranger != .noProtocol { SSL_CTX_set_alpn_protos(context.pointer, offered, UInt32(offered.count)) }
        if stranger == .olderTLS {
            SSL_CTX_ctrl(context.pointer, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
            SSL_CTX_ctrl(context.pointer, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
        }
        return context
    }

    @Test(
        "a stranger is refused with one line in the log that says why, and a proper child syncs on",
        arguments: Stranger.allCases)
    func refused(stranger: Stranger) async throws {
        let ground = try await Ground()
        let session = try ground.session
        let before = ground.lines.all.count
        let context = try context(stranger, ground)
        let address = try ground.address
        if stranger == .expired {
            // The one that gets through the handshake: it may renew, and opens nothing else.
            let connection = try await HTTP2Client.connect(
                to: address, tls: context, expectedPeer: .uri("banjie://zj/"), logger: quiet)
            let stream = try await connection.open(
                HTTP2RequestHead(method: "POST", authority: "zj", path: "/sync/v1"))
            #expect(try await stream.responseHead.status == 403)
            await connection.close(limitMilliseconds: 0)
        } else {
            await #expect(throws: TransportError.self) {
                _ = try await HTTP2Client.connect(
                    to: address, tls: context, expectedPeer: .uri("banjie://zj/"), logger: quiet)
            }
        }
        try await eventually("the refusal is in the log") { ground.lines.all.count > before }
        #expect(session != nil)
        try await ground.expectSyncGoesOn(since: session)
        let reasons = ground.lines.all.dropFirst(before)
        #expect(reasons.count == 1, "\(reasons)")
        #expect(reasons.first?.contains(stranger.reason) == true, "\(reasons)")
        await ground.province.stop()
    }

    @Test("a sister's certificate opens nothing at a region, whatever it asks for, and the log names the sister")
    func sister() async throws {
        let ground = try await Ground()
        let nb = try await ground.province.add("nb.zj", starting: false)
        let lines = Journal.Lines()
        await ground.hz.stop()
        ground.hz.logger = Logger(label: "test") { _ in Journal(lines: lines) }
        try await ground.hz.start()
        let branch = try await ground.province.add("xihu.hz.zj")
        let hzNode = try ground.hz.node
        try await eventually("its branch is connected") {
            hzNode.links.all.values.contains { $0.isConnected && $0.role == .child }
        }
        let address = try #require(ground.hz.runtime?.addresses.sync.flatMap(NodeConfiguration.parse))
        let connection = try await HTTP2Client.connect(
            to: address, tls: try KeyFolder(nb.folder).clientContext(), expectedPeer: .uri("banjie://hz.zj/"),
            logger: quiet)
        for path in ["/sync/v1", "/renew", "/"] {
            let stream = try await connection.open(HTTP2RequestHead(method: "POST", authority: "hz.zj", path: path))
            #expect(try await stream.responseHead.status == 403)
        }
        await connection.close(limitMilliseconds: 0)
        #expect(lines.all.filter { $0 == "banjie://nb.zj/" }.count == 3)
        let opened = try await branch.node.execute(
            TicketCommand(
                ticket: nil, version: VersionVector(), action: .open(OpenBody(title: "照常", department: "service"))),
            by: agent(at: branch.site))
        try await eventually("the branch's ticket arrives") { try hzNode.reader.state(of: opened.ticket) != nil }
        await ground.province.stop()
    }
}

/// Certificates that no careful authority would sign.
enum Forgery {
    static func leaf(
        of issuer: CertificateAuthority, names: String?, nowMilliseconds: Int64
    ) throws -> TLSIdentity {
        let key = try makePrivateKeyPEM()
        let root = try X509Reference.parseChain(issuer.chainPEM)[0]
        let draft = try draft(key, issuer: root, names: names, nowMilliseconds: nowMilliseconds)
        let pem = try draft.sign(with: KeyReference(privateKeyPEM: issuer.privateKeyPEM))
        return TLSIdentity(certificateChainPEM: pem + issuer.chainPEM, privateKeyPEM: key)
    }

    static func selfSigned(names: String, nowMilliseconds: Int64) throws -> TLSIdentity {
        let key = try makePrivateKeyPEM()
        let draft = try draft(key, issuer: nil, names: names, nowMilliseconds: nowMilliseconds)
        return TLSIdentity(
            certificateChainPEM: try draft.sign(with: KeyReference(privateKeyPEM: key)), privateKeyPEM: key)
    }

    private static func draft(
        _ key: String, issuer: X509Reference?, names: String?, nowMilliseconds: Int64
    ) throws -> CertificateDraft {
        let draft = try CertificateDraft(
            commonName: "a name", publicKey: KeyReference(privateKeyPEM: key), nowMilliseconds: nowMilliseconds,
            days: 30)
        try draft.setIssuer(issuer)
        if let names { try draft.add(NID_subject_alt_name, names) }
        try draft.add(NID_ext_key_usage, "clientAuth,serverAuth")
        return draft
    }
}
