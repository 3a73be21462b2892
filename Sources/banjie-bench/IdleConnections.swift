internal import Foundation
internal import Node
internal import Store
internal import Transport

/// What a connected idle child costs its parent's memory: the parent's resident set before any child has dialled and
/// after all are connected and have said everything, by their number. The parent is a whole node in a process of its
/// own, the children share another (see `IdleChildren`).
struct IdleConnections {
    struct Outcome: Encodable {
        var connections: Int
        var kibibytes: Double
        var spread: Spread
        var parentBeforeMiB: Double
        var parentAfterMiB: Double
    }

    /// How long the parent is left alone before it is asked.
    static let settlingMicroseconds: UInt32 = 3_000_000
    static let lookMicroseconds: UInt32 = 100_000
    static let secondsMax = 120.0

    private let folder: DataFolder
    private let count: Int
    private var perConnection: [Double] = []
    private var before: [Double] = []
    private var after: [Double] = []

    init(root: String, count: Int) async throws {
        folder = DataFolder(path: root + "/parent")
        self.count = count
        var configuration = NodeConfiguration()
        configuration.listen = .hostPort("127.0.0.1", 0)
        configuration.enrolment = nil
        configuration.console = nil
        _ = try await Offices.initialiseProvince(
            folder: folder, site: WorkloadStream.province,
            options: InitOptions(configuration: configuration, logger: quiet))
        let (writer, _) = try Store.open(folder)
        for number in 1...count { try writer.register(child: IdleChildren.site(number)) }
        try writer.checkpoint()
    }

    mutating func run() throws {
        let parent = try PeerProcess(.serve, folder: folder.path)
        defer { parent.end() }
        let ready = try parent.next(Peer.Ready.self)
        usleep(Self.settlingMicroseconds)
        let empty = try parent.ask("", Peer.Status.self)
        let children = try PeerProcess(
            .children, folder: folder.path, ["--address", ready.address, "--count", "\(count)"])
        defer { children.end() }
        _ = try children.next(Peer.Ready.self)
        let limit = Date().addingTimeInterval(Self.secondsMax)
        while try parent.ask("", Peer.Status.self).connected < count {
            guard Date() < limit else { throw BenchError("not all of the \(count) children got a session") }
            usleep(Self.lookMicroseconds)
        }
        usleep(Self.settlingMicroseconds)
        let full = try parent.ask("", Peer.Status.self)
        guard full.connected == count else {
            throw BenchError("\(full.connected) of \(count) children are connected")
        }
        perConnection.append((full.residentKibibytes - empty.residentKibibytes) / Double(count))
        before.append(empty.residentKibibytes / 1_024)
        after.append(full.residentKibibytes / 1_024)
    }

    var outcome: Outcome {
        let spread = Spread(perConnection)
        return Outcome(
            connections: count, kibibytes: spread.median, spread: spread, parentBeforeMiB: Spread(before).median,
            parentAfterMiB: Spread(after).median)
    }
}
