import ArgumentParser
import Foundation
import Replication
import Simulation

/// `banjie-sim run`.
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Runs seeds; ends with 1 if an invariant is violated. 按种子运行")

    @Option(help: "The seed. 种子") var seed: UInt64 = 1
    @Option(help: "Seeds A..<B instead of one. 种子范围") var seeds: String?
    @Option(help: "Events until everything is healed. 步数") var steps = 5_000
    @Option(help: "Nodes, 2 to 31; drawn from the seed if not given. 节点数") var nodes: Int?
    @Option(help: "Faults, separated by commas; `all`, `none`; drawn from the seed if not given. 故障") var faults:
        String?
    @Flag(inversion: .prefixedNo, help: "Two nodes at the province. 省级双节点") var twoProvinces: Bool?
    @Flag(inversion: .prefixedNo, help: "Two nodes at one branch. 一处双节点") var twoAtSite: Bool?
    @Option(help: "Folder for the disks; memory if not given. 目录") var folder: String?
    @Flag(help: "A line of JSON for each seed. 每个种子一行 JSON") var json = false
    @Flag(help: "Say what happens. 打印过程") var log = false
    @Flag(inversion: .prefixedNo, help: "Make a failing run smaller. 缩小失败的运行") var shrink = true

    #if PLANTED_BUGS
        @Option(help: "Put this fault into the program. 植入的缺陷") var plant: String?

        func run() throws {
            try PlantedBug.$active.withValue(plant.flatMap(PlantedBug.init)) { try runSeeds() }
        }
    #else
        func run() throws { try runSeeds() }
    #endif

    private func runSeeds() throws {
        var failed = 0
        for seed in try range() {
            let configuration = try drawn(seed)
            let report = try Simulation.run(
                configuration, folder: folder,
                progress: { steps in
                    if !json, !log { FileHandle.standardError.write(Data("\r\(seed): \(steps) ".utf8)) }
                }, log: log ? { note($0) } : nil)
            try write(report)
            guard report.violation != nil else { continue }
            failed += 1
            let small =
                shrink
                ? try Shrinker.shrink(report, folder: folder) { note($0) } : report
            note("banjie-sim \(small.configuration.arguments) --no-shrink")
        }
        if failed > 0 { throw ExitCode(1) }
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
        return configuration
    }

    private func note(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }

    private func write(_ report: SimulationReport) throws {
        // Also into a file as it comes.
        defer { fflush(nil) }
        guard !json else {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            return print(String(decoding: try encoder.encode(report), as: UTF8.self))
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
