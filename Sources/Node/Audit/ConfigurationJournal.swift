internal import Foundation
internal import Replication
internal import Store
internal import Tickets

/// What has changed in a node's configuration since it was opened last, by the keys of `node.yaml` and the digest of the
/// catalog. Values are not told: addresses and names of machines stay in their file. Source: Protocols/audit.md §3.
enum ConfigurationJournal {
    static let configurationFact = "journal.configuration"
    static let catalogFact = "journal.catalog"

    static func note(_ folder: DataFolder, catalog: Catalog, writer: StoreWriter, now: Int64) throws {
        let sections = sections(of: text(folder.configuration))
        let known = try writer.reader.fact(configurationFact).map(decode)
        if known != sections {
            let changed = Set(sections.keys).union((known ?? [:]).keys).filter { sections[$0] != known?[$0] }
            let draft = JournalDraft(
                .configurationFound, by: .node, on: "node.yaml",
                "sha256=\(digest(text(folder.configuration))) keys=\(changed.sorted().joined(separator: ","))")
            try writer.recording(now: now, { _ in [draft] }) { writer in
                try writer.setFact(configurationFact, encode(sections))
            }
        }
        let version = "version=\(catalog.version) sha256=\(digest(text(folder.catalog)))"
        guard try writer.reader.fact(catalogFact) != version else { return }
        try writer.recording(now: now, { _ in [JournalDraft(.catalogFound, by: .node, on: "catalog", version)] }) {
            writer in try writer.setFact(catalogFact, version)
        }
    }

    private static func text(_ path: String) -> String {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// The hash of what stands under each key of the first level.
    static func sections(of yaml: String) -> [String: String] {
        var texts: [String: String] = [:]
        var key: String?
        for line in yaml.split(separator: "\n") where !line.hasPrefix("#") {
            if let first = line.first, first.isLetter, let end = line.firstIndex(of: ":") { key = String(line[..<end]) }
            if let key { texts[key, default: ""] += line + "\n" }
        }
        return texts.mapValues(digest)
    }

    private static func digest(_ text: String) -> String {
        var hasher = ContentHasher()
        return "\(hasher.hash(Array(text.utf8)))"
    }

    private static func encode(_ sections: [String: String]) -> String {
        sections.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "\n")
    }

    private static func decode(_ text: String) -> [String: String] {
        var result: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { result[String(parts[0])] = String(parts[1]) }
        }
        return result
    }
}
