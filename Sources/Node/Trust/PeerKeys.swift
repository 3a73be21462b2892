internal import Foundation
internal import Replication
internal import Store
internal import Transport

/// Certificates of the peers that this node has had a session with, or that it has signed: whoever writes a bundle seals
/// it for one of them. In `tls/peers`, named by site and incarnation; by the site alone where the node has not been met.
struct PeerKeys: Sendable {
    /// Nodes of one site that are remembered; the oldest is forgotten.
    static let nodesMax = 8

    private let folder: String

    init(_ keys: KeyFolder) {
        folder = keys.folder.tls + "/peers"
    }

    private func path(_ site: SiteCode, _ node: ReplicaID?) -> String {
        "\(folder)/\(site)" + (node.map { "-\($0)" } ?? "") + ".pem"
    }

    /// Does nothing if it is known.
    /// - Throws: `StoreError.file`.
    func remember(_ certificatePEM: String, of site: SiteCode, node: ReplicaID?) throws {
        let path = path(site, node)
        guard !certificatePEM.isEmpty, FileManager.default.contents(atPath: path) != Data(certificatePEM.utf8) else {
            return
        }
        try? FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        try DurableFile.write(Array(certificatePEM.utf8), to: path)
        forgetOldest(of: site)
    }

    /// Keeps the certificate of a region's authority, so that it can be revoked.
    /// - Throws: `StoreError.file`.
    func remember(authority certificate: PeerCertificate, of site: SiteCode) throws {
        try? FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        try DurableFile.write(
            Array(certificate.pem.utf8), to: "\(folder)/\(site)\(Self.authorityMark)\(certificate.serialHex).pem")
    }

    /// Certificates of a region's authority that were signed here.
    func authorities(of site: SiteCode) -> [PeerCertificate] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter {
            $0.hasPrefix("\(site)\(Self.authorityMark)")
        }.sorted().compactMap { name in
            FileManager.default.contents(atPath: folder + "/" + name).flatMap {
                try? PeerCertificate(pem: String(decoding: $0, as: UTF8.self))
            }
        }
    }

    /// No code has this character, so no other site's name goes on like this.
    private static let authorityMark = "_authority_"

    /// - Parameter node: nil for the one that was signed and has not been met.
    /// - Returns: nil if there is none.
    func certificate(of site: SiteCode, node: ReplicaID?) -> String? {
        FileManager.default.contents(atPath: path(site, node)).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The certificates that are remembered of a site's nodes.
    /// - Parameter node: of this one alone; nil for all of them.
    func certificates(of site: SiteCode, node: ReplicaID?) -> [PeerCertificate] {
        let names =
            node.map { ["\(site)-\($0).pem"] }
            ?? ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter {
                // A code may go on with a hyphen: what follows the site's has the form of an incarnation.
                $0 == "\(site).pem" || $0.hasPrefix("\(site)-") && $0.utf8.count == "\(site)-".utf8.count + 20
            }
        return names.sorted().compactMap { name -> PeerCertificate? in
            FileManager.default.contents(atPath: folder + "/" + name).flatMap {
                try? PeerCertificate(pem: String(decoding: $0, as: UTF8.self))
            }.flatMap { $0.nodeURI?.host == site.rawValue ? $0 : nil }
        }
    }

    private func forgetOldest(of site: SiteCode) {
        let manager = FileManager.default
        let length = path(site, ReplicaID(0)).utf8.count - folder.utf8.count - 1
        let names = ((try? manager.contentsOfDirectory(atPath: folder)) ?? []).filter {
            $0.hasPrefix("\(site)-") && $0.utf8.count == length
        }
        guard names.count > Self.nodesMax else { return }
        func age(_ name: String) -> Date {
            (try? manager.attributesOfItem(atPath: folder + "/" + name))?[.modificationDate] as? Date ?? .distantPast
        }
        for name in names.sorted(by: { age($0) < age($1) }).dropLast(Self.nodesMax) {
            try? manager.removeItem(atPath: folder + "/" + name)
        }
    }
}
