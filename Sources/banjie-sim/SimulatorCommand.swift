import ArgumentParser
import Simulation

/// `banjie-sim`: a province on virtual time. Source: Protocols/simulation.md.
@main
struct SimulatorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "banjie-sim",
        abstract: "A whole province in one process on virtual time, and everything that goes wrong. 整省模拟",
        subcommands: [RunCommand.self, KillCommand.self, KillWorkerCommand.self])
}
