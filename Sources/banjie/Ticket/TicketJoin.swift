import ArgumentParser
import Node

struct TicketJoin: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "join", abstract: say("合并重复工单", "Join a twin"),
        discussion: examples("banjie ticket join XIHU-261121-7KQ2-F XIHU-261121-9QRT-6"))

    @OptionGroup var target: TicketTarget

    @Argument(help: hint("另一张工单", "The other ticket"))
    var other: String

    @Option(help: hint("理由", "Reason"))
    var reason: String?

    func run() async throws {
        try await target.perform("join", TwinRequest(other: other, reason: reason))
    }
}
