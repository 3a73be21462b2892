import ArgumentParser
import Foundation
import Node

struct BundleCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bundle", abstract: say("线路不通时用文件同步", "Sync by files where there is no line"),
        subcommands: [BundleCreate.self, BundleApply.self])

    static func absolute(_ path: String) -> String {
        URL(fileURLWithPath: (path as NSString).expandingTildeInPath).standardizedFileURL.path
    }
}

struct BundleCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: say(
            "把对端尚未确认的操作写入同步包；只有该对端能打开", "Write what a peer has not acknowledged; only that peer can open it"),
        discussion: examples(
            "banjie sync bundle create hz.zj", "banjie sync bundle create hz.zj /mnt/stick/xihu.bundle"))

    @Argument(help: hint("对端代码", "Site code of the peer"))
    var peer: String

    @Argument(help: hint("目标文件（默认数据目录的 bundles/ 下）", "File to write (default: one in the data folder's bundles)"))
    var path: String?

    @Option(
        help: hint(
            "每个包最多的操作数；其余写入后续的包", "Operations of one bundle at most; the rest goes into further ones"))
    var operationsMax: Int?

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let progress = session.progress("打包", "bundle")
            let request = BundleRequest(
                peer: peer, path: path.map(BundleCommands.absolute), operationsMax: operationsMax)
            let started: JobState = try await client.post("/api/v1/jobs/bundle", request)
            let job = try await finish(started, client: client, progress: progress)
            let report: BundleReport = try job.bundleReport()
            try session.show(report) { $0.text(session.presentation) }
            return report.remaining == 0 ? .success : .degraded
        }
    }
}

struct BundleApply: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: say("校验并应用同步包；重复应用没有影响", "Check a bundle and take it in; a repetition changes nothing"),
        discussion: examples("banjie sync bundle apply /mnt/stick/xihu.bundle"))

    @Argument(help: hint("同步包文件", "Bundle file"))
    var path: String

    @Flag(help: hint("接受证书已过期的发送方", "Take it although its sender's certificate has expired"))
    var allowExpired = false

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let progress = session.progress("应用", "apply")
            let request = BundleApplyRequest(path: BundleCommands.absolute(path), allowsExpired: allowExpired)
            let started: JobState = try await client.post("/api/v1/jobs/bundle-apply", request)
            let job = try await finish(started, client: client, progress: progress)
            let report: BundleAppliedReport = try job.bundleReport()
            try session.show(report) { $0.text(session.presentation) }
            return report.parked == 0 ? .success : .degraded
        }
    }
}
