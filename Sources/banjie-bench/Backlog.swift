internal import Foundation

/// A backlog of a given size goes to an empty receiver, each side in a process of its own, while the sender writes an
/// operation five times a second: the most memory that either takes, and how soon what is written meanwhile is durable
/// at the receiver.
///
/// An operation's time runs from before its author's commit to the moment when a reader at the receiver finds it.
/// Those count that were written before the backlog was through.
struct Backlog {
    struct Outcome: Encodable {
        var operations: Int
        /// The higher of the two; VmHWM, of the receiver up to the moment when its search has caught up.
        var peakMiB: Double
        var senderPeakMiB: Double
        var receiverPeakMiB: Double
        /// Of the receiver's the part that is not pages of files: what the process has allocated.
        var receiverAnonymousPeakMiB: Double
        var seconds: Double
        var liveCount: Int
        var liveMilliseconds: Spread
    }

    static func run(_ stores: BaseStores, root: String) throws -> Outcome {
        note("a backlog of \(stores.operations) operations")
        let root = root + "/backlog"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: root) }
        let pair = stores.pair(root: root)
        try pair.copy()
        let receiver = try PeerProcess(.receiveLive, folder: pair.receiverPath)
        defer { receiver.end() }
        let memory = AnonymousMemoryWatch(receiver.identifier)
        defer { _ = memory.stop() }
        try SyncPair.dial(receiver.next(Peer.Ready.self), from: pair.senderPath)
        let sender = try PeerProcess(
            .sendLive, folder: pair.senderPath, ["--until", "\(stores.content.lastPosition)"])
        defer { sender.end() }
        let sent = try sender.ask(Peer.Wish(tickets: stores.sample.map(\.id)), Peer.Report.self)
        let received = try receiver.ask("", Peer.Report.self)
        let live = sent.live.compactMap { sequence, begun in
            received.live[sequence].map { (Double($0) - Double(begun)) / 1e6 }
        }
        // The last one or two may still have been on their way when the sender knew the backlog to be through.
        guard !live.isEmpty, live.count + 2 >= sent.live.count else {
            throw BenchError("\(live.count) of \(sent.live.count) live operations arrived")
        }
        return Outcome(
            operations: stores.operations, peakMiB: max(sent.peakMebibytes, received.peakMebibytes),
            senderPeakMiB: sent.peakMebibytes, receiverPeakMiB: received.peakMebibytes,
            receiverAnonymousPeakMiB: memory.stop(),
            seconds: Double(sent.durable - sent.started) / 1e9, liveCount: live.count,
            liveMilliseconds: Spread(live))
    }
}
