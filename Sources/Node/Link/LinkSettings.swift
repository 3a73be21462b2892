internal import Replication

/// What an admin sets for the link to one site. Source: Protocols/configuration.md §1.
package struct LinkSettings: Sendable, Hashable {
    /// Bytes of messages sent a second; nil for as many as the line takes.
    package var bytesPerSecondMax: Int?
    /// Bytes of batches that may wait for the peer's acknowledgement.
    package var windowBytes: Int

    package static let standard = LinkSettings(windowBytes: SyncLimits.unacknowledgedBytesMax)

    package init(bytesPerSecondMax: Int? = nil, windowBytes: Int) {
        self.bytesPerSecondMax = bytesPerSecondMax
        self.windowBytes = windowBytes
    }
}

/// A token bucket of one second's size: says how long to wait before the next message goes out.
struct SendingRate: Sendable, Hashable {
    private let bytesPerSecond: Int
    private var freeAt: Int64 = 0

    init(bytesPerSecond: Int) {
        self.bytesPerSecond = max(1, bytesPerSecond)
    }

    /// - Parameter now: milliseconds of a clock that never steps.
    /// - Returns: milliseconds to wait after these bytes.
    mutating func delayMilliseconds(after bytes: Int, now: Int64) -> Int64 {
        freeAt = max(freeAt, now) + Int64(bytes) * 1_000 / Int64(bytesPerSecond)
        return freeAt - now
    }
}

/// Operations a second, smoothed over some seconds: what the time to go is estimated from.
package struct OperationRate: Sendable, Hashable {
    static let windowMilliseconds: Int64 = 5_000

    private var start: Int64 = 0
    private var count: UInt64 = 0
    /// Operations a second of the last full window; 0 while nothing is known.
    package private(set) var perSecond = 0.0

    package init() {}

    mutating func add(_ operations: UInt64, now: Int64) {
        if start == 0 { start = now }
        count += operations
        let elapsed = now - start
        guard elapsed >= Self.windowMilliseconds / 5 else { return }
        let present = Double(count) * 1_000 / Double(elapsed)
        let weight = min(1, Double(elapsed) / Double(Self.windowMilliseconds))
        perSecond = perSecond == 0 ? present : perSecond * (1 - weight) + present * weight
        start = now
        count = 0
    }
}
