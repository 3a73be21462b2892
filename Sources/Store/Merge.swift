internal import GRDB
package import Replication
internal import SwiftProtobuf
package import Tickets

/// Where operations come from.
package enum BatchSource: Hashable, Sendable {
    /// This node's own: written by its people or by itself.
    case local
    /// A peer's feed, and what is durable of it once the batch is.
    case peer(PeerID, FeedPlace)
}

/// Operations that are to become durable together, in order.
package struct MergeBatch: Sendable {
    package var source: BatchSource
    package let operations: [Operation]
    package let hashes: [ContentHash]
    /// What tickets take from the bodies: read here and not within the transaction, which others wait for.
    let readings: [OperationReading]
    /// Keys that have come with them, or were made for them.
    let keys: [PersonalKeyEntry]
    /// Of the two nodes' own histories, where a peer has sent it.
    let agreed: AgreedHistories
    /// What it takes in memory, about.
    package let memoryBytes: Int
    /// Incarnations that have written them.
    package let writers: Set<ReplicaID>

    /// Of an operation, beside its contents: the value itself, its hash, its reading, the headers of its arrays.
    private static let operationMemoryBytes = 640

    /// - Parameter readings: of the operations, where they are at hand.
    package init(
        source: BatchSource, operations: [Operation], hashes: [ContentHash], readings: [OperationReading]? = nil,
        keys: [PersonalKeyEntry] = [], agreed: AgreedHistories = AgreedHistories()
    ) {
        precondition(operations.count == hashes.count, "every operation has its hash")
        precondition(readings.map { $0.count == operations.count } ?? true, "every operation has its reading")
        self.source = source
        self.operations = operations
        self.hashes = hashes
        self.keys = keys
        self.agreed = agreed
        self.readings = readings ?? operations.map { OperationReading($0) }
        writers = Set(operations.lazy.map(\.dot.replica))
        memoryBytes = operations.reduce(0) { $0 + $1.approximateBytes + Self.operationMemoryBytes }
    }
}

/// What one commit has done.
package struct MergeResult: Sendable {
    /// Batches taken in; the others are for the next transaction.
    package var batchCount = 0
    package var insertedCount = 0
    package var duplicateCount = 0
    package var parkedCount = 0
    /// A revocation is among the operations, or has come into force with them.
    package var hasRevocations = false
    /// Something was said of the province's roots.
    package var hasRoots = false
    /// Keys that were held and are erased.
    package var erasedCount = 0
    package var lastArrival: Int64 = 0
    /// Peers whose feed has grown.
    package var advancedPeers: [PeerID] = []
    /// Tickets whose projection this commit has written.
    package var touched: [EntityID] = []
    /// Tickets among them for which this site owes a receipt.
    package var owingReceipts: [EntityID] = []
    /// Highest timestamp among the operations.
    package var latest = HybridTimestamp.zero

    package init() {}

    /// Takes over whose projection was written.
    mutating func addTouched(_ other: MergeResult) {
        touched += other.touched
        owingReceipts += other.owingReceipts
    }
}

/// One merge transaction: log rows in order, each touched entity folded once, feeds, rollups and cursors at the end.
///
/// Entities are decoded when first touched and written once; a row of `ticket` is written only if what it shows has
/// changed. While a peer's backlog comes in, the projection may be left for a later transaction: the operations are in
/// the log, the entities are dirty in the cache, and `projection_cursor` in `meta` says behind which arrival the log is
/// to be folded again if this process ends first. Source: Protocols/operations.md §6.
struct Merge: ~Copyable {
    let db: Database
    let cache: WriterCache
    let catalog: Catalog
    /// This node's site.
    let site: SiteCode
    /// Its present incarnation, where batches of peers are taken in.
    let own: ReplicaID?
    /// UTC milliseconds, for rows that say since when.
    let now: Int64
    /// When it began, by the clock that never steps.
    let moment: ContinuousClock.Instant
    /// Entities that it has begun.
    var created: [Work] = []
    /// Entities that it has touched, with repetitions.
    var touched: [Work] = []
    var rollup = RollupDelta()
    /// It holds this node's own operations: who writes to a ticket is likely to go on with it.
    var isOwn = false
    /// What is void has to be worked out again.
    var mayVoid = false
    /// Entities on which somebody has asked for an erasure, or agreed to one.
    var asked: [Work] = []
    /// Keys of the batch in hand.
    var offered: [PersonalKeyID: PersonalKeyEntry] = [:]
    private var envelope = ByteWriter(reserving: 256)
    var result = MergeResult()

