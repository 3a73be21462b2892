import ArgumentParser
import Foundation
import Replication
import Simulation

/// `banjie-sim kill`: real processes over a real disk. Source: Protocols/simulation.md §7.
struct KillCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kill",
        abstract: "Kills a working node with SIGKILL, again and again, and looks at its store; ends with 1 if anything "
            + "that was acknowledged is lost. 反复强杀并检查存储")

    @Option(help: "Looks at the store, each after one to three kills. 轮数") var cycles = 1_000
    @Option(help: "Ends earlier after so many seconds. 最长秒数") var seconds: Int?
    @Option(help: "What is done and when the kills fall; when exactly the machine decides. 种子") var seed: UInt64 = 1
    @Option(help: "Folder for the stores, on the disk that is to be tried. 目录") var folder = NSTemporaryDirectory()
    @Flag(help: "A line of JSON at the end. 最后输出一行 JSON") var json = false
    #if PLANTED_BUGS
        @Option(help: "Put this fault into the workers. 植入的缺陷") var plant: String?
        private var workerArguments: [String] { plant.map { ["--plant", $0] } ?? [] }
    #else
        private var workerArguments: [String] { [] }
    #endif

    /// A store is left after so many looks, so that each stays cheap; the last is at everything.
    private static let cyclesPerStore = 200
    private static let cyclesPerWholeLook = 100

    struct Report: Codable {
        var seed: UInt64
        var tally = KillTally()
        var seconds = 0.0
        /// Of the folder: nothing reaches a disk.
        var isInMemory = false
        var violation: String?
    }

    func run() throws {
        var report = Report(seed: seed)
        report.isInMemory = try isInMemory()
        let clock = ContinuousClock()
        let start = clock.now
        let end = seconds.map { start + .seconds($0) }
        var random = SimulationRandom(seed: seed)
        var left = cycles
        while left > 0, report.violation == nil, end.map({ clock.now < $0 }) ?? true {
            try live(min(left, Self.cyclesPerStore), until: end, &random, &report)
            left = cycles - report.tally.cycles
        }
        report.seconds = Double((clock.now - start).components.seconds)
        try write(report)
        if report.violation != nil { throw ExitCode(1) }
    }

    private func live(
        _ cycles: Int, until end: ContinuousClock.Instant?, _ random: inout SimulationRandom, _ report: inout Report
    ) throws {
        let path = "\(folder)/banjie-kill-\(UUID().uuidString)"
        var life = try KillLife(
            folder: path, replica: ReplicaID(random.next() | 1), workerArguments: workerArguments)
        do {
            for cycle in 1...cycles {
                let isLast = cycle == cycles || end.map { ContinuousClock().now >= $0 } ?? false
                for _ in 0...random.below(10) / 4 { try life.kill(using: &random) }
                try life.look(isWhole: isLast || cycle % Self.cyclesPerWholeLook == 0)
                if isLast { break }
            }
            try FileManager.default.removeItem(atPath: path)
        } catch {
            report.violation = "\(error)"
            SimulatorOutput.note("\(error)\nthe store is in \(path) / 存储保留在 \(path)")
        }
        report.tally.add(life.tally)
        if !json { SimulatorOutput.note("\(report.tally.cycles) cycles, \(report.tally.kills) kills") }
    }

    /// By the device that the folder is on; Swift's Glibc has no `statfs`.
    private func isInMemory() throws -> Bool {
        var status = stat()
        guard stat(folder, &status) == 0 else {
            throw ValidationError("\(folder): \(String(cString: strerror(errno))); give --folder / 请指定 --folder")
        }
        let number = UInt64(status.st_dev)
        let major = number >> 8 & 0xFFF | number >> 32 & ~0xFFF
        let minor = number & 0xFF | number >> 12 & ~0xFF
        let mounts = try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)
        return mounts.split(whereSeparator: \.isNewline).contains { line in
            // number, parent, device, root, mount point, options …, "-", type
            let words = line.split(separator: " ")
            guard words.count > 2, words[2] == "\(major):\(minor)", let dash = words.firstIndex(of: "-") else {
                return false
            }
            return ["tmpfs", "ramfs"].contains(words[(dash + 1)...].first)
        }
    }

    private func write(_ report: Report) throws {
        guard !json else {
            return try SimulatorOutput.line(report)
        }
        let tally = report.tally
        print(
            """
            seed \(seed): \(tally.cycles) cycles with \(tally.kills) kills in \(Int(report.seconds)) s, \
            \(tally.killsWhileOpening) of them while the store was opened; \(tally.acknowledged) operations acknowledged, \
            \(tally.transactionsLost) transactions undone, \(tally.backups) backups, \(tally.wholeLooks) looks at everything\
            \(report.isInMemory ? "; in memory, where nothing reaches a disk" : "")
            """)
        if let violation = report.violation { print("violated: \(violation)") }
    }
}
