import ArgumentParser
import Logging
import Node
import ServiceLifecycle
import UnixSignals

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: say("运行节点，直到收到 SIGTERM 或 SIGINT", "Run the node until SIGTERM or SIGINT"),
        discussion: examples("banjie run", "banjie run --data /srv/banjie"))

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.run(options) { session in
            let logger = Logger(label: "banjie")
            let node = NodeService(folder: session.folder, logger: logger)
            let group = ServiceGroup(
                configuration: ServiceGroupConfiguration(
                    services: [
                        .init(
                            service: node, successTerminationBehavior: .gracefullyShutdownGroup,
                            failureTerminationBehavior: .gracefullyShutdownGroup)
                    ],
                    gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
            try await group.run()
            return .success
        }
    }
}
