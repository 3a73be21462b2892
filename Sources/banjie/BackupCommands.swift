import ArgumentParser
import Foundation
import Node
import Store

struct BackupCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: say("备份与恢复", "Backups"),
        subcommands: [BackupCreate.self, BackupListCommand.self, BackupVerify.self, BackupRestore.self])
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
            // It has its name because it was verified.
            try session.show(BackupReport(job)) { $0.text(session.presentation) }
            return .success
        }
    }
}

struct BackupListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: say(
            "列出数据目录中的备份；有损坏时退出码为 2", "The backups in the data folder; exit code 2 if one is damaged"),
        discussion: examples("banjie backup list", "banjie backup list --verify --json"))

    @Flag(help: hint("逐条校验每个备份", "Read each from end to end"))
    var verify = false

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.run(options) { session in
            let list = try BackupList.read(
                session.folder, verifying: verify, progress: session.progress("校验", "verify"))
            try session.show(list) { $0.text(session.presentation) }
            return list.backups.allSatisfy { $0.findings.isEmpty } ? .success : .degraded
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

struct BackupRestore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: say(
            "恢复备份；先停止节点，原数据库改名保留", "Put a backup back; stop the node first, its database is kept beside"),
        discussion: examples("banjie backup restore ~/.banjie/backups/hz.zj-20261121T081500Z.db"))

    @Argument(help: hint("备份文件", "Backup file"))
    var path: String

    @Flag(help: hint("备份有损坏也恢复其中可读的部分", "Also take a damaged backup, as far as it can be read"))
    var force = false

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.run(options) { session in
            let file = URL(fileURLWithPath: (path as NSString).expandingTildeInPath).standardizedFileURL.path
            let report = try Restoration.run(
                folder: session.folder, path: file, isForced: force, progress: session.progress("校验", "verify"),
                logger: session.logger)
            try session.show(report) { $0.text(session.presentation) }
            return .success
        }
    }
}
