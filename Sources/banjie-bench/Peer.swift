internal import ArgumentParser
internal import Foundation
internal import Node
internal import Replication
internal import Store
internal import Synchronization

/// One side of a measurement, in a process of its own so that its memory is its own. Speaks JSON lines on its standard
/// output; ends when its standard input does.
struct Peer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "peer", shouldDisplay: false)
    static let secondsMax: UInt64 = 1_800

    enum Side: String, ExpressibleByArgument {
        /// A backlog goes from one to the other.
        case receive, send
        /// The same while the sender also writes.
        case receiveLive, sendLive
        /// A node that is up and answers questions; one that writes what it is told to.
        case serve, write
        /// Many children of the node of a folder, connected and idle.
        case children
        /// A client that means harm.
        case halfOpen, flood
    }

    /// The peer is up.
    struct Ready: Codable {
        var address: String
    }

    /// Nanoseconds of CLOCK_MONOTONIC; bytes of messages with their lengths, without TLS and HTTP/2 frames.
    struct Report: Codable {
        var started: UInt64 = 0
        /// At the sender: the last acknowledgement. At the receiver: the last commit.
        var durable: UInt64 = 0
        var searchable: UInt64 = 0
        var checkpointed: UInt64 = 0
        var processorSeconds = 0.0
        /// Until the last operation was durable.
        var processorSecondsToDurable = 0.0
        var peakMebibytes = 0.0
        var startPeakMebibytes = 0.0
        var wireBytes: UInt64 = 0
        var databaseBytes = 0
        /// Of operations that the sender wrote meanwhile, by their sequence: when it began to write them, or when they
        /// were durable at the receiver.
        var live: [UInt64: UInt64] = [:]
    }

    @Argument var side: Side
    @Option var data: String
    @Option(help: "Operations that have to arrive, or the feed position that has to be acknowledged.")
    var until: UInt64 = 0
    @Option(help: "Where the children's parent listens.") var address = ""
    @Option(help: "How many children, handshakes or frames.") var count = 0

    func run() async throws {
        Machine.raiseDescriptorLimit()
        switch side {
        case .children: return try await IdleChildren(folder: data, address: address, count: count).run()
        case .halfOpen, .flood: return try await HostileClient(folder: data, address: address).run(side, count: count)
        default: break
        }
        let runtime = try NodeRuntime(folder: DataFolder(path: data), logger: quiet)
        let processor = Instant.processorNanoseconds()
        var report = Report()
        report.startPeakMebibytes = Machine.peakMebibytes()
        report.started = Instant.monotonic()
        let running = Task { try await runtime.run() }
        let lines = PeerSpeech.lines()
        switch side {
        case .receive: try await receive(runtime, &report, processor)
        case .send: try await send(runtime, &report, processor)
        case .receiveLive: try await receiveLive(runtime, &report, lines)
        case .sendLive: try await sendLive(runtime, &report, lines)
        case .serve: try await serve(runtime, lines)
        case .write: try await write(runtime, lines)
        case .children, .halfOpen, .flood: break
        }
        if side == .receive || side == .send {
            report.processorSeconds = Double(Instant.processorNanoseconds() - processor) / 1e9
            try PeerSpeech.say(report)
            // Whoever started this process ends it by closing its input.
            for await _ in lines {}
        }
        running.cancel()
        _ = await running.result
    }

    private func receive(_ runtime: NodeRuntime, _ report: inout Report, _ processor: UInt64) async throws {
        try await sayReady(runtime)
        let (node, until) = (runtime.node, until)
        try await wait { link(node)?.receivedOperations ?? 0 >= until }
        report.durable = Instant.monotonic()
        report.processorSecondsToDurable = Double(Instant.processorNanoseconds() - processor) / 1e9
        try await finish(node, &report)
    }

    /// On to the moment when tickets and search have caught up, and to the end of a checkpoint.
    func finish(_ node: SyncNode, _ report: inout Report) async throws {
        try await wait(every: 20) { try node.reader.search.backlog() == 0 && !node.reader.isProjectionBehind() }
        report.searchable = Instant.monotonic()
        report.peakMebibytes = Machine.peakMebibytes()
        try await node.administer { try $0.checkpoint() }
        report.checkpointed = Instant.monotonic()
        report.wireBytes = link(node)?.receivedBytes ?? 0
        let folder = DataFolder(path: data)
        report.databaseBytes = [folder.database, folder.searchIndex, folder.searchIndex + "-wal"].reduce(0) {
            $0 + Machine.fileBytes($1)
        }
    }

    private func send(_ runtime: NodeRuntime, _ report: inout Report, _ processor: UInt64) async throws {
        let (node, until) = (runtime.node, until)
        try await wait { link(node)?.acknowledgedPosition ?? 0 >= until }
        report.durable = Instant.monotonic()
        report.processorSecondsToDurable = Double(Instant.processorNanoseconds() - processor) / 1e9
        report.peakMebibytes = Machine.peakMebibytes()
        report.wireBytes = link(node)?.sentBytes ?? 0
    }

    func sayReady(_ runtime: NodeRuntime) async throws {
        try await wait { runtime.addresses.sync != nil && runtime.isUp }
        try PeerSpeech.say(Ready(address: runtime.addresses.sync ?? ""))
    }

    /// The only link of such a node.
    func link(_ node: SyncNode) -> LinkTable.Status? { node.links.all.values.first }

    func wait(every milliseconds: Int = 5, _ condition: () throws -> Bool) async throws {
        let end = Instant.monotonic() + Self.secondsMax * 1_000_000_000
        while try !condition() {
            guard Instant.monotonic() < end else {
                throw BenchError("\(side): nothing came about within \(Self.secondsMax) s")
            }
            try await Task.sleep(for: .milliseconds(milliseconds))
        }
    }
}
