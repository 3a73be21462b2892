import ArgumentParser
import Node

struct ParkedCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "parked",
        abstract: say("暂存待证的操作", "Operations whose origin cannot be justified yet"),
        subcommands: [ParkedListCommand.self, ParkedRelease.self, ParkedVoid.self])
}

struct ParkedListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: say("列出暂存的操作及原因", "What is parked, and why"),
        discussion: examples("banjie parked list"))

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let list: ParkedList = try await client.get("/api/v1/parked")
            try session.show(list) { $0.text(session.presentation) }
            return .success
        }
    }
}

/// Which of the parked operations a command is about: one, or all of them.
struct ParkedChoice: ParsableArguments {
    @Argument(help: hint("操作标识 副本:序号", "The operation, REPLICA:SEQUENCE"))
    var dot: String?

    @Flag(help: hint("全部暂存的操作", "All that are parked"))
    var all = false

    var request: ReleaseRequest { ReleaseRequest(dot: dot) }

    func validate() throws {
        guard (dot != nil) != all else {
            throw ValidationError(say("给出一条操作，或 --all", "name an operation, or --all"))
        }
    }
}

struct ParkedRelease: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release",
        abstract: say(
            "由管理员采纳暂存的操作（例如恢复后由下级带回的本节点操作）",
            "Take parked operations in on an administrator's word, such as a restored node's own that a child brings back"
        ),
        discussion: examples("banjie parked release 00000000000000a1:42", "banjie parked release --all"))

    @OptionGroup var choice: ParkedChoice
    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let report: ReleaseReport = try await client.post("/api/v1/parked/release", choice.request)
            try session.show(report) { $0.text(session.presentation) }
            return .success
        }
    }
}

struct ParkedVoid: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "void",
        abstract: say("丢弃暂存的操作，且不再暂存", "Throw parked operations away for good: they are not parked again"),
        discussion: examples("banjie parked void 00000000000000a1:42", "banjie parked void --all"))

    @OptionGroup var choice: ParkedChoice
    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let report: ReleaseReport = try await client.post("/api/v1/parked/void", choice.request)
            try session.show(report) { $0.textOfVoid(session.presentation) }
            return .success
        }
    }
}
