import class Foundation.FileManager
import func Foundation.NSTemporaryDirectory
import struct Foundation.Data
import struct Foundation.URL
import struct Foundation.UUID
import Replication
import Store
import TestSupport
import Testing
import Tickets

@Suite struct EpochJudgementTests {
    private static let first = ReplicaID(1)
    private static let second = ReplicaID(2)
    private static func hash(_ byte: UInt8) -> ContentHash { ContentHash([UInt8](repeating: byte, count: 32)) ?? .zero }

    struct Case: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var epoch: Epoch?
        var found: Epoch.Found
        var judgement: Epoch.Judgement
    }

    private static func epoch(
        _ replica: ReplicaID = first, starts: UInt64 = 5, sequence: UInt64 = 10, machine: ContentHash? = hash(7)
    ) -> Epoch {
        Epoch(replica: replica, startCount: starts, sequence: sequence, hash: hash(1), machine: machine)
    }

    private static func found(
        _ replica: ReplicaID = first, follows: Predecessor? = nil, starts: UInt64 = 5, sequence: UInt64 = 10,
        hash: ContentHash? = Self.hash(1), machine: ContentHash? = Self.hash(7)
    ) -> Epoch.Found {
        Epoch.Found(
            replica: replica, follows: follows, startCount: starts, sequence: sequence, hash: hash, machine: machine)
    }

    static let cases = [
        Case(testDescription: "no file", epoch: nil, found: found(), judgement: .missing),
        Case(testDescription: "both agree", epoch: epoch(), found: found(), judgement: .sound),
        Case(
            testDescription: "the last start was cut before the file", epoch: epoch(), found: found(starts: 6),
            judgement: .sound),
        Case(
            testDescription: "written since the file", epoch: epoch(), found: found(sequence: 400), judgement: .sound),
        Case(
            testDescription: "an older start", epoch: epoch(), found: found(starts: 4), judgement: .rolledBack),
        Case(
            testDescription: "fewer operations", epoch: epoch(), found: found(sequence: 9, hash: nil),
            judgement: .rolledBack),
        Case(
            testDescription: "another operation at the same place", epoch: epoch(), found: found(hash: hash(2)),
            judgement: .rolledBack),
        Case(
            testDescription: "the operation is gone", epoch: epoch(), found: found(hash: nil), judgement: .rolledBack),
        Case(
            testDescription: "nothing written yet", epoch: epoch(sequence: 0), found: found(sequence: 0, hash: nil),
            judgement: .sound),
        Case(
            testDescription: "another machine", epoch: epoch(), found: found(machine: hash(8)), judgement: .cloned),
        Case(
            testDescription: "another machine, and behind", epoch: epoch(), found: found(starts: 1, machine: hash(8)),
            judgement: .cloned),
        Case(
            testDescription: "a machine without identity", epoch: epoch(), found: found(machine: nil),
            judgement: .sound),
        Case(
            testDescription: "a file without a machine", epoch: epoch(machine: nil), found: found(), judgement: .sound),
        Case(
            testDescription: "a new incarnation whose file was cut", epoch: epoch(),
            found: found(
                second, follows: Predecessor(replica: first, sequence: 10), starts: 6, sequence: 0, hash: nil),
            judgement: .sound),
        Case(
            testDescription: "the incarnation before the file's", epoch: epoch(second),
            found: found(first, starts: 4), judgement: .rolledBack),
        Case(
            testDescription: "a database of some other incarnation", epoch: epoch(second),
            found: found(first, starts: 9), judgement: .rolledBack),
    ]

    @Test("what the file says and what the database says give one judgement", arguments: cases)
    func judgement(_ entry: Case) {
        #expect(Epoch.judge(entry.epoch, entry.found) == entry.judgement)
    }

    @Test("the table has every judgement")
    func complete() {
        #expect(Set(Self.cases.map(\.judgement)) == Set(Epoch.Judgement.allCases))
    }
}

@Suite struct EpochTests {
    private let folder: DataFolder
    private let machine = MachineIdentity.current(path: "/etc/hostname") ?? .zero

    init() {
        folder = DataFolder(path: NSTemporaryDirectory() + "banjie-epoch-\(UUID().uuidString)")
    }

    /// Makes the store and writes its announcement and some tickets.
    private func make() throws {
        let (writer, _) = try Store.open(
            folder,
            creating: NodeIdentity(site: SiteCode(validated: "zj"), replica: ReplicaID(13), parent: nil),
            context: context(next: 99))
        try write([announcement("zj", replica: 13)], writer)
        try writer.checkpoint()
    }

    private func context(next: UInt64, machine: ContentHash? = nil) -> StoreContext {
        StoreContext(now: 5, machine: machine ?? self.machine, nextReplica: ReplicaID(next))
    }

    private func write(_ operations: [Operation], _ writer: StoreWriter) throws {
        var hasher = ContentHasher()
        var hashes: [ContentHash] = []
        for operation in operations { hashes.append(hasher.hash(operation)) }
        _ = try writer.commit([MergeBatch(source: .local, operations: operations, hashes: hashes)], now: 0)
    }

