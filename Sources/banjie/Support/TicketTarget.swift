import ArgumentParser
import Foundation
import Node

/// Who acts.
struct ActorOptions: ParsableArguments {
    @Option(name: .customLong("as"), help: hint("操作人（默认 $USER）", "Who acts (default: $USER)"))
    var name: String?

    @Option(
        help: hint(
            "操作人的部门（默认 $BANJIE_DEPARTMENT 或节点配置）", "Their department (default: $BANJIE_DEPARTMENT, or the node's)"))
    var department: String?

    @Option(
        help: hint(
            "角色 agent|dispatcher|supervisor|…（默认 agent）",
            "agent|dispatcher|supervisor|assessor|auditor|admin (default: agent)"))
    var role: String?

    @Option(help: hint("操作人看到的版本，逗号分隔", "The version they were looking at, as `ticket show` gives it"))
    var seen: String?

    var actor: Actor {
        let environment = ProcessInfo.processInfo.environment
        return Actor(
            name: name ?? environment["USER"] ?? NSUserName(), role: role,
            department: department ?? environment["BANJIE_DEPARTMENT"])
    }

    var version: [String]? { seen?.split(separator: ",").map(String.init) }
}

/// A ticket and who acts on it.
struct TicketTarget: ParsableArguments {
    @Argument(help: hint("单号或工单标识", "Number or id of the ticket"))
    var ticket: String

    @OptionGroup var actor: ActorOptions
    @OptionGroup var options: GlobalOptions

    /// Sends one command and shows what it has become.
    func perform(_ command: String, _ request: some Encodable & Sendable) async throws {
        try await Session.withNode(options) { session, client in
            let receipt: TicketReceipt = try await client.post(
                "/api/v1/tickets/\(APIPath.escape(ticket))/\(command)",
                Enveloped(request, actor: actor.actor, seen: actor.version))
            try session.show(receipt) { $0.text(session.presentation) }
            return .success
        }
    }
}

/// A text from the command line; `-` reads it from standard input.
func readText(_ text: String) -> String {
    guard text == "-" else { return text }
    let data = FileHandle.standardInput.readDataToEndOfFile()
    return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .newlines)
}
