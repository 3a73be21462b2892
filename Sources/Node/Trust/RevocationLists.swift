internal import Foundation
internal import Replication
internal import Store
internal import Tickets
internal import Transport

/// Revocation lists in `tls/crl`, one for each authority that has given one out; listeners and dialers judge by them.
/// Source: Protocols/trust.md §9.
struct RevocationLists: Sendable {
    private let keys: KeyFolder

    init(_ keys: KeyFolder) {
        self.keys = keys
    }

    private var folder: String { keys.folder.tls + "/crl" }

    /// Those that are stored, as PEM.
    func read() -> [String] {
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter {
            $0.hasSuffix(".pem")
        }
        return names.sorted().compactMap { name in
            FileManager.default.contents(atPath: folder + "/" + name).map { String(decoding: $0, as: UTF8.self) }
        }
    }

    /// Keeps the latest list of each author in force. One that no authority known here has signed is left out: it would
    /// make every connection fail.
    /// - Throws: `StoreError.file`.
    func keep(_ records: [RevocationRecord]) throws {
        var latest: [SiteCode: RevocationRecord] = [:]
        for record in records where record.isInForce && !record.body.revocationList.isEmpty {
            let site = record.author.site
            if latest[site].map({ ($0.time, $0.dot) < (record.time, record.dot) }) ?? true { latest[site] = record }
        }
        guard !latest.isEmpty else { return }
        let authorities = [KeyFolder.File.root, .node, .authority].compactMap { try? keys.read($0) }.joined()
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        for (site, record) in latest {
            // A province whose root is being replaced signs one list with each of the two.
            let list = revocationLists(in: record.body.revocationList, signedByOneOf: authorities)
            guard !list.isEmpty else { continue }
            let path = "\(folder)/\(site).pem"
            guard FileManager.default.contents(atPath: path) != Data(list.utf8) else { continue }
            try DurableFile.write(Array(list.utf8), to: path)
        }
    }
}
