internal import Foundation
internal import Replication
internal import Store

package enum AuditFileFormat: String, Codable, Sendable, CaseIterable {
    case jsonl, csv
}

/// An export of the audit view as a file that says itself whether it is whole. Source: Protocols/audit.md §6.
///
///     header      {"banjie-audit":1,"site":…}          in CSV behind "# ", as the last line
///     entries     the earliest first
///     trailer     {"digest":…,"journal":{…},"lines":…}
///
/// The digest is a chain over the lines: of each, SHA-256 over the digest before it and the line's bytes.
enum AuditFile {
    static let version = 1
    static let chunkEntries = 2_000
    static let csvColumns = [
        "source", "place", "dot", "at", "actor", "role", "site", "origin", "action", "subject", "detail", "hash",
    ]

    struct Header: Codable {
        var version: Int
        var site: String
        var replica: String
        var made: Instant
        var filter: [String: String]

        enum CodingKeys: String, CodingKey {
            case version = "banjie-audit"
            case site, replica, made, filter
        }
    }

    /// The journal's part, where nothing was left out.
    struct Range: Codable, Hashable {
        var first: UInt64
        /// The hash that the first entry follows.
        var previous: String
        var last: UInt64
        var hash: String
    }

    struct Trailer: Codable {
        /// Lines before this one.
        var lines: Int
        var digest: String
        var journal: Range?
    }

    struct Digest: ~Copyable {
        private(set) var value = ContentHash.zero
        private(set) var lines = 0
        private var hasher = ContentHasher()

        /// - Parameter line: its bytes as they stand in the file, without the end.
        mutating func add(_ line: some Sequence<UInt8>) {
            value = hasher.hash(value.bytes + line)
            lines += 1
        }
    }

    static func csv(_ entry: AuditEntry) -> String {
        [
            entry.source.rawValue, "\(entry.place)", entry.dot ?? "", entry.at.text, entry.actor, entry.role ?? "",
            entry.site, entry.origin, entry.action, entry.subject, entry.detail, entry.hash,
        ].map(quoted).joined(separator: ",")
    }

    /// A cell that a spreadsheet takes for a formula gets an apostrophe before it.
    private static func quoted(_ text: String) -> String {
        let safe = text.first.map { "=+-@".contains($0) } == true ? "'" + text : text
        guard safe.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return safe }
        return "\"" + safe.replacing("\"", with: "\"\"") + "\""
    }
}

/// Writes one.
struct AuditExport: Sendable {
    let reader: StoreReader

    /// - Parameter filter: what the header says of it.
    /// - Returns: how many entries.
    /// - Throws: `StoreError.file`; nothing is left under the path then.
    func run(
        to path: String, _ format: AuditFileFormat, _ filter: AuditFilter, named: [String: String], now: Int64,
        progress: (Int, Int) -> Void
    ) throws -> Int {
        guard !FileManager.default.fileExists(atPath: path) else {
            throw StoreError.file(path: path, operation: "export", reason: "the file exists; choose another name")
        }
        let part = path + ".part"
        do {
            let count = try write(to: part, format, filter, named, now, progress)
            try DurableFile.flush(part)
            try DurableFile.rename(part, to: path)
            return count
        } catch {
            try? FileManager.default.removeItem(atPath: part)
            throw error
        }
    }

    private func write(
        to path: String, _ format: AuditFileFormat, _ filter: AuditFilter, _ named: [String: String], _ now: Int64,
        _ progress: (Int, Int) -> Void
    ) throws -> Int {
        guard FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600]),
            let file = FileHandle(forWritingAtPath: path)
        else { throw StoreError.file(path: path, operation: "export", reason: "the file cannot be made") }
        defer { try? file.close() }
        var digest = AuditFile.Digest()
        func put(_ lines: [String], isCounted: Bool = true) throws {
            if isCounted { for line in lines { digest.add(line.utf8) } }
            do {
                try file.write(contentsOf: Data(lines.map { $0 + "\n" }.joined().utf8))
            } catch {
                throw StoreError.file(path: path, operation: "export", reason: "\(error)")
            }
        }
        let mark = format == .csv ? "# " : ""
        let header = AuditFile.Header(
            version: AuditFile.version, site: reader.identity.site.rawValue, replica: "\(reader.identity.replica)",
            made: Instant(now), filter: named)
        try put([mark + text(try JSONReply.encode(header))])
        if format == .csv { try put([AuditFile.csvColumns.joined(separator: ",")]) }
        let total = try reader.counts().operations + reader.journalCount()
        let view = AuditView(reader: reader)
        var place = AuditView.Place()
        var range: AuditFile.Range?
        var count = 0
        while true {
            let page = try view.page(filter, .earliestFirst, behind: place, limit: AuditFile.chunkEntries)
            place = page.next
            count += page.entries.count
            for entry in page.entries where entry.source == .journal { extend(&range, by: entry) }
            try put(
                try page.entries.map { format == .csv ? AuditFile.csv($0) : text(try JSONReply.encode($0)) })
            progress(min(count, total), total)
            if !page.hasMore { break }
        }
        // Of a part of the journal there is no chain to follow.
        if !filter.isEverything { range = nil }
        if let first = range?.first { range?.previous = "\(try reader.journalHash(before: first))" }
        let trailer = AuditFile.Trailer(lines: digest.lines, digest: "\(digest.value)", journal: range)
        try put([mark + text(try JSONReply.encode(trailer))], isCounted: false)
        progress(total, total)
        return count
    }

    private func extend(_ range: inout AuditFile.Range?, by entry: AuditEntry) {
        let sequence = UInt64(clamping: entry.place)
        if range == nil {
            range = AuditFile.Range(first: sequence, previous: "", last: sequence, hash: entry.hash)
        } else {
            range?.last = sequence
            range?.hash = entry.hash
        }
    }

    private func text(_ data: Data) -> String { String(decoding: data, as: UTF8.self) }
}

