internal import Foundation
package import Store

package struct BackupRequest: Codable, Sendable, Hashable {
    /// Nil for a name of its own in the folder's `backups`.
    package var path: String?

    package init(path: String?) {
        self.path = path
    }
}

/// A backup that was read from end to end.
package struct BackupReport: Codable, Sendable, Hashable {
    package var path: String
    package var site: String
    package var replica: String
    package var operations: Int
    package var tickets: Int
    package var digest: String
    package var findings: [String]
    /// Rows that the store itself knew to be damaged when the backup was made.
    package var known: [String]

    package init(path: String, _ content: BackupContent) {
        self.path = path
        site = content.header.site
        replica = "\(content.header.replica)"
        operations = content.operations
        tickets = content.tickets
        digest = "\(content.digest)"
        findings = content.findings
        known = content.known
    }

    /// From what a job gives back; it only ends well without findings.
    package init(_ job: JobState) {
        func text(_ key: String) -> String { job.result?[key] ?? "" }
        path = text("path")
        site = text("site")
        replica = text("replica")
        operations = Int(text("operations")) ?? 0
        tickets = Int(text("tickets")) ?? 0
        digest = text("digest")
        findings = []
        known = text("known").split(separator: "\n").map(String.init)
    }

    /// When the last one was made, wherever it lies: UTC milliseconds.
    static let lastMadeFact = "backup.made"

    /// As a job gives it back.
    var facts: [String: String] {
        [
            "path": path, "site": site, "replica": replica, "operations": "\(operations)", "tickets": "\(tickets)",
            "digest": digest, "known": known.joined(separator: "\n"),
        ]
    }

    /// Reads a backup from end to end.
    /// - Throws: `StoreError.file` if it cannot be opened.
    package static func verify(_ path: String, progress: ProgressReporter) throws -> BackupReport {
        let content = try BackupContent.read(path) { progress.update($0, of: $1) }
        progress.finish()
        return BackupReport(path: path, content)
    }
}

/// The backups in a data folder, the latest first.
package struct BackupList: Codable, Sendable, Hashable {
    package var folder: String
    package var backups: [BackupEntry]
}

package struct BackupEntry: Codable, Sendable, Hashable {
    package var path: String
    package var bytes: Int
    /// When it was made: as it says itself, otherwise the file's own time.
    package var made: Instant
    package var ageMilliseconds: Int64
    /// Nil where the file cannot be read.
    package var site: String?
    package var replica: String?
    package var operations: Int?
    package var tickets: Int?
    /// Whether every operation was verified.
    package var isVerified: Bool
    package var findings: [String]
}

extension BackupList {
    /// - Parameter verifying: reads each from end to end; otherwise only what it says of itself.
    package static func read(_ folder: DataFolder, verifying: Bool, progress: ProgressReporter) throws -> BackupList {
        let now = NodeClock(scale: (try? NodeConfiguration(folder: folder))?.clock).now()
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.backups)) ?? []
        let entries = names.filter { $0.hasSuffix(".db") }.map { name in
            entry("\(folder.backups)/\(name)", verifying: verifying, now: now, progress: progress)
        }
        progress.finish()
        return BackupList(
            folder: folder.backups,
            backups: entries.sorted { ($0.made, $0.path) > ($1.made, $1.path) })
    }

    private static func entry(
        _ path: String, verifying: Bool, now: Int64, progress: ProgressReporter
    ) -> BackupEntry {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        let changed = (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
        var entry = BackupEntry(
            path: path, bytes: (attributes?[.size] as? NSNumber)?.intValue ?? 0, made: Instant(Int64(changed * 1_000)),
            ageMilliseconds: 0, isVerified: false, findings: [])
        do {
            let content = verifying ? Result { try BackupContent.read(path) { progress.update($0, of: $1) } } : nil
            // A file that cannot be read to its end may still say what it is.
            let header = try (try? content?.get())?.header ?? BackupHeader.read(path)
            if header.made != 0 { entry.made = Instant(header.made) }
            (entry.site, entry.replica) = (header.site, "\(header.replica)")
            (entry.operations, entry.tickets) = (header.operations, header.tickets)
            if let content = try content?.get() { (entry.isVerified, entry.findings) = (true, content.findings) }
        } catch {
            entry.findings.append("\(error)")
        }
        entry.ageMilliseconds = now - entry.made.milliseconds
        return entry
    }
}

/// What `backup restore` has done.
package struct RestoreReport: Codable, Sendable, Hashable {
    package var folder: String
    package var backup: BackupReport
    /// Where the database lies that was here before.
    package var kept: String?
    /// The new incarnation, and what it follows; nil if the node could not be opened afterwards: it begins at the next
    /// start then.
    package var replica: String?
    package var follows: String?
}
