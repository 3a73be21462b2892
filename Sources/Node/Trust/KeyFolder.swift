internal import Foundation
package import Replication
package import Store
internal import Synchronization
package import Transport

/// Keys and certificates of a node, in the `tls` folder of its data folder.
///
///     node.key node.pem            this node's own, with the chain up to the root
///     root.pem                     the province's root, which everything is judged by; two while one is replaced, the
///                                  newer first
///     authority.key authority.pem  at a province or region: what it signs children with
///     authority-former.*           at a province while a root is being replaced: the former root's, for its lists
///     authority-next.*             at a province, for the instant in which it is made
///     console.key console.pem      what browsers see
///     peers/                       certificates of nodes that bundles can be made for
///     crl/                         revocation lists, by the site that gave them out
///     province.key                 32 random bytes of the province, in hexadecimal: keyed hashes of imports
package struct KeyFolder: Sendable {
    let folder: DataFolder

    package init(_ folder: DataFolder) {
        self.folder = folder
    }

    enum File: String {
        case nodeKey = "node.key"
        case node = "node.pem"
        case root = "root.pem"
        case authorityKey = "authority.key"
        case authority = "authority.pem"
        case consoleKey = "console.key"
        case console = "console.pem"
        case provinceKey = "province.key"
        case formerAuthorityKey = "authority-former.key"
        case formerAuthority = "authority-former.pem"
        case nextAuthorityKey = "authority-next.key"
        case nextAuthority = "authority-next.pem"
    }

    func path(_ file: File) -> String { folder.tls + "/" + file.rawValue }

    func exists(_ file: File) -> Bool { FileManager.default.fileExists(atPath: path(file)) }

    func read(_ file: File) throws -> String {
        guard let data = FileManager.default.contents(atPath: path(file)) else {
            throw StoreError.file(
                path: path(file), operation: "reading",
                reason: "it is missing or may not be read; restore it from a backup or enrol this node anew")
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// Two that write one file at once would take each other's new file away.
    private static let writing = Mutex(())

    /// A cut leaves the old or the new file.
    func write(_ file: File, _ text: String) throws {
        try Self.writing.withLock { _ in try DurableFile.write(Array(text.utf8), to: path(file)) }
    }

    package func identity() throws -> TLSIdentity {
        TLSIdentity(certificateChainPEM: try read(.node), privateKeyPEM: try read(.nodeKey))
    }

    package func certificate() throws -> PeerCertificate {
        try PeerCertificate(pem: try read(.node))
    }

    /// Takes expired certificates, which open nothing but renewal: see `Renewal.admits`.
    package func serverContext() throws -> TLSContext {
        try TLSContext.server(
            identity: identity(), trustRootsPEM: read(.root), crlsPEM: RevocationLists(self).read(),
            toleratesExpiredLeaf: true)
    }

    package func clientContext() throws -> TLSContext {
        try TLSContext.client(
            identity: identity(), trustRootsPEM: read(.root), crlsPEM: RevocationLists(self).read())
    }

    package func enrolmentContext() throws -> TLSContext {
        try TLSContext.server(identity: identity(), trustRootsPEM: read(.root), clientCertificate: .none)
    }

    func remove(_ file: File) {
        try? FileManager.default.removeItem(atPath: path(file))
    }

    /// The former root of a province whose root is being replaced.
    func formerAuthority(subtree: SiteCode) throws -> CertificateAuthority? {
        guard exists(.formerAuthority), let uri = NodeURI(host: subtree.rawValue) else { return nil }
        return try CertificateAuthority(
            chainPEM: read(.formerAuthority), privateKeyPEM: read(.formerAuthorityKey), subtree: uri)
    }

    /// Nil at a node that signs nobody.
    package func authority(subtree: SiteCode) throws -> CertificateAuthority? {
        guard exists(.authorityKey), let uri = NodeURI(host: subtree.rawValue) else { return nil }
        return try CertificateAuthority(
            chainPEM: read(.authority), privateKeyPEM: read(.authorityKey), subtree: uri)
    }

    package func consoleIdentity() throws -> TLSIdentity {
        if !exists(.console) {
            let made = try makeConsoleIdentity(dnsNames: ["localhost"], nowMilliseconds: NodeClock.system())
            try write(.consoleKey, made.privateKeyPEM)
            try write(.console, made.certificateChainPEM)
        }
        return TLSIdentity(certificateChainPEM: try read(.console), privateKeyPEM: try read(.consoleKey))
    }

    /// 32 bytes that all nodes of a province share.
    package func provinceKey() throws -> [UInt8] {
        let text = try read(.provinceKey).trimmingCharacters(in: .whitespacesAndNewlines)
        let bytes = stride(from: 0, to: text.utf8.count, by: 2).compactMap { offset -> UInt8? in
            let start = text.index(text.startIndex, offsetBy: offset)
            return UInt8(text[start...].prefix(2), radix: 16)
        }
        guard bytes.count == 32 else {
            throw StoreError.file(
                path: path(.provinceKey), operation: "reading", reason: "64 hexadecimal digits are expected")
        }
        return bytes
    }
}
