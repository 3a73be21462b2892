import ArgumentParser
import Node

struct ConflictCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "conflicts", abstract: say("并发产生的冲突", "What was done at the same time"),
        subcommands: [ConflictsList.self, ConflictsResolve.self, ConflictsUndo.self],
        defaultSubcommand: ConflictsList.self)
}

struct ConflictsList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: say("并发的值与待裁定的双派", "Concurrent values and contested transfers"),
        discussion: examples("banjie conflicts list"))

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let list: ConflictList = try await client.get("/api/v1/conflicts")
            try session.show(list) { $0.text(session.presentation) }
            return .success
        }
    }
}

struct ConflictsResolve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resolve", abstract: say("选定一个值", "Choose a value"),
        discussion: examples(
            "banjie conflicts resolve XIHU-261121-7KQ2-F category --write 0123456789abcdef:42",
            "banjie conflicts resolve XIHU-261121-7KQ2-F urgency --value high"))

    @OptionGroup var target: TicketTarget

    @Argument(help: hint("字段", "Field"))
    var field: String

    @Option(help: hint("采用这次写入的值", "The write whose value shall stand"))
    var write: String?

    @Option(help: hint("采用这个值", "The value that shall stand"))
    var value: String?

    func validate() throws {
        guard (write == nil) != (value == nil) else {
            throw ValidationError(say("请给出 --write 或 --value 之一。", "Give either --write or --value."))
        }
    }

    func run() async throws {
        try await target.perform("resolve", ResolveRequest(field: field, value: value, write: write))
    }
}

struct ConflictsUndo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "undo", abstract: say("撤回一次写入，恢复之前的值", "Take a write back: the value before it stands again"),
        discussion: examples("banjie conflicts undo XIHU-261121-7KQ2-F --write 0123456789abcdef:42"))

    @OptionGroup var target: TicketTarget

    @Option(help: hint("要撤回的写入", "The write to take back"))
    var write: String

    func run() async throws { try await target.perform("undo", UndoRequest(write: write)) }
}
