import ArgumentParser
import Node

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: say("节点状态；需要处理时退出码为 2", "How the node stands; exit code 2 if somebody should look"),
        discussion: examples("banjie status", "banjie status --json | jq .peers"))

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let status: NodeStatus = try await client.get("/api/v1/status")
            try session.show(status) { $0.text(session.presentation) }
            return status.degraded.isEmpty ? .success : .degraded
        }
    }
}
