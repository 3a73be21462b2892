import class Foundation.FileManager
import func Foundation.NSTemporaryDirectory
import struct Foundation.UUID
import Replication
import Store
import TestSupport
import Testing
import Tickets

/// While a backlog comes in, entities are written less often than operations.
/// Source: Protocols/operations.md §6.
@Suite struct DeferredProjectionTests {
    private static let province = SiteCode(validated: "zj")
    private static let children = ["hz.zj", "nb.zj"].map(SiteCode.init(validated:))

    private func parts(tickets: Int) throws -> [[Operation]] {
        try MergeTests().history(tickets: tickets).flatMap { log in
            stride(from: 0, to: log.count, by: 3).map { Array(log[$0..<min($0 + 3, log.count)]) }
        }
    }

    private func grown(_ parts: [[Operation]]) throws -> String {
        let store = try TestStore("zj", replica: 13)
        for part in parts { try store.commit(part) }
        return try store.projection()
    }

    @Test("a projection that is written late has the same rows, and the writer knows every ticket meanwhile")
    func lateProjection() throws {
        let parts = try parts(tickets: 8)
        let store = try TestStore("zj", replica: 13)
        for part in parts { try store.writer.commit([store.batch(part)], now: 0, deferringProjection: true) }
        #expect(store.writer.isProjectionBehind)
        #expect(try store.reader.counts().tickets == 0)
        let ticket = try #require(parts[0].first { $0.entity.type == .ticket }?.entity)
        #expect(try store.reader.state(of: ticket) == nil)
        #expect(try store.writer.state(of: ticket) != nil)
        let result = try store.writer.writeProjection()
        #expect(!store.writer.isProjectionBehind && result.touched.count == 8)
        #expect(try store.projection() == grown(parts))
    }

