internal import Foundation
internal import Node
internal import Replication
internal import Store
internal import Tickets
internal import Transport

/// A region that holds all operations and its province that holds none: enrolled once, then copied for every round.
struct SyncPair {
    /// What was put into the region.
    struct Content: Codable {
        /// Operations that the province gets: the workload, and the announcements of its offices.
        var operationCount: UInt64
        /// Position in the region's feed of the last of them.
        var lastPosition: UInt64
        /// Bytes of the messages that carry the feed, in the batches that a node makes, if each could be read without
        /// those before it.
        var aloneBytes: Int
    }

    private let root: String
    private let sender: String
    private let template: String
    let content: Content

    /// - Parameters:
    ///   - root: where each round's copies are made.
    ///   - region: folder of the filled region.
    ///   - province: folder of the empty province.
    init(root: String, region: String, province: String, content: Content) {
        self.root = root
        sender = region
        template = province
        self.content = content
    }

    init(root: String, workload: Workload) async throws {
        let (region, province) = (root + "/region", root + "/province")
        try await Self.enrol(province: DataFolder(path: province), region: DataFolder(path: region))
        let content = try Self.fill(
            DataFolder(path: region), announcements: workload.announcements, operations: workload.operations)
        self.init(root: root, region: region, province: province, content: content)
    }

    /// Fills a region's store as its twelve branches would have: in the order of the operations' times.
    static func fill(
        _ folder: DataFolder, announcements: [Replication.Operation], operations: some Sequence<WorkloadOperation>
    ) throws -> Content {
        let (writer, reader) = try Store.open(folder)
        let known = try reader.counts().operations
        var peers: [PeerID] = []
        for origin in 1...WorkloadStream.originCount {
            let site = WorkloadStream.site(origin)
            try writer.register(child: site)
            let hello = SyncMessage.Hello(
                version: 1, site: site, replica: announcements[origin - 1].dot.replica,
                wallMilliseconds: WorkloadStream.startMilliseconds, run: 1)
            peers.append(try writer.meet(hello, role: .child, now: WorkloadStream.startMilliseconds).id)
        }
        var hasher = ContentHasher()
        var positions = [UInt64](repeating: 0, count: WorkloadStream.originCount)
        func batch(_ origin: Int, _ operations: [Replication.Operation]) -> MergeBatch {
            positions[origin - 1] += UInt64(operations.count)
            let end = FeedCursor(feed: operations[0].dot.replica, position: positions[origin - 1])
            return MergeBatch(
                source: .peer(peers[origin - 1], .backlog(end)), operations: operations,
                hashes: operations.map { hasher.hash($0) })
        }
        var waiting = announcements.enumerated().map { batch($0 + 1, [$1]) }
        for entry in operations {
            waiting.append(batch(entry.origin, [entry.operation]))
            if waiting.count >= StoreWriter.transactionOperationsMax { try commit(&waiting, writer) }
        }
        try commit(&waiting, writer)
        try settle(writer)
        let counts = try reader.counts()
        guard counts.parked == 0 else { throw BenchError("\(counts.parked) operations were parked") }
        // Positions count everything that has arrived, in order.
        let last = UInt64(counts.operations)
        return Content(
            operationCount: UInt64(counts.operations - known), lastPosition: last,
            aloneBytes: try aloneBytes(reader, through: last))
    }

    /// A transaction ends at its time limit, so that what is left over goes into further ones.
    private static func commit(_ waiting: inout [MergeBatch], _ writer: StoreWriter) throws {
        while !waiting.isEmpty {
            let result = try writer.commit(waiting, now: WorkloadStream.startMilliseconds)
            waiting.removeFirst(result.batchCount)
        }
    }

    /// Search has caught up and is merged, the WAL is empty.
    static func settle(_ writer: StoreWriter) throws {
        while try writer.reader.search.advance() > 0 {}
        while try writer.reader.search.merge() {}
        try writer.checkpoint()
    }

    private static func aloneBytes(_ reader: StoreReader, through: UInt64) throws -> Int {
        guard let parent = try reader.peers().first(where: \.isParent) else { throw BenchError("no parent") }
        var cursor = FeedCursor(feed: reader.identity.replica)
        var bytes = 0
        while let batch = try reader.nextBatch(for: parent.id, after: cursor, through: through).batch {
            bytes += try SyncCodec.encode(batch, coding: .zstd).count
            cursor = batch.end
        }
        return bytes
    }

