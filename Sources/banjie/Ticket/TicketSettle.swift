import ArgumentParser
import Node

struct TicketSettle: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "settle", abstract: say("裁定双派", "Settle contested transfers"),
        discussion: examples("banjie ticket settle XIHU-261121-7KQ2-F --winner 0123456789abcdef:42 --reason '按分类归网络部'"))

    @OptionGroup var target: TicketTarget

    @Option(help: hint("应当生效的转单", "Transfer that shall count"))
    var winner: String

    @Option(help: hint("理由", "Reason"))
    var reason: String

    func run() async throws {
        try await target.perform("settle", SettleRequest(winner: winner, reason: reason))
    }
}
