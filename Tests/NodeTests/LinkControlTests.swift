import Replication
import Synchronization
import TestSupport
import Testing

@testable import Node

@Suite struct LinkControlTests {
    private final class Recorder: Sendable {
        private let heard = Mutex<[String]>([])

        var all: [String] { heard.withLock { $0 } }

        func attach(to control: LinkControl) {
            control.attach(stop: { _, reason in self.note(reason) }, audit: { self.note("\($0)") })
        }

        private func note(_ word: String) { heard.withLock { $0.append(word) } }
    }

    @Test("what ends a link before it runs ends it when it does; later it is not reached any more")
    func endBeforeRun() {
        let control = LinkControl()
        control.end(.paused, "paused")
        control.end(.shuttingDown, "shutting down")
        control.audit(.verify)
        let recorder = Recorder()
        recorder.attach(to: control)
        #expect(recorder.all == ["paused"])
        control.audit(.repair)
        control.end(.superseded, "newer")
        #expect(recorder.all == ["paused", "repair", "newer"])
        control.detach()
        control.end(.paused, "late")
        #expect(recorder.all == ["paused", "repair", "newer"])
    }

    @Test("the next audit is a day behind the last, whatever the sessions; an overdue one comes soon, and not at once")
    func auditDelay() {
        let day = LinkSupervisor.auditIntervalMilliseconds
        let soon = LinkSupervisor.overdueAuditMillisecondsMin...LinkSupervisor.overdueAuditMillisecondsMax
        var generator = SeededGenerator(seed: 1)
        func delay(_ passed: Int64?) -> Int64 {
            let now: Int64 = 1_800_000_000_000
            return LinkSupervisor.auditDelay(last: passed.map { now - $0 } ?? 0, now: now, using: &generator)
        }
        for _ in 0..<100 {
            #expect(soon.contains(delay(nil)) && soon.contains(delay(day)) && soon.contains(delay(30 * day)))
            #expect((day * 9 / 10...day).contains(delay(0)))
            #expect((day * 4 / 10...day / 2).contains(delay(day / 2)))
            #expect((day * 9 / 10...day).contains(delay(-day)), "the clock was put back")
        }
    }
}
