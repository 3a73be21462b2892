internal import Foundation
internal import Logging
internal import NIOCore
package import Replication
package import Store
internal import Transport

/// What a new office needs to join: a secret that is good once, and where and whom to ask. The text is one line; it is
/// handed over as a file, never as an argument.
package struct EnrolmentToken: Codable, Sendable, Hashable {
    var version = 1
    package var site: String
    package var issuer: String
    /// HOST:PORT of the issuer's enrolment listener, and of its sync listener.
    package var enrolmentAddress: String
    package var syncAddress: String
    package var rootPEM: String
    var secret: String
    package var expiresMilliseconds: Int64

    package var text: String {
        get throws { "banjie-token-" + (try JSONEncoder().encode(self)).base64EncodedString() }
    }

    /// - Throws: `EnrolmentError.unreadableToken`.
    package init(text: String) throws {
        let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard trimmed.hasPrefix("banjie-token-"),
            let data = Data(base64Encoded: String(trimmed.dropFirst("banjie-token-".count))),
            let token = try? JSONDecoder().decode(EnrolmentToken.self, from: data)
        else { throw EnrolmentError.unreadableToken }
        self = token
    }

    init(
        site: SiteCode, issuer: SiteCode, enrolmentAddress: String, syncAddress: String, rootPEM: String,
        secret: String, expiresMilliseconds: Int64
    ) {
        self.site = site.rawValue
        self.issuer = issuer.rawValue
        self.enrolmentAddress = enrolmentAddress
        self.syncAddress = syncAddress
        self.rootPEM = rootPEM
        self.secret = secret
        self.expiresMilliseconds = expiresMilliseconds
    }
}

package enum EnrolmentError: Error, CustomStringConvertible {
    case unreadableToken
    case notAChild(site: String, parent: SiteCode)
    case noAuthority
    case noListener
    case refused(status: Int, reason: String)
    case invalidAnswer

    package var description: String {
        switch self {
        case .unreadableToken:
            "this is no enrolment token: take the file as `banjie enrol token new SITE` wrote it"
        case .notAChild(let site, let parent):
            "\(site) is not directly below \(parent): the token has to come from its own parent"
        case .noAuthority: "this node signs nobody: make the token at the province or the region above the office"
        case .noListener: "the node does not run, or its enrolment listener is off: start it with `banjie run`"
        case .refused(let status, let reason): "the issuer refused (\(status)): \(reason)"
        case .invalidAnswer: "the issuer's answer cannot be read: check that both run the same version"
        }
    }
}

/// Messages between a new office and its issuer.
package struct EnrolmentRequest: Codable, Sendable {
    package var secret: String
    package var leafRequestPEM: String
    /// For an office that signs others.
    package var authorityRequestPEM: String?
}

package struct EnrolmentAnswer: Codable, Sendable {
    package var chainPEM: String
    package var authorityChainPEM: String?
    package var provinceKey: String
}

