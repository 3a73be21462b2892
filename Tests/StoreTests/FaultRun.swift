import class Foundation.FileManager
import func Foundation.NSTemporaryDirectory
import struct Foundation.UUID
import FaultVFS
import Replication
import Store
import TestSupport
import Tickets

/// A province's store on a disk that fails: made, filled, reopened in the middle, and whatever was acknowledged noted.
///
/// Every step is tried twice, as a node does whose link or command comes again; a step that fails twice is left out.
final class FaultRun {
    struct Violation: Error, CustomStringConvertible {
        var description: String
    }

    static let replica = ReplicaID(13)

    let disk: FaultDisk
    private let folder: DataFolder
    private let parts: [[Operation]]
    private var store: (writer: StoreWriter, reader: StoreReader)?
    private(set) var acknowledged: [Operation] = []
    private var hasher = ContentHasher()

    init(_ parts: [[Operation]]) {
        let path = NSTemporaryDirectory() + "banjie-fault-\(UUID().uuidString)"
        folder = DataFolder(path: path)
        disk = FaultDisk(folder: path)
        self.parts = parts
    }

    deinit {
        store = nil
        disk.remove()
        try? FileManager.default.removeItem(atPath: folder.path)
    }

    // MARK: The work

    /// Makes the store; before any failure, since a store that was never whole has acknowledged nothing.
    func create() throws {
        store = try Store.open(
            folder, creating: NodeIdentity(site: SiteCode(validated: "zj"), replica: Self.replica, parent: nil))
    }

    func work() {
        attempt { try $0.register(child: SiteCode(validated: "hz.zj")) }
        for (index, part) in parts.enumerated() {
            if index == parts.count / 2 { reopen() }
            let batch = batch(part)
            let isDone = attempt { try $0.commit([batch], now: Office.start, deferringProjection: index % 3 != 2) }
            if isDone { acknowledged += part }
            switch index % 4 {
            case 0: attempt { _ = try $0.writeProjection() }
            case 1: attempt { _ = try $0.reader.search.advance() }
            case 2: attempt { try $0.saveEpoch() }
            default: attempt { try $0.checkpoint() }
            }
        }
    }

    /// A process that ends in order and comes back, as far as the disk lets it.
    private func reopen() {
        store = nil
        for _ in 0..<2 where store == nil { store = try? open() }
    }

    @discardableResult
    private func attempt(_ step: (StoreWriter) throws -> Void) -> Bool {
        for _ in 0..<2 {
            guard let writer = store?.writer else { return false }
            do {
                try step(writer)
                return true
            } catch { continue }
        }
        return false
    }

    private func batch(_ operations: [Operation]) -> MergeBatch {
        MergeBatch(source: .local, operations: operations, hashes: operations.map { hasher.hash($0) })
    }

    private func open() throws -> (writer: StoreWriter, reader: StoreReader) {
        try Store.open(folder, context: StoreContext(now: Office.start, nextReplica: ReplicaID(0xF00)))
    }

    // MARK: The end

    func close() {
        store = nil
        disk.fail(nil)
    }

    func losePower(seed: UInt64) throws {
        disk.cutPower()
        store = nil
        var generator = SeededGenerator(seed: seed)
        try disk.restorePower(using: &generator)
        // The indexes of the logs in memory are made anew after a power cut.
        for path in [folder.database, folder.searchIndex] {
            try? FileManager.default.removeItem(atPath: path + "-shm")
        }
    }

    /// Opens on a disk that works again, and looks for what may not be.
    /// - Returns: the tickets' states once everything has come again. Rows may differ: after a flush that failed, a later
    ///   transaction may be there and an earlier one not, and what comes again arrives behind it.
    func verify() throws -> [EntityID: [UInt8]] {
        let (writer, reader) = try open()
        defer { store = nil }
        store = (writer, reader)
        guard reader.identity.replica == Self.replica else {
            throw Violation(description: "a history that is whole was taken for one that lost its end")
        }
        let log = try reader.operations(after: 0, limit: .max).map(\.operation)
        let present = Set(log.map(\.dot))
        guard present.count == log.count else { throw Violation(description: "a dot is there twice") }
        if let lost = acknowledged.first(where: { !present.contains($0.dot) }) {
            throw Violation(description: "\(lost.dot) was acknowledged and is lost")
        }
        let submitted = Dictionary(uniqueKeysWithValues: parts.flatMap { $0 }.map { ($0.dot, $0) })
        if let strange = log.first(where: { submitted[$0.dot] != $0 }) {
            throw Violation(description: "\(strange.dot) is there and was never written so")
        }
        for part in parts where Set(part.map { present.contains($0.dot) }).count > 1 {
            throw Violation(description: "the transaction of \(part[0].dot) is there in part")
        }
        guard try writer.differencesFromLog(sampleCount: .max).isEmpty else {
            throw Violation(description: "the projection is not what the log says")
        }
        try writer.register(child: SiteCode(validated: "hz.zj"))
        for part in parts { try writer.commit([batch(part)], now: Office.start) }
        while try writer.reader.search.advance() > 0 {}
        let grown = try reader.projectionForTests()
        try writer.rebuild(now: Office.start)
        guard try reader.projectionForTests() == grown else {
            throw Violation(description: "a rebuild makes other rows")
        }
        let ids = Set(parts.joined().map(\.entity))
        return Dictionary(uniqueKeysWithValues: try ids.map { ($0, try reader.state(of: $0)?.encoded() ?? []) })
    }
}