    init(
        db: Database, cache: WriterCache, catalog: Catalog, site: SiteCode, own: ReplicaID? = nil, now: Int64,
        moment: ContinuousClock.Instant = .now
    ) {
        self.db = db
        self.cache = cache
        self.catalog = catalog
        self.site = site
        self.own = own
        self.now = now
        self.moment = moment
    }

    /// - Throws: `StoreError.conflictingHistory`, or the database's error; the transaction is then rolled back.
    mutating func append(_ batch: MergeBatch) throws {
        result.batchCount += 1
        let source: WriterCache.PeerEntry?
        switch batch.source {
        case .local:
            source = nil
            isOwn = true
        case .peer(let id, let place):
            guard let peer = cache.peers[id.rawValue] else { throw StoreError.unknownPeer(id) }
            source = peer
            try save(place, from: peer)
        }
        for key in batch.keys { offered[key.id] = key }
        // In place: a copy of an operation counts half a dozen references up and down.
        try batch.operations.withUnsafeBufferPointer { operations in
            for index in operations.indices {
                try append(
                    operations[index], hash: batch.hashes[index], reading: batch.readings[index], source: source,
                    agreed: batch.agreed)
            }
        }
        if !offered.isEmpty { try takeRemainingKeys(from: source) }
    }

    /// - Parameter wasParked: who has brought it may have been put back to an earlier state since.
    private mutating func append(
        _ operation: Operation, hash: ContentHash, reading: OperationReading, source: WriterCache.PeerEntry?,
        agreed: AgreedHistories = AgreedHistories(), wasParked: Bool = false
    ) throws {
        let replica = try cache.replica(operation.dot.replica)
        do {
            if replica.mayHold(operation.dot.sequence), try isStored(operation.dot, hash, replica) {
                result.duplicateCount += 1
                if PlantedBug.duplicatesCountTwice.isActive { try work(on: operation.entity).digest.insert(hash) }
                return
            }
        } catch StoreError.conflictingHistory(_, let stored, _) where isPastMending(operation.dot, source, agreed) {
            // Neither of the two will put that right: what else they have for each other is not held up by it.
            return try park(
                operation, hash: hash, source: source, reason: "another operation stands under its dot: \(stored)",
                isAgain: wasParked)
        }
        if let reason = Origin.doubt(
            of: operation, announced: replica.site, from: source.map { ($0.site, isAbove: $0.role != .child) },
            siteOf: { cache.replicas[$0]?.site })
        {
            try park(operation, hash: hash, source: source, reason: reason, isAgain: wasParked)
            return
        }
        try takeIn(
            operation, hash: hash, reading: reading, replica: replica, source: source, wasParked: wasParked)
    }

    /// Whether two contents of a dot are nothing that the next meeting with this peer will tell: it is of an incarnation
    /// that is neither this store's present one nor the peer's, or the two agree on a later operation of it.
    private func isPastMending(
        _ dot: Dot, _ source: WriterCache.PeerEntry?, _ agreed: AgreedHistories
    ) -> Bool {
        guard let source, let own else { return false }
        if dot.replica == own { return dot.sequence < agreed.own }
        if dot.replica == source.node { return dot.sequence < agreed.peer }
        return true
    }

    private mutating func takeIn(
        _ operation: Operation, hash: ContentHash, reading: OperationReading, replica: WriterCache.ReplicaEntry,
        source: WriterCache.PeerEntry?, wasParked: Bool
    ) throws {
        // Of what was parked nobody is known to hold it any more: it goes to everyone, as if it were written here.
        let holder = wasParked ? nil : source
        let (work, arrival) = try insert(operation, hash: hash, replica: replica, source: holder)
        if cache.hasParked { try forgetParked(operation.dot, hash) }
        apply(
            operation, hash: hash, reading: reading, to: work, isVoid: replica.isVoid(operation.dot.sequence, hash))
        if let key = reading.sealedUnder { try noteUse(of: key, in: work, source: source) }
        try feed(operation, arrival: arrival, work: work, source: holder)
        let isAbout =
            operation.kind == Kind.proposeErasure.operationKind || operation.kind == Kind.confirmErasure.operationKind
        if isAbout, !replica.isVoid(operation.dot.sequence, hash) {
            asked.append(work)
        }
        if operation.kind == Kind.announce.operationKind, replica.site == nil {
            replica.site = operation.author.site
            replica.isChanged = true
            if cache.hasRevocations {
                mayVoid = true
                result.hasRevocations = true
            }
            try takeUpParked(of: replica)
        } else if operation.kind == Kind.revoke.operationKind {
            try note(revocationAt: arrival)
        } else if operation.entity == .trustRoots {
            result.hasRoots = true
        }
    }

