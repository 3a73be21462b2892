internal import Foundation
internal import Node
internal import Replication
internal import Store
internal import Tickets

/// One node of the province: its disk, its clock, its process if it runs, and what is known of its log.
final class Office {
    let index: Int
    let site: SiteCode
    let parent: SiteCode?
    /// Offices that it dials, in order of preference.
    var dialers: [Dialer] = []
    /// Raised with every start and end of the process.
    var process = 0
    /// Made from a copy of another office's disk.
    var isClone = false
    /// The process is down and a start is planned.
    var isBooting = false
    /// Incarnations of this disk.
    var writtenUnder: Set<ReplicaID> = []
    /// Nil while the process is down.
    var replica: Replica?
    var queue = ApplyQueue()
    var applier = Applier()
    var runs = KnownRuns()
    /// Random, new with every start of the process.
    var run: UInt64 = 0
    var isCaughtUp = false
    var isDrainPlanned = false
    var isProjectionPlanned = false
    var isEpochPlanned = false
    var areReceiptsPlanned = false
    /// Sessions that have not ended.
    var ends: [SessionEnd] = []
    /// The folder, a new one for each state that the disk is put to.
    var folder: String
    var folderNumber = 0
    /// Copies that may be put back: whole folders, and backups.
    var images: [Image] = []
    var backups: [String] = []
    /// Of the wall clock against virtual time.
    var clockOffset: Int64 = 0
    var latestWall: Int64 = 0
    var asleepUntil: Int64 = 0
    /// When it believes a child again that it has lost the end of its history; until then their sessions end.
    var believesAt: Int64 = 0
    /// At the next commit.
    var crash: CrashPoint?
    /// The bit of an operation that goes out next flips.
    var isMemoryBad = false
    /// By which the machine is told from others; two nodes from one disk may have the same.
    var machine: UInt64
    /// What its log holds, as it was last read.
    var log = LogModel()
    let random: RandomStream
    var hasStartedBefore = false
    /// Operations whose rows were changed on one of its disks.
    var everDamaged: Set<Dot> = []
    /// Those of them that are not sound on the present one.
    var damaged: Set<Dot> = []
    /// Its process is about to end: what it commits nobody hears of, and may be gone.
    var isUntold = false
    /// The next transaction throws when it is to be made durable.
    var isFlushFailing = false
    /// The disk has no room: the node sees it and takes nothing.
    var isDiskLow = false
    /// The database may not grow.
    var isDiskFull = false
    /// What the former program spoke.
    var speaksFormerVersion = false
    /// Messages of sessions with the parent, for whoever plays them again.
    var recordings: [[[UInt8]]] = []
    /// It has been told that it is revoked, and will be enrolled anew.
    var isEnrolling = false
    /// Processes of each incarnation that have come to this one, the latest last; of this process only.
    var runsMet: [ReplicaID: [Meeting]] = [:]
    /// Operations that its sessions have ended for, with how often, by the office that sent them.
    var conflicts: [Conflict: Int] = [:]

    init(index: Int, site: SiteCode, parent: SiteCode?, folder: String, seed: UInt64) {
        self.index = index
        self.site = site
        self.parent = parent
        self.folder = folder
        machine = UInt64(index) + 1
        random = RandomStream(seed: seed, stream: 1_000 + UInt64(index))
    }

    var name: String { "\(site)#\(index)" }
    var isProvince: Bool { parent == nil }

    /// A name in its own part of the disk that was not used yet.
    func newPath(_ kind: String, in root: String) -> String {
        folderNumber += 1
        return "\(root)/\(index)-\(kind)-\(folderNumber)"
    }
}

/// A process that has come in a session.
struct Meeting {
    var run: UInt64
    /// Virtual milliseconds: when the session began, and when its Hello came.
    var began: Int64
    var heard: Int64
}

/// An operation that could not be taken in because another stands under its dot.
struct Conflict: Hashable {
    var peer: Int
    var dot: Dot
}

/// Where the process ends.
enum CrashPoint: CaseIterable {
    case beforeCommit
    case duringCommit
    case afterCommit
}

/// A state of the disk that has been kept.
struct Image {
    var path: String
    var latestWall: Int64
}

/// Keeps a session with one of several offices.
final class Dialer {
    let role: PeerRole
    var targets: [Office]
    var backoff = Backoff()
    var end: SessionEnd?
    var isDialling = false
    /// Sessions that have ended since everything was healed.
    var endedCount = 0

    init(role: PeerRole, targets: [Office]) {
        self.role = role
        self.targets = targets
    }
}

/// What a log holds, grown with it.
struct LogModel {
    struct Entity {
        var dots: [Dot] = []
        var sites: Set<SiteCode> = []
    }

    /// A row of the log, in order of arrival.
    struct Row {
        var arrival: Int64
        /// The peer's row; 0: written here.
        var source: Int64
    }

    var rows: [Row] = []
    /// What the peers are whose rows are known.
    var peers: [Int64: PeerRole] = [:]
    var hashes: [Dot: ContentHash] = [:]
    var kinds: Set<OperationKind> = []
    var announced: [ReplicaID: SiteCode] = [:]
    /// What its operations were before they were issued again.
    var reissued: Set<Dot> = []
    /// Operations that revoke.
    var revocations: [StoredOperation] = []
    var entities: [EntityID: Entity] = [:]
    /// Tickets in order of their first operation here.
    var tickets: [EntityID] = []

    var lastArrival: Int64 { rows.last?.arrival ?? 0 }

    mutating func add(_ stored: StoredOperation, sites: [SiteCode]) {
        let (operation, entity) = (stored.operation, stored.operation.entity)
        rows.append(Row(arrival: stored.arrival, source: stored.source))
        hashes[operation.dot] = stored.hash
        kinds.insert(operation.kind)
        for reference in ReissueReference.all(in: operation.extensions) { reissued.insert(reference.dot) }
        if operation.kind == Kind.announce.operationKind { announced[operation.dot.replica] = operation.author.site }
        if operation.kind == Kind.revoke.operationKind { revocations.append(stored) }
        if entity.type == .ticket, entities[entity] == nil { tickets.append(entity) }
        entities[entity, default: Entity()].dots.append(operation.dot)
        entities[entity, default: Entity()].sites.formUnion(sites)
    }
}

extension Set<SiteCode> {
    func includesAny(within root: SiteCode) -> Bool { contains { $0.isWithin(root) } }
}