    private func open(next: UInt64, machine: ContentHash? = nil) throws -> (StoreWriter, StoreReader) {
        try Store.open(folder, context: context(next: next, machine: machine))
    }

    private func copy(_ from: String, _ to: String) throws {
        try? FileManager.default.removeItem(atPath: to)
        try FileManager.default.copyItem(atPath: from, toPath: to)
    }

    @Test("a store that is opened again is the same incarnation, and the file has followed it")
    func sound() throws {
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        try make()
        let made = try #require(EpochFile(folder).read())
        #expect(made.replica == ReplicaID(13) && made.sequence == 1 && made.startCount == 1)
        do {
            let (_, reader) = try open(next: 50)
            #expect(reader.identity.replica == ReplicaID(13) && reader.identity.follows == nil)
            #expect(try reader.incarnation().startCount == 2)
        }
        #expect(EpochFile(folder).read()?.startCount == 2)
    }

    @Test("a database that was put back behind the node's back goes on under a new incarnation")
    func rolledBack() throws {
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        try make()
        try copy(folder.database, folder.path + "/kept")
        do {
            let (writer, _) = try open(next: 50)
            var office = Office("zj", replica: 13, announced: true)
            try write(
                try office.perform(.open(OpenBody(title: "t", department: "s")), on: nil, as: "s", minute: 1), writer)
        }
        #expect(EpochFile(folder).read()?.sequence == 2)
        for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: folder.database + suffix) }
        try copy(folder.path + "/kept", folder.database)
        do {
            let (_, reader) = try open(next: 51)
            #expect(reader.identity.replica == ReplicaID(51))
            #expect(reader.identity.follows == Predecessor(replica: ReplicaID(13), sequence: 1))
            let record = try reader.incarnation()
            #expect(record.reason == .rolledBack && record.since == 5)
        }
        // It stays so.
        let (_, reader) = try open(next: 52)
        #expect(reader.identity.replica == ReplicaID(51))
    }

    @Test("a folder that was copied to another machine goes on under a new incarnation there")
    func cloned() throws {
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        try make()
        let elsewhere = try #require(ContentHash([UInt8](repeating: 9, count: 32)))
        let (_, reader) = try open(next: 60, machine: elsewhere)
        #expect(reader.identity.replica == ReplicaID(60))
        #expect(try reader.incarnation().reason == .cloned)
        #expect(EpochFile(folder).read()?.machine == elsewhere)
    }

    @Test("a file that is missing or broken is made anew and noted, and the incarnation stays", arguments: ["", "{"])
    func missing(content: String) throws {
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        try make()
        try FileManager.default.removeItem(atPath: folder.epoch)
        if !content.isEmpty { try Data(content.utf8).write(to: URL(fileURLWithPath: folder.epoch)) }
        let (_, reader) = try open(next: 70)
        #expect(reader.identity.replica == ReplicaID(13))
        #expect(try reader.incarnation().wasEpochMissing)
        #expect(EpochFile(folder).read()?.sequence == 1)
    }

    @Test("a pending recovery is applied at the next opening, once")
    func pending() throws {
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        try make()
        do {
            let (writer, reader) = try open(next: 80)
            try writer.setPendingRecovery(PendingRecovery(reason: .forked, common: 1))
            #expect(try reader.pendingRecovery() == PendingRecovery(reason: .forked, common: 1))
        }
        do {
            let (_, reader) = try open(next: 81)
            #expect(reader.identity.replica == ReplicaID(81))
            #expect(try reader.pendingRecovery() == nil)
            #expect(try reader.incarnation().reason == .forked)
        }
        let (_, reader) = try open(next: 82)
        #expect(reader.identity.replica == ReplicaID(81))
    }

    @Test("what another disk writes under the former incarnation does not move the clock")
    func othersTime() throws {
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        try make()
        do {
            let (writer, _) = try open(next: 80)
            try writer.setPendingRecovery(PendingRecovery(reason: .cloned))
        }
        let (writer, reader) = try open(next: 81)
        #expect(reader.identity.follows == Predecessor(replica: ReplicaID(13), sequence: 1))
        let own = try writer.lastOwnTime()
        var other = Office("zj", replica: 13, announced: true)
        let later = try other.perform(
            .open(OpenBody(title: "一", department: "SVC")), on: nil, as: "SVC", minute: 100_000)
        try write(later, writer)
        #expect(try #require(later.first).time > own)
        #expect(try writer.lastOwnTime() == own)
    }

    @Test("an incarnation that has written nothing is not followed: the one before it is")
    func silent() throws {
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        try make()
        for next in 90...91 as ClosedRange<UInt64> {
            let (writer, _) = try open(next: next)
            try writer.setPendingRecovery(PendingRecovery(reason: .requested))
        }
        let (_, reader) = try open(next: 92)
        #expect(reader.identity.replica == ReplicaID(92))
        #expect(reader.identity.follows == Predecessor(replica: ReplicaID(13), sequence: 1))
    }
}
