import ArgumentParser
import Node

struct RebuildCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rebuild",
        abstract: say("由操作日志重建全部状态与检索", "Build all states and the search index anew from the log"),
        discussion: examples("banjie rebuild"))

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let progress = session.progress("重建", "rebuild")
            let started: JobState = try await client.post("/api/v1/jobs/rebuild", [String: String]())
            let job = try await finish(started, client: client, progress: progress)
            try session.show(job) { job in
                let count = job.result?["operations"] ?? "\(job.done)"
                return say("已由 \(count) 条操作重建。", "Rebuilt from \(count) operations.") + "\n"
            }
            return .success
        }
    }
}
