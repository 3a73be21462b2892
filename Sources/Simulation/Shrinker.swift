/// Makes a failing run smaller: fewer steps, fewer faults, fewer nodes, as long as the same invariant is violated.
///
/// Source: Protocols/simulation.md §5.
package enum Shrinker {
    /// Runs that it takes at most.
    package static let runsMax = 60

    /// - Parameter note: hears of every smaller run that fails too.
    /// - Returns: the smallest that was found.
    package static func shrink(
        _ report: SimulationReport, folder: String? = nil, note: (String) -> Void = { _ in }
    ) throws -> SimulationReport {
        guard let invariant = report.violation?.invariant else { return report }
        var best = report
        var runs = 0
        func isBetter(_ change: (inout SimulationConfiguration) -> Void) throws -> Bool {
            var configuration = best.configuration
            change(&configuration)
            guard configuration != best.configuration, runs < runsMax else { return false }
            runs += 1
            let found = try Simulation.run(configuration, folder: folder)
            guard found.violation?.invariant == invariant else { return false }
            best = found
            note("  smaller: \(configuration.arguments)")
            return true
        }
        // What comes after the violation is not needed.
        if let step = report.violation?.step { _ = try isBetter { $0.steps = min($0.steps, step + 1) } }
        var isShrinking = true
        while isShrinking, runs < runsMax {
            isShrinking = false
            for fault in best.configuration.faults {
                if try isBetter({ $0.faults.removeAll { $0 == fault } }) { isShrinking = true }
            }
            if try isBetter({ $0.hasTwoProvinces = false }) { isShrinking = true }
            if try isBetter({ $0.hasTwoAtSite = false }) { isShrinking = true }
            for part in [2, 4, 8] where try isBetter({ $0.nodes = max(2, $0.nodes - max(1, $0.nodes / part)) }) {
                isShrinking = true
            }
            for part in [2, 4, 8] where try isBetter({ $0.steps -= $0.steps / part }) { isShrinking = true }
        }
        return best
    }
}
