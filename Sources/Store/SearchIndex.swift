internal import Foundation
internal import GRDB
internal import Replication
internal import Synchronization
internal import Tickets

/// What the search index takes in next: read from the log, with its tokens apart.
package struct SearchStep: Sendable {
    /// Operations that one step takes in.
    package static let operationsMax = 8_000

    /// Where the index has to stand.
    fileprivate let start: SearchStanding
    /// Where it stands with it.
    fileprivate var end: SearchStanding
    /// Arrivals of operations that say something, and where their text ends in `bytes`.
    fileprivate var texts: [(arrival: Int64, end: Int)] = []
    fileprivate var bytes: [UInt8] = []

    fileprivate init(after start: SearchStanding) {
        self.start = start
        end = start
    }

    /// The log has nothing behind it.
    package var isEmpty: Bool { end == start }
}

/// The last operation that the index has: an arrival number is given again once what it was given to has left the log.
private struct SearchStanding: Hashable, Sendable {
    var arrival: Int64
    var hash: ContentHash

    /// The log's beginning.
    init() {
        arrival = 0
        hash = .zero
    }

    /// Of a row, by its columns. A hash that is none counts as zeros.
    init(_ row: BoundStatement, arrival: Int32, hash: Int32) {
        self.arrival = row.integer(arrival)
        self.hash = ContentHash(row.blob(hash)) ?? .zero
    }
}

