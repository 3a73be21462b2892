import ArgumentParser
import Node

struct TicketAnswer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "answer", abstract: say("答复催办", "Answer a chase"),
        discussion: examples("banjie ticket answer XIHU-261121-7KQ2-F '今日 18 点前完成'"))

    @OptionGroup var target: TicketTarget

    @Argument(help: hint("内容；- 从标准输入读取", "Text; - for standard input"))
    var text: String

    @Option(help: hint("哪一条（默认最早未答复的）", "Which one (default: the earliest unanswered)"))
    var chase: String?

    @Option(help: hint("承诺时间", "Promised time"))
    var promised: TypedInstant?

    func run() async throws {
        try await target.perform(
            "answer", AnswerRequest(chase: chase, text: readText(text), promised: promised?.instant))
    }
}