    static func enrol(province: DataFolder, region: DataFolder) async throws {
        var configuration = NodeConfiguration()
        configuration.listen = .hostPort("127.0.0.1", 0)
        configuration.enrolment = .hostPort("127.0.0.1", 0)
        configuration.console = nil
        let options = InitOptions(configuration: configuration, logger: quiet)
        _ = try await Offices.initialiseProvince(
            folder: province, site: WorkloadStream.province, options: options)
        let runtime = try NodeRuntime(folder: province, logger: quiet)
        let running = Task { try await runtime.run() }
        while !runtime.isUp { try await Task.sleep(for: .milliseconds(5)) }
        let token = try await Enrolment.makeToken(
            node: runtime.node, folder: province, site: WorkloadStream.region, addresses: runtime.addresses)
        _ = try await Offices.join(folder: region, token: token, options: options)
        try await meet(runtime, region: region)
        running.cancel()
        _ = await running.result
    }

    /// What is measured is two nodes that know each other: the first time they would compare what they have.
    private static func meet(_ province: NodeRuntime, region: DataFolder) async throws {
        weak var node: SyncNode?
        do {
            let runtime = try NodeRuntime(folder: region, logger: quiet)
            node = runtime.node
            let running = Task { try await runtime.run() }
            while try [province, runtime].contains(where: { try !hasMet($0) }) {
                try await Task.sleep(for: .milliseconds(5))
            }
            running.cancel()
            _ = await running.result
        }
        // A task that is on its way still holds the folder.
        while node != nil { try await Task.sleep(for: .milliseconds(5)) }
    }

    /// Each has the other's announcement, and knows that the other has its own.
    private static func hasMet(_ runtime: NodeRuntime) throws -> Bool {
        guard let peer = try runtime.node.reader.peers().first, try runtime.node.reader.counts().operations >= 2 else {
            return false
        }
        return runtime.node.links.all[peer.id].map { $0.isConnected && $0.acknowledgedPosition > 0 } ?? false
    }

    struct Round {
        var sender: Peer.Report
        var receiver: Peer.Report

        private func seconds(_ end: UInt64) -> Double { Double(end - sender.started) / 1e9 }
        var durableSeconds: Double { seconds(sender.durable) }
        var searchableSeconds: Double { seconds(max(receiver.searchable, sender.durable)) }
        var checkpointedSeconds: Double { seconds(max(receiver.checkpointed, sender.durable)) }
    }

    /// Where a round's copies lie: they are what is left of it.
    var receiverPath: String { root + "/receiver" }
    var senderPath: String { root + "/sender" }

    /// The region dials and sends everything.
    /// - Parameter prepare: called when the province is up and the region has not dialled.
    func run(_ prepare: (Peer.Ready) throws -> Void = { _ in }) throws -> Round {
        try copy()
        let receiver = try PeerProcess(.receive, folder: receiverPath, ["--until", "\(content.operationCount)"])
        defer { receiver.end() }
        let ready = try receiver.next(Peer.Ready.self)
        try Self.dial(ready, from: senderPath)
        try prepare(ready)
        let sender = try PeerProcess(.send, folder: senderPath, ["--until", "\(content.lastPosition)"])
        defer { sender.end() }
        let sent = try sender.next(Peer.Report.self)
        return Round(sender: sent, receiver: try receiver.next(Peer.Report.self))
    }

    func copy() throws {
        for (from, to) in [(template, receiverPath), (sender, senderPath)] {
            try? FileManager.default.removeItem(atPath: to)
            try FileManager.default.copyItem(atPath: from, toPath: to)
        }
        sync()
    }

    /// Tells a region where its parent listens now.
    static func dial(_ ready: Peer.Ready, from path: String) throws {
        guard let address = NodeConfiguration.parse(ready.address) else { throw BenchError("no address") }
        let folder = DataFolder(path: path)
        var configuration = try NodeConfiguration(folder: folder)
        configuration.parents = [address]
        try Data(configuration.yaml.utf8).write(to: URL(fileURLWithPath: folder.configuration))
    }
}
