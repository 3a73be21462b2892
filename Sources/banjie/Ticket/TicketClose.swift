import ArgumentParser
import Node

struct TicketClose: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "close", abstract: say("办结", "Close it"),
        discussion: examples(
            "banjie ticket close XIHU-261121-7KQ2-F --confirmed",
            "banjie ticket close XIHU-261121-7KQ2-F --reason '客户失联'"))

    @OptionGroup var target: TicketTarget

    @Option(help: hint("理由；未反馈即办结时必填", "Reason; needed where the customer was not told"))
    var reason: String?

    @Flag(help: hint("客户已确认", "The customer has confirmed"))
    var confirmed = false

    @Option(help: hint("满意度 1–5", "Satisfaction, 1–5"))
    var score: UInt8?

    func run() async throws {
        try await target.perform("close", CloseRequest(reason: reason, isConfirmedByCustomer: confirmed, score: score))
    }
}
