import ArgumentParser
import Node

struct TicketUntag: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "untag", abstract: say("去标签", "Remove a tag"),
        discussion: examples("banjie ticket untag XIHU-261121-7KQ2-F 批量"))

    @OptionGroup var target: TicketTarget

    @Argument(help: hint("标签", "Tag"))
    var tag: String

    func run() async throws {
        try await target.perform("untag", TagRequest(tag: tag))
    }
}
