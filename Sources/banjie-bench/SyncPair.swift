internal import Foundation
internal import Node
internal import Replication
internal import Store
internal import Tickets
internal import Transport

/// A region that holds all operations and its province that holds none: enrolled once, then copied for every round.
struct SyncPair {
    private let root: String
    private let sender: String
    private let template: String
    /// Operations that the province gets: the workload, the announcements of its offices and of the region.
    let operationCount: UInt64
    /// Position in the region's feed of the last of them.
    private let lastPosition: UInt64

    /// The region's store is filled as its twelve branches would have: in the order of the operations' times.
    init(root: String, workload: Workload) async throws {
        self.root = root
        sender = root + "/region"
        template = root + "/province"
        let senderFolder = DataFolder(path: sender)
        try await Self.enrol(province: DataFolder(path: template), region: senderFolder)
        let (writer, reader) = try Store.open(senderFolder)
        var peers: [PeerID] = []
        for origin in 1...Workload.originCount {
            let site = Workload.site(origin)
            try writer.register(child: site)
            let hello = SyncMessage.Hello(
                version: 1, site: site, replica: workload.announcements[origin - 1].dot.replica,
                wallMilliseconds: Workload.startMilliseconds, run: 1)
            peers.append(try writer.meet(hello, role: .child, now: Workload.startMilliseconds).id)
        }
        var hasher = ContentHasher()
        var positions = [UInt64](repeating: 0, count: Workload.originCount)
        func batch(_ origin: Int, _ operations: [Replication.Operation]) -> MergeBatch {
            positions[origin - 1] += UInt64(operations.count)
            let end = FeedCursor(feed: operations[0].dot.replica, position: positions[origin - 1])
            return MergeBatch(
                source: .peer(peers[origin - 1], .backlog(end)), operations: operations,
                hashes: operations.map { hasher.hash($0) })
        }
        var waiting = workload.announcements.enumerated().map { batch($0 + 1, [$1]) }
        var count = 0
        for entry in workload.operations {
            waiting.append(batch(entry.origin, [entry.operation]))
            count += 1
            if count % StoreWriter.transactionOperationsMax == 0 {
                _ = try writer.commit(waiting, now: Workload.startMilliseconds)
                waiting.removeAll(keepingCapacity: true)
            }
        }
        if !waiting.isEmpty { _ = try writer.commit(waiting, now: Workload.startMilliseconds) }
        while try writer.advanceSearch() > 0 {}
        while try writer.mergeSearch() {}
        try writer.checkpoint()
        let counts = try reader.counts()
        guard counts.parked == 0 else { throw BenchError("\(counts.parked) operations were parked") }
        // No operation of the region comes from its parent, so that positions count operations.
        operationCount = UInt64(counts.operations)
        lastPosition = operationCount
    }

    private static func enrol(province: DataFolder, region: DataFolder) async throws {
        var configuration = NodeConfiguration()
        configuration.listen = .hostPort("127.0.0.1", 0)
        configuration.enrolment = .hostPort("127.0.0.1", 0)
        configuration.console = nil
        let options = InitOptions(configuration: configuration, logger: quiet)
        _ = try await Offices.initialiseProvince(folder: province, site: Workload.province, options: options)
        let runtime = try NodeRuntime(folder: province, logger: quiet)
        let running = Task { try await runtime.run() }
        while !runtime.isUp { try await Task.sleep(for: .milliseconds(5)) }
        let token = try await Enrolment.makeToken(
            node: runtime.node, folder: province, site: Workload.region, addresses: runtime.addresses)
        _ = try await Offices.join(folder: region, token: token, options: options)
        running.cancel()
        _ = await running.result
    }

    struct Round {
        var sender: Peer.Report
        var receiver: Peer.Report

        private func seconds(_ end: UInt64) -> Double { Double(end - sender.started) / 1e9 }
        var durableSeconds: Double { seconds(sender.durable) }
        var searchableSeconds: Double { seconds(max(receiver.searchable, sender.durable)) }
        var checkpointedSeconds: Double { seconds(max(receiver.checkpointed, sender.durable)) }
    }

    /// The region dials and sends everything.
    func run() throws -> Round {
        let receiverPath = root + "/receiver"
        let senderPath = root + "/sender"
        for (from, to) in [(template, receiverPath), (sender, senderPath)] {
            try? FileManager.default.removeItem(atPath: to)
            try FileManager.default.copyItem(atPath: from, toPath: to)
        }
        sync()
        let receiver = try PeerProcess(.receive, folder: receiverPath, until: operationCount)
        defer { receiver.end() }
        let ready = try receiver.next(Peer.Ready.self)
        guard let address = NodeConfiguration.parse(ready.address) else { throw BenchError("no address") }
        let folder = DataFolder(path: senderPath)
        var configuration = try NodeConfiguration(folder: folder)
        configuration.parents = [address]
        try Data(configuration.yaml.utf8).write(to: URL(fileURLWithPath: folder.configuration))
        let sender = try PeerProcess(.send, folder: senderPath, until: lastPosition)
        defer { sender.end() }
        let sent = try sender.next(Peer.Report.self)
        return Round(sender: sent, receiver: try receiver.next(Peer.Report.self))
    }
}
