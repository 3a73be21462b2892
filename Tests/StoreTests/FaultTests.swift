import FaultVFS
import class Foundation.FileHandle
import class Foundation.ProcessInfo
import struct Foundation.Data
import struct Foundation.URL
import Replication
import Store
import TestSupport
import Testing

/// The store on a disk that fails at any of its operations. Source: Protocols/operations.md §6.
@Suite struct FaultTests {
    /// Points of each kind that are tried, drawn by a seed. `BANJIE_FAULT_POINTS` says another number, or `all`;
    /// `BANJIE_FAULT_SEED` another seed.
    private static let pointsPerKind = 12
    private static let environment = ProcessInfo.processInfo.environment
    private static let seed = environment["BANJIE_FAULT_SEED"].flatMap(UInt64.init) ?? 1
    private static let kinds: [FaultDisk.Failure] = [.refused, .full, .short, .unknownFlush]

    private static func parts() throws -> [[Operation]] {
        try MergeTests().history(tickets: 4).flatMap { log in
            stride(from: 0, to: log.count, by: 3).map { Array(log[$0..<min($0 + 3, log.count)]) }
        }
    }

    /// Whatever failed where, nothing acknowledged is lost, and once the disk works everything ends the same.
    private func points(_ failure: FaultDisk.Failure, _ duration: FaultDisk.Duration, seed: UInt64) throws {
        let parts = try Self.parts()
        let whole = FaultRun(parts)
        try whole.create()
        let first = whole.disk.counts.operations
        whole.work()
        let last = whole.disk.counts.operations
        whole.close()
        let expected = try whole.verify()
        #expect(whole.acknowledged.count == parts.joined().count)
        var generator = SeededGenerator(seed: seed)
        let wanted = Self.environment["BANJIE_FAULT_POINTS"]
        let points =
            wanted == "all"
            ? Array(first..<last)
            : (0..<(wanted.flatMap { Int($0) } ?? Self.pointsPerKind)).map { _ in
                Int.random(in: first..<last, using: &generator)
            }
        var failed = 0
        for point in points {
            let run = FaultRun(parts)
            try run.create()
            run.disk.fail(FaultDisk.Plan(at: point, failure: failure, duration: duration))
            run.work()
            failed += run.disk.counts.failed
            if point % 3 == 0 { run.close() } else { try run.losePower(seed: seed &+ UInt64(point)) }
            do {
                #expect(try run.verify() == expected, "operation \(point), \(failure) \(duration)")
            } catch {
                Issue.record(error, "operation \(point), \(failure) \(duration)")
            }
        }
        #expect(failed > 0)
        try report(failure, duration, points: points.count, failed: failed)
    }

    /// A line of JSON into the file that `BANJIE_FAULT_REPORT` names, for Deploy/prove.sh.
    private func report(
        _ failure: FaultDisk.Failure, _ duration: FaultDisk.Duration, points: Int, failed: Int
    ) throws {
        guard let path = Self.environment["BANJIE_FAULT_REPORT"] else { return }
        let line = "{\"kind\": \"\(failure) \(duration)\", \"points\": \(points), \"failed\": \(failed)}\n"
        let handle = try FileHandle(forWritingTo: URL(filePath: path))
        defer { try? handle.close() }
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(line.utf8))
    }

    @Test(
        "a disk that fails once, or from then on, loses nothing that was acknowledged",
        arguments: kinds, FaultDisk.Duration.allCases)
    func failures(failure: FaultDisk.Failure, duration: FaultDisk.Duration) throws {
        try points(failure, duration, seed: Self.seed)
    }

    @Test("a power cut at any point loses nothing that was acknowledged", arguments: 0..<8)
    func powerCut(seed: UInt64) throws {
        let parts = try Self.parts()
        var generator = SeededGenerator(seed: seed)
        let cut = Int.random(in: 1..<parts.count, using: &generator)
        let run = FaultRun(Array(parts.prefix(cut)))
        try run.create()
        run.work()
        try run.losePower(seed: seed)
        _ = try run.verify()
        #expect(run.acknowledged.count == parts.prefix(cut).joined().count)
    }

    @Test("a disk whose flushes lie does lose something: these tests would see it")
    func lyingDisk() throws {
        let parts = try Self.parts()
        let violations = try (0..<8).filter { seed in
            let run = FaultRun(parts)
            try run.create()
            run.disk.fail(FaultDisk.Plan(at: 0, failure: .lyingFlush, duration: .fromThenOn))
            run.work()
            try run.losePower(seed: UInt64(seed))
            do {
                _ = try run.verify()
                return false
            } catch {
                return true
            }
        }
        #expect(!violations.isEmpty)
    }
}
