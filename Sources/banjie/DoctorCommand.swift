import ArgumentParser
import Node

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: say(
            "体检；每项发现都给出下一步，有发现时退出码为 2", "Look the node over; each finding names the next step, exit code 2 if any"),
        discussion: examples("banjie doctor", "banjie doctor --json"))

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let report: DoctorReport = try await client.get("/api/v1/doctor")
            try session.show(report) { $0.text(session.presentation) }
            return report.findings.isEmpty ? .success : .degraded
        }
    }
}
