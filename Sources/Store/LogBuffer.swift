internal import GRDBSQLite

/// Gathers what a connection writes into its write-ahead log, and hands it to the file in long pieces.
///
/// SQLite writes a frame in two pieces, header and page, and of each it makes a call of the system: some dozen for a
/// short commit, half of what a long one costs beside the disk. A frame is read by nobody else before its commit, and
/// with synchronous FULL a commit flushes the file before it tells others: until then the octets lie here. With
/// another level others would be told of frames that the file does not have yet. What goes wrong when they are written
/// is told by the call that has them written, and the transaction fails with it.
/// Source: Protocols/operations.md §6.
///
/// Belongs to the connection's thread, and has to outlive the connection.
final class LogBuffer: @unchecked Sendable {
    /// What is gathered before the file gets it; a piece of half as much goes straight to the file.
    static let bytesMax = 131_072

    /// SQLite finds the buffer behind the methods that it is given.
    private struct Table {
        var methods: sqlite3_io_methods
        let buffer: Unmanaged<LogBuffer>
    }

    private let table = UnsafeMutablePointer<Table>.allocate(capacity: 1)
    private let octets = UnsafeMutableRawPointer.allocate(byteCount: LogBuffer.bytesMax, alignment: 16)
    private var count = 0
    /// Of the first octet, in the file.
    private var start: sqlite3_int64 = 0
    /// The file's own methods; nil while it is closed.
    private var methods: UnsafePointer<sqlite3_io_methods>?

    deinit {
        octets.deallocate()
        table.deallocate()
    }

    /// Stands between the connection and its log from here on; does nothing if it does already, or there is no log.
    /// - Parameter file: the log's, by `SQLITE_FCNTL_JOURNAL_POINTER`.
    func attach(to file: UnsafeMutablePointer<sqlite3_file>) {
        guard methods == nil, let own = file.pointee.pMethods else { return }
        methods = own
        count = 0
        table.initialize(to: Table(methods: Self.gathering(own.pointee), buffer: .passUnretained(self)))
        file.pointee.pMethods = UnsafeRawPointer(table).assumingMemoryBound(to: sqlite3_io_methods.self)
    }

    private static func gathering(_ own: sqlite3_io_methods) -> sqlite3_io_methods {
        var methods = own
        methods.xWrite = { file, octets, count, offset in
            LogBuffer.of(file).write(file, octets, Int(count), at: offset)
        }
        methods.xRead = { file, octets, count, offset in
            LogBuffer.of(file).flushed(file) { $0.xRead(file, octets, count, offset) }
        }
        methods.xTruncate = { file, size in LogBuffer.of(file).flushed(file) { $0.xTruncate(file, size) } }
        methods.xSync = { file, flags in LogBuffer.of(file).flushed(file) { $0.xSync(file, flags) } }
        methods.xFileSize = { file, size in LogBuffer.of(file).flushed(file) { $0.xFileSize(file, size) } }
        methods.xClose = { file in LogBuffer.of(file).close(file) }
        return methods
    }

    private static func of(_ file: UnsafeMutablePointer<sqlite3_file>?) -> LogBuffer {
        guard let methods = file?.pointee.pMethods else { preconditionFailure("SQLite names the file it calls") }
        return UnsafeRawPointer(methods).assumingMemoryBound(to: Table.self).pointee.buffer.takeUnretainedValue()
    }

    private func write(
        _ file: UnsafeMutablePointer<sqlite3_file>?, _ piece: UnsafeRawPointer?, _ length: Int, at offset: sqlite3_int64
    ) -> Int32 {
        guard let piece else { return SQLITE_IOERR }
        if offset != start + sqlite3_int64(count) || count + length > Self.bytesMax {
            let code = flush(file)
            guard code == SQLITE_OK else { return code }
            guard length < Self.bytesMax / 2 else { return own.xWrite(file, piece, Int32(length), offset) }
            start = offset
        }
        (octets + count).copyMemory(from: piece, byteCount: length)
        count += length
        return SQLITE_OK
    }

    private func flushed(
        _ file: UnsafeMutablePointer<sqlite3_file>?, _ body: (sqlite3_io_methods) -> Int32
    ) -> Int32 {
        let code = flush(file)
        return code == SQLITE_OK ? body(own) : code
    }

    /// What the file does not take is gone, and with it the transaction that it is of.
    private func flush(_ file: UnsafeMutablePointer<sqlite3_file>?) -> Int32 {
        guard count > 0 else { return SQLITE_OK }
        defer { count = 0 }
        return own.xWrite(file, octets, Int32(count), start)
    }

    /// What is still here belongs to no commit.
    private func close(_ file: UnsafeMutablePointer<sqlite3_file>?) -> Int32 {
        let own = own
        file?.pointee.pMethods = methods
        methods = nil
        count = 0
        return own.xClose(file)
    }

    private var own: sqlite3_io_methods {
        guard let methods else { preconditionFailure("a closed file is not called") }
        return methods.pointee
    }
}
