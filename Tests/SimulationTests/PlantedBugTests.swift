#if PLANTED_BUGS
    import Replication
    import Simulation
    import Testing

    /// Source: Protocols/simulation.md §6.
    @Suite struct PlantedBugTests {
        /// A seed that finds each: it is tried first. Those without one are found by none of the bounded portion.
        static let seeds: [PlantedBug: UInt64] = [
            .acknowledgesBeforeCommit: 1, .scopeEntryMissed: 1, .historyNotSent: 2, .childGetsEverything: 1,
            .feedRowSkipped: 1, .siblingNodeLeftOut: 8, .memberNotStored: 1, .feedLengthNotSaved: 2,
            .feedNotFilled: 1, .relayForgotten: 2, .hashNotChecked: 6, .duplicatesCountTwice: 1,
            .prefixJumpsHole: 1, .projectionCursorForgotten: 12, .rollupOnlyGrows: 1, .auditSkipsLast: 2,
            .auditDoesNotFetch: 2, .registerForgetsConcurrent: 1, .resolvedConflictStays: 1, .closeWinsOverReopen: 9,
            .twinScopeNotShared: 3, .clockFollowsFuture: 3, .receiptsTwice: 1, .sequenceRepeatsAfterStart: 5,
        ]
        static let seedMax: UInt64 = 14
        static let steps = 1_500

        @Test("the simulator finds a planted bug", arguments: PlantedBug.allCases.filter { seeds[$0] != nil })
        func isFound(_ bug: PlantedBug) async throws {
            let first = Self.seeds[bug]
            for seed in [first].compactMap({ $0 }) + (1...Self.seedMax).filter({ $0 != first }) {
                let configuration = SimulationConfiguration.drawn(seed: seed, steps: Self.steps)
                let report = try await SimulationQueue.run(configuration) { body in
                    try PlantedBug.$active.withValue(bug) { try body() }
                }
                if report.violation != nil { return }
            }
            Issue.record("no seed up to \(Self.seedMax) finds \(bug)")
        }
    }
#endif
