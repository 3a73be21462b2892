import ArgumentParser
import Node

struct TicketReveal: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reveal",
        abstract: say("查看完整号码；谁、何时、为何记入审计", "Telephone numbers in full; who, when and why is journaled"),
        discussion: examples("banjie ticket reveal XIHU-261121-7KQ2-F --reason 回访 --as wang"))

    @Option(help: hint("查看原因", "Why"))
    var reason: String

    @OptionGroup var target: TicketTarget

    func run() async throws {
        try await Session.withNode(target.options) { session, client in
            let numbers: RevealedNumbers = try await client.post(
                "/api/v1/tickets/\(APIPath.escape(target.ticket))/reveal",
                Enveloped(RevealRequest(reason: reason), actor: target.actor.actor, seen: nil))
            try session.show(numbers) { $0.text(session.presentation) }
            return .success
        }
    }
}
