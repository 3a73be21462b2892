internal import Foundation
internal import Store

/// Ten operations on a large base, over a connection that is there: from the moment their author's commit is done to
/// the moment when their author's node knows that they are durable at the other. Beside it, in turn, the same on a small
/// base, and what SQLite itself needs for such operations on the large one (see `BareCatchUp`).
///
/// Before each, both nodes have indexed what came before and have been left alone, so that nothing else waits for the
/// disk. Every file is in the system's cache: a machine that takes from it what has lain idle would else decide which of
/// the three reads the disk. Ratios are taken within a repetition.
struct CatchUp {
    struct Outcome: Encodable {
        var base: Int
        var smallBase: Int
        var operations: Int
        var repetitions: Int
        var ratioToBareSQL: Double
        var spreadToBareSQL: Spread
        var ratioLargeToSmall: Double
        var spreadLargeToSmall: Spread
        var milliseconds: Spread
        var millisecondsSmall: Spread
        var millisecondsBareSQL: Spread
        /// The same with the author's own commit.
        var millisecondsWithOwnCommit: Spread
    }

    static let operationCount = 10
    /// Repetitions before the first that counts.
    static let warmingCount = 3
    /// Longer than anything that a node does after a commit: the index 200 ms later, cursors 500, the epoch 1,000.
    static let quietMicroseconds: UInt32 = 1_300_000

    /// Two nodes at work.
    private struct Pair {
        let stores: BaseStores
        let receiver: PeerProcess
        let sender: PeerProcess
        private let folders: [String]

        init(_ stores: BaseStores, root: String) throws {
            self.stores = stores
            try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
            let pair = try stores.joinedPair(root: root)
            try pair.copy()
            folders = [pair.receiverPath, pair.senderPath]
            receiver = try PeerProcess(.serve, folder: pair.receiverPath)
            do {
                try SyncPair.dial(receiver.next(Peer.Ready.self), from: pair.senderPath)
                sender = try PeerProcess(
                    .write, folder: pair.senderPath, ["--until", "\(stores.content.lastPosition)"])
            } catch {
                receiver.end()
                throw error
            }
        }

        func run(_ tickets: [BaseStores.Ticket]) throws -> Peer.Written {
            let written = try sender.ask(Peer.Wish(tickets: tickets.map(\.id)), Peer.Written.self)
            usleep(CatchUp.quietMicroseconds)
            while try receiver.ask("", Peer.Status.self).searchBacklog > 0 { usleep(CatchUp.quietMicroseconds) }
            return written
        }

        var databases: [String] { folders.map { DataFolder(path: $0).database } }

        func end() {
            sender.end()
            receiver.end()
        }
    }

    static func run(
        large: BaseStores, small: BaseStores, repetitions: Int, seed: UInt64, root: String
    ) throws -> Outcome {
        note("copying the stores for catching up")
        let root = root + "/catchUp"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        // Copies of stores of a gibibyte are not left to the end.
        defer { try? FileManager.default.removeItem(atPath: root) }
        let paths = [root + "/bare-source.db", root + "/bare-target.db"]
        try large.copyReference(to: paths)
        let bare = try BareCatchUp(source: paths[0], target: paths[1], time: Int64.max >> 1)
        defer { bare.close() }
        let one = try Pair(large, root: root + "/large")
        defer { one.end() }
        let other = try Pair(small, root: root + "/small")
        defer { other.end() }
        for pair in [one, other] { _ = try pair.sender.next(Peer.Ready.self) }
        sync()
        usleep(quietMicroseconds)
        var random = Random(seed: seed)
        var times = Times()
        for repetition in 1...(warmingCount + repetitions) {
            let tickets = (0..<operationCount).map { _ in random.pick(large.sample) }
            let smallTickets = (0..<operationCount).map { _ in random.pick(small.sample) }
            for path in paths + one.databases + other.databases { try readThrough(path) }
            let written = try one.run(tickets)
            let bareSeconds = try bare.run(tickets: tickets.map(\.key))
            let writtenSmall = try other.run(smallTickets)
            guard repetition > warmingCount else { continue }
            times.add(written, small: writtenSmall, bareSeconds: bareSeconds)
        }
        return times.outcome(large, small)
    }

    private static func readThrough(_ path: String) throws {
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        defer { try? file.close() }
        while let part = try file.read(upToCount: 1_048_576), !part.isEmpty {}
    }

    private struct Times {
        private var large: [Double] = []
        private var small: [Double] = []
        private var bare: [Double] = []
        private var whole: [Double] = []

        mutating func add(_ written: Peer.Written, small: Peer.Written, bareSeconds: Double) {
            large.append(Double(written.acknowledged - written.committed) / 1e6)
            self.small.append(Double(small.acknowledged - small.committed) / 1e6)
            bare.append(bareSeconds * 1e3)
            whole.append(Double(written.acknowledged - written.begun) / 1e6)
        }

        func outcome(_ stores: BaseStores, _ smallStores: BaseStores) -> Outcome {
            let toBare = Spread(zip(large, bare).map(/))
            let toSmall = Spread(zip(large, small).map(/))
            return Outcome(
                base: stores.operations, smallBase: smallStores.operations, operations: operationCount,
                repetitions: large.count, ratioToBareSQL: toBare.median, spreadToBareSQL: toBare,
                ratioLargeToSmall: toSmall.median, spreadLargeToSmall: toSmall, milliseconds: Spread(large),
                millisecondsSmall: Spread(small), millisecondsBareSQL: Spread(bare),
                millisecondsWithOwnCommit: Spread(whole))
        }
    }
}
