import Foundation
import Replication
import Store
import Synchronization
import TestSupport
import Testing
import Tickets

@testable import Node

/// Bounds of a node that are neither its listener's nor its store's. Source: Protocols/limits.md.
@Suite struct NodeLimitTests {
    private func entry(bytes: Int, operations: Int = 1) -> ApplyQueue.Entry {
        let operation = announcement("hz.zj", replica: 0xA)
        var hasher = ContentHasher()
        let operations = Array(repeating: operation, count: operations)
        let batch = MergeBatch(
            source: .local, operations: operations, hashes: operations.map { hasher.hash($0) })
        return ApplyQueue.Entry(
            batch: batch, bytes: bytes, isMoreComing: false, isBacklog: true, isRepair: false, session: 1,
            completion: { _ in })
    }

    @Test("an apply queue of exactly its bound lets links read on, an octet more stops them until it is shorter")
    func applyQueue() {
        let queue = ApplyQueue()
        let isFirst = queue.push(entry(bytes: ApplyQueue.bytesMax))
        #expect(isFirst && !queue.isFull)
        let isSecondFirst = queue.push(entry(bytes: 1))
        #expect(!isSecondFirst && queue.isFull)
        #expect(queue.take(operationsMax: 1).count == 1)
        #expect(!queue.isFull)
    }

    @Test("a transaction takes exactly its number of operations, not one batch more")
    func transaction() {
        let queue = ApplyQueue()
        for _ in 0..<3 { _ = queue.push(entry(bytes: 1, operations: 10)) }
        #expect(queue.take(operationsMax: 20).count == 2)
        #expect(queue.take(operationsMax: 9).count == 1)
    }

    @Test("a disk with five percent free is written to, one with less is not; it is asked once a second")
    func diskGuard() {
        let free = Mutex(DiskGuard.freePercentMin)
        let looks = Mutex(0)
        let disk = DiskGuard(path: "/x") {
            looks.withLock { $0 += 1 }
            return free.withLock { $0 }
        }
        #expect(!disk.isLow(now: 0))
        free.withLock { $0 = DiskGuard.freePercentMin - 0.01 }
        #expect(!disk.isLow(now: DiskGuard.lookMilliseconds - 1))
        #expect(disk.isLow(now: DiskGuard.lookMilliseconds))
        free.withLock { $0 = 50 }
        #expect(!disk.isLow(now: 2 * DiskGuard.lookMilliseconds))
        #expect(looks.withLock { $0 } == 3)
        #expect(DiskGuard(path: "/x", freePercent: { nil }).isLow(now: 0) == false)
        #expect(DiskGuard.freePercent(of: NSTemporaryDirectory()) != nil)
        #expect(DiskGuard.freePercent(of: "/no/such/folder") == nil)
    }

    private func open(_ office: Province.Office, _ title: String) async throws -> EntityID {
        try await office.node.execute(
            TicketCommand(
                ticket: nil, version: VersionVector(), action: .open(OpenBody(title: title, department: "service"))),
            by: agent(at: office.site)
        ).ticket
    }

    private func dispatch(_ ticket: EntityID, from office: Province.Office, to site: SiteCode) async throws {
        let state = try #require(try office.node.reader.state(of: ticket))
        _ = try await office.node.execute(
            TicketCommand(
                ticket: ticket, version: state.version,
                action: .transfer(.dispatch, site: site, department: "service", reason: "", note: "请处理")),
            by: agent(at: office.site))
    }

    /// - Parameter isApart: the two cannot go on where their feeds stood: an audit says what each lacks.
    @Test(
        "with a disk almost full a node takes nothing new, sends on, and gets what it missed when there is room",
        arguments: [false, true])
    func fullDisk(isApart: Bool) async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        let (parent, child) = (try zj.node, try hz.node)
        func connected() -> Bool { child.links.all.values.contains(where: \.isConnected) }
        func agree() throws -> Bool { try parent.reader.counts().digest == child.reader.counts().digest }
        try await eventually("they are connected") { connected() }
        // A session that ends before either place in the other's feed is stored is followed by an audit.
        try await eventually("they know each other's feed") {
            try (parent.reader.peers() + child.reader.peers()).allSatisfy { $0.received != nil }
        }
        try await hz.runtime?.pause(zj.site)
        try await eventually("the line is paused") { !connected() }
        let other = try await open(zj, "下派")
        let waiting = try await open(hz, "尚未送出")
        if isApart {
            try await dispatch(other, from: zj, to: hz.site)
            let id = try #require(try parent.reader.peers().first { $0.site == hz.site }?.id)
            let unknown = FeedCursor(
                feed: child.identity.replica, position: 1, digest: SetDigest(count: 1, sum: .zero))
            try await parent.administer { try $0.saveReceived(FeedProgress(cursor: unknown), from: id, now: 0) }
            // Its announcement goes to every office, in the repair lane: it stands before the audit's first reply.
            let third = try #require(SiteCode("nb.zj"))
            _ = try await province.add(third.rawValue)
            try await eventually("another office is known") {
                try parent.reader.peers().contains { $0.site == third && $0.received != nil }
            }
        }
        child.disk.measure { DiskGuard.freePercentMin - 0.1 }
        await #expect(throws: StoreError.self) { _ = try await open(hz, "拒绝") }
        await #expect(throws: StoreError.self) { _ = try await child.append { _ in } }
        try await hz.runtime?.resume(zj.site)
        try await eventually("what was here goes out") { try parent.reader.state(of: waiting) != nil }

        if !isApart {
            func sent() -> UInt64 { parent.links.all.values.reduce(0) { $0 + $1.sentOperations } }
            let before = sent()
            try await dispatch(other, from: zj, to: hz.site)
            try await eventually("the parent has sent it") { sent() > before }
        }
        let sent = try parent.reader.counts().operations
        #expect(try child.reader.state(of: other) == nil && child.reader.counts().operations < sent)
        child.disk.measure { 50 }
        try await eventually("what was left aside has come") { try child.reader.state(of: other) != nil }
        try await eventually("the digests agree") { try agree() }
        await province.stop()
    }
}
