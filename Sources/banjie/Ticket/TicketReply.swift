import ArgumentParser
import Node

struct TicketReply: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reply", abstract: say("回单", "Reply with the result"),
        discussion: examples("banjie ticket reply XIHU-261121-7KQ2-F '已更换模块，复测正常'"))

    @OptionGroup var target: TicketTarget

    @Argument(help: hint("内容；- 从标准输入读取", "Text; - for standard input"))
    var text: String

    @Option(help: hint("为哪一次持有回单", "Custody that it is for (default: your department's)"))
    var custody: String?

    func run() async throws {
        try await target.perform("reply", ReplyRequest(text: readText(text), custody: custody))
    }
}
