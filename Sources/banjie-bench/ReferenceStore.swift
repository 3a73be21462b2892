internal import Foundation
internal import GRDBSQLite
internal import Replication

/// What SQLite's C API does with the same texts: the measure of everything else here. Tables `log` (WITHOUT ROWID, by
/// origin and sequence, with an index by ticket and time), `ticket` and `register`; 2.6 statements an operation.
struct ReferenceStore {
    static let cacheKibibytes = 64 * 1024
    static let checkpointPages = 10_000

    private let database: OpaquePointer

    /// - Parameter isNew: makes an empty one in the place of what is there.
    init(path: String, isNew: Bool = true) throws {
        if isNew { for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) } }
        var handle: OpaquePointer?
        guard sqlite3_open(path, &handle) == SQLITE_OK, let handle else { throw BenchError("cannot open \(path)") }
        database = handle
        try run(
            """
            PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -\(Self.cacheKibibytes);
            PRAGMA wal_autocheckpoint = \(Self.checkpointPages);
            """)
        guard isNew else { return }
        try run(
            """
            CREATE TABLE log (
                origin INTEGER NOT NULL, seq INTEGER NOT NULL, time INTEGER NOT NULL, ticket INTEGER NOT NULL,
                kind INTEGER NOT NULL, field INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (origin, seq)
            ) WITHOUT ROWID;
            CREATE INDEX log_ticket ON log (ticket, time);
            CREATE TABLE ticket (
                id INTEGER PRIMARY KEY, origin INTEGER NOT NULL, status INTEGER NOT NULL, status_time INTEGER NOT NULL,
                opened INTEGER, closed INTEGER, chases INTEGER NOT NULL, operations INTEGER NOT NULL,
                changed INTEGER NOT NULL
            );
            CREATE TABLE register (
                ticket INTEGER NOT NULL, field INTEGER NOT NULL, time INTEGER NOT NULL, origin INTEGER NOT NULL,
                text TEXT NOT NULL, PRIMARY KEY (ticket, field)
            ) WITHOUT ROWID;
            """)
    }

    private func run(_ sql: String) throws {
        guard sqlite3_exec(database, sql, nil, nil, nil) == SQLITE_OK else {
            throw BenchError("reference: \(String(cString: sqlite3_errmsg(database)))")
        }
    }

    func prepare(_ sql: String) throws -> OpaquePointer {
        var statement: OpaquePointer?
        guard
            sqlite3_prepare_v3(database, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil) == SQLITE_OK,
            let statement
        else { throw BenchError("reference: \(String(cString: sqlite3_errmsg(database)))") }
        return statement
    }

    func step(_ statement: OpaquePointer) throws {
        guard sqlite3_step(statement) == SQLITE_DONE else {
            throw BenchError("reference: \(String(cString: sqlite3_errmsg(database)))")
        }
        sqlite3_reset(statement)
    }

    /// A row as plain memory, made before the clock starts.
    struct Row {
        var origin: Int64
        var sequence: Int64
        var time: Int64
        var ticket: Int64
        var kind: Int64
        var register: Int64
        var text: ContiguousArray<CChar>
    }

    static func rows(_ operations: some Sequence<WorkloadOperation>) -> [Row] {
        operations.map { entry in
            Row(
                origin: Int64(entry.origin), sequence: Int64(entry.operation.dot.sequence),
                time: Int64(entry.operation.time.rawValue), ticket: Int64(entry.ticket),
                kind: Int64(entry.operation.kind.rawValue), register: Int64(entry.register ?? -1),
                text: ContiguousArray(entry.text.utf8.map { CChar(bitPattern: $0) }))
        }
    }

    /// What writing takes, prepared once.
    struct Statements {
        let begin: OpaquePointer
        let commit: OpaquePointer
        let log: OpaquePointer
        let ticket: OpaquePointer
        let register: OpaquePointer

        func finalise() {
            for statement in [begin, commit, log, ticket, register] { sqlite3_finalize(statement) }
        }
    }

    func statements() throws -> Statements {
        Statements(
            begin: try prepare("BEGIN IMMEDIATE"), commit: try prepare("COMMIT"),
            log: try prepare("INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
            ticket: try prepare(
                """
                INSERT INTO ticket VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?4) ON CONFLICT (id) DO UPDATE SET
                    status = CASE WHEN excluded.status <> 0 AND excluded.status_time > status_time
                        THEN excluded.status ELSE status END,
                    status_time = CASE WHEN excluded.status <> 0
                        THEN max(status_time, excluded.status_time) ELSE status_time END,
                    opened = coalesce(opened, excluded.opened), closed = coalesce(excluded.closed, closed),
                    chases = chases + excluded.chases, operations = operations + 1,
                    changed = max(changed, excluded.changed)
                """),
            register: try prepare(
                """
                INSERT INTO register VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (ticket, field) DO UPDATE SET
                    time = excluded.time, origin = excluded.origin, text = excluded.text
                    WHERE (excluded.time, excluded.origin) > (time, origin)
                """))
    }

    /// - Returns: the time to the last commit and a checkpoint that empties the WAL, and the processor's.
    func write(_ rows: [Row], perTransaction: Int) throws -> Measured {
        let statements = try statements()
        defer { statements.finalise() }
        let start = Instant.now()
        _ = try write(rows[...], perTransaction: perTransaction, statements)
        sqlite3_wal_checkpoint_v2(database, nil, SQLITE_CHECKPOINT_TRUNCATE, nil, nil)
        return start.elapsed()
    }

    /// - Returns: the time to the last commit.
    func write(_ rows: ArraySlice<Row>, perTransaction: Int, _ statements: Statements) throws -> Measured {
        let start = Instant.now()
        for (index, row) in rows.enumerated() {
            if index % perTransaction == 0 { try step(statements.begin) }
            try insert(row, statements)
            if (index + 1) % perTransaction == 0 || index + 1 == rows.count { try step(statements.commit) }
        }
        return start.elapsed()
    }

    @inline(__always)
    func insert(_ row: Row, _ statements: Statements) throws {
        try row.text.withUnsafeBufferPointer { text in
            let count = Int32(text.count)
            let log = statements.log
            sqlite3_bind_int64(log, 1, row.origin)
            sqlite3_bind_int64(log, 2, row.sequence)
            sqlite3_bind_int64(log, 3, row.time)
            sqlite3_bind_int64(log, 4, row.ticket)
            sqlite3_bind_int64(log, 5, row.kind)
            sqlite3_bind_int64(log, 6, row.register)
            sqlite3_bind_text(log, 7, text.baseAddress, count, nil)
            try step(log)
            let ticket = statements.ticket
            sqlite3_bind_int64(ticket, 1, row.ticket)
            sqlite3_bind_int64(ticket, 2, row.ticket >> 32)
            sqlite3_bind_int64(
                ticket, 3, row.register == 100 ? 1 : row.register == 101 ? 2 : row.register == 102 ? 3 : 0)
            sqlite3_bind_int64(ticket, 4, row.time)
            if row.register == 100 {
                sqlite3_bind_int64(ticket, 5, row.time >> 16)
            } else {
                sqlite3_bind_null(ticket, 5)
            }
            if row.register == 102 {
                sqlite3_bind_int64(ticket, 6, row.time >> 16)
            } else {
                sqlite3_bind_null(ticket, 6)
            }
            sqlite3_bind_int64(ticket, 7, row.kind == 10 ? 1 : 0)
            try step(ticket)
            guard row.register >= 0 else { return }
            let register = statements.register
            sqlite3_bind_int64(register, 1, row.ticket)
            sqlite3_bind_int64(register, 2, row.register)
            sqlite3_bind_int64(register, 3, row.time)
            sqlite3_bind_int64(register, 4, row.origin)
            sqlite3_bind_text(register, 5, text.baseAddress, count, nil)
            try step(register)
        }
    }

    func close() {
        sqlite3_close(database)
    }

    static var version: String { String(cString: sqlite3_libversion()) }
}
