import GRDBSQLite
import Store

/// A connection of its own past everything that the store does: what a failing disk or a careless hand would change.
struct RawConnection {
    struct Failure: Error {
        var sql: String
        var message: String
    }

    private let path: String

    init(_ folder: DataFolder) {
        path = folder.database
    }

    init(path: String) {
        self.path = path
    }

    func execute(_ sql: String) throws {
        var connection: OpaquePointer?
        defer { sqlite3_close(connection) }
        guard sqlite3_open_v2(path, &connection, SQLITE_OPEN_READWRITE, nil) == SQLITE_OK,
            sqlite3_exec(connection, sql, nil, nil, nil) == SQLITE_OK
        else { throw Failure(sql: sql, message: String(cString: sqlite3_errmsg(connection))) }
    }

    /// The first column of the first row.
    func integer(_ sql: String) throws -> Int64 {
        var connection: OpaquePointer?
        defer { sqlite3_close(connection) }
        var statement: OpaquePointer?
        defer { sqlite3_finalize(statement) }
        guard sqlite3_open_v2(path, &connection, SQLITE_OPEN_READONLY, nil) == SQLITE_OK,
            sqlite3_prepare_v2(connection, sql, -1, &statement, nil) == SQLITE_OK,
            sqlite3_step(statement) == SQLITE_ROW
        else { throw Failure(sql: sql, message: String(cString: sqlite3_errmsg(connection))) }
        return sqlite3_column_int64(statement, 0)
    }
}
