import GRDBSQLite

/// What SQLite holds for an open file of a `FaultDisk`: this header, and behind it the system's own.
struct FaultFile {
    private final class Open {
        let disk: FaultDisk
        let path: String

        init(disk: FaultDisk, path: String) {
            self.disk = disk
            self.path = path
        }
    }

    private var base: sqlite3_file
    private var open: Unmanaged<Open>

    static let headerBytes = (MemoryLayout<FaultFile>.size + 15) / 16 * 16

    static func inner(_ file: UnsafeMutablePointer<sqlite3_file>) -> UnsafeMutablePointer<sqlite3_file> {
        (UnsafeMutableRawPointer(file) + headerBytes).assumingMemoryBound(to: sqlite3_file.self)
    }

    static func begin(_ file: UnsafeMutablePointer<sqlite3_file>, disk: FaultDisk, path: String) {
        UnsafeMutableRawPointer(file).assumingMemoryBound(to: FaultFile.self).initialize(
            to: FaultFile(
                base: sqlite3_file(pMethods: methods), open: .passRetained(Open(disk: disk, path: path))))
    }

    private static func open(_ file: UnsafeMutablePointer<sqlite3_file>) -> Open {
        UnsafeMutableRawPointer(file).assumingMemoryBound(to: FaultFile.self).pointee.open.takeUnretainedValue()
    }

    private static func call(_ file: UnsafeMutablePointer<sqlite3_file>) -> sqlite3_io_methods {
        inner(file).pointee.pMethods.pointee
    }

    /// Those of version 2: with shared memory, without mapping the file itself, which would write past this.
    private nonisolated(unsafe) static let methods: UnsafePointer<sqlite3_io_methods> = {
        var table = sqlite3_io_methods()
        table.iVersion = 2
        table.xClose = { file in
            guard let file else { return SQLITE_OK }
            let code = call(file).xClose(inner(file))
            UnsafeMutableRawPointer(file).assumingMemoryBound(to: FaultFile.self).pointee.open.release()
            return code
        }
        table.xRead = { file, buffer, count, offset in
            file.map { call($0).xRead(inner($0), buffer, count, offset) } ?? SQLITE_IOERR
        }
        table.xWrite = { file, buffer, count, offset in
            guard let file, let buffer else { return IOError.write }
            return write(file, UnsafeRawBufferPointer(start: buffer, count: Int(count)), at: offset)
        }
        table.xTruncate = { file, size in
            file.map { truncate($0, to: size) } ?? IOError.truncate
        }
        table.xSync = { file, _ in
            file.map { flush($0) } ?? IOError.flush
        }
        table.xFileSize = { file, size in
            file.map { call($0).xFileSize(inner($0), size) } ?? SQLITE_IOERR
        }
        table.xLock = { file, level in file.map { call($0).xLock(inner($0), level) } ?? SQLITE_IOERR }
        table.xUnlock = { file, level in file.map { call($0).xUnlock(inner($0), level) } ?? SQLITE_IOERR }
        table.xCheckReservedLock = { file, isReserved in
            file.map { call($0).xCheckReservedLock(inner($0), isReserved) } ?? SQLITE_IOERR
        }
        table.xFileControl = { file, code, argument in
            file.map { call($0).xFileControl(inner($0), code, argument) } ?? SQLITE_IOERR
        }
        table.xSectorSize = { file in file.map { call($0).xSectorSize(inner($0)) } ?? 512 }
        table.xDeviceCharacteristics = { file in file.map { call($0).xDeviceCharacteristics(inner($0)) } ?? 0 }
        table.xShmMap = { file, page, bytes, extends, mapped in
            file.map { call($0).xShmMap(inner($0), page, bytes, extends, mapped) } ?? SQLITE_IOERR
        }
        table.xShmLock = { file, offset, count, flags in
            file.map { call($0).xShmLock(inner($0), offset, count, flags) } ?? SQLITE_IOERR
        }
        table.xShmBarrier = { file in if let file { call(file).xShmBarrier(inner(file)) } }
        table.xShmUnmap = { file, deletes in
            file.map { call($0).xShmUnmap(inner($0), deletes) } ?? SQLITE_OK
        }
        let pointer = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
        pointer.initialize(to: table)
        return UnsafePointer(pointer)
    }()

    // MARK: What changes the file

    private static func write(
        _ file: UnsafeMutablePointer<sqlite3_file>, _ bytes: UnsafeRawBufferPointer, at offset: Int64
    ) -> Int32 {
        let open = open(file)
        let verdict = open.disk.verdict(on: .write)
        let count: Int
        switch verdict {
        case .done: count = bytes.count
        case .short: count = bytes.count / 2
        case .full: return SQLITE_FULL
        case .refused, .unknownFlush, .lyingFlush: return IOError.write
        }
        let before = content(file, from: offset, count: count)
        let code = call(file).xWrite(inner(file), bytes.baseAddress, Int32(count), offset)
        guard code == SQLITE_OK else { return code }
        open.disk.remember(
            Change(offset: offset, new: Array(bytes.prefix(count)), old: before.bytes, sizeBefore: before.size),
            of: open.path)
        return verdict == .short ? SQLITE_FULL : SQLITE_OK
    }

    private static func truncate(_ file: UnsafeMutablePointer<sqlite3_file>, to size: Int64) -> Int32 {
        let open = open(file)
        guard open.disk.verdict(on: .truncate) == .done else { return IOError.truncate }
        let before = content(file, from: size, count: Int.max)
        let code = call(file).xTruncate(inner(file), size)
        guard code == SQLITE_OK else { return code }
        open.disk.remember(
            Change(offset: size, new: nil, old: before.bytes, sizeBefore: before.size), of: open.path)
        return SQLITE_OK
    }

    /// Makes durable by this disk's record alone: a real flush would only cost time.
    private static func flush(_ file: UnsafeMutablePointer<sqlite3_file>) -> Int32 {
        let open = open(file)
        switch open.disk.verdict(on: .flush) {
        case .done: open.disk.flushed(open.path)
        case .lyingFlush: break
        // What was written stays as likely to be there as not: `restorePower` decides.
        case .refused, .full, .short, .unknownFlush: return IOError.flush
        }
        return SQLITE_OK
    }

    private static func content(
        _ file: UnsafeMutablePointer<sqlite3_file>, from offset: Int64, count: Int
    ) -> (bytes: [UInt8], size: Int64) {
        var size: Int64 = 0
        guard call(file).xFileSize(inner(file), &size) == SQLITE_OK, offset < size else { return ([], size) }
        let length = Int(min(Int64(count), size - offset))
        var bytes = [UInt8](repeating: 0, count: length)
        _ = bytes.withUnsafeMutableBytes { call(file).xRead(inner(file), $0.baseAddress, Int32(length), offset) }
        return (bytes, size)
    }
}
