import ArgumentParser
import Node

struct TicketAcknowledge: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "acknowledge", abstract: say("签收催办", "Acknowledge a chase"),
        discussion: examples("banjie ticket acknowledge XIHU-261121-7KQ2-F"))

    @OptionGroup var target: TicketTarget

    @Option(help: hint("哪一条（默认最早未签收的）", "Which one (default: the earliest not acknowledged)"))
    var chase: String?

    func run() async throws {
        try await target.perform("acknowledge", AcknowledgeRequest(chase: chase))
    }
}
