import Foundation
import Replication
import Simulation
import Store

/// One store from its making on: workers that are killed over it, and what has to be there when it is opened again.
struct KillLife {
    /// What may not be.
    struct Violation: Error, CustomStringConvertible {
        var description: String

        init(_ description: String) {
            self.description = description
        }
    }

    /// Entities that are folded anew in one look.
    private static let sampleCount = 16
    private static let readCount = 5_000

    let folder: DataFolder
    private let replica: ReplicaID
    private let workerArguments: [String]
    private(set) var tally = KillTally()

    /// All that the log has had, and up to where it was read.
    private var held: [Dot: ContentHash] = [:]
    private var arrival: Int64 = 0
    private var highest: [ReplicaID: UInt64] = [:]
    private var peerDigest = SetDigest.empty
    private var recorded: UInt64 = 0
    /// Said since the store was looked at last.
    private var notes: [KillNote] = []
    /// By the last worker: what it has begun and not begun anew.
    private var begun: [ReplicaID: [ClosedRange<UInt64>]] = [:]

    init(folder path: String, replica: ReplicaID, workerArguments: [String]) throws {
        self.workerArguments = workerArguments
        folder = DataFolder(path: path)
        self.replica = replica
        _ = try Store.open(
            folder, creating: NodeIdentity(site: KillWorker.site, replica: replica, parent: nil),
            context: StoreContext())
    }

    /// Starts a worker and kills it.
    mutating func kill(using random: inout SimulationRandom) throws {
        let worker = ["kill-worker", "--folder", folder.path, "--seed", "\(random.next() >> 1)"]
        var process = try KilledProcess(worker + workerArguments)
        let said = try process.end(at: .drawn(using: &random))
        tally.kills += 1
        if !said.contains(.opened) { tally.killsWhileOpening += 1 }
        notes += said
        begun = [:]
        for case .begins(let replica, let range) in said {
            begun[replica, default: []].removeAll { $0.upperBound >= range.lowerBound }
            begun[replica, default: []].append(range)
        }
    }

    /// Opens the store and looks for what may not be.
    /// - Parameter isWhole: at everything, and not only at what is new.
    mutating func look(isWhole: Bool) throws {
        let (writer, reader) = try Store.open(folder, context: StoreContext(nextReplica: ReplicaID(0xF00)))
        guard reader.identity.replica == replica else {
            throw Violation("a history that is whole was taken for one that lost its end")
        }
        try readLog(reader)
        try checkTransactions()
        try checkNotes(reader)
        try checkStreams(reader)
        let differing = try writer.differencesFromLog(sampleCount: isWhole ? .max : Self.sampleCount)
        if let entity = differing.first { throw Violation("\(entity) is not what its operations give") }
        if let fault = try reader.feedFaults().first { throw Violation("the feed to \(fault.site): \(fault.kind)") }
        if isWhole { try lookAtEverything(writer, reader) }
        tally.cycles += 1
        tally.operations = held.count
        notes = []
        begun = [:]
    }

    // MARK: What is new

    private mutating func readLog(_ reader: StoreReader) throws {
        var hasher = ContentHasher()
        try Self.forEachRow(after: arrival, reader) { row in
            let dot = row.operation.dot
            guard held[dot] == nil else { throw Violation("\(dot) stands twice in the log") }
            try check(row, &hasher)
            held[dot] = row.hash
            arrival = row.arrival
            highest[dot.replica] = max(highest[dot.replica] ?? 0, dot.sequence)
            if dot.replica == KillPeer.replica { peerDigest.insert(row.hash) }
        }
        let count = try reader.counts().operations
        guard count == held.count else { throw Violation("the log has had \(held.count) operations and has \(count)") }
    }

    private static func forEachRow(
        after arrival: Int64, _ reader: StoreReader, _ body: (StoredOperation) throws -> Void
    ) throws {
        var last = arrival
        while true {
            let rows = try reader.operations(after: last, limit: readCount)
            for row in rows {
                try body(row)
                last = row.arrival
            }
            guard rows.count == readCount else { return }
        }
    }

    private func check(_ row: StoredOperation, _ hasher: inout ContentHasher) throws {
        let dot = row.operation.dot
        guard hasher.hash(row.operation) == row.hash else { throw Violation("\(dot) does not match its hash") }
        guard dot.replica == KillPeer.replica || dot.replica == replica else {
            throw Violation("\(dot) was written by nobody")
        }
        guard dot.replica != KillPeer.replica || row.operation == KillPeer.operation(dot.sequence) else {
            throw Violation("\(dot) is not what the region below has sent")
        }
    }

