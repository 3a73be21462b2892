import Foundation
import Simulation
import Testing

@Suite struct SeedTests {
    @Test("a seed gives the same trace each time")
    func repeats() async throws {
        let configuration = SimulationConfiguration.drawn(seed: 7, steps: 600)
        let first = try await SimulationQueue.run(configuration)
        let second = try await SimulationQueue.run(configuration)
        #expect(first.trace == second.trace)
        #expect(first.steps == second.steps)
    }

    @Test("a province keeps its invariants whatever goes wrong", arguments: UInt64(1)...6)
    func holds(seed: UInt64) async throws {
        let configuration = SimulationConfiguration.drawn(seed: seed, steps: 1_000)
        let report = try await SimulationQueue.run(configuration)
        #expect(report.violation == nil, "swift run banjie-sim \(configuration.arguments)")
    }

    @Test("everything that can go wrong does, and the invariants hold")
    func everythingHappens() async throws {
        var counts: [String: Int] = [:]
        for seed in UInt64(1)...4 {
            let configuration = SimulationConfiguration(
                seed: seed, nodes: 6, steps: 1_500, faults: Fault.allCases, hasTwoProvinces: true, pace: 4)
            let report = try await SimulationQueue.run(configuration)
            #expect(report.violation == nil, "swift run banjie-sim \(configuration.arguments)")
            counts.merge(report.counts.faults, uniquingKeysWith: +)
        }
        for fault in Fault.allCases { #expect(counts[fault.rawValue, default: 0] > 0, "\(fault) never happened") }
    }

    struct Regression: Codable, Sendable, CustomTestStringConvertible {
        var found: String
        var configuration: SimulationConfiguration
        var testDescription: String { found }
    }

    static var regressions: [Regression] {
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Regressions.json")
        guard let data = try? Data(contentsOf: path) else { return [] }
        return (try? JSONDecoder().decode([Regression].self, from: data)) ?? []
    }

    @Test("what a seed has found stays mended", arguments: regressions)
    func staysMended(_ regression: Regression) async throws {
        let report = try await SimulationQueue.run(regression.configuration)
        #expect(report.violation == nil, "swift run banjie-sim \(regression.configuration.arguments)")
    }
}
