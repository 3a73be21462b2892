import Glibc
import Node
import Store

// Files that come on a stick: they are read where they lie.
extension FuzzTarget {
    /// In memory where the machine has a file system for that.
    private static let path: String =
        (access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") + "/banjie-fuzz-\(getpid())"

    private static func withFile(_ bytes: [UInt8], _ body: (String) throws -> Void) throws {
        let descriptor = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0o600)
        guard descriptor >= 0, write(descriptor, bytes, bytes.count) == bytes.count else {
            throw Violation(description: "\(path) cannot be written: free some space there")
        }
        close(descriptor)
        defer { unlink(path) }
        try body(path)
    }

    static func runBundleFile(_ bytes: [UInt8]) throws {
        try withFile(bytes) { path in
            guard let reader = try? BundleFileReader(path: path) else { return }
            try? reader.forEachMessage(key: [UInt8](repeating: 7, count: 32)) { _ in }
        }
    }

    static func runBackup(_ bytes: [UInt8]) throws {
        try withFile(bytes) { path in
            _ = try? BackupContent.read(path) { _, _ in }  // Begins with the header.
        }
    }

    static func runExport(_ bytes: [UInt8]) throws {
        try withFile(bytes) { path in _ = try? AuditFileCheck.run(path) }
    }
}
