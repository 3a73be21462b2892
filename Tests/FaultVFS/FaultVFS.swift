import GRDBSQLite
import Synchronization

/// The process's default VFS of SQLite: files of a `FaultDisk` go through it, all others straight to the system's.
enum FaultVFS {
    private static let disks = Mutex<[FaultDisk]>([])
    /// Nil if SQLite has no VFS to stand on or takes none in.
    private static let isRegistered: Bool = register()

    static func add(_ disk: FaultDisk) {
        precondition(isRegistered, "SQLite takes no VFS")
        disks.withLock { $0.append(disk) }
    }

    static func remove(_ disk: FaultDisk) {
        disks.withLock { $0.removeAll { $0 === disk } }
    }

    private static func disk(of path: String) -> FaultDisk? {
        disks.withLock { $0.first { path.hasPrefix($0.prefix) } }
    }

    /// The system's VFS. Written once, before anything uses it.
    private nonisolated(unsafe) static var real: UnsafeMutablePointer<sqlite3_vfs>!

    private static func register() -> Bool {
        guard let system = sqlite3_vfs_find(nil) else { return false }
        real = system
        let vfs = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
        vfs.initialize(to: system.pointee)
        vfs.pointee.pNext = nil
        vfs.pointee.zName = UnsafePointer(name.utf8Start.withMemoryRebound(to: CChar.self, capacity: 1) { $0 })
        vfs.pointee.szOsFile = Int32(FaultFile.headerBytes) + system.pointee.szOsFile
        vfs.pointee.xOpen = { _, path, file, flags, outFlags in
            guard let path, let file else { return SQLITE_CANTOPEN }
            guard let disk = FaultVFS.disk(of: String(cString: path)) else {
                return FaultVFS.real.pointee.xOpen(FaultVFS.real, path, file, flags, outFlags)
            }
            let inner = FaultFile.inner(file)
            file.pointee.pMethods = nil
            let code = FaultVFS.real.pointee.xOpen(FaultVFS.real, path, inner, flags, outFlags)
            guard code == SQLITE_OK else { return code }
            FaultFile.begin(file, disk: disk, path: String(cString: path))
            return SQLITE_OK
        }
        vfs.pointee.xDelete = { _, path, syncsFolder in
            guard let path else { return IOError.delete }
            let name = String(cString: path)
            if let disk = FaultVFS.disk(of: name) {
                guard disk.verdict(on: .delete) == .done else { return IOError.delete }
                disk.flushed(name)
            }
            return FaultVFS.real.pointee.xDelete(FaultVFS.real, path, syncsFolder)
        }
        return sqlite3_vfs_register(vfs, 1) == SQLITE_OK
    }

    private static let name: StaticString = "banjie-fault"
}
