import Replication
import Store
import TestSupport
import Testing
import Tickets

/// How much one sender may have parked. Source: Protocols/limits.md.
@Suite struct ParkedLimitTests {
    private let store: TestStore
    private let hz: PeerID
    private let nb: PeerID

    init() throws {
        store = try TestStore("zj", replica: 13)
        hz = try store.meet(SiteCode(validated: "hz.zj"), replica: 12)
        nb = try store.meet(SiteCode(validated: "nb.zj"), replica: 14)
    }

    private func limit(operations: Int = ParkedLimits.operationsMax, bytes: Int = ParkedLimits.bytesMax) {
        store.writer.parkedLimits.operations = operations
        store.writer.parkedLimits.bytes = bytes
        store.writer.forgetCacheForTests()
    }

    /// Operations of an incarnation that has not announced itself.
    private func strange(_ count: Int, replica: UInt64 = 11, site: String = "hz.zj") throws -> [Operation] {
        var office = Office(site, replica: replica, announced: true)
        for number in 0..<count {
            try office.perform(
                .open(OpenBody(title: "工单 \(number)", department: "service")), on: nil, as: "service",
                minute: Int64(number))
        }
        return office.log
    }

    @Test("a sender has exactly so many operations parked, one more is not taken, and others are not touched by it")
    func operations() throws {
        limit(operations: 3)
        let log = try strange(5)
        try store.commit(Array(log[..<2]), from: .peer(hz, .repair))
        // What is parked already counts once.
        #expect(try store.commit(Array(log[..<3]), from: .peer(hz, .repair)).parkedCount == 3)
        #expect(try store.reader.counts().parked == 3)
        let error = #expect(throws: StoreError.self) {
            try store.commit([log[3]], from: .peer(hz, .repair))
        }
        #expect("\(try #require(error))".contains("banjie parked list"))
        #expect(try store.reader.counts().parked == 3)
        try store.commit(strange(3, replica: 21, site: "nb.zj"), from: .peer(nb, .repair))
        #expect(try store.reader.counts().parked == 6)
        // Nor under another incarnation.
        let again = try store.meet(SiteCode(validated: "hz.zj"), replica: 15)
        #expect(throws: StoreError.self) { try store.commit([log[3]], from: .peer(again, .repair)) }
        // Also after another start.
        store.writer.forgetCacheForTests()
        #expect(throws: StoreError.self) { try store.commit([log[4]], from: .peer(hz, .repair)) }
    }

    @Test("thrown away, taken in or announced, it makes room")
    func room() throws {
        limit(operations: 3)
        let log = try strange(8)
        try store.commit(Array(log[..<3]), from: .peer(hz, .repair))
        #expect(throws: StoreError.self) { try store.commit([log[3]], from: .peer(hz, .repair)) }
        #expect(try store.writer.discardParked(log[0].dot, now: 1) == 1)
        try store.commit([log[3]], from: .peer(hz, .repair))
        #expect(throws: StoreError.self) { try store.commit([log[4]], from: .peer(hz, .repair)) }
        #expect(try store.commit([announcement("hz.zj", replica: 11)], from: .peer(hz, .repair)).insertedCount == 4)
        #expect(try store.reader.counts().parked == 0)
        try store.commit(strange(3, replica: 31), from: .peer(hz, .repair))
        #expect(throws: StoreError.self) { try store.commit(strange(4, replica: 31), from: .peer(hz, .repair)) }
    }

    @Test("bytes count as well")
    func bytes() throws {
        let log = try strange(2)
        try store.commit([log[0]], from: .peer(hz, .repair))
        let size = try RawConnection(store.folder).integer("SELECT sum(length(columns)) FROM parked")
        limit(bytes: Int(size))
        #expect(try store.commit([log[0]], from: .peer(hz, .repair)).parkedCount == 1)
        #expect(throws: StoreError.self) { try store.commit([log[1]], from: .peer(hz, .repair)) }
        limit(bytes: Int(size) * 2 + 8)
        try store.commit([log[1]], from: .peer(hz, .repair))
        #expect(try store.reader.counts().parked == 2)
    }
}
