import class Foundation.FileManager
import func Foundation.NSTemporaryDirectory
import struct Foundation.UUID
import Replication
import Store
import TestSupport
import Tickets

/// A store in a folder of its own that goes away with the value.
final class TestStore {
    let folder: DataFolder
    let writer: StoreWriter
    let reader: StoreReader
    private var hasher = ContentHasher()

    init(_ site: String, replica: UInt64 = 1, parent: String? = nil) throws {
        folder = DataFolder(path: NSTemporaryDirectory() + "banjie-store-\(UUID().uuidString)")
        let opened = try Store.open(
            folder,
            creating: NodeIdentity(
                site: SiteCode(validated: site), replica: ReplicaID(replica),
                parent: parent.map(SiteCode.init(validated:))))
        writer = opened.writer
        reader = opened.reader
    }

    deinit {
        try? FileManager.default.removeItem(atPath: folder.path)
    }

    func batch(_ operations: [Operation], from source: BatchSource = .local) -> MergeBatch {
        MergeBatch(source: source, operations: operations, hashes: operations.map { hasher.hash($0) })
    }

    @discardableResult
    func commit(_ operations: [Operation], from source: BatchSource = .local, now: Int64 = 0) throws -> MergeResult {
        try writer.commit([batch(operations, from: source)], now: now)
    }

    /// A child that has said who it is.
    func meet(_ site: SiteCode, replica: UInt64) throws -> PeerID {
        try writer.meet(
            SyncMessage.Hello(
                version: 1, site: site, replica: ReplicaID(replica), wallMilliseconds: 0, run: 1),
            role: .child, now: Office.start
        ).id
    }

    /// Everything the projection holds, as text that can be compared.
    func projection() throws -> String {
        try reader.projectionForTests()
    }
}