    @Test("what a commit touches that nothing follows is written with it; the rest stays behind")
    func liveWhileBehind() throws {
        let parts = try parts(tickets: 4)
        let store = try TestStore("zj", replica: 13)
        for part in parts.dropLast() { try store.writer.commit([store.batch(part)], now: 0, deferringProjection: true) }
        let last = try #require(parts.last)
        let result = try store.commit(last)
        let entities = Set(last.map(\.entity).filter { $0.type == .ticket })
        #expect(Set(result.touched) == entities && store.writer.isProjectionBehind)
        for id in entities { #expect(try store.reader.state(of: id) == store.writer.state(of: id)) }
        #expect(try store.reader.counts().tickets == entities.count)
        _ = try store.writer.writeProjection()
        #expect(try store.projection() == grown(parts))
    }

    @Test("a backlog lags no further than its bound of entities")
    func bound() throws {
        let store = try TestStore("zj", replica: 13)
        try store.commit([announcement("zj", replica: 13)])
        let author = Author(
            name: "service", role: .dispatcher, level: .province, site: Self.province, department: "service")
        let opened = (0...StoreWriter.deferredEntitiesMax).map { index in
            let dot = Dot(ReplicaID(13), UInt64(index) + 2)
            let body = Body.open(OpenBody(title: "t\(index)", department: "service"))
            return Operation(
                dot: dot, entity: EntityID(ticketOpenedBy: dot), previous: 0, seen: VersionVector(),
                time: HybridTimestamp(milliseconds: Office.start + Int64(index)), author: author, scope: [],
                kind: body.kind.operationKind, isCritical: body.kind.isCritical, body: body.encoded())
        }
        try store.writer.commit([store.batch(Array(opened.dropLast()))], now: 0, deferringProjection: true)
        #expect(store.writer.isProjectionBehind)
        #expect(try store.reader.counts().tickets == 0)
        try store.writer.commit([store.batch([opened[opened.count - 1]])], now: 0, deferringProjection: true)
        // What fell behind first is written, and no more than it takes.
        #expect(store.writer.isProjectionBehind)
        #expect(try store.reader.counts().tickets == 1)
        #expect(try store.reader.state(of: opened[0].entity) != nil)
        _ = try store.writer.writeProjection()
        #expect(try store.reader.counts().tickets == opened.count)
    }

    @Test("receipts that are owed are named when the ticket is written, also after a restart")
    func receipts() throws {
        let folder = DataFolder(path: NSTemporaryDirectory() + "banjie-store-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        var hasher = ContentHasher()
        let branch = try MergeTests().history(tickets: 1)[0]
        let batch = MergeBatch(source: .local, operations: branch, hashes: branch.map { hasher.hash($0) })
        do {
            let identity = NodeIdentity(
                site: SiteCode(validated: "nb.zj"), replica: ReplicaID(14), parent: Self.province)
            let (writer, _) = try Store.open(folder, creating: identity)
            #expect(try writer.commit([batch], now: 0, deferringProjection: true).owingReceipts.isEmpty)
        }
        let (writer, _) = try Store.open(folder)
        let result = try writer.writeProjection()
        #expect(!result.owingReceipts.isEmpty && result.owingReceipts == result.touched)
        #expect(try writer.writeProjection().owingReceipts.isEmpty)
    }

    @Test("a child that is registered while the projection is behind gets the whole history")
    func registeredWhileBehind() throws {
        let parts = try parts(tickets: 2)
        let feeds = try [true, false].map { isLate in
            let store = try TestStore("zj", replica: 13)
            for part in parts { try store.writer.commit([store.batch(part)], now: 0, deferringProjection: isLate) }
            try store.writer.register(child: Self.children[1])
            return try feed(of: Self.children[1], store.reader)
        }
        #expect(feeds[0] == feeds[1] && !feeds[0].isEmpty)
    }

    @Test("an operation after a rebuild goes into a child's feed alone, without the history that is there already")
    func feedAfterRebuild() throws {
        let parts = try parts(tickets: 2)
        let store = try TestStore("zj", replica: 13)
        for child in Self.children { try store.writer.register(child: child) }
        for part in parts.dropLast() { try store.commit(part) }
        try store.writer.rebuild(now: 0)
        try store.commit(#require(parts.last))
        for child in Self.children {
            let dots = try feed(of: child, store.reader)
            #expect(Set(dots).count == dots.count)
        }
    }

    // MARK: Crashes

    /// Commits the parts at random: with more to come or not, some shared between transactions, some refused.
    private func bring(
        _ parts: some Collection<[Operation]>, to writer: StoreWriter, known: [[Operation]],
        _ random: inout SeededGenerator
    ) throws {
        var hasher = ContentHasher()
        func batch(_ operations: [Operation]) -> MergeBatch {
            MergeBatch(source: .local, operations: operations, hashes: operations.map { hasher.hash($0) })
        }
        for part in parts {
            let isDeferring = Int.random(in: 0..<5, using: &random) > 0
            try writer.commit([batch(part)], now: 0, deferringProjection: isDeferring)
            if Int.random(in: 0..<6, using: &random) == 0, let first = known.first?.first {
                var forged = first
                forged.time = HybridTimestamp(rawValue: forged.time.rawValue + 1)
                let fresh = Operation(
                    dot: Dot(ReplicaID(11), 1 << 40), entity: EntityID(type: .ticket, high: 11, low: 1 << 40),
                    previous: 0, seen: VersionVector(), time: forged.time, author: part[0].author, scope: [],
                    kind: Kind.note.operationKind, isCritical: false, body: [])
                #expect(throws: StoreError.self) {
                    try writer.commit([batch([fresh, forged])], now: 0, deferringProjection: isDeferring)
                }
            }
        }
    }

    private func feed(of child: SiteCode, _ reader: StoreReader) throws -> [Dot] {
        let beginning = FeedCursor(feed: reader.identity.replica)
        let peer = try #require(try reader.peer(child))
        return try reader.nextBatch(for: peer.id, after: beginning).batch?.operations.map(\.dot) ?? []
    }

    @Test(
        "a process that ends at any point leaves a log from which the next one has every row and every feed",
        arguments: 0..<24)
    func killed(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let parts = try parts(tickets: 6)
        let whole = try TestStore("zj", replica: 13)
        for child in Self.children { try whole.writer.register(child: child) }
        for part in parts { try whole.commit(part) }
        let folder = DataFolder(path: NSTemporaryDirectory() + "banjie-store-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        do {
            let identity = NodeIdentity(site: Self.province, replica: ReplicaID(13), parent: nil)
            let (writer, _) = try Store.open(folder, creating: identity)
            for child in Self.children { try writer.register(child: child) }
        }
        var done = 0
        while done < parts.count {
            // The writer goes without having been asked to write anything.
            let (writer, _) = try Store.open(folder)
            let count = Int.random(in: 1...max(1, parts.count / 3), using: &random)
            let end = min(done + count, parts.count)
            try bring(parts[done..<end], to: writer, known: parts, &random)
            done = end
        }
        let (writer, reader) = try Store.open(folder)
        try writer.catchUpProjection()
        #expect(try reader.projectionForTests() == whole.projection(), "seed \(seed)")
        for child in Self.children {
            #expect(try feed(of: child, reader) == feed(of: child, whole.reader), "seed \(seed)")
        }
        #expect(try writer.differencesFromLog(sampleCount: 100).isEmpty, "seed \(seed)")
        let before = try reader.projectionForTests()
        try writer.rebuild(now: 0)
        #expect(try reader.projectionForTests() == before, "seed \(seed)")
    }

    @Test(
        "a refused transaction leaves nothing of itself behind, and nothing of others undone", arguments: [true, false])
    func refused(isDeferring: Bool) throws {
        let parts = try parts(tickets: 3)
        let store = try TestStore("zj", replica: 13)
        try store.commit(parts[0])
        try store.writer.commit([store.batch(parts[1])], now: 0, deferringProjection: true)
        var forged = parts[0][1]
        forged.time = HybridTimestamp(rawValue: forged.time.rawValue + 1)
        #expect(throws: StoreError.self) {
            try store.writer.commit([store.batch(parts[2] + [forged])], now: 0, deferringProjection: isDeferring)
        }
        #expect(try store.reader.operation(parts[2][0].dot) == nil)
        let result = try store.writer.writeProjection()
        #expect(!result.touched.isEmpty)
        #expect(try store.projection() == grown(Array(parts[0..<2])))
        for part in parts[2...] { try store.commit(part) }
        #expect(try store.projection() == grown(parts))
    }

    @Test("an entity is made anew from the log while others are behind")
    func refoldedWhileBehind() throws {
        let parts = try parts(tickets: 3)
        let store = try TestStore("zj", replica: 13)
        for part in parts { try store.writer.commit([store.batch(part)], now: 0, deferringProjection: true) }
        let ticket = try #require(parts[0].first { $0.entity.type == .ticket }?.entity)
        #expect(try store.writer.refold(ticket, now: 0))
        #expect(!store.writer.isProjectionBehind)
        #expect(try store.projection() == grown(parts))
    }

    @Test("a state that cannot be read is folded again from the log when something comes behind it")
    func damaged() throws {
        let parts = try parts(tickets: 2)
        let folder = DataFolder(path: NSTemporaryDirectory() + "banjie-store-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        var hasher = ContentHasher()
        do {
            let identity = NodeIdentity(site: Self.province, replica: ReplicaID(13), parent: nil)
            let (writer, _) = try Store.open(folder, creating: identity)
            for (index, part) in parts.dropLast().enumerated() {
                let batch = MergeBatch(source: .local, operations: part, hashes: part.map { hasher.hash($0) })
                try writer.commit([batch], now: 0, deferringProjection: index > 1)
            }
            try writer.damageStatesForTests()
        }
        let (writer, reader) = try Store.open(folder)
        try writer.catchUpProjection()
        try writer.damageStatesForTests()
        writer.forgetCacheForTests()
        let last = try #require(parts.last)
        let batch = MergeBatch(source: .local, operations: last, hashes: last.map { hasher.hash($0) })
        try writer.commit([batch], now: 0)
        let mended = Set(last.map(\.entity))
        for id in mended { #expect(try writer.state(of: id) == reader.state(of: id)) }
        // What nothing has come behind waits for the pass that reads everything.
        for id in Set(parts.joined().map(\.entity)).subtracting(mended) { #expect(try writer.refold(id, now: 0)) }
        #expect(try reader.projectionForTests() == grown(parts))
    }
}