/// The full-text index over the log, in a database of its own beside the store's, so that neither waits for the other.
///
/// It may be behind the log, be lost, or belong to another history after a restore: it tells by the last operation that
/// it has, and begins anew. So it does where a step or a search meets damage. Opened when it is first used. May be used from any
/// thread; calls that write wait for one another and for the disk. Source: Protocols/operations.md §6.
package final class SearchIndex: Sendable {
    /// Rows of the log that are in memory at once.
    private static let rowsMax = 500
    /// Pages that one call of `merge` writes, about.
    private static let mergePages = 256
    /// Page cache, KiB.
    private static let cacheKibibytes = 2 * 1024
    /// Pages its write-ahead log may grow to.
    private static let checkpointPages = 4_000
    /// Of the tables below: a file of another version is made anew.
    private static let version = 1

    /// The name under which readers of the store attach it.
    static let schemaName = "found"

    private static let tables = """
        -- The last operation that is indexed.
        CREATE TABLE standing (id INTEGER PRIMARY KEY CHECK (id = 1), arrival INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
        -- Text of operations by arrival, with tokens apart.
        CREATE VIRTUAL TABLE search USING fts5(text, content='', columnsize=0, tokenize="ascii");
        -- Bytes of new entries that are gathered in memory before they are written: as many as stay in a processor's
        -- cache. Larger ones make fewer segments and cost more for each entry.
        INSERT INTO search (search, rank) VALUES ('hashsize', 1048576);
        -- Segments are joined when there is nothing else to do, sixteen at a time. While a backlog comes in they may grow
        -- to 64 of a level before the index joins them by itself, and a search looks into all of them.
        INSERT INTO search (search, rank) VALUES ('usermerge', 16);
        INSERT INTO search (search, rank) VALUES ('automerge', 64);
        INSERT INTO search (search, rank) VALUES ('crisismerge', 128);
        """

    private let path: String
    private let pool: DatabasePool
    /// Whoever works on the index holds it.
    private let lock = NSLock()
    /// Nil until it is used.
    nonisolated(unsafe) private var opened: DatabaseQueue?
    /// There is a file that readers can attach.
    private let isThere = Atomic(false)
    /// It was looked through since it was made, because a search had met damage somewhere.
    private let isSound = Atomic(false)
    /// Nil until it is known.
    private let standing = Mutex<SearchStanding?>(nil)
    private let lossHandler = Mutex<(@Sendable () -> Void)?>(nil)

    /// - Parameter pool: of the store whose log is indexed.
    init(path: String, pool: DatabasePool) {
        self.path = path
        self.pool = pool
    }

    // MARK: Following the log

    /// Operations that the index is behind the log; all of them where it belongs to another history.
    package func backlog() throws -> Int {
        let known = try standing.withLock { $0 } ?? work { try Self.standing($0) }
        return try pool.unsafeRead { db in
            let last = try OperationRow.lastArrival(db)
            return Int(last - (try Self.holds(known, db) ? known.arrival : 0))
        }
    }

    /// Reads the operations behind what the index has.
    package func step() throws -> SearchStep {
        try read(SearchStep(after: work { try Self.standing($0) }))
    }

    /// Reads the operations behind those of a step that may be on its way into the index.
    package func step(after former: SearchStep) throws -> SearchStep {
        try read(SearchStep(after: former.end))
    }

    private func read(_ empty: SearchStep) throws -> SearchStep {
        var step = empty
        // Some at a time: each only copied within its snapshot, which keeps the write-ahead log from beginning anew.
        for _ in 0..<SearchStep.operationsMax / Self.rowsMax {
            let rows = try rows(&step)
            for row in rows {
                step.end = row.standing
                guard let body = try? Body(kind: row.kind, bytes: row.body) else { continue }
                let start = step.bytes.count
                for text in SearchText.texts(of: body) { SearchText.space(text, into: &step.bytes) }
                if step.bytes.count > start { step.texts.append((row.standing.arrival, step.bytes.count)) }
            }
            if rows.count < Self.rowsMax { break }
        }
        return step
    }

    private struct LogRow {
        let standing: SearchStanding
        let kind: OperationKind
        let body: [UInt8]
    }

    /// Those behind a step's end. Where the log does not have what the step stands on, an empty one becomes one from the
    /// log's beginning, and another has no more rows.
    private func rows(_ step: inout SearchStep) throws -> [LogRow] {
        try pool.unsafeRead { db in
            try db.transacting(.deferred) {
                if try !Self.holds(step.end, db) {
                    guard step.isEmpty else { return [] }
                    step = SearchStep(after: SearchStanding())
                }
                let rows = try BoundStatement(
                    db, "SELECT arrival, kind, body, hash FROM operation WHERE arrival > ?1 ORDER BY arrival LIMIT ?2",
                    isHeld: true)
                rows.bind(1, step.end.arrival)
                rows.bind(2, Self.rowsMax)
                var found: [LogRow] = []
                found.reserveCapacity(Self.rowsMax)
                while try rows.step() {
                    found.append(
                        LogRow(
                            standing: SearchStanding(rows, arrival: 0, hash: 3),
                            kind: OperationKind(rawValue: UInt16(truncatingIfNeeded: rows.integer(1))),
                            body: rows.bytes(2)))
                }
                return found
            }
        }
    }

    /// Whether the log has that operation in that place.
    private static func holds(_ standing: SearchStanding, _ db: Database) throws -> Bool {
        guard standing.arrival > 0 else { return true }
        let row = try BoundStatement(db, "SELECT arrival, hash FROM operation WHERE arrival = ?1", isHeld: true)
        row.bind(1, standing.arrival)
        return try row.step() && SearchStanding(row, arrival: 0, hash: 1) == standing
    }

    /// Takes a step into the index. One from the log's beginning empties an index of another history before; one that does
    /// not follow what the index has is left out.
    package func take(_ step: SearchStep) throws {
        guard !step.isEmpty else { return }
        if step.start.arrival == 0 {
            let former = try work { try Self.standing($0) }
            if try !pool.unsafeRead({ try Self.holds(former, $0) }) { reset() }
        }
        try work { db in
            let reached = try db.transacting(.immediate) {
                let present = try Self.standing(db)
                guard present == step.start else { return present }
                let insert = try BoundStatement(db, "INSERT INTO search (rowid, text) VALUES (?1, ?2)", isHeld: true)
                try step.bytes.withUnsafeBytes { bytes in
                    var start = 0
                    for text in step.texts {
                        insert.bind(1, text.arrival)
                        try insert.run(2, utf8: UnsafeRawBufferPointer(rebasing: bytes[start..<text.end]))
                        start = text.end
                    }
                }
                let row = try BoundStatement(db, "REPLACE INTO standing VALUES (1, ?1, ?2)", isHeld: true)
                row.bind(1, step.end.arrival)
                step.end.hash.withBytes { row.bind(2, $0) }
                try row.run()
                return step.end
            }
            standing.withLock { $0 = reached }
        }
    }

    /// Takes the next operations of the log in.
    /// - Returns: how many operations the index is still behind.
    @discardableResult
    package func advance() throws -> Int {
        try take(step())
        return try backlog()
    }

    /// Joins segments of the index, some at a time, so that a search looks into few. For when nothing else is to do:
    /// new entries are found without it.
    /// - Returns: whether there may be more to join.
    package func merge() throws -> Bool {
        try work { db in
            let before = db.totalChangesCount
            try db.execute(
                sql: "INSERT INTO search (search, rank) VALUES ('merge', ?)", arguments: [Self.mergePages])
            // SQLite counts one change for the command itself.
            return db.totalChangesCount - before >= 2
        }
    }

    // MARK: Asking

    /// - Parameter body: is called on the thread of a search that has found the index lost or damaged, and empty from now
    ///   on: somebody has to take the log in.
    package func onLoss(_ body: @escaping @Sendable () -> Void) {
        lossHandler.withLock { $0 = body }
    }

    /// One snapshot of the store and one of the index, which is attached to the connection as `schemaName`. A damaged index
    /// begins anew, and finds nothing for now.
    func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
        // There is a file to attach. Whoever works on it is not waited for.
        if !isThere.load(ordering: .acquiring) { try work { _ in } }
        do {
            return try pool.unsafeRead { try attached($0, body) }
        } catch let error as DatabaseError where [.SQLITE_CANTOPEN, .SQLITE_ERROR].contains(error.resultCode) {
            // It has just begun anew, or somebody has taken it away.
            return try readAnew(where: { !FileManager.default.fileExists(atPath: path) }, body)
        } catch let error as DatabaseError where [.SQLITE_CORRUPT, .SQLITE_NOTADB].contains(error.resultCode) {
            // It may be the store that is damaged: an index that was looked through once is not suspected again.
            guard !isSound.load(ordering: .relaxed) else { throw error }
            guard try fault() != nil else {
                isSound.store(true, ordering: .relaxed)
                throw error
            }
            return try readAnew(where: { true }, body)
        }
    }

    private func readAnew<Value>(where isLost: () -> Bool, _ body: (Database) throws -> Value) throws -> Value {
        let hasBegunAnew = try lock.withLock {
            guard isLost() else { return false }
            _ = try replace()
            return true
        }
        pool.invalidateReadOnlyConnections()
        if hasBegunAnew { lossHandler.withLock { $0 }?() }
        return try pool.unsafeRead { try attached($0, body) }
    }

    private func attached<Value>(_ db: Database, _ body: (Database) throws -> Value) throws -> Value {
        let isAttached = try Bool.fetchOne(
            db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM pragma_database_list WHERE name = ?)"),
            arguments: [Self.schemaName])
        if isAttached != true { try db.execute(sql: "ATTACH ? AS \(Self.schemaName)", arguments: [path]) }
        return try db.transacting(.deferred) { try body(db) }
    }

    /// Runs FTS5's own check.
    /// - Returns: what is wrong; nil if nothing.
    package func fault() throws -> String? {
        do {
            try work(isHealing: false) {
                try $0.execute(sql: "INSERT INTO search (search) VALUES ('integrity-check')")
            }
            return nil
        } catch let error as DatabaseError where Self.isDamage(error) {
            return error.message ?? "corrupt"
        }
    }

    // MARK: The file

    /// Throws the file away: the index begins anew when it is used next.
    package func reset() {
        lock.withLock { remove() }
    }

    private func remove() {
        try? opened?.close()
        opened = nil
        isThere.store(false, ordering: .releasing)
        isSound.store(false, ordering: .relaxed)
        standing.withLock { $0 = nil }
        Self.remove(path)
        // Those at hand are attached to the file that is gone.
        pool.invalidateReadOnlyConnections()
    }

    static func remove(_ path: String) {
        for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) }
    }

    func close() {
        lock.withLock {
            try? opened?.close()
            opened = nil
        }
    }

    /// Changes its tables behind its back.
    package func executeForTests(_ sql: String) throws {
        try work { try $0.execute(sql: sql) }
    }

    private static func isDamage(_ error: DatabaseError) -> Bool {
        // What FTS5 writes twice breaks a constraint: it has lost sight of what is there.
        [.SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_CONSTRAINT].contains(error.resultCode)
    }

    /// - Parameter isHealing: a damaged index begins anew, and the body is run on that.
    private func work<Value>(isHealing: Bool = true, _ body: (Database) throws -> Value) throws -> Value {
        try lock.withLock {
            let queue = try opened ?? open()
            do {
                return try queue.writeWithoutTransaction(body)
            } catch let error as DatabaseError where isHealing && Self.isDamage(error) {
                return try replace().writeWithoutTransaction(body)
            }
        }
    }

    private func open() throws -> DatabaseQueue {
        do {
            let found = try connect()
            let version = try found.read { try Int.fetchOne($0, sql: "PRAGMA user_version") ?? 0 }
            guard version == Self.version else {
                try found.close()
                return try replace()
            }
            opened = found
            isThere.store(true, ordering: .releasing)
            return found
        } catch let error as DatabaseError where Self.isDamage(error) {
            return try replace()
        }
    }

    private func replace() throws -> DatabaseQueue {
        remove()
        let made = try connect()
        try made.inTransaction(.immediate) { db in
            try db.execute(sql: Self.tables)
            try db.execute(sql: "PRAGMA user_version = \(Self.version)")
            return .commit
        }
        opened = made
        isThere.store(true, ordering: .releasing)
        return made
    }

    private func connect() throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.journalMode = .wal
        configuration.label = "banjie.search"
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { db in
            try db.execute(
                sql: """
                    PRAGMA cache_size = -\(Self.cacheKibibytes); PRAGMA temp_store = MEMORY;
                    PRAGMA wal_autocheckpoint = \(Self.checkpointPages)
                    """)
        }
        // With synchronous NORMAL, which WAL brings: what a power cut takes away is indexed again.
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        return queue
    }

    private static func standing(_ db: Database) throws -> SearchStanding {
        let row = try BoundStatement(db, "SELECT arrival, hash FROM standing", isHeld: true)
        guard try row.step() else { return SearchStanding() }
        return SearchStanding(row, arrival: 0, hash: 1)
    }
}
