internal import GRDB
internal import GRDBSQLite
internal import Replication

/// A prepared statement with our own binds: on the merge path GRDB's arguments cost as much as SQLite itself.
/// GRDB prepares it and keeps it alive; it belongs to the connection that prepared it.
final class BoundStatement {
    private let statement: Statement
    private let pointer: OpaquePointer
    private let connection: OpaquePointer
    private let isHeld: Bool

    // SQLite copies the bytes before the bind returns.
    private static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    /// - Parameter isHeld: the connection keeps it for the next time: preparing costs a short read more than the read
    ///   itself. What has the same text then is the same statement, so no two of them may be stepped at once.
    init(_ db: Database, _ sql: String, isHeld: Bool = false) throws {
        self.isHeld = isHeld
        statement = try isHeld ? db.cachedStatement(sql: sql) : db.makeStatement(sql: sql)
        guard let connection = db.sqliteConnection else {
            throw DatabaseError(resultCode: .SQLITE_MISUSE, message: "the connection is closed", sql: sql)
        }
        pointer = statement.sqliteStatement
        self.connection = connection
    }

    deinit {
        // One that is left in the middle would hold the connection's snapshot.
        guard isHeld else { return }
        sqlite3_reset(pointer)
        sqlite3_clear_bindings(pointer)
    }

    /// The integer that a held statement finds; 0 for none or NULL.
    static func integer(_ db: Database, _ sql: String, _ arguments: Int64...) throws -> Int64 {
        let row = try BoundStatement(db, sql, isHeld: true)
        for (index, argument) in arguments.enumerated() { row.bind(Int32(index + 1), argument) }
        return try row.step() ? row.integer(0) : 0
    }

    func bind(_ index: Int32, _ value: Int64) {
        sqlite3_bind_int64(pointer, index, value)
    }

    func bind(_ index: Int32, _ value: Int) {
        sqlite3_bind_int64(pointer, index, Int64(value))
    }

    func bind(_ index: Int32, _ value: UInt64) {
        sqlite3_bind_int64(pointer, index, Int64(bitPattern: value))
    }

    func bind(_ index: Int32, _ value: Int64?) {
        if let value { sqlite3_bind_int64(pointer, index, value) } else { sqlite3_bind_null(pointer, index) }
    }

    func bind(_ index: Int32, _ value: [UInt8]) {
        value.withUnsafeBytes { bind(index, $0) }
    }

    func bind(_ index: Int32, _ value: UnsafeRawBufferPointer) {
        // A null pointer would bind NULL instead of an empty blob.
        guard let base = value.baseAddress, value.count > 0 else {
            sqlite3_bind_zeroblob(pointer, index, 0)
            return
        }
        sqlite3_bind_blob(pointer, index, base, Int32(value.count), Self.transient)
    }

    func bind(_ index: Int32, _ value: String?) {
        guard var text = value else {
            sqlite3_bind_null(pointer, index)
            return
        }
        text.withUTF8 { utf8 in
            if let base = utf8.baseAddress {
                base.withMemoryRebound(to: CChar.self, capacity: utf8.count) {
                    _ = sqlite3_bind_text(pointer, index, $0, Int32(utf8.count), Self.transient)
                }
            } else {
                sqlite3_bind_text(pointer, index, "", 0, Self.transient)
            }
        }
    }

    /// Binds type, high and low to the first three parameters.
    func bind(_ entity: EntityID) {
        bind(1, Int(entity.type.rawValue))
        bind(2, entity.high)
        bind(3, entity.low)
    }

    /// Binds bytes without copying them: the caller keeps them until the statement has run.
    func bindInPlace(_ index: Int32, _ value: UnsafeRawBufferPointer) {
        // A null pointer would bind NULL instead of an empty blob.
        guard let base = value.baseAddress, value.count > 0 else {
            sqlite3_bind_zeroblob(pointer, index, 0)
            return
        }
        sqlite3_bind_blob(pointer, index, base, Int32(value.count), nil)
    }

    /// Binds UTF-8 as text, and runs while it is there.
    func run(_ index: Int32, utf8: UnsafeRawBufferPointer) throws {
        // Neither copied nor freed: the bytes outlive the step, and the next one binds others.
        let start = utf8.baseAddress?.assumingMemoryBound(to: CChar.self)
        sqlite3_bind_text(pointer, index, start, Int32(utf8.count), nil)
        try run()
    }

    /// Runs a statement that returns no rows and makes it ready for the next binds.
    func run() throws {
        let code = sqlite3_step(pointer)
        sqlite3_reset(pointer)
        guard code == SQLITE_DONE || code == SQLITE_ROW else { throw error(code) }
    }

    /// - Returns: true while there is a row; after false the statement is ready for the next binds.
    func step() throws -> Bool {
        let code = sqlite3_step(pointer)
        switch code {
        case SQLITE_ROW: return true
        case SQLITE_DONE:
            sqlite3_reset(pointer)
            return false
        default:
            sqlite3_reset(pointer)
            throw error(code)
        }
    }

    func reset() {
        sqlite3_reset(pointer)
    }

    func integer(_ column: Int32) -> Int64 {
        sqlite3_column_int64(pointer, column)
    }

    func unsigned(_ column: Int32) -> UInt64 {
        UInt64(bitPattern: sqlite3_column_int64(pointer, column))
    }

    func isNull(_ column: Int32) -> Bool {
        sqlite3_column_type(pointer, column) == SQLITE_NULL
    }

    func text(_ column: Int32) -> String {
        String(decoding: blob(column), as: UTF8.self)
    }

    /// Valid until the next step or reset.
    func blob(_ column: Int32) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            start: sqlite3_column_blob(pointer, column), count: Int(sqlite3_column_bytes(pointer, column)))
    }

    func bytes(_ column: Int32) -> [UInt8] {
        Array(blob(column))
    }

    /// The row's columns as bytes that are equal if and only if the columns are.
    func appendRow(to bytes: inout [UInt8]) {
        for column in 0..<sqlite3_column_count(pointer) {
            bytes.append(UInt8(truncatingIfNeeded: sqlite3_column_type(pointer, column)))
            let value = blob(column)
            withUnsafeBytes(of: value.count) { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: value)
        }
    }

    private func error(_ code: Int32) -> DatabaseError {
        DatabaseError(
            resultCode: ResultCode(rawValue: code), message: String(cString: sqlite3_errmsg(connection)),
            sql: statement.sql)
    }
}

extension Database {
    /// A transaction that is begun and committed by held statements: parsing the two words anew costs as much as a short
    /// read, and a small write more than some of its rows. What the body throws rolls it back.
    func transacting<Value>(_ kind: TransactionKind, _ body: () throws -> Value) throws -> Value {
        try BoundStatement(self, "BEGIN \(kind.rawValue)", isHeld: true).run()
        do {
            let value = try body()
            try BoundStatement(self, "COMMIT", isHeld: true).run()
            return value
        } catch {
            // SQLite may have rolled it back itself; the first error says what happened.
            try? rollback()
            throw error
        }
    }
}
