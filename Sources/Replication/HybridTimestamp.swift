/// A hybrid logical timestamp: 48 bits of UTC milliseconds and 16 bits of counter (Kulkarni et al., 2014).
///
/// Order is that of the raw value. Causality orders operations first; this only ranks what is concurrent.
package struct HybridTimestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: UInt64

    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// - Parameter milliseconds: UTC milliseconds since 1970; clamped into 0 ..< 2⁴⁸.
    package init(milliseconds: Int64, counter: UInt16 = 0) {
        let clamped = UInt64(max(0, min(milliseconds, (1 << 48) - 1)))
        rawValue = clamped << 16 | UInt64(counter)
    }

    /// UTC milliseconds since 1970.
    package var milliseconds: Int64 { Int64(rawValue >> 16) }
    package var counter: UInt16 { UInt16(truncatingIfNeeded: rawValue) }
    package var description: String { "\(milliseconds).\(counter)" }

    package static let zero = HybridTimestamp(rawValue: 0)

    package static func < (left: HybridTimestamp, right: HybridTimestamp) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// The clock of one replica. Its readings only grow; a remote timestamp pushes it, but never far ahead of the wall.
package struct HybridClock: Sendable {
    /// How far a timestamp from elsewhere may push this clock ahead of its own wall clock.
    package static let leadMillisecondsMax: Int64 = 60_000

    package private(set) var last: HybridTimestamp

    package init(last: HybridTimestamp = .zero) {
        self.last = last
    }

    /// The next reading, greater than every earlier one.
    /// - Parameter wall: UTC milliseconds of the machine's clock, which may stand still or step back.
    package mutating func tick(wall: Int64) -> HybridTimestamp {
        let physical = HybridTimestamp(milliseconds: wall)
        last = physical > last ? physical : HybridTimestamp(rawValue: last.rawValue + 1)
        return last
    }

    /// Takes note of a timestamp from elsewhere.
    /// - Returns: true if it lies further ahead than `leadMillisecondsMax`: it is flagged, and does not move the clock.
    @discardableResult
    package mutating func observe(_ remote: HybridTimestamp, wall: Int64) -> Bool {
        if remote.milliseconds > wall + Self.leadMillisecondsMax, !PlantedBug.clockFollowsFuture.isActive {
            return true
        }
        if remote > last { last = remote }
        return false
    }
}