/// What checking an export has found.
package struct AuditFileReport: Codable, Sendable, Hashable {
    package enum Problem: String, Codable, Sendable, CaseIterable {
        case noHeader, noTrailer, changed, chainBroken
    }

    package var path: String
    package var site: String?
    package var made: Instant?
    package var lines: Int
    /// Of the journal that is in it; nil where a filter left something out, or there is none.
    package var first: UInt64?
    package var last: UInt64?
    /// To be compared with `banjie audit verify` at the node, or with its anchors at the province.
    package var hash: String?
    package var problem: Problem?
    /// Line that the problem was found at, from 1.
    package var line: Int?
}

package enum AuditFileCheck {
    /// Reads an export through. A CSV is checked by its digest, of JSON lines also the chain is followed.
    /// - Throws: `StoreError.file` for a file that cannot be read.
    package static func run(_ path: String, progress: (Int, Int) -> Void = { _, _ in }) throws -> AuditFileReport {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw StoreError.file(path: path, operation: "reading the export", reason: "it cannot be opened")
        }
        // An array is split more than ten times as fast as data.
        let lines = [UInt8](data).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast()
        let decoder = JSONDecoder()
        var report = AuditFileReport(path: path, lines: lines.count)
        let isCSV = data.starts(with: Array("# ".utf8))
        func json(_ line: ArraySlice<UInt8>) -> Data { Data(isCSV ? line.dropFirst(2) : line) }
        guard let first = lines.first, let header = try? decoder.decode(AuditFile.Header.self, from: json(first))
        else { return failed(&report, .noHeader, at: 1) }
        report.site = header.site
        report.made = header.made
        guard lines.count > 1, let last = lines.last,
            let trailer = try? decoder.decode(AuditFile.Trailer.self, from: json(last))
        else { return failed(&report, .noTrailer, at: lines.count) }
        report.first = trailer.journal?.first
        report.last = trailer.journal?.last
        report.hash = trailer.journal?.hash
        var digest = AuditFile.Digest()
        var end = trailer.journal.flatMap { ContentHash(hexadecimal: $0.previous) } ?? .zero
        var next = trailer.journal?.first ?? 0
        var broken: Int?
        for (index, line) in lines.dropLast().enumerated() {
            digest.add(line)
            if index % 5_000 == 0 { progress(index, lines.count) }
            guard !isCSV, index > 0, broken == nil, trailer.journal != nil else { continue }
            guard let entry = try? decoder.decode(AuditEntry.self, from: Data(line)) else {
                broken = index + 1
                continue
            }
            guard entry.source == .journal else { continue }
            let chained = JournalEntry(entry)
            if chained.sequence != next || chained.chained(to: end) != chained.hash { broken = index + 1 }
            end = chained.hash
            next += 1
        }
        progress(lines.count, lines.count)
        if let broken { return failed(&report, .chainBroken, at: broken) }
        guard digest.lines == trailer.lines, "\(digest.value)" == trailer.digest else {
            return failed(&report, .changed, at: nil)
        }
        if let range = trailer.journal, !isCSV, next != range.last + 1 || "\(end)" != range.hash {
            return failed(&report, .chainBroken, at: lines.count)
        }
        return report
    }

    private static func failed(
        _ report: inout AuditFileReport, _ problem: AuditFileReport.Problem, at line: Int?
    ) -> AuditFileReport {
        report.problem = problem
        report.line = line
        return report
    }
}

extension JournalEntry {
    /// As an export has it.
    init(_ entry: AuditEntry) {
        self.init(
            sequence: UInt64(clamping: entry.place), time: entry.at.milliseconds, actor: entry.actor,
            origin: entry.origin, action: entry.action, subject: entry.subject, detail: entry.detail,
            hash: ContentHash(hexadecimal: entry.hash) ?? .zero)
    }
}
