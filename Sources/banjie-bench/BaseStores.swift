internal import Foundation
internal import Replication
internal import Store

/// Stores with a base of operations: made once, and kept for further runs where a folder for them is given.
///
///     manifest.json                   what they hold; written once region and province are whole
///     region/ province/               the region with all of it, its province with nothing
///     joined/sender joined/receiver   the two once they have met: both with all of it
///     reference.db                    the same as rows of the reference
struct BaseStores {
    /// What a folder was made from, and what is needed to use it.
    private struct Manifest: Codable {
        var format: Int
        var operations: Int
        var seed: UInt64
        var madeSeconds: Double
        var content: SyncPair.Content
        var sample: [Ticket]
    }

    /// A ticket of the base under both its names.
    struct Ticket: Codable {
        var id: String
        /// The reference's.
        var key: Int
    }

    /// Of the manifest, and of the stores' schema as far as this program can tell.
    static let format = 2
    /// Two nodes that have been apart longer compare before they go on, which is not what is measured.
    static let ageSecondsMax = 6.0 * 86_400
    static let sampleMax = 2_048
    private static let rowsAtOnce = 100_000
    private static let perTransaction = 5_000

    private let folder: String
    private let manifest: Manifest

    /// - Parameter parent: folder in which they are looked for, and made if they are not there.
    init(in parent: String, operations: Int, seed: UInt64) async throws {
        folder = parent + "/base-\(operations)-\(seed)"
        let path = folder + "/manifest.json"
        if let data = FileManager.default.contents(atPath: path),
            let known = try? JSONDecoder().decode(Manifest.self, from: data), known.format == Self.format,
            known.operations == operations, known.seed == seed,
            Date().timeIntervalSince1970 - known.madeSeconds < Self.ageSecondsMax
        {
            manifest = known
            return
        }
        note("making a base of \(operations) operations")
        try? FileManager.default.removeItem(atPath: folder)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let (region, province) = (DataFolder(path: folder + "/region"), DataFolder(path: folder + "/province"))
        try await SyncPair.enrol(province: province, region: region)
        let stream = Self.stream(operations, seed)
        var sample: [Ticket] = []
        let step = max(1, operations / 10 / Self.sampleMax)
        var opened = 0
        let sampled = stream.lazy.map { entry in
            if entry.operation.dot == Dot(ReplicaID(entry.operation.entity.high), entry.operation.entity.low) {
                if opened % step == 0, sample.count < Self.sampleMax {
                    sample.append(Ticket(id: entry.operation.entity.description, key: entry.ticket))
                }
                opened += 1
            }
            return entry
        }
        let content = try SyncPair.fill(region, announcements: stream.announcements, operations: sampled)
        manifest = Manifest(
            format: Self.format, operations: operations, seed: seed, madeSeconds: Date().timeIntervalSince1970,
            content: content, sample: sample)
        try JSONEncoder().encode(manifest).write(to: URL(fileURLWithPath: path))
    }

    private static func stream(_ operations: Int, _ seed: UInt64) -> WorkloadStream {
        WorkloadStream(operations: operations, tickets: max(1, operations / 10), seed: seed)
    }

    var content: SyncPair.Content { manifest.content }
    var operations: Int { manifest.operations }
    var sample: [Ticket] { manifest.sample }

    /// The two that have not met.
    func pair(root: String) -> SyncPair {
        SyncPair(root: root, region: folder + "/region", province: folder + "/province", content: content)
    }

    /// The two that have; `copy` makes them ready to be used.
    func joinedPair(root: String) throws -> SyncPair {
        let joined = folder + "/joined"
        if !FileManager.default.fileExists(atPath: joined) {
            note("\(operations) operations go from the region to the province")
            let place = folder + "/joining"
            try? FileManager.default.removeItem(atPath: place)
            try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
            let pair = pair(root: place)
            _ = try pair.run()
            for path in [pair.senderPath, pair.receiverPath] {
                try SyncPair.settle(Store.open(DataFolder(path: path)).writer)
            }
            try FileManager.default.moveItem(atPath: place, toPath: joined)
        }
        return SyncPair(root: root, region: joined + "/sender", province: joined + "/receiver", content: content)
    }

    /// Copies the reference's database with the same base.
    func copyReference(to paths: [String]) throws {
        let path = folder + "/reference.db"
        if !FileManager.default.fileExists(atPath: path) {
            note("the reference's base of \(operations) operations")
            let place = folder + "/reference.new"
            let store = try ReferenceStore(path: place)
            var waiting: [WorkloadOperation] = []
            for entry in Self.stream(operations, manifest.seed) {
                waiting.append(entry)
                if waiting.count == Self.rowsAtOnce {
                    _ = try store.write(ReferenceStore.rows(waiting), perTransaction: Self.perTransaction)
                    waiting.removeAll(keepingCapacity: true)
                }
            }
            _ = try store.write(ReferenceStore.rows(waiting), perTransaction: Self.perTransaction)
            store.close()
            try FileManager.default.moveItem(atPath: place, toPath: path)
        }
        for copy in paths {
            for suffix in ["", "-wal", "-shm"] { unlink(copy + suffix) }
            try FileManager.default.copyItem(atPath: path, toPath: copy)
        }
    }
}