    /// What goes into one transaction is there together or not at all.
    private mutating func checkTransactions() throws {
        for (replica, ranges) in begun {
            for range in ranges {
                let present = range.count { held[Dot(replica, $0)] != nil }
                guard present == 0 || present == range.count else {
                    throw Violation("of the transaction \(replica):\(range) there are \(present) operations")
                }
                if present == 0 { tally.transactionsLost += 1 }
            }
        }
    }

    private mutating func checkNotes(_ reader: StoreReader) throws {
        for note in notes {
            switch note {
            case .opened, .begins: continue
            case .holds(let replica, let range, let hash):
                if let lost = range.first(where: { held[Dot(replica, $0)] == nil }) {
                    throw Violation("\(replica):\(lost) was acknowledged and is lost")
                }
                guard held[Dot(replica, range.upperBound)] == hash else {
                    throw Violation("\(replica):\(range.upperBound) is another one than was acknowledged")
                }
                tally.acknowledged += range.count
            case .recorded(let sequence): recorded = max(recorded, sequence)
            case .backup(let name): try checkBackup(name)
            }
        }
        let end = try reader.journalEnd().sequence
        guard end >= recorded else { throw Violation("entry \(recorded) of the journal was acknowledged and is lost") }
        recorded = end
        try removeBackups()
    }

    private mutating func checkBackup(_ name: String) throws {
        guard FileManager.default.fileExists(atPath: folder.backups + "/" + name) else {
            throw Violation("the backup \(name) was acknowledged and is lost")
        }
    }

    /// Whatever has the name of a backup is a whole one, also if nobody was told of it.
    private mutating func removeBackups() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.backups) {
            let path = folder.backups + "/" + name
            if name.hasSuffix(".db") {
                let content = try BackupContent.read(path) { _, _ in }
                if let finding = content.findings.first { throw Violation("the backup \(name): \(finding)") }
                tally.backups += 1
            }
            try FileManager.default.removeItem(atPath: path)
        }
    }

    /// No stream has a hole, and the cursor of the region below is where its stream ends.
    private func checkStreams(_ reader: StoreReader) throws {
        for (replica, last) in highest {
            let count = replica == KillPeer.replica ? Int(peerDigest.count) : held.count - Int(peerDigest.count)
            guard count == Int(last), try reader.prefix(of: replica) == last else {
                throw Violation("the stream of \(replica) has \(count) of \(last) operations")
            }
        }
        guard let cursor = try reader.peer(KillPeer.site)?.received?.cursor else {
            guard peerDigest.count == 0 else { throw Violation("there is no cursor of a feed that was received") }
            return
        }
        guard cursor.position == highest[KillPeer.replica] ?? 0, cursor.digest == peerDigest else {
            throw Violation("the cursor is at \(cursor.position), the stream at \(highest[KillPeer.replica] ?? 0)")
        }
    }

    // MARK: Everything

    private mutating func lookAtEverything(_ writer: StoreWriter, _ reader: StoreReader) throws {
        var hasher = ContentHasher()
        var count = 0
        try Self.forEachRow(after: 0, reader) { row in
            guard held[row.operation.dot] == row.hash, hasher.hash(row.operation) == row.hash else {
                throw Violation("\(row.operation.dot) has changed since it was read")
            }
            count += 1
        }
        guard count == held.count else { throw Violation("the log has had \(held.count) operations and has \(count)") }
        if let fault = try reader.quickCheck().first { throw Violation("SQLite finds \(fault)") }
        if let fault = try reader.search.fault() { throw Violation("the search index: \(fault)") }
        let journal = try reader.checkJournal(now: Int64(Date().timeIntervalSince1970 * 1_000))
        if let finding = journal.findings.first { throw Violation("the journal: \(finding)") }
        let grown = try reader.projectionBytesForTests()
        try writer.rebuild(now: 0)
        guard try reader.projectionBytesForTests() == grown else { throw Violation("a rebuild gives other rows") }
        tally.wholeLooks += 1
    }
}

/// What was done, in sums.
struct KillTally: Codable {
    /// Kills, looks at the store after one or several of them, and looks at everything.
    var kills = 0
    var cycles = 0
    var wholeLooks = 0
    var killsWhileOpening = 0
    /// Operations in the log at the end, those of them that were acknowledged, and transactions that a kill undid.
    var operations = 0
    var acknowledged = 0
    var transactionsLost = 0
    var backups = 0

    mutating func add(_ other: KillTally) {
        kills += other.kills
        cycles += other.cycles
        wholeLooks += other.wholeLooks
        killsWhileOpening += other.killsWhileOpening
        operations += other.operations
        acknowledged += other.acknowledged
        transactionsLost += other.transactionsLost
        backups += other.backups
    }
}
