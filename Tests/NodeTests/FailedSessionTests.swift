import Foundation
@testable import Node
import Replication
import Store
import TestSupport
import Testing
import Tickets

/// A batch that fails takes those behind it along, whenever they come. Source: Protocols/sync.md §6.
@Suite struct FailedSessionTests {
    private func batch(_ operations: [Replication.Operation], after start: FeedCursor) -> ReceivedBatch {
        var hasher = ContentHasher()
        let hashes = operations.map { hasher.hash($0) }
        var end = start
        end.position += UInt64(operations.count)
        for hash in hashes { end.digest.insert(hash) }
        return ReceivedBatch(
            lane: .backlog, start: start, end: end, operations: operations, hashes: hashes, remaining: 0, wireBytes: 100
        )
    }

    private func merge(_ batch: ReceivedBatch, into node: SyncNode, from id: PeerID, in session: UInt64) async -> Bool {
        await withCheckedContinuation { continuation in
            node.merge(batch, .backlog(batch.end), from: id, in: session) { result in
                if case .success = result {
                    continuation.resume(returning: true)
                } else {
                    continuation.resume(returning: false)
                }
            }
        }
    }

    @Test(
        "what follows a failed batch in its session fails too, and the cursor stays before it; the next session goes on"
    )
    func laterBatches() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let node = try zj.node
        let site = SiteCode(validated: "hz.zj")
        let replica = ReplicaID(0xF00)
        let hello = SyncMessage.Hello(version: 1, site: site, replica: replica, wallMilliseconds: 0, run: 1)
        let id = try await node.meet(hello, role: .child).id
        var office = Office("hz.zj", replica: 0xF00, announced: true)
        for minute in 0..<4 {
            try office.perform(
                .open(OpenBody(title: "t\(minute)", department: "SVC")), on: nil, as: "SVC", minute: Int64(minute))
        }
        let first = batch(
            [announcement("hz.zj", replica: 0xF00), office.log[0]], after: FeedCursor(feed: replica))
        #expect(await merge(first, into: node, from: id, in: 1))
        var forged = office.log[0]
        forged.time = HybridTimestamp(rawValue: forged.time.rawValue + 1)
        let second = batch([forged, office.log[1]], after: first.end)
        let third = batch([office.log[2]], after: second.end)
        #expect(await merge(second, into: node, from: id, in: 1) == false)
        #expect(await merge(third, into: node, from: id, in: 1) == false)
        #expect(try node.reader.peer(id)?.received?.cursor == first.end)
        #expect(try node.reader.operation(office.log[2].dot) == nil)
        let again = batch(Array(office.log[1...2]), after: first.end)
        #expect(await merge(again, into: node, from: id, in: 2))
        #expect(try node.reader.peer(id)?.received?.cursor == again.end)
        await province.stop()
    }
}
