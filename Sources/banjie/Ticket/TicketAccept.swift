import ArgumentParser
import Node

struct TicketAccept: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "accept", abstract: say("接单", "Accept it for your department"),
        discussion: examples("banjie ticket accept XIHU-261121-7KQ2-F --as wang --department NET"))

    @OptionGroup var target: TicketTarget

    func run() async throws {
        try await target.perform("accept", AcceptRequest())
    }
}
