import class Foundation.FileManager
import func Foundation.NSTemporaryDirectory
import struct Foundation.UUID
import Replication
import Store
import Synchronization
import TestSupport
import Testing
import Tickets

/// Kinds that the program before did not know. Source: Protocols/operations.md §5.
@Suite final class UpgradeTests {
    private let folder = DataFolder(path: NSTemporaryDirectory() + "banjie-store-\(UUID().uuidString)")
    private let image = DataFolder(path: NSTemporaryDirectory() + "banjie-store-\(UUID().uuidString)")
    private var whole = ""
    private var operationCount = 0

    /// A store with tags in it, as a program would have left it that does not know tags.
    init() throws {
        let identity = NodeIdentity(
            site: SiteCode(validated: "hz.zj"), replica: ReplicaID(11), parent: SiteCode(validated: "zj"))
        let (writer, reader) = try Store.open(folder, creating: identity)
        var office = Office("hz.zj", replica: 11, announced: true)
        for minute in 0..<4 {
            let opened = try office.perform(
                .open(OpenBody(title: "宽带 \(minute)", department: "service")), on: nil, as: "service",
                minute: Int64(minute * 10))
            try office.perform(.tag("急"), on: opened[0].entity, as: "service", minute: Int64(minute * 10 + 2))
        }
        let log = [announcement("hz.zj", replica: 11)] + office.log
        var hasher = ContentHasher()
        let batch = MergeBatch(source: .local, operations: log, hashes: log.map { hasher.hash($0) })
        try writer.commit([batch], now: 0)
        whole = try reader.projectionForTests()
        operationCount = log.count
        let known = Kind.allCases.map(\.rawValue).filter { $0 != Kind.tag.rawValue }
        try writer.executeForTests(
            "UPDATE meta SET value = '\(known.map { "\($0)" }.joined(separator: ","))' WHERE key = 'kinds'")
        // What it has folded without them is of no use now.
        try writer.damageStatesForTests()
    }

    deinit {
        for folder in [folder, image] { try? FileManager.default.removeItem(atPath: folder.path) }
    }

    private func open(_ folder: DataFolder, progress: @escaping @Sendable (Int, Int) -> Void = { _, _ in }) throws
        -> StoreReader
    {
        try Store.open(folder, context: StoreContext(progress: progress)).reader
    }

    @Test("operations of a kind that was not known are folded once it is, with progress and without a new operation")
    func folded() throws {
        let steps = Mutex<[(done: Int, total: Int)]>([])
        do {
            let reader = try open(folder) { done, total in steps.withLock { $0.append((done, total)) } }
            #expect(try reader.projectionForTests() == whole)
            #expect(try reader.counts().operations == operationCount)
        }
        let last = try #require(steps.withLock { $0.last })
        #expect(last.done == operationCount && last.total == operationCount)
        // Once is enough.
        _ = try open(folder) { _, _ in #expect(Bool(false), "nothing is left to do") }
    }

    @Test("a process that ends in the middle leaves a store in which the next one does it")
    func cut() throws {
        let (from, to) = (folder.path, image.path)
        // What lies on the disk before the transaction has ended: what a kill would leave.
        _ = try open(folder) { _, _ in try? FileManager.default.copyItem(atPath: from, toPath: to) }
        #expect(FileManager.default.fileExists(atPath: to))
        #expect(try open(image).projectionForTests() == whole)
    }

    @Test("a store that a later program has folded is not opened")
    func later() throws {
        try RawConnection(folder).execute("UPDATE meta SET value = value || ',60000' WHERE key = 'kinds'")
        #expect(throws: StoreError.self) { _ = try open(folder) }
    }
}