    private func isStored(
        _ dot: Dot, _ hash: ContentHash, _ replica: WriterCache.ReplicaEntry
    ) throws -> Bool {
        let find = cache.statements.findOperation
        find.bind(1, replica.id)
        find.bind(2, dot.sequence)
        guard try find.step() else { return false }
        defer { find.reset() }
        // Of a row that is to be healed nobody can say that this is another operation.
        guard let stored = ContentHash(find.blob(1)) else { return true }
        guard stored == hash else {
            throw StoreError.conflictingHistory(dot: dot, stored: stored, received: hash)
        }
        return true
    }

    private mutating func insert(
        _ operation: Operation, hash: ContentHash, replica: WriterCache.ReplicaEntry, source: WriterCache.PeerEntry?
    ) throws -> (work: Work, arrival: Int64) {
        let work = try work(on: operation.entity)
        cache.lastArrival += 1
        let arrival = cache.lastArrival
        var seen: [(replica: Int64, sequence: UInt64)] = []
        seen.reserveCapacity(operation.seen.entries.count)
        for entry in operation.seen.entries { seen.append((try cache.replica(entry.replica).id, entry.sequence)) }
        PackedEnvelope.pack(operation, seen: seen, into: &envelope)
        let row = cache.statements.insertOperation
        row.bind(1, arrival)
        row.bind(2, replica.id)
        row.bind(3, operation.dot.sequence)
        row.bind(4, work.id)
        row.bind(5, Int(operation.kind.rawValue))
        row.bind(6, operation.time.rawValue)
        row.bind(7, try cache.author(operation.author))
        row.bind(8, source?.id ?? 0)
        try hash.withBytes { hash in
            try envelope.bytes.withUnsafeBytes { envelope in
                try operation.body.withUnsafeBytes { body in
                    row.bindInPlace(9, hash)
                    row.bindInPlace(10, envelope)
                    row.bindInPlace(11, body)
                    try row.run()
                }
            }
        }

        try advance(replica, operation.dot.sequence, hash)
        source?.stored += 1
        source?.isChanged = true
        if source?.role != .parent { for parent in cache.parents { parent.hasNews = true } }
        for sibling in cache.siblings where sibling !== source { sibling.hasNews = true }
        result.insertedCount += 1
        result.lastArrival = arrival
        result.latest = max(result.latest, operation.time)
        return (work, arrival)
    }

    private mutating func advance(
        _ replica: WriterCache.ReplicaEntry, _ sequence: UInt64, _ hash: ContentHash
    ) throws {
        replica.stored += 1
        replica.isChanged = true
        let isLater = sequence > replica.highest
        replica.highest = max(replica.highest, sequence)
        guard sequence == replica.prefix + 1 || PlantedBug.prefixJumpsHole.isActive else {
            // Live operations overtake a backlog: the hole between is filled from below.
            if isLater, replica.aboveGap == .some(0) { replica.aboveGap = sequence }
            if let above = replica.aboveGap, above > 0, sequence < above { replica.aboveGap = sequence }
            return
        }
        replica.prefix = sequence - 1
        replica.lengthen(by: hash, &cache.hasher)
        if replica.highest > sequence { try closeGap(of: replica) }
    }

    /// The prefix may have reached what overtook it.
    private mutating func closeGap(of replica: WriterCache.ReplicaEntry) throws {
        if let above = replica.aboveGap, above > replica.prefix + 1 { return }
        let rows = cache.statements.findBehind
        rows.bind(1, replica.id)
        rows.bind(2, replica.prefix)
        defer { rows.reset() }
        while try rows.step() {
            let sequence = rows.unsigned(0)
            // One that cannot be read is a gap until it is healed, and the store opened again.
            guard sequence == replica.prefix + 1, let hash = ContentHash(rows.blob(1)) else {
                replica.aboveGap = sequence
                return
            }
            replica.lengthen(by: hash, &cache.hasher)
        }
        replica.aboveGap = 0
    }

