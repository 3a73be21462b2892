import ArgumentParser
import Foundation
import Node
import Store

struct BackupCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: say("备份", "Backups"), subcommands: [BackupCreate.self, BackupVerify.self])
}

struct BackupCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: say("备份数据库；节点可在运行", "Copy the store, also while the node runs"),
        discussion: examples("banjie backup create", "banjie backup create /mnt/stick/hz.db"))

    @Argument(help: hint("目标文件（默认数据目录的 backups/ 下）", "File to write (default: one in the data folder's backups)"))
    var path: String?

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let absolute = path.map {
                URL(fileURLWithPath: ($0 as NSString).expandingTildeInPath).standardizedFileURL.path
            }
            let progress = session.progress("备份", "backup")
            let started: JobState = try await client.post("/api/v1/jobs/backup", BackupRequest(path: absolute))
            let job = try await finish(started, client: client, progress: progress)
            let file = job.result?["path"] ?? absolute ?? ""
            let report = try BackupReport.verify(file, progress: session.progress("校验", "verify"))
            try session.show(report) { $0.text(session.presentation) }
            return report.findings.isEmpty ? .success : .failure
        }
    }
}

struct BackupVerify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: say("逐条校验备份；不需要节点", "Check every operation of a backup; needs no node"),
        discussion: examples("banjie backup verify /mnt/stick/hz.db"))

    @Argument(help: hint("备份文件", "Backup file"))
    var path: String

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.run(options) { session in
            let report = try BackupReport.verify(path, progress: session.progress("校验", "verify"))
            try session.show(report) { $0.text(session.presentation) }
            return report.findings.isEmpty ? .success : .failure
        }
    }
}