/// The issuer's side. Source: Protocols/trust.md.
package enum Enrolment {
    package static let tokenMilliseconds: Int64 = 24 * 3_600 * 1_000
    static let bodyBytesMax = 64 * 1024
    static let authorityDays = 3_650
    static let leafDays = 30

    /// Makes a token for a site directly below this node, or for a second node of a province.
    /// - Parameter addresses: what the running node's listeners are bound to.
    package static func makeToken(
        node: SyncNode, folder: DataFolder, site: SiteCode, addresses: RuntimeAddresses,
        validMilliseconds: Int64 = tokenMilliseconds, by actor: JournalActor = .node
    ) async throws -> String {
        // A token for the node's own site makes a second node of it.
        guard site.parent == node.identity.site || (site == node.identity.site && site.parent == nil) else {
            throw EnrolmentError.notAChild(site: site.rawValue, parent: node.identity.site)
        }
        let keys = KeyFolder(folder)
        guard keys.exists(.authorityKey) else { throw EnrolmentError.noAuthority }
        guard let enrolment = addresses.enrolment, let sync = addresses.sync else { throw EnrolmentError.noListener }
        let secret = Data(randomBytes(32)).base64EncodedString()
        let expires = NodeClock.system() + validMilliseconds
        let hash = Self.hash(secret)
        let expiry = Instant(expires).text
        try await node.recording { (_: Void) in
            [JournalDraft(.tokenMade, by: actor, on: "\(site)", "token=\(tokenID(hash)) expires=\(expiry)")]
        } _: {
            try $0.saveEnrolment(token: hash, site: site, expires: expires)
        }
        let token = EnrolmentToken(
            site: site, issuer: node.identity.site, enrolmentAddress: enrolment, syncAddress: sync,
            rootPEM: try keys.read(.root), secret: secret, expiresMilliseconds: expires)
        return try token.text
    }

    /// As lists of tokens show it.
    private static func tokenID(_ token: ContentHash) -> String { String("\(token)".prefix(TokenList.idDigits)) }

    static func hash(_ secret: String) -> ContentHash {
        var hasher = ContentHasher()
        return hasher.hash(Array(secret.utf8))
    }

    /// Redeems a token: checks it, signs what it asks for, and registers the child.
    /// - Parameter address: of who asks.
    static func answer(
        _ request: EnrolmentRequest, from address: String, node: SyncNode, folder: DataFolder
    ) async throws -> EnrolmentAnswer? {
        let keys = KeyFolder(folder)
        guard let authority = try keys.authority(subtree: node.identity.site) else { throw EnrolmentError.noAuthority }
        let leaf = try CertificateRequest(pem: request.leafRequestPEM)
        let authorityRequest = try request.authorityRequestPEM.map { try CertificateRequest(pem: $0) }
        let (hash, now) = (hash(request.secret), NodeClock.system())
        let redeemed: SiteCode? = try await node.recording { site in
            guard let site else { return [] }
            let actor = JournalActor(name: "\(site)", origin: address)
            return [JournalDraft(.tokenRedeemed, by: actor, on: "\(site)", "token=\(tokenID(hash))")]
        } _: {
            try $0.redeemEnrolment(token: hash, now: now)
        }
        guard let site = redeemed, let uri = NodeURI(host: site.rawValue) else { return nil }
        let chain = try authority.signLeaf(leaf, expecting: uri, nowMilliseconds: now, days: leafDays)
        let authorityChain = try authorityRequest.map {
            try authority.signAuthority($0, expecting: uri, nowMilliseconds: now, days: authorityDays)
        }
        if site != node.identity.site { try await node.administer { try $0.register(child: site) } }
        let fingerprint = try PeerCertificate(pem: chain).fingerprint
        let authorityFingerprint = try authorityChain.map { try PeerCertificate(pem: $0).fingerprint }
        try await node.recording { (_: Void) in
            let authority = authorityFingerprint.map { " authority=\($0)" } ?? ""
            return [
                JournalDraft(
                    .certificateSigned, by: JournalActor(name: "\(site)", origin: address), on: "\(site)",
                    "token=\(tokenID(hash)) fingerprint=\(fingerprint)" + authority)
            ]
        } _: {
            try $0.noteEnrolled(token: hash, fingerprint: fingerprint)
        }
        // Even an office that never has a line can be sent a bundle.
        try PeerKeys(keys).remember(try PeerCertificate(pem: chain).pem, of: site, node: nil)
        if let authorityChain {
            try PeerKeys(keys).remember(authority: PeerCertificate(pem: authorityChain), of: site)
        }
        return EnrolmentAnswer(
            chainPEM: chain, authorityChainPEM: authorityChain, provinceKey: try keys.read(.provinceKey))
    }

    /// Serves the enrolment listener: one route, nothing else.
    static func serve(
        _ stream: HTTP2Stream, from address: String, node: SyncNode, folder: DataFolder, logger: Logger
    ) async {
        let stranger = JournalActor(name: "", origin: address)
        do {
            guard stream.requestHead.method == "POST", stream.requestHead.path == "/enrol" else {
                try stream.respond(HTTP2ResponseHead(status: 404), endStream: true)
                return
            }
            let body = try await stream.collect(bytesMax: bodyBytesMax)
            guard let request = try? JSONDecoder().decode(EnrolmentRequest.self, from: Data(body.readableBytesView))
            else {
                try reply(stream, 400, Data("the request is not readable".utf8))
                return
            }
            guard let answer = try await answer(request, from: address, node: node, folder: folder) else {
                logger.warning("an enrolment was refused: the token is unknown, used or expired")
                await node.journalBounded(
                    JournalDraft(.tokenRefused, by: stranger, "reason=unknown, used, revoked or expired"))
                try reply(stream, 403, Data("the token is unknown, used or expired: ask for a new one".utf8))
                return
            }
            try reply(stream, 200, try JSONEncoder().encode(answer))
            logger.notice("an office has been enrolled")
        } catch {
            logger.warning("an enrolment failed", metadata: ["error": "\(error)"])
            await node.journalBounded(JournalDraft(.tokenRefused, by: stranger, "reason=\(error)"))
            try? reply(stream, 422, Data("\(error)".utf8))
        }
    }

    private static func reply(_ stream: HTTP2Stream, _ status: Int, _ body: Data) throws {
        try stream.respond(
            HTTP2ResponseHead(status: status, headers: [HTTP2Header("content-type", "application/json")]),
            body: ByteBuffer(bytes: body))
    }
}
