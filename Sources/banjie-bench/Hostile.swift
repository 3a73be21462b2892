internal import Foundation

/// What a hostile client costs a proper child: the workload's sync, beside one that holds half-open handshakes, and
/// beside one that sends control frames and dials again whenever it is cut off. Each round has a sync without any
/// before those; a slowdown is the time to the last durable operation, with over without, within a round.
///
/// The client is a process of its own on the same machine, so its own processor time is part of the slowdown.
struct Hostile {
    /// One kind of attack.
    struct Attack: Encodable {
        var slowdown: Spread
        /// The receiver's peak, with less without.
        var extraMiB: Spread
        /// Of the last round: connections that were opened, and frames that were written.
        var connections: Int
        var frames: Int
    }

    struct Outcome: Encodable {
        /// The larger of the two medians.
        var slowdown: Double
        var extraMiB: Double
        var halfOpen: Attack
        var controlFrames: Attack
    }

    static let handshakes = 1_000
    static let frames = 100_000

    private struct Series {
        var slowdown: [Double] = []
        var extra: [Double] = []
        var last = HostileClient.Report()

        var attack: Attack {
            Attack(
                slowdown: Spread(slowdown), extraMiB: Spread(extra), connections: last.connections, frames: last.frames)
        }
    }

    private let pair: SyncPair
    private var halfOpen = Series()
    private var controlFrames = Series()

    init(pair: SyncPair) { self.pair = pair }

    mutating func run() throws {
        let alone = try pair.run()
        try run(.halfOpen, count: Self.handshakes, alone, &halfOpen)
        try run(.flood, count: Self.frames, alone, &controlFrames)
    }

    private func run(_ side: Peer.Side, count: Int, _ alone: SyncPair.Round, _ series: inout Series) throws {
        var client: PeerProcess?
        defer { client?.end() }
        let round = try pair.run { ready in
            let process = try PeerProcess(
                side, folder: pair.receiverPath, ["--address", ready.address, "--count", "\(count)"])
            client = process
            _ = try process.next(Peer.Ready.self)
        }
        guard let client else { throw BenchError("no hostile client") }
        series.last = try client.ask("", HostileClient.Report.self)
        series.slowdown.append(round.durableSeconds / alone.durableSeconds)
        series.extra.append(round.receiver.peakMebibytes - alone.receiver.peakMebibytes)
        note(
            String(
                format: "%@: %.2f s beside %.2f s, peak %.1f MiB beside %.1f MiB, %d connections, %d frames",
                side.rawValue, round.durableSeconds, alone.durableSeconds, round.receiver.peakMebibytes,
                alone.receiver.peakMebibytes, series.last.connections, series.last.frames))
    }

    var outcome: Outcome {
        let (halfOpen, frames) = (halfOpen.attack, controlFrames.attack)
        return Outcome(
            slowdown: max(halfOpen.slowdown.median, frames.slowdown.median),
            extraMiB: max(halfOpen.extraMiB.median, frames.extraMiB.median), halfOpen: halfOpen, controlFrames: frames)
    }
}
