import Dispatch
import Replication
import Simulation

/// Runs simulations on threads of their own: other tests' tasks need theirs.
enum SimulationQueue {
    private static let queues = [DispatchQueue(label: "simulation 0"), DispatchQueue(label: "simulation 1")]

    /// - Parameter body: puts a fault into the program while it runs, or does nothing else.
    static func run(
        _ configuration: SimulationConfiguration,
        around body: @escaping @Sendable (() throws -> SimulationReport) throws -> SimulationReport = { try $0() }
    ) async throws -> SimulationReport {
        try await withCheckedThrowingContinuation { continuation in
            queues[Int(configuration.seed % 2)].async {
                continuation.resume(with: Result { try body { try Simulation.run(configuration) } })
            }
        }
    }
}
