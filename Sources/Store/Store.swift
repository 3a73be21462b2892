internal import Foundation
internal import GRDB
internal import GRDBSQLite
package import Replication
internal import Synchronization
package import Tickets

/// Who this node is, as its store remembers it.
package struct NodeIdentity: Hashable, Sendable {
    package var site: SiteCode
    /// The present incarnation.
    package var replica: ReplicaID
    /// The site this node dials; nil at the province.
    package var parent: SiteCode?
    /// The incarnation that the present one goes on from; nil for the first.
    package var follows: Predecessor?

    package init(site: SiteCode, replica: ReplicaID, parent: SiteCode?, follows: Predecessor? = nil) {
        self.site = site
        self.replica = replica
        self.parent = parent
        self.follows = follows
    }

    /// What a node of that site is to this one; nil for a site that this node has no session with.
    package func role(of other: SiteCode) -> PeerRole? {
        if other == parent { return .parent }
        if other == site { return .sibling }
        return other.parent == site ? .child : nil
    }
}

/// What opening a store takes from its surroundings.
package struct StoreContext: Sendable {
    /// UTC milliseconds.
    package var now: Int64
    /// Nil where the machine has no identity.
    package var machine: ContentHash?
    /// The name of the next incarnation, should one have to begin.
    package var nextReplica: ReplicaID
    /// By which the entities of operations that are issued again are folded.
    package var catalog: Catalog
    /// Hears of operations done and in all, where the whole log has to be folded anew.
    package var progress: @Sendable (Int, Int) -> Void

    package init(
        now: Int64 = Int64(Date().timeIntervalSince1970 * 1_000), machine: ContentHash? = MachineIdentity.current(),
        nextReplica: ReplicaID = ReplicaID(UInt64.random(in: 1...UInt64.max)), catalog: Catalog = .standard,
        progress: @escaping @Sendable (Int, Int) -> Void = { _, _ in }
    ) {
        self.progress = progress
        self.now = now
        self.machine = machine
        self.nextReplica = nextReplica
        self.catalog = catalog
    }
}

/// One node's replica on disk: SQLite through GRDB, one writer, query-only readers.
///
/// All writing goes through `StoreWriter`, which belongs to one owner and is not Sendable; `StoreReader` may be used
/// from anywhere. The database is in WAL mode with synchronous FULL: a commit that has returned is on the disk.
package enum Store {
    /// Of a new store. A commit of one operation changes a few octets on some seven pages, and writes them whole.
    package static let pageBytes = 2_048
    /// Pages the WAL may grow to before it is checkpointed: 5,000 pages are 10 MiB. A log that begins anew is written into what is there.
    package static let checkpointPages = 5_000
    /// Page cache of the writer, KiB.
    package static let cacheKibibytes = 4 * 1024
    /// Page cache of each reader, KiB: the system's own cache stands behind it.
    static let readerCacheKibibytes = 1024
    static let readerCountMax = 3
    /// How long a connection waits for another's lock.
    static let busyMilliseconds: Int32 = 5_000
    static let schemaVersion = 1

    /// Opens (or with `creating`, makes) the store of a folder. If the store does not hold the end of its incarnation's
    /// history, or a recovery is pending, it goes on under a new one from here.
    /// - Throws: `StoreError`, or GRDB's `DatabaseError` with statement and message.
    package static func open(
        _ folder: DataFolder, creating: NodeIdentity? = nil, patienceMilliseconds: Int = 0,
        context: StoreContext = StoreContext()
    ) throws -> (writer: StoreWriter, reader: StoreReader) {
        if let creating {
            guard !folder.isInitialised else { throw StoreError.alreadyInitialised(path: folder.path) }
            try folder.create()
            let lock = try FolderLock(folder)
            let file = try openFile(folder, lock)
            try Schema.migrator.migrate(file.pool)
            try file.pool.write { try write(creating, $0) }
            return try finish(folder, file: file, isNew: true, context: context)
        }
        guard folder.isInitialised else { throw StoreError.notInitialised(path: folder.path) }
        let lock = try FolderLock(folder, patienceMilliseconds: patienceMilliseconds)
        let file = try openFile(folder, lock)
        return try finish(folder, file: file, isNew: false, context: context)
    }

    private static func write(_ identity: NodeIdentity, _ db: Database) throws {
        try Meta.set("site", identity.site.rawValue, db)
        try Meta.set("replica", Int64(bitPattern: identity.replica.rawValue), db)
        try Meta.set("parent", identity.parent?.rawValue, db)
        if let parent = identity.parent {
            try db.execute(sql: "INSERT INTO peer (site, node, role) VALUES (?, 0, 1)", arguments: [parent.rawValue])
        }
    }

    private static func finish(
        _ folder: DataFolder, file: StoreFile, isNew: Bool, context: StoreContext
    ) throws -> (writer: StoreWriter, reader: StoreReader) {
        let known = try file.pool.read { db in try Schema.migrator.hasBeenSuperseded(db) }
        guard !known else {
            throw StoreError.newerSchema(path: folder.database, found: schemaVersion + 1, known: schemaVersion)
        }
        try Schema.migrator.migrate(file.pool)
        guard let identity = try file.pool.read({ try Incarnation.identity($0) }) else {
            throw StoreError.notInitialised(path: folder.path)
        }
        let disk = try DiskKey.open(folder)
        try adopt(disk, file.pool)
        let reader = StoreReader(folder: folder, file: file, identity: identity, disk: disk)
        let writer = try StoreWriter(reader: reader, machine: context.machine, openedAt: context.now)
        writer.use(context.catalog)
        writer.straightenOwn(upTo: EpochFile(folder).read()?.sequence)
        try writer.upgrade(now: context.now, progress: context.progress)
        guard let renewed = try writer.start(isNew: isNew, context: context) else {
            try writer.saveEpoch()
            return (writer, reader)
        }
        // Everything in memory belongs to the former incarnation, and arrivals may be given again.
        reader.search.reset()
        let next = StoreReader(folder: folder, file: file, identity: renewed, disk: disk)
        let nextWriter = try StoreWriter(reader: next, machine: context.machine, openedAt: context.now)
        nextWriter.use(context.catalog)
        try nextWriter.saveEpoch()
        return (nextWriter, next)
    }

    /// Secrets that were wrapped under another key than this disk's cannot be read: peers are asked for them.
    private static func adopt(_ disk: DiskKey, _ pool: DatabasePool) throws {
        try pool.write { db in
            guard try Meta.bytes(Meta.diskKey, db) != disk.check else { return }
            try db.execute(sql: "UPDATE sealing_key SET state = 0 WHERE state = 1")
            try Meta.set(Meta.diskKey, Data(disk.check), db)
        }
    }

    private static func openFile(_ folder: DataFolder, _ lock: FolderLock) throws -> StoreFile {
        var configuration = Configuration()
        configuration.journalMode = .wal
        configuration.maximumReaderCount = readerCountMax
        configuration.label = "banjie"
        configuration.busyMode = .timeout(Double(busyMilliseconds) / 1_000)
        configuration.prepareDatabase { db in
            // The size of pages is the file's from its first page on.
            try db.execute(
                sql: """
                    PRAGMA page_size = \(pageBytes); PRAGMA cache_size = -\(readerCacheKibibytes);
                    PRAGMA temp_store = MEMORY
                    """)
        }
        let pool = try DatabasePool(path: folder.database, configuration: configuration)
        let reserve = try pool.writeWithoutTransaction { db in
            // GRDB sets NORMAL when it enters WAL, after `prepareDatabase`: set FULL afterwards and read it back.
            try db.execute(sql: "PRAGMA synchronous = FULL; PRAGMA cache_size = -\(cacheKibibytes)")
            let synchronous = try Int.fetchOne(db, sql: "PRAGMA synchronous")
            precondition(synchronous == 2, "the writer must be durable")
            return try LogReserve(db, path: folder.database)
        }
        return StoreFile(
            pool: pool, search: SearchIndex(path: folder.searchIndex, pool: pool), reserve: reserve, lock: lock)
    }
}

