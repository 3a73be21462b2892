internal import Foundation

/// The folder of one node: who owns it, and where things lie in it.
///
///     banjie.db        the store            node.yaml     configuration
///     lock             pid of the owner     tls/          keys and certificates (mode 0700)
///     run/admin.sock   admin socket         backups/      made by `banjie backup create`
///     epoch            how far the database is, kept outside it
///     search.db        the full-text index, made anew from the store where it is missing
///     bundles/         made by `banjie sync bundle create`
package struct DataFolder: Sendable {
    package let path: String

    package init(path: String) {
        self.path = path.hasSuffix("/") && path.count > 1 ? String(path.dropLast()) : path
    }

    package var database: String { path + "/banjie.db" }
    package var searchIndex: String { path + "/search.db" }
    package var lock: String { path + "/lock" }
    package var epoch: String { path + "/epoch" }
    package var configuration: String { path + "/node.yaml" }
    package var catalog: String { path + "/catalog.json" }
    package var tls: String { path + "/tls" }
    package var run: String { path + "/run" }
    package var adminSocket: String { path + "/run/admin.sock" }
    package var backups: String { path + "/backups" }
    package var bundles: String { path + "/bundles" }

    package var isInitialised: Bool { FileManager.default.fileExists(atPath: database) }

    /// Makes the folder and those below it, readable by their owner alone.
    package func create() throws {
        for folder in [path, tls, run, backups, bundles] {
            do {
                try FileManager.default.createDirectory(
                    atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
                try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder)
            } catch {
                throw StoreError.file(path: folder, operation: "creating the folder", reason: "\(error)")
            }
        }
    }
}

/// Ownership of a data folder by one process for as long as the value lives. The kernel gives the lock back when the
/// process ends, however it ends.
package final class FolderLock: Sendable {
    private let descriptor: Int32

    private static let pollMicroseconds: UInt32 = 20_000

    /// - Parameter patienceMilliseconds: how long to wait for another owner, such as a command that is about to end.
    /// - Throws: `StoreError.folderInUse` naming the owner, or `.file`.
    package init(_ folder: DataFolder, patienceMilliseconds: Int = 0) throws {
        let descriptor = open(folder.lock, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StoreError.file(path: folder.lock, operation: "opening", reason: String(cString: strerror(errno)))
        }
        var waitedMicroseconds = 0
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard waitedMicroseconds < patienceMilliseconds * 1_000 else {
                defer { close(descriptor) }
                throw StoreError.folderInUse(path: folder.path, owner: Self.owner(descriptor))
            }
            usleep(Self.pollMicroseconds)
            waitedMicroseconds += Int(Self.pollMicroseconds)
        }
        self.descriptor = descriptor
        let text = "process \(getpid()) (\(CommandLine.arguments.first ?? "?"))\n"
        _ = ftruncate(descriptor, 0)
        _ = text.withCString { pwrite(descriptor, $0, strlen($0), 0) }
    }

    deinit {
        close(descriptor)
    }

    private static func owner(_ descriptor: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = pread(descriptor, &buffer, buffer.count, 0)
        let text = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
        return text.isEmpty ? "another process" : text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
