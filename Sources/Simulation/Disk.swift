internal import Foundation
internal import Store

/// Files of a data folder, copied as a crash or a careless hand would leave them.
enum Disk {
    private static let log = "banjie.db-wal"

    /// Bytes of the write-ahead log.
    static func logBytes(_ folder: String) -> Int {
        let attributes = try? FileManager.default.attributesOfItem(atPath: folder + "/" + log)
        return (attributes?[.size] as? NSNumber)?.intValue ?? 0
    }

    /// - Parameter logBytes: of the write-ahead log only so much reached the disk.
    static func copy(_ folder: String, to path: String, logBytes: Int? = nil) throws {
        let files = FileManager.default
        for part in ["", "/tls", "/run", "/backups", "/bundles"] {
            try files.createDirectory(atPath: path + part, withIntermediateDirectories: true)
        }
        for name in ["banjie.db", log, "epoch", "tls/sealing.key"] where files.fileExists(atPath: "\(folder)/\(name)") {
            try files.copyItem(atPath: "\(folder)/\(name)", toPath: "\(path)/\(name)")
        }
        if let logBytes, Self.logBytes(path) > logBytes {
            guard let handle = FileHandle(forWritingAtPath: path + "/" + log) else { return }
            try handle.truncate(atOffset: UInt64(logBytes))
            try handle.close()
        }
    }

    /// - Parameter pages: after so many the log goes into the database and begins anew; 0 for never.
    static func boundLog(of writer: StoreWriter, pages: Int) throws {
        try writer.executeForTests("PRAGMA wal_autocheckpoint = \(pages); PRAGMA journal_size_limit = 0")
    }

    static func replaceEpoch(in folder: String, by other: String) throws {
        let files = FileManager.default
        try? files.removeItem(atPath: folder + "/epoch")
        if files.fileExists(atPath: other + "/epoch") {
            try files.copyItem(atPath: other + "/epoch", toPath: folder + "/epoch")
        }
    }

    static func remove(_ folder: String) {
        try? FileManager.default.removeItem(atPath: folder)
    }
}
