import GRDBSQLite

/// Extended result codes that SQLite's header makes with macros Swift does not read.
enum IOError {
    static let write = SQLITE_IOERR | (3 << 8)
    static let flush = SQLITE_IOERR | (4 << 8)
    static let truncate = SQLITE_IOERR | (6 << 8)
    static let delete = SQLITE_IOERR | (10 << 8)
}
