import ArgumentParser
import Dispatch
import Foundation
import Replication
import Simulation
import Synchronization

/// `banjie-sim run`.
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Runs seeds; ends with 1 if an invariant is violated. 按种子运行")

    @Option(help: "The seed. 种子") var seed: UInt64 = 1
    @Option(help: "Seeds A..<B instead of one. 种子范围") var seeds: String?
    @Option(help: "Begins no further seed after so many minutes. 时限（分钟）") var minutes: Double?
    @Option(help: "Seeds at once, each in a process of its own. 并行数") var jobs = 1
    @Option(help: "Events until everything is healed. 步数") var steps = 5_000
    @Option(help: "Nodes, 2 to 31; drawn from the seed if not given. 节点数") var nodes: Int?
    @Option(help: "Faults, separated by commas; `all`, `none`; drawn from the seed if not given. 故障") var faults:
        String?
    @Flag(inversion: .prefixedNo, help: "Two nodes at the province. 省级双节点") var twoProvinces: Bool?
    @Flag(inversion: .prefixedNo, help: "Two nodes at one branch. 一处双节点") var twoAtSite: Bool?
    @Option(help: "Faults come so many times as often. 故障频度") var pace = 1
    @Option(help: "Folder for the disks; memory if not given. 目录") var folder: String?
    @Flag(help: "A line of JSON for each seed. 每个种子一行 JSON") var json = false
    @Flag(help: "Say what happens. 打印过程") var log = false
    @Flag(inversion: .prefixedNo, help: "Make a failing run smaller. 缩小失败的运行") var shrink = true
    @Flag(help: .hidden) var quiet = false

    #if PLANTED_BUGS
        @Option(help: "Put this fault into the program. 植入的缺陷") var plant: String?
    #endif

    func validate() throws {
        guard jobs > 0 else { throw ValidationError("--jobs takes a number from 1 on / --jobs 至少为 1") }
    }

    func run() throws {
        let outcome = Outcome(seeds: try range(), deadline: minutes.map { Date().addingTimeInterval($0 * 60) })
        DispatchQueue.concurrentPerform(iterations: jobs) { _ in
            do {
                while let seed = outcome.next() {
                    if jobs > 1 { try runApart(seed, outcome) } else { try run(seed, outcome) }
                }
            } catch {
                outcome.stop(with: error)
            }
        }
        try outcome.check()
    }

    private func run(_ seed: UInt64, _ outcome: Outcome) throws {
        let configuration = try drawn(seed)
        let isShowing = !json && !log && !quiet
        let report = try planting {
            try Simulation.run(
                configuration, folder: folder,
                progress: { steps in
                    if isShowing { FileHandle.standardError.write(Data("\r\(seed): \(steps) ".utf8)) }
                }, log: log ? { SimulatorOutput.note($0) } : nil)
        }
        try write(report)
        guard report.violation != nil else { return }
        outcome.noteViolation()
        let small =
            shrink ? try planting { try Shrinker.shrink(report, folder: folder) { SimulatorOutput.note($0) } } : report
        SimulatorOutput.note("banjie-sim \(small.configuration.arguments) --no-shrink")
    }

    private func runApart(_ seed: UInt64, _ outcome: Outcome) throws {
        let configuration = try drawn(seed)
        let (output, end) = try SeedProcess.run(configuration.arguments.components(separatedBy: " ") + sharedArguments)
        outcome.write {
            FileHandle.standardOutput.write(output)
            switch end {
            case .sound: break
            case .violated: outcome.noteViolation()
            case .failed(let reason):
                outcome.noteViolation()
                SimulatorOutput.note("seed \(seed) has ended with \(reason)\nbanjie-sim \(configuration.arguments)")
            }
        }
    }

    /// What every seed's process is told besides its configuration.
    private var sharedArguments: [String] {
        var arguments = ["--quiet"]
        if json { arguments.append("--json") }
        if log { arguments.append("--log") }
        if !shrink { arguments.append("--no-shrink") }
        if let folder { arguments += ["--folder", folder] }
        #if PLANTED_BUGS
            if let plant { arguments += ["--plant", plant] }
        #endif
        return arguments
    }

    private func planting<Value>(_ body: () throws -> Value) throws -> Value {
        #if PLANTED_BUGS
            let bug = try plant.map { name in
                guard let bug = PlantedBug(rawValue: name) else {
                    let known = PlantedBug.allCases.map(\.rawValue).joined(separator: ", ")
                    throw ValidationError("no fault is named \(name); there are \(known) / 没有名为 \(name) 的缺陷")
                }
                return bug
            }
            return try PlantedBug.$active.withValue(bug) { try body() }
        #else
            return try body()
        #endif
    }

    private func range() throws -> Range<UInt64> {
        guard let seeds else { return seed..<seed + 1 }
        let ends = seeds.components(separatedBy: "..<").compactMap(UInt64.init)
        guard ends.count == 2, ends[0] < ends[1] else {
            throw ValidationError("write a range of seeds as 1..<100 / 种子范围写作 1..<100")
        }
        return ends[0]..<ends[1]
    }

    private func drawn(_ seed: UInt64) throws -> SimulationConfiguration {
        var configuration = SimulationConfiguration.drawn(seed: seed, nodes: nodes, steps: steps)
        switch faults {
        case nil: break
        case "all"?: configuration.faults = Fault.allCases
        case "none"?: configuration.faults = []
        case let list?:
            configuration.faults = try list.split(separator: ",").map { name in
                guard let fault = Fault(rawValue: String(name)) else {
                    let known = Fault.allCases.map(\.rawValue).joined(separator: ", ")
                    throw ValidationError("no fault is named \(name); there are \(known) / 没有名为 \(name) 的故障")
                }
                return fault
            }
        }
        configuration.hasTwoProvinces = twoProvinces ?? configuration.hasTwoProvinces
        configuration.hasTwoAtSite = twoAtSite ?? configuration.hasTwoAtSite
        configuration.pace = max(1, pace)
        return configuration
    }

    private func write(_ report: SimulationReport) throws {
        // Also into a file as it comes.
        defer { fflush(nil) }
        guard !json else {
            return try SimulatorOutput.line(report)
        }
        let rate = Int(Double(report.steps) / max(report.seconds, 0.001))
        let faults = report.configuration.faults.map(\.rawValue).joined(separator: ",")
        print(
            """
            \rseed \(report.configuration.seed): trace \(report.trace), \(report.steps) steps (\(rate) a second), \
            \(report.operations) operations at \(report.offices) nodes, \
            at rest after \(report.restMilliseconds / 1_000) s, [\(faults)]
            """)
        if let violation = report.violation {
            print(
                """
                  \(violation.invariant.rawValue) is violated at step \(violation.step) \
                (\(violation.office ?? "province")): \(violation.text)
                """)
        }
    }
}

