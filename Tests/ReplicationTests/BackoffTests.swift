import TestSupport
import Testing

@testable import Replication

@Suite struct BackoffTests {
    @Test("waits are drawn below a ceiling that doubles from one second to five minutes, and anew after a session")
    func ceilings() {
        let seed: UInt64 = 20_260_101
        var generator = SeededGenerator(seed: seed)
        for attempt in 0..<14 {
            let ceiling = min(Backoff.ceilingMilliseconds, Backoff.floorMilliseconds << attempt)
            var longest: Int64 = 0
            var shortest = Int64.max
            for _ in 0..<400 {
                var backoff = Backoff()
                for _ in 0..<attempt { _ = backoff.nextDelayMilliseconds(using: &generator) }
                let delay = backoff.nextDelayMilliseconds(using: &generator)
                longest = max(longest, delay)
                shortest = min(shortest, delay)
            }
            #expect(longest <= ceiling && longest > ceiling * 9 / 10, "seed \(seed), attempt \(attempt)")
            // Full jitter: short waits occur after many failures too.
            #expect(shortest >= Backoff.floorMilliseconds / 10 && shortest < ceiling / 4, "seed \(seed)")
        }
        var backoff = Backoff()
        for _ in 0..<100 { _ = backoff.nextDelayMilliseconds(using: &generator) }
        backoff.sessionEnded(with: .unspecified, lasted: 0)
        #expect(backoff.nextDelayMilliseconds(using: &generator) <= Backoff.floorMilliseconds)
    }

    @Test(
        "a session that ends with a fault soon after it began does not shorten the next wait",
        arguments: ByeCode.allCases)
    func faults(_ code: ByeCode) {
        for lasted in [0, Backoff.soundMillisecondsMin - 1, Backoff.soundMillisecondsMin] {
            var generator = SeededGenerator(seed: 1)
            var backoff = Backoff()
            for _ in 0..<5 { _ = backoff.nextDelayMilliseconds(using: &generator) }
            let isSound = backoff.sessionEnded(with: code, lasted: lasted)
            #expect(isSound == (!code.isFault || lasted == Backoff.soundMillisecondsMin))
            #expect(backoff.attempt == (isSound ? 0 : 5))
        }
        let reasons: [ByeCode] = [.unspecified, .shuttingDown, .paused, .superseded, .recovering]
        #expect(code.isFault == !reasons.contains(code))
    }
}
