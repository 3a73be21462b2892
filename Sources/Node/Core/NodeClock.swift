internal import Dispatch
internal import Foundation

/// Where a node takes the time from. Everything below the shell gets instants as arguments.
package struct NodeClock: Sendable, Hashable {
    /// A clock of its own for demonstrations and tests: `virtual` at the real instant `real`, running `rate` times as
    /// fast. Nodes that are given the same three numbers agree.
    package struct Scale: Sendable, Hashable {
        package var realMilliseconds: Int64
        package var virtualMilliseconds: Int64
        package var rate: Int64

        package init(realMilliseconds: Int64, virtualMilliseconds: Int64, rate: Int64) {
            self.realMilliseconds = realMilliseconds
            self.virtualMilliseconds = virtualMilliseconds
            self.rate = rate
        }
    }

    package let scale: Scale?

    package init(scale: Scale? = nil) {
        self.scale = scale
    }

    /// UTC milliseconds as this node sees them.
    package func now() -> Int64 {
        let real = Self.system()
        guard let scale else { return real }
        return scale.virtualMilliseconds + (real - scale.realMilliseconds) * scale.rate
    }

    /// UTC milliseconds of the machine: for certificates, which other programs judge too.
    package static func system() -> Int64 {
        Int64((Date().timeIntervalSince1970 * 1_000).rounded(.down))
    }

    /// Milliseconds that never step, for time-outs.
    package static func monotonic() -> Int64 {
        Int64(monotonicNanoseconds() / 1_000_000)
    }

    /// The same clock, nanoseconds.
    static func monotonicNanoseconds() -> UInt64 {
        DispatchTime.now().uptimeNanoseconds
    }
}
