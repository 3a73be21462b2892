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
}
