internal import Foundation
package import Logging
internal import NIOCore
package import Replication
package import Store
internal import Tickets
internal import Transport

/// What `init` sets for a new node.
package struct InitOptions: Sendable {
    /// Becomes `node.yaml`; addresses, name, department, clock.
    package var configuration: NodeConfiguration
    package var logger: Logger

    package init(configuration: NodeConfiguration = NodeConfiguration(), logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }
}

package struct InitReport: Codable, Sendable, Hashable {
    package var site: String
    package var replica: String
    package var folder: String
    package var parent: String?
    package var certificateFingerprint: String
    package var certificateNotAfterMilliseconds: Int64
}

/// Makes new nodes. Source: Protocols/trust.md.
package enum Offices {
    static let rootDays = 7_300
    /// Provinces and regions sign others; who lies deeper signs nobody.
    static let signingDepthMax = 2

    /// A province: makes its own certificate authority and the key of imports.
    package static func initialiseProvince(
        folder: DataFolder, site: SiteCode, options: InitOptions
    ) async throws -> InitReport {
        guard site.depth == 1, let uri = NodeURI(host: site.rawValue) else {
            throw FileProblem(path: folder.path, line: 0, expected: "a province's code has one label, not \(site)")
        }
        guard !folder.isInitialised else { throw StoreError.alreadyInitialised(path: folder.path) }
        try folder.create()
        let keys = KeyFolder(folder)
        let now = NodeClock.system()
        let authorityKey = try makePrivateKeyPEM()
        let authority = try CertificateAuthority.makeRoot(
            subtree: uri, nowMilliseconds: now, days: rootDays, privateKeyPEM: authorityKey)
        let nodeKey = try makePrivateKeyPEM()
        let chain = try authority.signLeaf(
            CertificateRequest(uri: uri, privateKeyPEM: nodeKey), expecting: uri, nowMilliseconds: now,
            days: Enrolment.leafDays)
        try keys.write(.authorityKey, authorityKey)
        try keys.write(.authority, authority.chainPEM)
        try keys.write(.root, authority.chainPEM)
        try keys.write(.nodeKey, nodeKey)
        try keys.write(.node, chain)
        try keys.write(
            .provinceKey, randomBytes(32).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined())
        return try await finish(folder: folder, site: site, parent: nil, options: options)
    }

    /// An office below another: redeems the token at its issuer. The keys are made here and stay here.
    package static func join(folder: DataFolder, token text: String, options: InitOptions) async throws -> InitReport {
        guard !folder.isInitialised else { throw StoreError.alreadyInitialised(path: folder.path) }
        let token = try EnrolmentToken(text: text)
        guard let site = SiteCode(token.site), let parent = NodeConfiguration.parse(token.syncAddress) else {
            throw EnrolmentError.unreadableToken
        }
        let isSibling = site == SiteCode(token.issuer) && site.parent == nil
        guard isSibling || site.parent?.rawValue == token.issuer else { throw EnrolmentError.unreadableToken }
        let enrolled = try await redeem(token, site: site, logger: options.logger)
        try folder.create()
        try enrolled.write(to: KeyFolder(folder))
        var options = options
        if isSibling { options.configuration.siblings = [parent] } else { options.configuration.parents = [parent] }
        return try await finish(folder: folder, site: site, parent: site.parent, options: options)
    }

    /// What a token has given.
    struct Enrolled {
        var nodeKey: String
        var rootPEM: String
        var authorityKey: String?
        var answer: EnrolmentAnswer

        func write(to keys: KeyFolder) throws {
            try keys.write(.nodeKey, nodeKey)
            try keys.write(.node, answer.chainPEM)
            try keys.write(.root, rootPEM)
            try keys.write(.provinceKey, answer.provinceKey)
            if let authorityKey, let chain = answer.authorityChainPEM {
                try keys.write(.authorityKey, authorityKey)
                try keys.write(.authority, chain)
            }
        }
    }

    /// Makes keys and has them signed.
    static func redeem(_ token: EnrolmentToken, site: SiteCode, logger: Logger) async throws -> Enrolled {
        guard let uri = NodeURI(host: site.rawValue), let issuer = NodeURI(host: token.issuer),
            let address = NodeConfiguration.parse(token.enrolmentAddress)
        else { throw EnrolmentError.unreadableToken }
        let nodeKey = try makePrivateKeyPEM()
        // Branches sign nobody, and of a province's nodes only the first.
        let authorityKey =
            site.depth <= signingDepthMax && site.rawValue != token.issuer ? try makePrivateKeyPEM() : nil
        let request = EnrolmentRequest(
            secret: token.secret, leafRequestPEM: try CertificateRequest(uri: uri, privateKeyPEM: nodeKey).pem,
            authorityRequestPEM: try authorityKey.map { try CertificateRequest(uri: uri, privateKeyPEM: $0).pem })
        let answer = try await redeem(request, token: token, address: address, issuer: issuer, logger: logger)
        return Enrolled(nodeKey: nodeKey, rootPEM: token.rootPEM, authorityKey: authorityKey, answer: answer)
    }

    private static func redeem(
        _ request: EnrolmentRequest, token: EnrolmentToken, address: TransportAddress, issuer: NodeURI, logger: Logger
    ) async throws -> EnrolmentAnswer {
        let context = try TLSContext.client(identity: nil, trustRootsPEM: token.rootPEM)
        let connection = try await HTTP2Client.connect(
            to: address, tls: context, expectedPeer: .uri(issuer.description), logger: logger)
        let stream = try await connection.open(
            HTTP2RequestHead(method: "POST", authority: issuer.host, path: "/enrol"))
        try await stream.write(ByteBuffer(bytes: try JSONEncoder().encode(request)))
        try stream.finish()
        let status = try await stream.responseHead.status
        let body = Data(try await stream.collect(bytesMax: Enrolment.bodyBytesMax).readableBytesView)
        await connection.close()
        guard status == 200 else {
            throw EnrolmentError.refused(status: status, reason: String(decoding: body.prefix(500), as: UTF8.self))
        }
        guard let answer = try? JSONDecoder().decode(EnrolmentAnswer.self, from: body) else {
            throw EnrolmentError.invalidAnswer
        }
        return answer
    }

    private static func finish(
        folder: DataFolder, site: SiteCode, parent: SiteCode?, options: InitOptions
    ) async throws -> InitReport {
        let replica = ReplicaID(randomBytes(8).reduce(0) { $0 << 8 | UInt64($1) })
        try options.configuration.write(to: folder)
        let keys = KeyFolder(folder)
        _ = try keys.consoleIdentity()
        let certificate = try keys.certificate()
        // The database comes last: a folder with one is complete.
        let opened = try Store.open(folder, creating: NodeIdentity(site: site, replica: replica, parent: parent))
        let node = try SyncNode(
            writer: opened.writer, catalog: .standard, clock: NodeClock(scale: options.configuration.clock),
            logger: options.logger)
        try await node.announceIfNew(certificateFingerprint: Array(certificate.fingerprint.utf8))
        return InitReport(
            site: site.rawValue, replica: replica.description, folder: folder.path, parent: parent?.rawValue,
            certificateFingerprint: certificate.fingerprint,
            certificateNotAfterMilliseconds: certificate.notAfterMilliseconds)
    }
}
