internal import ArgumentParser
internal import Foundation
internal import Node
internal import Replication
internal import Store

/// One side of the sync measurement, in a process of its own so that its memory is its own. Speaks JSON lines on its
/// standard output; ends when its standard input does.
struct Peer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "peer", shouldDisplay: false)

    enum Side: String, ExpressibleByArgument {
        case receive, send
    }

    /// The receiver is up.
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
    }

    @Argument var side: Side
    @Option var data: String
    @Option(help: "Operations that have to arrive, or the feed position that has to be acknowledged.")
    var until: UInt64

    func run() async throws {
        let runtime = try NodeRuntime(folder: DataFolder(path: data), logger: quiet)
        let processor = Instant.processor()
        var report = Report()
        report.startPeakMebibytes = Machine.peakMebibytes()
        report.started = Instant.monotonic()
        let running = Task { try await runtime.run() }
        switch side {
        case .receive: try await receive(runtime, &report, processor)
        case .send: try await send(runtime, &report, processor)
        }
        report.processorSeconds = Double(Instant.processor() - processor) / 1e9
        try Self.say(report)
        // Whoever started this process ends it by closing its input.
        _ = readLine()
        running.cancel()
        _ = await running.result
    }

    private func receive(_ runtime: NodeRuntime, _ report: inout Report, _ processor: UInt64) async throws {
        try await wait { runtime.addresses.sync != nil && runtime.isUp }
        try Self.say(Ready(address: runtime.addresses.sync ?? ""))
        let (node, until) = (runtime.node, until)
        try await wait { link(node)?.receivedOperations ?? 0 >= until }
        report.durable = Instant.monotonic()
        report.processorSecondsToDurable = Double(Instant.processor() - processor) / 1e9
        try await wait(every: 20) { try node.reader.searchBacklog() == 0 }
        report.searchable = Instant.monotonic()
        report.peakMebibytes = Machine.peakMebibytes()
        try await node.administer { try $0.checkpoint() }
        report.checkpointed = Instant.monotonic()
        report.wireBytes = link(node)?.receivedBytes ?? 0
        report.databaseBytes = Machine.fileBytes(DataFolder(path: data).database)
    }

    private func send(_ runtime: NodeRuntime, _ report: inout Report, _ processor: UInt64) async throws {
        let (node, until) = (runtime.node, until)
        try await wait { link(node)?.acknowledgedPosition ?? 0 >= until }
        report.durable = Instant.monotonic()
        report.processorSecondsToDurable = Double(Instant.processor() - processor) / 1e9
        report.peakMebibytes = Machine.peakMebibytes()
        report.wireBytes = link(node)?.sentBytes ?? 0
    }

    /// The only link of such a node.
    private func link(_ node: SyncNode) -> LinkTable.Status? { node.links.all.values.first }

    private func wait(every milliseconds: Int = 5, _ condition: () throws -> Bool) async throws {
        let end = Instant.monotonic() + 600 * 1_000_000_000
        while try !condition() {
            guard Instant.monotonic() < end else { throw BenchError("\(side): nothing came about within 600 s") }
            try await Task.sleep(for: .milliseconds(milliseconds))
        }
    }

    private static func say(_ value: some Encodable) throws {
        var line = try JSONEncoder().encode(value)
        line.append(UInt8(ascii: "\n"))
        try FileHandle.standardOutput.write(contentsOf: line)
    }
}

/// Runs a side in a child process.
final class PeerProcess {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var buffer = Data()

    init(_ side: Peer.Side, folder: String, until: UInt64) throws {
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["peer", side.rawValue, "--data", folder, "--until", "\(until)"]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
    }

    /// The next line that it says; blocks.
    func next<Value: Decodable>(_: Value.Type) throws -> Value {
        while true {
            if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                let line = buffer[buffer.startIndex..<end]
                let value = try JSONDecoder().decode(Value.self, from: Data(line))
                buffer = Data(buffer[buffer.index(after: end)...])
                return value
            }
            let chunk = output.fileHandleForReading.availableData
            guard !chunk.isEmpty else { throw BenchError("a peer process ended early") }
            buffer.append(chunk)
        }
    }

    func end() {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}
