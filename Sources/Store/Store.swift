internal import Foundation
internal import GRDB
internal import GRDBSQLite
package import Replication
internal import Synchronization

/// Who this node is, as its store remembers it.
package struct NodeIdentity: Hashable, Sendable {
    package var site: SiteCode
    /// The present incarnation.
    package var replica: ReplicaID
    /// The site this node dials; nil at the province.
    package var parent: SiteCode?

    package init(site: SiteCode, replica: ReplicaID, parent: SiteCode?) {
        self.site = site
        self.replica = replica
        self.parent = parent
    }
}

/// One node's replica on disk: SQLite through GRDB, one writer, query-only readers.
///
/// All writing goes through `StoreWriter`, which belongs to one owner and is not Sendable; `StoreReader` may be used
/// from anywhere. The database is in WAL mode with synchronous FULL: a commit that has returned is on the disk.
package enum Store {
    /// Pages the WAL may grow to before the writer checkpoints it: 10,000 pages are 40 MiB.
    package static let checkpointPages = 10_000
    /// Page cache of the writer, KiB.
    package static let cacheKibibytes = 8 * 1024
    /// Page cache of each reader, KiB: the system's own cache stands behind it.
    static let readerCacheKibibytes = 2 * 1024
    static let readerCountMax = 3
    static let schemaVersion = 1

    /// Opens (or with `creating`, makes) the store of a folder.
    /// - Throws: `StoreError`, or GRDB's `DatabaseError` with statement and message.
    package static func open(
        _ folder: DataFolder, creating: NodeIdentity? = nil, patienceMilliseconds: Int = 0
    ) throws -> (writer: StoreWriter, reader: StoreReader) {
        let lock: FolderLock
        if let creating {
            guard !folder.isInitialised else { throw StoreError.alreadyInitialised(path: folder.path) }
            try folder.create()
            lock = try FolderLock(folder)
            let pool = try openPool(folder)
            try Schema.migrator.migrate(pool)
            try pool.write { db in
                try Meta.set("site", creating.site.rawValue, db)
                try Meta.set("replica", Int64(bitPattern: creating.replica.rawValue), db)
                try Meta.set("parent", creating.parent?.rawValue, db)
                if let parent = creating.parent {
                    try db.execute(
                        sql: "INSERT INTO peer (site, is_parent) VALUES (?, 1)", arguments: [parent.rawValue])
                }
            }
            return try finish(folder, pool: pool, lock: lock)
        }
        guard folder.isInitialised else { throw StoreError.notInitialised(path: folder.path) }
        lock = try FolderLock(folder, patienceMilliseconds: patienceMilliseconds)
        return try finish(folder, pool: openPool(folder), lock: lock)
    }

    private static func finish(
        _ folder: DataFolder, pool: DatabasePool, lock: FolderLock
    ) throws -> (writer: StoreWriter, reader: StoreReader) {
        let known = try pool.read { db in try Schema.migrator.hasBeenSuperseded(db) }
        guard !known else {
            throw StoreError.newerSchema(path: folder.database, found: schemaVersion + 1, known: schemaVersion)
        }
        try Schema.migrator.migrate(pool)
        let identity = try pool.read { db -> NodeIdentity in
            guard let site = try Meta.text("site", db).flatMap(SiteCode.init),
                let replica = try Meta.integer("replica", db)
            else { throw StoreError.notInitialised(path: folder.path) }
            return NodeIdentity(
                site: site, replica: ReplicaID(UInt64(bitPattern: replica)),
                parent: try Meta.text("parent", db).flatMap(SiteCode.init))
        }
        let reader = StoreReader(folder: folder, pool: pool, identity: identity, lock: lock)
        return (try StoreWriter(reader: reader), reader)
    }

    private static func openPool(_ folder: DataFolder) throws -> DatabasePool {
        var configuration = Configuration()
        configuration.journalMode = .wal
        configuration.maximumReaderCount = readerCountMax
        configuration.label = "banjie"
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA cache_size = -\(readerCacheKibibytes); PRAGMA temp_store = MEMORY")
        }
        let pool = try DatabasePool(path: folder.database, configuration: configuration)
        try pool.writeWithoutTransaction { db in
            // GRDB sets NORMAL when it enters WAL, after `prepareDatabase`: set FULL afterwards and read it back.
            try db.execute(
                sql: """
                    PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = \(checkpointPages);
                    PRAGMA cache_size = -\(cacheKibibytes)
                    """)
            let synchronous = try Int.fetchOne(db, sql: "PRAGMA synchronous")
            precondition(synchronous == 2, "the writer must be durable")
        }
        return pool
    }
}

/// Key and value facts of the node.
enum Meta {
    /// Arrival up to which the projection is on disk; without a value all of the log is.
    static let projectionCursor = "projection_cursor"
    /// Arrival up to which the search index has the log.
    static let searchCursor = "search_cursor"

    static func set(_ key: String, _ value: (any DatabaseValueConvertible)?, _ db: Database) throws {
        try db.execute(
            sql: "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            arguments: [key, value])
    }

    static func text(_ key: String, _ db: Database) throws -> String? {
        try String.fetchOne(db, sql: "SELECT value FROM meta WHERE key = ?", arguments: [key])
    }

    static func integer(_ key: String, _ db: Database) throws -> Int64? {
        try Int64.fetchOne(db, sql: "SELECT value FROM meta WHERE key = ?", arguments: [key])
    }
}

/// Query-only access, from any task. Each call takes a snapshot of its own and blocks its thread for as long as it
/// reads: call it from a thread that may block.
package final class StoreReader: Sendable {
    package let folder: DataFolder
    package let identity: NodeIdentity
    let pool: DatabasePool
    private let lock: FolderLock
    /// Names that the last reader of a feed has looked up; nil while one is at work.
    private let names = Mutex<InternedNames?>(nil)

    init(folder: DataFolder, pool: DatabasePool, identity: NodeIdentity, lock: FolderLock) {
        self.folder = folder
        self.pool = pool
        self.identity = identity
        self.lock = lock
    }

    deinit {
        // The file is closed before the lock goes: whoever takes it next finds nobody at the database.
        try? pool.close()
    }

    func takeNames() -> InternedNames {
        names.withLock { names in
            defer { names = nil }
            return names ?? InternedNames()
        }
    }

    func giveBack(_ used: InternedNames) {
        names.withLock { $0 = used }
    }

    func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
        try pool.read(body)
    }
}