    /// Appends an operation that has been applied to the feeds of those children that take part.
    private mutating func feed(
        _ operation: Operation, arrival: Int64, work: Work, source: WriterCache.PeerEntry?
    ) throws {
        guard !cache.children.isEmpty else { return }
        if !Scope.isForEveryone(operation.entity), work.ticket.siteCount != work.siteCount {
            work.siteCount = work.ticket.siteCount
            for (index, child) in cache.children.enumerated() where !work.members.contains(index) {
                guard work.ticket.isLetIn(within: child.site), !PlantedBug.scopeEntryMissed.isActive else { continue }
                work.members.insert(index)
                let member = cache.statements.insertMember
                member.bind(1, child.site.rawValue)
                member.bind(2, work.id)
                if !PlantedBug.memberNotStored.isActive { try member.run() }
                // The whole history first, then the operation that let the child in.
                try appendHistory(of: work, to: child, before: arrival)
            }
        }
        for (index, child) in cache.children.enumerated() where child !== source {
            guard
                Scope.isForEveryone(operation.entity) || work.members.contains(index)
                    || PlantedBug.childGetsEverything.isActive
            else { continue }
            if PlantedBug.feedRowSkipped.isActive, index == cache.children.count - 1, arrival % 7 == 0 { continue }
            if PlantedBug.siblingNodeLeftOut.isActive, child.site == source?.site { continue }
            try append(arrival, to: child)
        }
    }

    private mutating func appendHistory(of work: Work, to child: WriterCache.PeerEntry, before limit: Int64) throws {
        guard !work.isNew || work.digest.count > 1, !PlantedBug.historyNotSent.isActive else { return }
        var arrivals: [Int64] = []
        let find = cache.statements.findOperation
        for dot in work.ticket.operations {
            guard let replica = cache.replicas[dot.replica] else { continue }
            find.bind(1, replica.id)
            find.bind(2, dot.sequence)
            if try find.step() {
                if find.integer(0) < limit, find.integer(2) != child.id { arrivals.append(find.integer(0)) }
                find.reset()
            }
        }
        for arrival in arrivals.sorted() { try append(arrival, to: child) }
    }

    private mutating func append(_ arrival: Int64, to child: WriterCache.PeerEntry) throws {
        child.feedLength += 1
        child.isChanged = !PlantedBug.feedLengthNotSaved.isActive
        child.hasNews = true
        let row = cache.statements.insertFeed
        row.bind(1, child.id)
        row.bind(2, child.feedLength)
        row.bind(3, arrival)
        try row.run()
    }

    mutating func writeReplicasAndPeers() throws {
        for replica in cache.replicas.values where replica.isChanged {
            // A command writes a handful of pages, and this would be one of them.
            if replica.replica == own, replica.mayLag { continue }
            try cache.write(replica)
        }
        for peer in cache.peers.values {
            if peer.isChanged {
                let update = cache.statements.updatePeer
                update.bind(1, peer.id)
                update.bind(2, peer.feedLength)
                update.bind(3, peer.stored)
                try update.run()
                peer.isChanged = false
            }
            if peer.hasNews { result.advancedPeers.append(PeerID(peer.id)) }
            peer.hasNews = false
        }
    }

    private func save(_ place: FeedPlace, from peer: WriterCache.PeerEntry) throws {
        switch place {
        case .backlog(let cursor):
            let update = cache.statements.updateReceived
            update.bind(1, peer.id)
            update.bind(2, cursor.position)
            update.bind(3, cursor.digest.count)
            cursor.digest.sum.withBytes { update.bind(4, $0) }
            update.bind(5, now)
            try update.run()
        case .live(let intervals):
            let update = cache.statements.updateKnown
            update.bind(1, peer.id)
            update.bind(2, FeedIntervals.encode(intervals))
            update.bind(3, now)
            try update.run()
        case .repair: break
        }
    }
}

// MARK: - Parking

