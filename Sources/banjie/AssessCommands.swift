import ArgumentParser
import Node

struct AssessCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "assess", abstract: say("考核", "Assessment"), subcommands: [AssessShow.self])
}

struct AssessShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: say("及时率：已结束的环节加上未完已超时的", "On-time rates: what has ended, and what is open and overdue"),
        discussion: examples(
            "banjie assess show --by department,step", "banjie assess show --by site --from 2026-11-01 --to 2026-11-30",
            "banjie assess show --by category --site hz.zj --limits ticket"))

    @Option(
        help: hint(
            "分组 site|department|category|step|day，逗号分隔",
            "Rows by site|department|category|step|day, separated by commas"))
    var by = "department,step"

    @Option(help: hint("计入的时限 steps|departmentTotal|ticket", "Which limits count: steps|departmentTotal|ticket"))
    var limits = "steps"

    @Option(help: hint("首日（UTC，按时限落点）", "First day of the deadlines (UTC), such as 2026-11-01"))
    var from: String?

    @Option(help: hint("末日", "Last day"))
    var to: String?

    @Option(help: hint("只含此办公点及其下级", "Only this site and those below it"))
    var site: String?

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let table: AssessmentTable = try await client.get(
                APIPath.query(
                    "/api/v1/assessment",
                    [("by", by), ("limits", limits), ("from", from), ("to", to), ("site", site)]))
            try session.show(table) { $0.text(session.presentation) }
            return .success
        }
    }
}
