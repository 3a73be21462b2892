import ArgumentParser
import Foundation
import Node
import Store

struct EnrolCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enrol", abstract: say("新办公点入网", "New offices"),
        subcommands: [TokenCommands.self, RootCommands.self])
}

struct TokenCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: say("入网令牌", "Enrolment tokens"),
        subcommands: [TokenNew.self, TokenListCommand.self, TokenRevoke.self])
}

struct TokenNew: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new",
        abstract: say("为直属下级制作一次性令牌", "Make a token, good once, for an office directly below this one"),
        discussion: examples(
            "banjie enrol token new hz.zj --output hz.token", "banjie enrol token new hz.zj > hz.token"))

    @Argument(help: hint("新办公点代码", "Code of the new office"))
    var site: String

    @Option(
        help: hint("写入文件（仅属主可读），而非标准输出", "Write to a file that only its owner may read, instead of standard output"))
    var output: String?

    @Option(help: hint("有效小时数（默认 24）", "Hours that it is valid (default: 24)"))
    var hours: Int?

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            var answer: TokenAnswer = try await client.post(
                "/api/v1/enrolment/tokens", TokenRequest(site: site, validHours: hours))
            if let output {
                let isWritten = FileManager.default.createFile(
                    atPath: output, contents: Data((answer.token + "\n").utf8), attributes: [.posixPermissions: 0o600])
                guard isWritten else {
                    throw StoreError.file(path: output, operation: "writing", reason: "check the folder's permissions")
                }
                // What stands in the file stays out of the terminal and its history.
                answer.token = ""
                try session.show(answer) { "\(output)  \($0.site)  \($0.expires.text)\n" }
            } else {
                try session.show(answer) { $0.token + "\n" }
            }
            return .success
        }
    }
}
