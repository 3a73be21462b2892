import ArgumentParser
import Node

struct TicketShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: say("一张工单的全部：流转、时钟、时限、冲突、经过", "All of a ticket: custody, clocks, limits, conflicts, timeline"),
        discussion: examples("banjie ticket show XIHU-261121-7KQ2-F", "banjie ticket show xihu2611217kq2f --json"))

    @Argument(help: hint("单号或工单标识", "Number or id of the ticket"))
    var ticket: String

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let detail: TicketDetail = try await client.get("/api/v1/tickets/\(APIPath.escape(ticket))")
            try session.show(detail) { $0.text(session.presentation) }
            return .success
        }
    }
}
