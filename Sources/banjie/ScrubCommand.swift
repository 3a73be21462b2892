import ArgumentParser
import Node

struct ScrubCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scrub",
        abstract: say(
            "逐行校验整个数据库；有损坏时退出码为 2", "Verify every row of the store; exit code 2 if one is damaged"),
        discussion: examples("banjie scrub", "banjie scrub --json | jq .damaged"))

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let progress = session.progress("校验", "scrub")
            let started: JobState = try await client.post("/api/v1/jobs/scrub", [String: String]())
            let job = try await finish(started, client: client, progress: progress)
            let list: DamageList = try await client.get("/api/v1/damaged")
            let report = ScrubReport(job, damaged: list.damaged)
            try session.show(report) { $0.text(session.presentation) }
            return report.damaged.isEmpty && report.waiting.isEmpty ? .success : .degraded
        }
    }
}
