import ArgumentParser
import Node

struct TicketSet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: say("修改一个字段", "Set a field"),
        discussion: examples(
            "banjie ticket set XIHU-261121-7KQ2-F urgency high",
            "banjie ticket set XIHU-261121-7KQ2-F promisedTime 2026-11-21T18:00:00+08:00"))

    @OptionGroup var target: TicketTarget

    @Argument(help: hint("字段", "title|body|category|urgency|channel|region|contact|location|cause|…"))
    var field: String

    @Argument(help: hint("值", "Value"))
    var value: String

    func run() async throws {
        try await target.perform("set", SetRequest(field: field, value: readText(value)))
    }
}
