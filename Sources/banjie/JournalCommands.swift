import ArgumentParser
import Foundation
import Node

struct AuditCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: say("审计：谁在何时何地做了或看了什么", "Who did or read what, when and from where"),
        subcommands: [AuditList.self, AuditExportCommand.self, AuditVerify.self])
}

struct AuditFilterOptions: ParsableArguments {
    @Option(help: hint("起始时间（含）", "From this time on"))
    var from: TypedInstant?

    @Option(help: hint("截止时间（不含）", "Before this time"))
    var to: TypedInstant?

    @Option(help: hint("操作人", "Who"))
    var actor: String?

    @Option(help: hint("操作名，如 logIn、numberRevealed、close", "What: logIn, numberRevealed, close, …"))
    var action: String?

    @Option(help: hint("对象：账号、办公点、标识", "To what: an account, a site, an id"))
    var subject: String?

    @Option(help: hint("单号或工单标识", "Number or id of a ticket"))
    var ticket: String?

    var pairs: [(String, String?)] {
        [
            ("from", from?.instant.text), ("to", to?.instant.text), ("actor", actor), ("action", action),
            ("subject", subject), ("ticket", ticket),
        ]
    }
}

struct AuditList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: say("列出审计记录，最近的在前", "The entries, the latest first"),
        discussion: examples(
            "banjie audit list --action logInFailed", "banjie audit list --ticket XIHU-261121-7KQ2-F",
            "banjie audit list --actor wang --from 2026-11-01 --json"))

    @OptionGroup var filter: AuditFilterOptions

    @Option(help: hint("最多条数（默认 50）", "Entries at most (default 50)"))
    var limit: Int?

    @Option(help: hint("上一页给出的位置", "Where the page before has ended"))
    var after: String?

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let path = APIPath.query(
                "/api/v1/audit", filter.pairs + [("limit", limit.map { "\($0)" }), ("after", after)])
            let page: AuditPage = try await client.get(path)
            try session.show(page) { $0.text(session.presentation) }
            return .success
        }
    }
}

extension AuditFileFormat: ExpressibleByArgument {}

struct AuditExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: say("导出审计记录为文件，最早的在前", "Write the entries to a file, the earliest first"),
        discussion: examples(
            "banjie audit export --file /mnt/stick/audit.jsonl",
            "banjie audit export --file audit.csv --format csv --from 2026-11-01"))

    @Option(name: .customLong("file"), help: hint("目标文件", "File to write"))
    var path: String

    @Option(help: hint("格式 jsonl|csv", "jsonl|csv"))
    var format = AuditFileFormat.jsonl

    @OptionGroup var filter: AuditFilterOptions
    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let progress = session.progress("导出", "export")
            var wanted: [String: String] = [:]
            for (name, value) in filter.pairs { wanted[name] = value }
            let started: JobState = try await client.post(
                "/api/v1/jobs/audit-export",
                AuditExportRequest(path: BundleCommands.absolute(path), format: format, filter: wanted))
            let job = try await finish(started, client: client, progress: progress)
            try session.show(job) { $0.auditText(session.presentation) }
            return .success
        }
    }
}

struct AuditVerify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: say(
            "校验审计日志的链与锚点；或校验导出文件。不符时退出码为 2",
            "Follow the journal's chain and compare it with its anchors, or check an export; exit code 2 if not whole"),
        discussion: examples("banjie audit verify", "banjie audit verify --file /mnt/stick/audit.jsonl"))

    @Option(help: hint("校验这个导出文件；不需要节点", "Check this export; needs no node"))
    var file: String?

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        if let file {
            return try await Session.run(options) { session in
                let progress = session.progress("校验", "verify")
                let report = try AuditFileCheck.run(BundleCommands.absolute(file)) { progress.update($0, of: $1) }
                progress.finish()
                try session.show(report) { $0.text(session.presentation) }
                return report.problem == nil ? .success : .degraded
            }
        }
        try await Session.withNode(options) { session, client in
            let report: JournalReport = try await client.get("/api/v1/audit/verify")
            try session.show(report) { $0.text(session.presentation) }
            return report.isIntact ? .success : .degraded
        }
    }
}
