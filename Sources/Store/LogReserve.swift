internal import GRDB
internal import GRDBSQLite
internal import Synchronization

/// Has the write-ahead log written in long pieces and checkpointed, and keeps its file longer than what is written in it.
///
/// A commit that makes the file longer waits for its inode as well: a second write to the disk, and a third of a short
/// commit's time. Zeros behind the last frame are no frame to SQLite. What goes wrong here is no failure: the log then
/// grows with its commits. Source: Protocols/operations.md §6.
final class LogReserve: Sendable {
    /// Bytes that are added at a time; they go to the disk with the next commit.
    static let stepBytes: Int64 = 1_048_576
    /// The file grows when less than this is left behind the last frame: some hundred and twenty pages.
    static let roomBytesMin: Int64 = 262_144

    private static let headerBytes: Int64 = 32
    private static let frameHeaderBytes: Int64 = 24
    private static let zeros = [UInt8](repeating: 0, count: 65_536)

    private struct State {
        /// Bytes that the file is known to have: asking for them makes the next commit write the file's times.
        var end: Int64 = 0
        /// After the last commit.
        var used: Int64 = 0
    }

    private let state = Mutex(State())
    private let frameBytes: Int64
    private let buffer = LogBuffer()
    let checkpointer: Checkpointer

    /// Takes the place of `PRAGMA wal_autocheckpoint`.
    /// - Parameter db: the writer's connection, in WAL mode with synchronous FULL. It has to be closed before this goes.
    /// - Parameter path: of the database.
    init(_ db: Database, path: String) throws {
        checkpointer = Checkpointer(path: path)
        frameBytes = Self.frameHeaderBytes + (try Int64.fetchOne(db, sql: "PRAGMA page_size") ?? 0)
        if let log = Self.log(of: db.sqliteConnection) { buffer.attach(to: log) }
        sqlite3_wal_hook(
            db.sqliteConnection,
            { context, connection, name, pages in
                guard let context else { return SQLITE_OK }
                let reserve = Unmanaged<LogReserve>.fromOpaque(context).takeUnretainedValue()
                if pages < Store.checkpointPages {
                    reserve.checkpointer.rest()
                    reserve.grow(connection, Int64(pages))
                } else if reserve.checkpointer.advance() {
                    sqlite3_wal_checkpoint_v2(connection, name, SQLITE_CHECKPOINT_PASSIVE, nil, nil)
                }
                return SQLITE_OK
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    private func grow(_ connection: OpaquePointer?, _ pages: Int64) {
        state.withLock { state in
            let used = Self.headerBytes + pages * frameBytes
            let written = used - state.used
            state.used = used
            // It has begun anew, perhaps at a length of nothing.
            if written <= 0 { state.end = 0 }
            // What writes much at once waits for that, and not for the inode.
            guard written < Self.roomBytesMin, state.end - used < Self.roomBytesMin else { return }
            state.end = Self.lengthen(connection, used)
        }
    }

    /// - Returns: the file's length then; 0 if it is not known.
    private static func lengthen(_ connection: OpaquePointer?, _ used: Int64) -> Int64 {
        guard let log = log(of: connection), let methods = log.pointee.pMethods?.pointee,
            let size = methods.xFileSize, let write = methods.xWrite
        else { return 0 }
        var end: sqlite3_int64 = 0
        guard size(log, &end) == SQLITE_OK else { return 0 }
        guard end - used < roomBytesMin else { return end }
        let goal = max(end, used) + stepBytes
        zeros.withUnsafeBytes { zeros in
            while end < goal, write(log, zeros.baseAddress, Int32(zeros.count), end) == SQLITE_OK {
                end += Int64(zeros.count)
            }
        }
        return end
    }

    private static func log(of connection: OpaquePointer?) -> UnsafeMutablePointer<sqlite3_file>? {
        var log: UnsafeMutablePointer<sqlite3_file>?
        let code = sqlite3_file_control(connection, nil, SQLITE_FCNTL_JOURNAL_POINTER, &log)
        return code == SQLITE_OK ? log : nil
    }
}
