import ArgumentParser
import Foundation
import Node
import Replication
import Store

struct OfficeCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "office", abstract: say("办公点迁移", "Moving an office below another region"),
        subcommands: [OfficeAdmit.self, OfficeMove.self])
}

struct OfficeAdmit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "admit",
        abstract: say(
            "迁移第一步（在两地共同的上级）：把旧办公点的工单对新办公点开放并移交",
            "First step, at a node above both: open and hand the old site's tickets to the new one"),
        discussion: examples("banjie office admit xihu.hz.zj xihu.nb.zj"))

    @Argument(help: hint("旧办公点代码", "Code of the old site"))
    var from: String

    @Argument(help: hint("新办公点代码", "Code of the new site"))
    var to: String

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let progress = session.progress("移交", "admit")
            let started: JobState = try await client.post(
                "/api/v1/jobs/admit", AdmissionRequest(from: from, to: to))
            let report = AdmissionReport(try await finish(started, client: client, progress: progress))
            try session.show(report) { $0.text(session.presentation) }
            return .success
        }
    }
}

struct OfficeMove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "move",
        abstract: say(
            "迁移第二步（在已停止的办公点节点）：凭新上级的令牌改属",
            "Second step, at the office's stopped node: join the new parent with its token"),
        discussion: examples(
            "banjie enrol token new xihu.nb.zj --output move.token   # nb.zj",
            "banjie office move --token-file move.token"))

    @Option(help: hint("令牌文件", "File with the enrolment token"))
    var tokenFile: String

    @Flag(help: hint("即使有未发出的操作", "Also if something has not been sent"))
    var force = false

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.run(options) { session in
            guard let data = FileManager.default.contents(atPath: tokenFile) else {
                throw StoreError.file(path: tokenFile, operation: "reading", reason: "no such file, or no permission")
            }
            let report = try await Offices.move(
                folder: session.folder, token: String(decoding: data, as: UTF8.self), isForced: force,
                options: InitOptions(logger: session.logger))
            try session.show(report) { $0.text(session.presentation) }
            return .success
        }
    }
}