/// What several seeds that run at once share.
private final class Outcome: Sendable {
    private struct State {
        var next: UInt64
        let end: UInt64
        var hasViolation = false
        var failure: (any Error)?
    }

    private let state: Mutex<State>
    private let output = Mutex(())
    private let deadline: Date?

    init(seeds: Range<UInt64>, deadline: Date?) {
        state = Mutex(State(next: seeds.lowerBound, end: seeds.upperBound))
        self.deadline = deadline
    }

    /// The next seed; nil if there is none, the time is over, or something failed.
    func next() -> UInt64? {
        if let deadline, Date() >= deadline { return nil }
        return state.withLock { state in
            guard state.next < state.end, state.failure == nil else { return nil }
            defer { state.next += 1 }
            return state.next
        }
    }

    /// One seed's words after the other's.
    func write(_ body: () -> Void) {
        output.withLock { _ in body() }
    }

    func noteViolation() { state.withLock { $0.hasViolation = true } }

    func stop(with error: any Error) { state.withLock { $0.failure = $0.failure ?? error } }

    /// - Throws: what one of them has thrown; 1 if an invariant was violated.
    func check() throws {
        let (failure, hasViolation) = state.withLock { ($0.failure, $0.hasViolation) }
        if let failure { throw failure }
        if hasViolation { throw ExitCode(1) }
    }
}
