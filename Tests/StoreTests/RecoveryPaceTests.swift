import Replication
import Store
import Testing

/// Source: Protocols/sync.md §7.
@Suite struct RecoveryPaceTests {
    @Test("a child is believed at once, then after a wait that doubles, and at once again after a quiet day")
    func pace() {
        var pace = RecoveryPace()
        var now: Int64 = 1_800_000_000_000
        #expect(pace.believe(now: now) == nil)
        var waits: [Int64] = []
        for _ in 0..<8 {
            now += 1
            guard let wait = pace.believe(now: now) else { return #expect(Bool(false), "believed too soon") }
            #expect(pace.believe(now: now + wait - 1) == 1, "asking does not change the wait")
            waits.append(wait + 1)
            now += wait
            #expect(pace.believe(now: now) == nil)
        }
        let minutes: [Int64] = [1, 2, 4, 8, 16, 32, 60, 60]
        #expect(waits == minutes.map { $0 * 60_000 })
        now += RecoveryPace.quietMilliseconds
        #expect(pace.believe(now: now) == nil)
        #expect(pace.believe(now: now) == RecoveryPace.waitMillisecondsMin)
    }

    @Test("a clock that was set back does not prolong the wait")
    func clockSetBack() {
        var pace = RecoveryPace(count: 3, latest: 1_800_000_000_000)
        #expect(pace.believe(now: 1_700_000_000_000) == nil)
        #expect(pace.count == 4 && pace.latest == 1_700_000_000_000)
    }

    @Test("the pace is kept in the store, and a parent's word does not count")
    func kept() throws {
        let store = try TestStore("zj", replica: 41)
        let recovery = PendingRecovery(reason: .forked, common: 1)
        #expect(try store.writer.setPendingRecovery(recovery, onWordOfChildAt: 5_000) == nil)
        #expect(try store.reader.pendingRecovery() == recovery)
        try store.writer.setPendingRecovery(nil)
        #expect(try store.writer.setPendingRecovery(recovery, onWordOfChildAt: 6_000) == 59_000)
        #expect(try store.reader.pendingRecovery() == nil)
        try store.writer.setPendingRecovery(recovery)
        #expect(try store.reader.pendingRecovery() == recovery)
    }
}
