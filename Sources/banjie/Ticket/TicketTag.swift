import ArgumentParser
import Node

struct TicketTag: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tag", abstract: say("加标签", "Add a tag"),
        discussion: examples("banjie ticket tag XIHU-261121-7KQ2-F 批量"))

    @OptionGroup var target: TicketTarget

    @Argument(help: hint("标签", "Tag"))
    var tag: String

    func run() async throws {
        try await target.perform("tag", TagRequest(tag: tag))
    }
}
