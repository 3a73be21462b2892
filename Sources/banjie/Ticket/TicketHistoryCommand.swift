import ArgumentParser
import Node

struct TicketHistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: say("工单的每一条操作及其哈希", "Every operation of a ticket, with its hash"),
        discussion: examples("banjie ticket history XIHU-261121-7KQ2-F"))

    @Argument(help: hint("单号或工单标识", "Number or id of the ticket"))
    var ticket: String

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let history: TicketHistory = try await client.get("/api/v1/tickets/\(APIPath.escape(ticket))/history")
            try session.show(history) { $0.text(session.presentation) }
            return .success
        }
    }
}
