import Replication
import Store
import TestSupport
import Testing
import Tickets

@Suite("End of the log in memory")
struct OwnTailTests {
    private let start = FeedCursor(feed: ReplicaID(11))

    @Test("what goes up is the same from memory and from the log, whoever wrote last", arguments: 0..<20)
    func same(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let logs = try MergeTests().history(tickets: 8)
        let store = try TestStore("xihu.hz.zj", replica: 11, parent: "hz.zj")
        let parent = try #require(try store.reader.peer(SiteCode(validated: "hz.zj"))).id
        var rest = logs.map { $0[...] }
        var head: UInt64 = 0
        var answered = 0
        while rest.contains(where: { !$0.isEmpty }) {
            let index = generator.next() % 4 == 0 ? 1 + Int(generator.next() % 2) : 0
            let taken = Array(rest[index].prefix(1 + Int(generator.next() % 4)))
            guard !taken.isEmpty else { continue }
            rest[index] = rest[index].dropFirst(taken.count)
            try store.commit(taken, from: index == 0 ? .local : .peer(parent, .repair))
            head += UInt64(taken.count)
            for back in 0...8 where head >= UInt64(back) {
                var cursor = start
                cursor.position = head - UInt64(back)
                let bytesMax = generator.next() % 2 == 0 ? 1_000 : SyncLimits.batchBytesMax
                let question = SessionQuestion.readFeed(.live, after: cursor, through: nil, bytesMax: bytesMax)
                if case .some = store.reader.answerFromMemory(question, to: .child) { Issue.record("a child's feed") }
                guard case .batchRead(.live, let memory) = store.reader.answerFromMemory(question, to: .parent) else {
                    continue
                }
                let log = try store.reader.nextBatch(for: parent, lane: .live, after: cursor, bytesMax: bytesMax)
                #expect(memory.head == log.head)
                #expect(memory.batch?.operations == log.batch?.operations)
                #expect(memory.batch?.end == log.batch?.end)
                answered += 1
            }
        }
        #expect(answered > 0)
    }

    @Test("what this node has just written goes up without its rows; what lies behind another's is read")
    func unread() throws {
        let store = try TestStore("xihu.hz.zj", replica: 11, parent: "hz.zj")
        let parent = try #require(try store.reader.peer(SiteCode(validated: "hz.zj"))).id
        var office = Office("xihu.hz.zj", replica: 11, announced: true)
        let opened = try office.perform(
            .open(OpenBody(title: "宽带断网", department: "service")), on: nil, as: "service", minute: 0)
        try store.commit([announcement("xihu.hz.zj", replica: 11)] + opened)
        let chased = try office.perform(
            .chase(customer: nil, promised: nil, note: "客户催办", channel: "phone"), on: opened[0].entity, as: "service",
            minute: 5)
        try store.commit(chased)
        let arrival = Int64(1 + opened.count)
        var cursor = start
        cursor.position = UInt64(arrival)
        func part(_ lane: Lane = .live) throws -> FeedPart? {
            let question = SessionQuestion.readFeed(
                lane, after: cursor, through: nil, bytesMax: SyncLimits.batchBytesMax)
            let answer =
                try store.reader.answerFromMemory(question, to: .parent) ?? store.reader.answer(question, of: parent)
            guard case .batchRead(_, let part) = answer else { return nil }
            return part
        }
        try store.writer.damageForTests(arrival: arrival + 1)
        #expect(try part()?.batch?.operations == chased)
        #expect(try part(.backlog)?.damaged == [arrival + 1])
        try store.commit([announcement("zj", replica: 13)], from: .peer(parent, .repair))
        #expect(try part()?.damaged == [arrival + 1])
    }
}
