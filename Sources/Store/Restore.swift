internal import Foundation
internal import GRDB
internal import Glibc
package import Replication

/// What putting a backup back has done.
package struct Restored: Hashable, Sendable {
    package var content: BackupContent
    /// Where the database lies that was here; nil if there was none.
    package var kept: String?
}

extension Store {
    /// Puts a backup in the place of a folder's database. The store goes on under a new incarnation when it is opened
    /// next, and takes back from its peers what it had written since the backup was made.
    ///
    /// Nothing is lost at any point. The copy is complete and on the disk before anything changes; the present database
    /// gets a second name; the last step is one rename. Cut before it, the folder has its old database; after it, the new.
    /// - Parameter site: whose folder it is, where that is known otherwise than by the database.
    /// - Parameter isForced: also takes a backup in which something is damaged.
    /// - Parameter stamp: goes into the name that the present database is kept under.
    /// - Throws: `StoreError`: the folder is in use, the backup is damaged or another site's, or the disk fails.
    package static func restore(
        _ folder: DataFolder, from path: String, site: SiteCode?, isForced: Bool, stamp: String,
        progress: (Int, Int) -> Void
    ) throws -> Restored {
        try folder.create()
        let lock = try FolderLock(folder)
        defer { withExtendedLifetime(lock) {} }
        let content = try BackupContent.read(path, progress: progress)
        guard content.findings.isEmpty || isForced else {
            throw StoreError.damagedBackup(path: path, findings: content.findings)
        }
        if let expected = site ?? presentSite(folder), content.header.site != expected.rawValue {
            throw StoreError.backupOfOtherSite(path: path, found: content.header.site, expected: expected)
        }
        let part = folder.database + ".restore"
        do {
            try prepare(part, from: path)
            let kept = try keepPresent(folder, stamp: stamp)
            SearchIndex.remove(folder.searchIndex)
            try DurableFile.rename(part, to: folder.database)
            return Restored(content: content, kept: kept)
        } catch {
            BackupFile.remove(part)
            throw error
        }
    }

    /// Nil where there is no database, or none that can be read.
    private static func presentSite(_ folder: DataFolder) -> SiteCode? {
        guard folder.isInitialised else { return nil }
        return (try? BackupHeader.read(folder.database)).flatMap { SiteCode($0.site) }
    }

    private static func prepare(_ part: String, from path: String) throws {
        BackupFile.remove(part)
        do {
            try FileManager.default.copyItem(atPath: path, toPath: part)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: part)
        } catch {
            throw StoreError.file(path: part, operation: "copying the backup", reason: "\(error)")
        }
        try BackupFile.write(part) { db in
            guard try !Schema.migrator.hasBeenSuperseded(db) else {
                throw StoreError.newerSchema(path: path, found: schemaVersion + 1, known: schemaVersion)
            }
            try db.inTransaction {
                for key in [BackupFile.madeKey, BackupFile.operationsKey, BackupFile.ticketsKey] {
                    try Meta.set(key, nil, db)
                }
                // What was pending when the backup was made is overtaken: everything in it is common.
                try Incarnation.setPending(PendingRecovery(reason: .restored), db)
                return .commit
            }
            try db.execute(sql: "PRAGMA journal_mode = DELETE")
        }
        try DurableFile.flush(part)
    }

    /// Gives the present database a second name, and takes its write-ahead log from beside it, which would be applied to
    /// whatever has the name.
    /// - Returns: the second name; nil if there is no database.
    private static func keepPresent(_ folder: DataFolder, stamp: String) throws -> String? {
        guard folder.isInitialised else {
            removeLog(folder)
            return nil
        }
        let kept = "\(folder.path)/banjie-\(stamp).db"
        let (log, keptLog) = (folder.database + "-wal", kept + "-wal")
        try second(name: kept, for: folder.database)
        if size(log) > 0 { try second(name: keptLog, for: log) }
        // Under both names at once: what it takes into the database is in the kept one too.
        emptyLog(folder)
        if size(keptLog) == 0 { try? FileManager.default.removeItem(atPath: keptLog) }
        try DurableFile.flush(folder.path)
        removeLog(folder)
        return kept
    }

    /// A database that cannot be opened keeps its log.
    private static func emptyLog(_ folder: DataFolder) {
        guard let queue = try? DatabaseQueue(path: folder.database) else { return }
        try? queue.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
        try? queue.close()
    }

    private static func second(name: String, for path: String) throws {
        guard link(path, name) != 0 else { return }
        let reason = errno
        // Some file systems know no second names. Then the copy has what is in the database, and its log beside it.
        guard reason != EEXIST, (try? FileManager.default.copyItem(atPath: path, toPath: name)) != nil else {
            throw StoreError.file(
                path: name, operation: "keeping the present database", reason: String(cString: strerror(reason)))
        }
        try DurableFile.flush(name)
    }

    private static func size(_ path: String) -> Int {
        ((try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? NSNumber)?.intValue ?? 0
    }

    private static func removeLog(_ folder: DataFolder) {
        for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: folder.database + suffix) }
    }
}
