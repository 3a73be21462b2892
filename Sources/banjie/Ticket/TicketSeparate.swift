import ArgumentParser
import Node

struct TicketSeparate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "separate", abstract: say("拆分已合并的工单", "Separate a twin"),
        discussion: examples("banjie ticket separate XIHU-261121-7KQ2-F XIHU-261121-9QRT-6"))

    @OptionGroup var target: TicketTarget

    @Argument(help: hint("另一张工单", "The other ticket"))
    var other: String

    @Option(help: hint("理由", "Reason"))
    var reason: String?

    func run() async throws {
        try await target.perform("separate", TwinRequest(other: other, reason: reason))
    }
}