extension Merge {
    /// - Parameter isAgain: it was parked already, and counts among what its sender may have parked, whatever that is.
    private mutating func park(
        _ operation: Operation, hash: ContentHash, source: WriterCache.PeerEntry?, reason: String, isAgain: Bool
    ) throws {
        if cache.hasDiscarded, try isDiscarded(operation.dot, hash) { return }
        let row = cache.statements.park
        row.bind(1, operation.dot.replica.rawValue)
        row.bind(2, operation.dot.sequence)
        row.bind(3, source?.id ?? 0)
        row.bind(4, reason)
        row.bind(5, now)
        hash.withBytes { row.bind(6, $0) }
        let columns: [UInt8] = try OperationColumns.encode([operation]).serializedBytes()
        row.bind(7, columns)
        try row.run()
        cache.hasParked = true
        if db.changesCount > 0 {
            let parked = try cache.parkedTally.add(from: source?.site, bytes: columns.count, db)
            let limits = cache.parkedLimits
            guard isAgain || parked.operations <= limits.operations && parked.bytes <= limits.bytes else {
                throw StoreError.tooMuchParked(source?.site, operations: limits.operations, bytes: limits.bytes)
            }
        }
        result.parkedCount += 1
    }

    /// What has come from somebody who may bring it need not wait any more.
    private func forgetParked(_ dot: Dot, _ hash: ContentHash) throws {
        let delete = cache.statements.forgetParked
        delete.bind(1, dot.replica.rawValue)
        delete.bind(2, dot.sequence)
        hash.withBytes { delete.bind(3, $0) }
        while try delete.step() {
            cache.parkedTally.remove(from: cache.peers[delete.integer(0)]?.site, bytes: Int(delete.integer(1)))
        }
    }

    /// All rows of a statement that selects source, hash and columns: taking one in changes the table, and gives the
    /// numbers of rows that have left it to others.
    private static func waiting(
        _ rows: BoundStatement
    ) throws -> [(source: Int64, hash: ContentHash, operation: Operation)] {
        var waiting: [(source: Int64, hash: ContentHash, operation: Operation)] = []
        while try rows.step() {
            guard let hash = ContentHash(rows.blob(1)), let operation = ParkedColumns.decode(rows.bytes(2)) else {
                continue
            }
            waiting.append((rows.integer(0), hash, operation))
        }
        return waiting
    }

    /// Takes parked operations in although their sender could not justify them.
    mutating func releaseParked(_ dot: Dot?) throws {
        let rows = try BoundStatement(
            db,
            dot == nil
                ? "SELECT source, hash, columns FROM parked ORDER BY id"
                : "SELECT source, hash, columns FROM parked WHERE replica = ?1 AND sequence = ?2 ORDER BY id")
        if let dot {
            rows.bind(1, dot.replica.rawValue)
            rows.bind(2, dot.sequence)
        }
        let waiting = try Self.waiting(rows)
        // What an incarnation has written makes sense once it has announced itself.
        let announcements = waiting.filter { $0.operation.kind == Kind.announce.operationKind }
        let others = waiting.filter { $0.operation.kind != Kind.announce.operationKind }
        for entry in announcements + others {
            let replica = try cache.replica(entry.operation.dot.replica)
            // The operation itself has to make sense: only who sent it is taken on trust.
            guard
                Origin.doubt(
                    of: entry.operation, announced: replica.site, from: nil, siteOf: { cache.replicas[$0]?.site })
                    == nil
            else { continue }
            do {
                if try replica.mayHold(entry.operation.dot.sequence)
                    && isStored(entry.operation.dot, entry.hash, replica)
                {
                    try forgetParked(entry.operation.dot, entry.hash)
                    continue
                }
            } catch StoreError.conflictingHistory {
                // Of two histories one is in the log: the other stays where it is, and holds up nothing else.
                continue
            }
            try takeIn(
                entry.operation, hash: entry.hash, reading: OperationReading(entry.operation), replica: replica,
                source: cache.peers[entry.source], wasParked: true)
        }
    }

    /// Looks again at what waited for this replica's announcement.
    private mutating func takeUpParked(of replica: WriterCache.ReplicaEntry) throws {
        if PlantedBug.parkedStays.isActive { return }
        let rows = try BoundStatement(
            db, "SELECT source, hash, columns FROM parked WHERE replica = ? ORDER BY sequence, id")
        rows.bind(1, replica.replica.rawValue)
        for entry in try Self.waiting(rows) {
            try forgetParked(entry.operation.dot, entry.hash)
            let source = cache.peers[entry.source]
            do {
                try append(
                    entry.operation, hash: entry.hash, reading: OperationReading(entry.operation), source: source,
                    wasParked: true)
            } catch StoreError.conflictingHistory(_, let stored, _) {
                // Two histories have waited for one announcement: the other must not keep it from being taken in.
                try park(
                    entry.operation, hash: entry.hash, source: source,
                    reason: "another operation stands under its dot: \(stored)", isAgain: true)
            }
        }
    }
}
