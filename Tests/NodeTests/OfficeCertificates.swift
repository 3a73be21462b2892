import Foundation
import NIOCore
import Node
import Replication
import Store
import Testing
import Tickets
import Transport

/// What tests of trust look at and do at an office of a `Province`.
extension Province.Office {
    static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1_000) }

    var keys: KeyFolder { KeyFolder(folder) }

    func file(_ name: String) throws -> String {
        try String(contentsOfFile: folder.tls + "/" + name, encoding: .utf8)
    }

    func replace(_ name: String, by text: String) throws {
        try text.write(toFile: folder.tls + "/" + name, atomically: true, encoding: .utf8)
    }

    /// Fingerprints in `root.pem`, the newest first.
    func roots() throws -> [String] { try PeerCertificate.chain(pem: file("root.pem")).map(\.fingerprint) }

    /// Whether the chain in a file leads to the first root of `root.pem`.
    func isMoved(_ name: String = "node.pem") throws -> Bool {
        let newest = try #require(PeerCertificate.chain(pem: file("root.pem")).first).pem
        return leads(try file(name), to: newest, nowMilliseconds: Self.now)
    }

    func link() throws -> LinkTable.Status? {
        try node.links.all.values.first { $0.role == .parent }
    }

    func rotate(hurries: Bool = false) async throws {
        try await node.rotateRoot(hurries: hurries, by: administrator, keys: keys)
    }

    func retire(_ fingerprint: String, isForced: Bool = false) async throws {
        try await node.retireRoot(fingerprint, isForced: isForced, by: administrator, keys: keys)
    }

    func behind() throws -> [SiteCode] {
        try RootStatus(node: node, keys: keys, now: Self.now).behind.map(\.site)
    }

    func revoke(_ site: SiteCode) async throws -> [RevocationRecord] {
        try await node.revoke(RevocationWish(site: site, reason: "笔记本被盗"), by: administrator, keys: keys)
    }

    var administrator: Author {
        var author = agent(at: site)
        author.role = .admin
        return author
    }

    /// Signs another office's node again, for the key that it has or another one.
    func sign(
        _ other: Province.Office, as code: String? = nil, key: String? = nil, from instant: Int64 = now, days: Int = 30
    ) throws -> String {
        let authority = try #require(try keys.authority(subtree: site))
        let uri = try #require(NodeURI(host: code ?? other.site.rawValue))
        return try authority.signLeaf(
            CertificateRequest(uri: uri, privateKeyPEM: key ?? other.file("node.key")), expecting: uri,
            nowMilliseconds: instant, days: days)
    }

    /// - Returns: the status of a request on a connection of its own, made with what stands in this folder.
    func post(_ path: String, to parent: Province.Office) async throws -> Int {
        let address = try #require(parent.runtime?.addresses.sync.flatMap(NodeConfiguration.parse))
        let connection = try await HTTP2Client.connect(
            to: address, tls: try keys.clientContext(), expectedPeer: .uri("banjie://\(parent.site)/"), logger: quiet)
        let stream = try await connection.open(
            HTTP2RequestHead(method: "POST", authority: "p", path: path), endStream: true)
        let status = try await stream.responseHead.status
        await connection.close()
        return status
    }
}
