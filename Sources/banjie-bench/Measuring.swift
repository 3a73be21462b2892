internal import Foundation

struct BenchError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Wall time and this process's processor time.
struct Measured {
    var seconds: Double
    var processorSeconds: Double
}

struct Instant {
    private let wall: UInt64
    private let processor: UInt64

    static func now() -> Instant {
        Instant(wall: nanoseconds(CLOCK_MONOTONIC), processor: nanoseconds(CLOCK_PROCESS_CPUTIME_ID))
    }

    func elapsed() -> Measured {
        let now = Instant.now()
        return Measured(
            seconds: Double(now.wall - wall) / 1e9, processorSeconds: Double(now.processor - processor) / 1e9)
    }

    /// Nanoseconds of a clock that all processes of the machine share.
    static func monotonic() -> UInt64 { nanoseconds(CLOCK_MONOTONIC) }
    static func processor() -> UInt64 { nanoseconds(CLOCK_PROCESS_CPUTIME_ID) }

    private static func nanoseconds(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
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
    static func peakMebibytes() -> Double {
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
            let kibibytes = line.split(whereSeparator: { !$0.isNumber }).first.flatMap({ Double($0) })
        else { return 0 }
        return kibibytes / 1024
    }

    static func fileBytes(_ path: String) -> Int {
        ((try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? Int) ?? 0
    }
}
