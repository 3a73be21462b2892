import ArgumentParser
import Node

struct TicketReopen: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reopen", abstract: say("重新打开", "Open it again"),
        discussion: examples("banjie ticket reopen XIHU-261121-7KQ2-F --reason '问题复现'"))

    @OptionGroup var target: TicketTarget

    @Option(help: hint("理由", "Reason"))
    var reason: String

    func run() async throws {
        try await target.perform("reopen", ReopenRequest(reason: reason))
    }
}
