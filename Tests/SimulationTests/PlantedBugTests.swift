#if PLANTED_BUGS
    import Foundation
    import Replication
    import Simulation
    import Testing

    /// Source: Protocols/simulation.md §6.
    @Suite struct PlantedBugTests {
        static let seedMax: UInt64 = 14
        static let steps = 1_500

        /// For each a run that finds it, by its name.
        static let known: [String: SimulationConfiguration] = {
            let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "PlantedBugs.json")
            guard let data = try? Data(contentsOf: path) else { return [:] }
            return (try? JSONDecoder().decode([String: SimulationConfiguration].self, from: data)) ?? [:]
        }()

        @Test("the simulator finds a planted bug", arguments: PlantedBug.allCases)
        func isFound(_ bug: PlantedBug) async throws {
            let others = (1...Self.seedMax).map { SimulationConfiguration.drawn(seed: $0, steps: Self.steps) }
            for configuration in [Self.known[bug.rawValue]].compactMap({ $0 }) + others {
                let report = try await SimulationQueue.run(configuration) { body in
                    try PlantedBug.$active.withValue(bug) { try body() }
                }
                if report.violation != nil { return }
            }
            Issue.record("neither its own run nor a seed up to \(Self.seedMax) finds \(bug)")
        }
    }
#endif
