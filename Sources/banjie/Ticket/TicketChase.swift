import ArgumentParser
import Node

struct TicketChase: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chase", abstract: say("催办", "Chase it"),
        discussion: examples("banjie ticket chase XIHU-261121-7KQ2-F --note '客户再次来电' --promised 2026-11-21T18:00"))

    @OptionGroup var target: TicketTarget

    @Option(help: hint("备注；- 从标准输入读取", "Note; - for standard input"))
    var note: String?

    @Option(help: hint("渠道", "Channel"))
    var channel: String?

    @Option(help: hint("向客户承诺的时间", "What the caller was promised"))
    var promised: TypedInstant?

    func run() async throws {
        try await target.perform(
            "chase", ChaseRequest(note: note.map(readText), channel: channel, promised: promised?.instant))
    }
}
