import ArgumentParser
import Foundation
import Node

struct SyncHeads: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "heads",
        abstract: say(
            "各节点签名的历史与本地日志是否一致；不一致时退出码为 2",
            "Whether the log here is what each node has signed of its history; exit code 2 if not"),
        discussion: examples("banjie sync heads", "banjie sync heads --forget 00000000000000a1"))

    @Option(help: hint("查明原因后，让该副本的签名重新开始", "After looking into it: let this replica's signatures begin anew"))
    var forget: String?

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let list: HeadList =
                if let forget {
                    try await client.post("/api/v1/sync/heads/forget", HeadForgetRequest(replica: forget))
                } else {
                    try await client.get("/api/v1/sync/heads")
                }
            try session.show(list) { $0.text(session.presentation) }
            return list.isDegraded ? .degraded : .success
        }
    }
}
