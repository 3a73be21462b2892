internal import Foundation
internal import Glibc

/// Files that are whole or as before, whatever happens meanwhile.
package enum DurableFile {
    /// Writes beside, flushes, renames, and flushes the folder.
    /// - Throws: `StoreError.file`.
    package static func write(_ bytes: [UInt8], to path: String) throws {
        let temporary = path + ".new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw problem(path, "writing") }
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.write(descriptor, buffer.baseAddress.map { $0 + offset }, buffer.count - offset)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let error = problem(path, "writing")
                close(descriptor)
                throw error
            }
            offset += count
        }
        let isFlushed = fsync(descriptor) == 0
        let error = problem(path, "flushing")
        close(descriptor)
        guard isFlushed else { throw error }
        try rename(temporary, to: path)
    }

    /// Gives a file on the same disk its name, and returns once the name is on the disk.
    package static func rename(_ source: String, to path: String) throws {
        guard Glibc.rename(source, path) == 0 else { throw problem(path, "renaming \(source)") }
        try flushFolder(of: path)
    }

    /// Flushes a file that somebody else has written.
    package static func flush(_ path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw problem(path, "flushing") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw problem(path, "flushing") }
    }

    private static func flushFolder(of path: String) throws {
        try flush((path as NSString).deletingLastPathComponent)
    }

    private static func problem(_ path: String, _ operation: String) -> StoreError {
        StoreError.file(path: path, operation: operation, reason: String(cString: strerror(errno)))
    }
}
