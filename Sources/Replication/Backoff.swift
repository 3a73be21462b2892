/// When to dial again: exponential with full jitter (a uniform draw below a ceiling that doubles).
package struct Backoff: Hashable, Sendable {
    package static let floorMilliseconds: Int64 = 1_000
    package static let ceilingMilliseconds: Int64 = 300_000

    package private(set) var attempt = 0

    package init() {}

    /// - Returns: milliseconds to wait before the next attempt, between 0 and the present ceiling, at least the floor's
    ///   tenth so that a failing peer is never dialled in a tight loop.
    package mutating func nextDelayMilliseconds(using generator: inout some RandomNumberGenerator) -> Int64 {
        let ceiling = min(Self.ceilingMilliseconds, Self.floorMilliseconds << min(attempt, 20))
        attempt += 1
        return Int64.random(in: Self.floorMilliseconds / 10...ceiling, using: &generator)
    }

    /// After a session that lasted.
    package mutating func reset() {
        attempt = 0
    }
}
