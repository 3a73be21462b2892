import ArgumentParser
import Foundation
import Node

struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: say(
            "按映射文件导入事件日志（CSV）；重复导入不会重复计数", "Import an event log (CSV) by a mapping; a repetition doubles nothing"),
        discussion: examples(
            "banjie import problems.csv --mapping bpic2013-problems.yaml --dry-run",
            "banjie import problems.csv --mapping bpic2013-problems.yaml --site-group north",
            "banjie import problems.csv --mapping bpic2013-problems.yaml --where \"resource country=Sweden,Denmark\""))

    @Argument(help: hint("CSV 文件", "CSV file"))
    var file: String

    @Option(help: hint("映射文件（YAML），见 Protocols/import.md", "Mapping file (YAML), see Protocols/import.md"))
    var mapping: String

    @Option(
        name: .customLong("where"),
        help: ArgumentHelp(
            say("只取该列为这些值的行，可重复", "Take rows with one of these values only; may be repeated"),
            valueName: "COLUMN=VALUE[,VALUE…]"))
    var conditions: [ImportOptions.Condition] = []

    @Flag(name: .customLong("all"), help: hint("取所有网点的行", "Take the rows of every office"))
    var takesAll = false

    @Option(help: hint("取映射中该组的行，不论其网点代码", "Take the rows of this group of the mapping, whatever its site"))
    var siteGroup: String?

    @Option(
        name: .customLong("site-code"),
        help: ArgumentHelp(say("映射中某组的实际网点代码，可重复", "A group's real site; may be repeated"), valueName: "GROUP=SITE"))
    var siteCodes: [GroupSite] = []

    @Flag(help: hint("只统计，不写入", "Count, and write nothing"))
    var dryRun = false

    @Option(name: .customLong("refused"), help: hint("把被拒的行全部写入该文件（CSV）", "Write all refused rows to this file (CSV)"))
    var refusedFile: String?

    @OptionGroup var options: GlobalOptions

    /// `GROUP=SITE`.
    struct GroupSite: ExpressibleByArgument, Sendable {
        let group: String
        let site: String

        init?(argument: String) {
            let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { return nil }
            (group, site) = (parts[0], parts[1])
        }
    }

    func validate() throws {
        let given = [takesAll, siteGroup != nil, !conditions.isEmpty].count { $0 }
        guard given <= 1 else {
            throw ValidationError(
                say("--all、--site-group 与 --where 只能用其一", "Use one of --all, --site-group and --where"))
        }
    }

    func run() async throws {
        var wishes = ImportOptions()
        wishes.conditions = conditions
        wishes.takesAll = takesAll
        wishes.siteGroup = siteGroup
        wishes.siteCodes = Dictionary(siteCodes.map { ($0.group, $0.site) }) { _, last in last }
        wishes.isDryRun = dryRun
        let request = ImportRequest(csv: Self.absolute(file), mapping: Self.absolute(mapping), options: wishes)
        try await Session.withNode(options) { session, client in
            let progress = session.progress("导入", "import")
            let started: JobState = try await client.post("/api/v1/jobs/import", request)
            let job = try await finish(started, client: client, progress: progress)
            guard let report = job.importReport else { throw APIFailure.noSuchJob(job.id) }
            if let refusedFile { try Self.write(report.refused, to: refusedFile) }
            try session.show(report) { $0.text(session.presentation.language) }
            return report.refusedCount == 0 ? .success : .degraded
        }
    }

    private static func absolute(_ path: String) -> String {
        URL(fileURLWithPath: (path as NSString).expandingTildeInPath).standardizedFileURL.path
    }

    private static func write(_ refused: [RefusedRow], to path: String) throws {
        func quoted(_ text: String) -> String { "\"" + text.replacingOccurrences(of: "\"", with: "\"\"") + "\"" }
        var text = "line,column,problem\n"
        for row in refused { text += "\(row.line),\(quoted(row.column)),\(quoted(row.problem))\n" }
        do {
            try text.write(toFile: absolute(path), atomically: true, encoding: .utf8)
        } catch {
            throw FileProblem(
                path: path, line: 0, expected: "a file that can be written: \(error.localizedDescription)")
        }
    }
}

extension ImportOptions.Condition: ExpressibleByArgument {
    public init?(argument: String) {
        self.init(argument)
    }
}
