import ArgumentParser
import Node

struct TicketFeedback: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "feedback", abstract: say("向客户反馈", "Tell the customer"),
        discussion: examples("banjie ticket feedback XIHU-261121-7KQ2-F '已告知处理结果' --channel phone --score 5"))

    @OptionGroup var target: TicketTarget

    @Argument(help: hint("内容；- 从标准输入读取", "Text; - for standard input"))
    var text: String

    @Option(help: hint("渠道", "Channel"))
    var channel: String?

    @Option(help: hint("满意度 1–5", "Satisfaction, 1–5"))
    var score: UInt8?

    func run() async throws {
        try await target.perform("feedback", FeedbackRequest(text: readText(text), channel: channel, score: score))
    }
}
