internal import Dispatch
internal import Foundation
internal import Synchronization

struct BenchError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Says on standard error what is being done.
func note(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data("banjie-bench: \(text)\n".utf8))
}

/// Wall time and this process's processor time.
struct Measured {
    var seconds: Double
    var processorSeconds: Double

    static func += (sum: inout Measured, other: Measured) {
        sum.seconds += other.seconds
        sum.processorSeconds += other.processorSeconds
    }
}

struct Instant {
    private let wall: UInt64
    private let processor: UInt64

    static func now() -> Instant { Instant(wall: monotonic(), processor: processorNanoseconds()) }

    func elapsed() -> Measured {
        let now = Instant.now()
        return Measured(
            seconds: Double(now.wall - wall) / 1e9, processorSeconds: Double(now.processor - processor) / 1e9)
    }

    /// Nanoseconds of CLOCK_MONOTONIC, which all processes of the machine share.
    static func monotonic() -> UInt64 { DispatchTime.now().uptimeNanoseconds }

    /// Nanoseconds of processor that this process has taken, right to a microsecond.
    static func processorNanoseconds() -> UInt64 { UInt64(clock()) * (1_000_000_000 / UInt64(CLOCKS_PER_SEC)) }
}

/// Median, smallest and largest of what was measured.
struct Spread: Codable {
    var median: Double
    var min: Double
    var max: Double

    init(_ values: [Double]) {
        let sorted = values.sorted()
        precondition(!sorted.isEmpty, "a spread needs a value")
        let middle = sorted.count / 2
        median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        min = sorted[0]
        max = sorted[sorted.count - 1]
    }
}

enum Machine {
    /// Most memory this process has had resident, MiB.
    static func peakMebibytes() -> Double { status("VmHWM:") / 1024 }

    /// Memory that it has resident now, KiB.
    static func residentKibibytes() -> Double { status("VmRSS:") }

    /// Resident memory of a process that no file stands behind, so that it cannot be had again from the disk, MiB.
    static func anonymousMebibytes(of process: Int32) -> Double { status("RssAnon:", of: "\(process)") / 1024 }

    private static func status(_ field: String, of process: String = "self") -> Double {
        guard let status = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix(field) })
        else { return 0 }
        return line.split(whereSeparator: { !$0.isNumber }).first.flatMap { Double($0) } ?? 0
    }

    /// As many open files as the system allows: every connection takes one.
    static func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    static func fileBytes(_ path: String) -> Int {
        ((try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? Int) ?? 0
    }
}

/// Looks at another process's anonymous memory on a thread of its own: the kernel keeps no peak of it.
final class AnonymousMemoryWatch: Sendable {
    private static let lookMicroseconds: UInt32 = 20_000

    private let state = Mutex((peak: 0.0, isStopped: false))

    init(_ process: Int32) {
        Thread.detachNewThread { [self] in
            while !state.withLock(\.isStopped) {
                let now = Machine.anonymousMebibytes(of: process)
                state.withLock { $0.peak = max($0.peak, now) }
                usleep(Self.lookMicroseconds)
            }
        }
    }

    /// - Returns: the most that was seen, MiB.
    func stop() -> Double {
        state.withLock { state in
            state.isStopped = true
            return state.peak
        }
    }
}