/// Key and value facts of the node.
enum Meta {
    /// Arrival up to which the projection is on disk; without a value all of the log is.
    static let projectionCursor = "projection_cursor"
    /// Set from the erasure of a key until the write-ahead log that had it is emptied.
    static let erasedPending = "erased_pending"
    /// Which key of the disk the secrets are wrapped under.
    static let diskKey = "disk_key"

    /// How often a child was believed, and when it was last; see `RecoveryPace`.
    static let childRecoveries = "child_recoveries"
    static let childRecovered = "child_recovered"

    private static let valueOfKey = "SELECT value FROM meta WHERE key = ?"

    static func set(_ key: String, _ value: (any DatabaseValueConvertible)?, _ db: Database) throws {
        try db.cachedStatement(
            sql: "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        ).execute(arguments: [key, value])
    }

    static func text(_ key: String, _ db: Database) throws -> String? {
        try String.fetchOne(db.cachedStatement(sql: valueOfKey), arguments: [key])
    }

    static func bytes(_ key: String, _ db: Database) throws -> [UInt8]? {
        try Data.fetchOne(db.cachedStatement(sql: valueOfKey), arguments: [key]).map(Array.init)
    }

    static func integer(_ key: String, _ db: Database) throws -> Int64? {
        try Int64.fetchOne(db.cachedStatement(sql: valueOfKey), arguments: [key])
    }
}

/// The open database and the folder's lock, for as long as somebody uses them.
final class StoreFile: Sendable {
    let pool: DatabasePool
    let search: SearchIndex
    private let reserve: LogReserve
    var checkpointer: Checkpointer { reserve.checkpointer }
    private let lock: FolderLock

    init(pool: DatabasePool, search: SearchIndex, reserve: LogReserve, lock: FolderLock) {
        self.pool = pool
        self.search = search
        self.reserve = reserve
        self.lock = lock
    }

    deinit {
        // The files are closed before the lock goes: whoever takes it next finds nobody at them.
        checkpointer.close()
        try? pool.close()
        search.close()
    }
}

/// Query-only access, from any task. Each call takes a snapshot of its own and blocks its thread for as long as it
/// reads: call it from a thread that may block.
package final class StoreReader: Sendable {
    package let folder: DataFolder
    package let identity: NodeIdentity
    private let file: StoreFile
    let disk: DiskKey
    /// Names that the last reader of a feed has looked up; nil while one is at work.
    private let names = Mutex<InternedNames?>(nil)
    let tail = OwnTail()

    init(folder: DataFolder, file: StoreFile, identity: NodeIdentity, disk: DiskKey) {
        self.disk = disk
        self.folder = folder
        self.file = file
        self.identity = identity
    }

    var pool: DatabasePool { file.pool }
    package var search: SearchIndex { file.search }
    var checkpointer: Checkpointer { file.checkpointer }

    func takeNames() -> InternedNames {
        names.withLock { names in
            defer { names = nil }
            return names ?? InternedNames()
        }
    }

    func giveBack(_ used: InternedNames) {
        names.withLock { $0 = used }
    }

    /// One snapshot for all that the body reads, on a connection that cannot write.
    func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
        try pool.unsafeRead { db in try db.transacting(.deferred) { try body(db) } }
    }
}
