import ArgumentParser
import Foundation
import Node
import Replication
import Simulation
import Store
import Tickets

/// `banjie-sim kill-worker`: a province's replica that works until it is killed.
struct KillWorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kill-worker", abstract: "What `kill` starts and kills.", shouldDisplay: false)

    @Option var folder: String
    @Option var seed: UInt64

    #if PLANTED_BUGS
        @Option var plant: String?

        func run() throws {
            try PlantedBug.$active.withValue(plant.flatMap(PlantedBug.init)) { try work() }
        }
    #else
        func run() throws { try work() }
    #endif

    private func work() throws {
        var worker = try KillWorker(folder: folder, seed: seed)
        while true { try worker.step() }
    }
}

/// Commands of its people, batches of the region below, and everything else that a node writes, drawn from a seed.
struct KillWorker {
    static let site = SiteCode(validated: "zj")
    private static let provinceKey = [UInt8](repeating: 9, count: 32)
    private static let recentTickets = 12
    private static let departments = ["A", "B"]

    private let replica: Replica
    private let peer: PeerID
    private var cursor: FeedCursor
    private var tickets: [EntityID]
    private var random: SimulationRandom

    private var writer: StoreWriter { replica.writer }
    private var reader: StoreReader { replica.reader }
    private static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1_000) }

    init(folder: String, seed: UInt64) throws {
        random = SimulationRandom(seed: seed)
        let (writer, reader) = try Store.open(DataFolder(path: folder))
        replica = try Replica(writer: writer, provinceKey: Self.provinceKey)
        peer = try writer.meet(
            SyncMessage.Hello(version: 1, site: KillPeer.site, replica: KillPeer.replica, wallMilliseconds: 0, run: 1),
            role: .child, now: Self.now
        ).id
        cursor = try reader.peer(peer)?.received?.cursor ?? FeedCursor(feed: KillPeer.replica)
        var filter = TicketFilter()
        filter.limit = Self.recentTickets
        tickets = try reader.list(filter).map(\.id).reversed()
        Self.say(.opened)
        try replica.announceIfNew(certificateFingerprint: [], now: Self.now)
    }

    private static func say(_ note: KillNote) {
        let line = Array(note.line.utf8)
        let written = write(STDOUT_FILENO, line, line.count)
        precondition(written == line.count, "nobody listens to a worker that is not ended")
    }

    mutating func step() throws {
        switch random.below(100) {
        case 0..<40: try command()
        case 40..<50: try append()
        case 50..<82: try merge()
        case 82..<88: _ = try replica.writeProjection()
        case 88..<91: try reader.search.advance()
        case 91..<94: try writer.saveEpoch()
        case 94..<96: try writer.checkpoint()
        case 96..<99: try record()
        default: try backUp()
        }
    }

    // MARK: Commands

    private mutating func command() throws {
        let (command, author) = try wish()
        do {
            let executed = try replica.execute(command, by: author, now: Self.now)
            try hold(executed.dots)
            guard command.ticket == nil else { return }
            tickets = (tickets + [executed.ticket]).suffix(Self.recentTickets)
        } catch is Refusal {}
    }

    private func hold(_ dots: [Dot]) throws {
        var hasher = ContentHasher()
        guard let first = dots.first, let last = dots.last, let stored = try reader.operation(last) else { return }
        Self.say(.holds(last.replica, first.sequence...last.sequence, hasher.hash(stored)))
    }

    private mutating func author() -> Author {
        Author(
            name: "clerk", role: .dispatcher, level: AuthorityLevel(of: Self.site), site: Self.site,
            department: random.pick(Self.departments) ?? "")
    }

    private mutating func wish() throws -> (TicketCommand, Author) {
        guard !random.chance(percent: 20), let id = random.pick(tickets), let ticket = try writer.state(of: id) else {
            let number = random.below(30)
            let open = OpenBody(
                title: "单 \(random.below(1_000))", body: "说明 \(random.below(1_000_000))", category: "net",
                customerLabel: number < 20 ? "138000000\(10 + number)" : "", channel: "phone")
            return (TicketCommand(ticket: nil, version: VersionVector(), action: .open(open)), author())
        }
        return (TicketCommand(ticket: id, version: ticket.seen(), action: action()), author())
    }

    private mutating func action() -> TicketCommand.Action {
        switch random.below(9) {
        case 0: .transfer(.dispatch, site: KillPeer.site, department: "A", reason: "转", note: "")
        case 1: .accept
        case 2: .reply(text: "回单", custody: nil)
        case 3: .close(reason: "办结", isConfirmedByCustomer: true, score: 5)
        case 4: .reopen(reason: "再")
        case 5: .chase(customer: nil, promised: nil, note: "催", channel: "phone")
        case 6: .set(.category, .text(random.chance(percent: 50) ? "bill" : "other"))
        case 7: .tag(random.chance(percent: 50) ? "vip" : "媒体")
        default: .note(String(repeating: "记", count: 1 + random.below(400)))
        }
    }

    /// Several operations that are there together or not at all.
    private mutating func append() throws {
        guard let id = random.pick(tickets) else { return }
        let count = UInt64(2 + random.below(5))
        let range = replica.writtenSequence + 1...replica.writtenSequence + count
        Self.say(.begins(replica.identity.replica, range))
        let author = author()
        _ = try replica.appending(now: Self.now) { transaction in
            for number in range {
                try transaction.append(.note(NoteBody(text: "并 \(number)")), to: id, author: author)
            }
        }
        try hold(range.map { Dot(replica.identity.replica, $0) })
    }

    // MARK: The region below

    /// Some batches, of which as many as it takes go into one transaction.
    private mutating func merge() throws {
        var place = cursor
        var hasher = ContentHasher()
        var batches: [(batch: MergeBatch, range: ClosedRange<UInt64>, end: FeedCursor)] = []
        for _ in 0...random.below(3) {
            let range = place.position + 1...place.position + 1 + UInt64(random.below(25))
            let operations = range.map(KillPeer.operation)
            let hashes = operations.map { hasher.hash($0) }
            for hash in hashes { place.digest.insert(hash) }
            place.position = range.upperBound
            Self.say(.begins(KillPeer.replica, range))
            let batch = MergeBatch(source: .peer(peer, .backlog(place)), operations: operations, hashes: hashes)
            batches.append((batch, range, place))
        }
        let effects = try replica.merge(batches.map(\.batch), now: Self.now)
        for (batch, range, end) in batches.prefix(effects.batchCount) {
            cursor = end
            guard let last = batch.hashes.last else { continue }
            Self.say(.holds(KillPeer.replica, range, last))
        }
        if random.chance(percent: 40) { _ = try replica.writeProjection() }
        guard random.chance(percent: 10), let id = batches.first?.batch.operations.first?.entity, id.type == .ticket
        else { return }
        tickets = (tickets + [id]).suffix(Self.recentTickets)
    }

    // MARK: What else a node writes

    private func record() throws {
        try writer.journal([JournalDraft(.backupMade, by: .node, "count=1")], now: Self.now)
        Self.say(.recorded(try reader.journalEnd().sequence))
    }

    private mutating func backUp() throws {
        let name = "kill-\(random.next()).db"
        _ = try reader.backup(to: reader.folder.backups + "/" + name, now: Self.now) { _, _ in }
        Self.say(.backup(name))
    }
}
