/// When to dial again: exponential with full jitter (a uniform draw below a ceiling that doubles).
package struct Backoff: Hashable, Sendable {
    package static let floorMilliseconds: Int64 = 1_000
    package static let ceilingMilliseconds: Int64 = 300_000
    /// A session that has ended with a fault counts as one that worked if it has lasted for so long: what would fail again
    /// at once is not tried again at once.
    package static let soundMillisecondsMin: Int64 = 10_000

    package private(set) var attempt = 0

    package init() {}

    /// - Returns: milliseconds to wait before the next attempt, between 0 and the present ceiling, at least the floor's
    ///   tenth so that a failing peer is never dialled in a tight loop.
    package mutating func nextDelayMilliseconds(using generator: inout some RandomNumberGenerator) -> Int64 {
        let ceiling = min(Self.ceilingMilliseconds, Self.floorMilliseconds << min(attempt, 20))
        attempt += 1
        return Int64.random(in: Self.floorMilliseconds / 10...ceiling, using: &generator)
    }

    /// After a session that was established: the peer is dialled as soon again as if nothing had failed before, unless the
    /// session has ended with a fault soon after it began.
    /// - Parameter lasted: milliseconds from the dial to the end.
    /// - Returns: false if what has failed may fail in the same way again.
    @discardableResult
    package mutating func sessionEnded(with code: ByeCode, lasted: Int64) -> Bool {
        guard !code.isFault || lasted >= Self.soundMillisecondsMin else { return false }
        attempt = 0
        return true
    }
}
