internal import Foundation
internal import GRDB
package import Replication

/// What a backup says of itself without being read through.
package struct BackupHeader: Hashable, Sendable {
    package var site: String
    package var replica: ReplicaID
    /// UTC milliseconds; 0 where the file does not say.
    package var made: Int64
    package var operations: Int
    package var tickets: Int

    /// - Throws: `StoreError.file` for a file that is no store.
    package static func read(_ path: String) throws -> BackupHeader {
        try BackupFile.read(path) { try read($0, path: path) }
    }

    /// - Parameter path: for the error.
    static func read(_ db: Database, path: String) throws -> BackupHeader {
        guard let identity = try Incarnation.identity(db) else {
            throw StoreError.file(path: path, operation: "reading", reason: "the file names no site")
        }
        let count = { (key: String, sql: String) throws -> Int in
            try Meta.integer(key, db).map(Int.init) ?? Int.fetchOne(db, sql: sql) ?? 0
        }
        return BackupHeader(
            site: identity.site.rawValue, replica: identity.replica,
            made: try Meta.integer(BackupFile.madeKey, db) ?? 0,
            operations: try count(BackupFile.operationsKey, "SELECT count(*) FROM operation"),
            tickets: try count(BackupFile.ticketsKey, "SELECT count(*) FROM ticket"))
    }
}

/// A copy of a store as one file: no write-ahead log beside it, and facts about itself in `meta`.
enum BackupFile {
    static let madeKey = "backup_made"
    static let operationsKey = "backup_operations"
    static let ticketsKey = "backup_tickets"
    /// Stands behind the name of a file that is not finished.
    static let partSuffix = ".part"
    static let pagesPerStep: Int32 = 1_000

    static func read<Value>(_ path: String, _ body: (Database) throws -> Value) throws -> Value {
        guard FileManager.default.fileExists(atPath: path) else {
            throw StoreError.file(path: path, operation: "opening the backup", reason: "there is no such file")
        }
        var configuration = Configuration()
        configuration.readonly = true
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            defer { try? queue.close() }
            return try queue.read(body)
        } catch let error as DatabaseError {
            throw StoreError.file(path: path, operation: "opening the backup", reason: "\(error)")
        }
    }

    static func write(_ path: String, _ body: (Database) throws -> Void) throws {
        do {
            let queue = try DatabaseQueue(path: path)
            try queue.writeWithoutTransaction(body)
            try queue.close()
        } catch let error as DatabaseError {
            throw StoreError.file(path: path, operation: "writing the backup", reason: "\(error)")
        }
    }

    static func remove(_ path: String) {
        for suffix in ["", "-wal", "-shm", "-journal"] { try? FileManager.default.removeItem(atPath: path + suffix) }
    }
}

extension StoreReader {
    /// A copy of the store made while it is in use. It is written under another name, read from end to end, and only then
    /// given its own: a file of that name is whole.
    /// - Parameter now: UTC milliseconds, which the copy says it was made at.
    /// - Parameter progress: parts done and parts in all; the first half is copying.
    /// - Returns: what was verified.
    /// - Throws: `StoreError.file` if the name is taken or the disk fails; `.damagedBackup` if the store itself is damaged
    ///   and the copy with it.
    package func backup(to path: String, now: Int64, progress: @escaping (Int, Int) -> Void) throws -> BackupContent {
        let part = path + BackupFile.partSuffix
        try Self.requireFree(path)
        BackupFile.remove(part)
        do {
            try copy(to: part) { progress($0, $1 * 2) }
            var content = try BackupContent.read(part) { progress($1 + $0, $1 * 2) }
            guard content.findings.isEmpty else {
                throw StoreError.damagedBackup(path: path, findings: content.findings)
            }
            try BackupFile.write(part) { db in
                try Meta.set(BackupFile.madeKey, now, db)
                try Meta.set(BackupFile.operationsKey, content.operations, db)
                try Meta.set(BackupFile.ticketsKey, content.tickets, db)
                content.header = try BackupHeader.read(db, path: part)
            }
            try DurableFile.flush(part)
            try Self.requireFree(path)
            try DurableFile.rename(part, to: path)
            return content
        } catch {
            BackupFile.remove(part)
            throw error
        }
    }

    private static func requireFree(_ path: String) throws {
        guard !FileManager.default.fileExists(atPath: path) else {
            throw StoreError.file(path: path, operation: "backup", reason: "the file exists; choose another name")
        }
    }

    private func copy(to path: String, progress: @escaping (Int, Int) -> Void) throws {
        do {
            let target = try DatabaseQueue(path: path)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
            try pool.backup(to: target, pagesPerStep: BackupFile.pagesPerStep) {
                progress($0.completedPageCount, $0.totalPageCount)
            }
            // One file, which also opens where nothing can be written beside it.
            try target.writeWithoutTransaction { try $0.execute(sql: "PRAGMA journal_mode = DELETE") }
            try target.close()
        } catch let error as DatabaseError {
            throw StoreError.file(path: path, operation: "backup", reason: "\(error)")
        }
    }
}
