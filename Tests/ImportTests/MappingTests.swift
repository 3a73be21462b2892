@testable import Node
import Testing
import Tickets

@Suite("Mapping files")
struct MappingTests {
    private func mapping(_ text: String) throws -> ImportMapping {
        try ImportMapping(path: "m.yaml", text: text)
    }

    private static let start = """
        source: s
        ticket: Case
        time: { columns: At, formats: yyyy-MM-dd }

        """

    @Test("a mapping's columns, values and sites are read")
    func reads() throws {
        let mapping = try mapping(SampleLog.mapping)
        #expect(mapping.ticket == ImportMapping.Column(name: "Case", line: 2))
        #expect(mapping.events.action("Told") == .feedback)
        #expect(mapping.events.action("Queued") == nil)
        #expect(mapping.sites?.group(of: "IN") == 1)
        #expect(mapping.sites?.group(of: "elsewhere") == 0)
        #expect(mapping.fields.map(\.field) == [.title, .region])
    }

    @Test("an exact status goes before a beginning, wherever it stands")
    func patterns() throws {
        let mapping = try mapping(Self.start + "status: S\nevents: { accept: Done*, close: Done-Closed }\n")
        #expect(mapping.events.action("Done-Closed") == .close)
        #expect(mapping.events.action("Done-Else") == .accept)
    }

    @Test("keys that look like numbers or truth values are texts, quoted or not")
    func keys() throws {
        let mapping = try mapping(
            Self.start + "urgency:\n  column: U\n  values: { \"1\": urgent, 2: high, \"No\": low, Yes: middle }\n")
        #expect(mapping.urgencies?.values == ["1": .urgent, "2": .high, "No": .low, "Yes": .middle])
    }

    @Test(
        "what is wrong is named with its line and what was expected",
        arguments: [
            ("source: s\nticket: Case\n", 0, "time is required"),
            (start + "tickets: x\n", 4, "not tickets"),
            (start + "encoding: ebcdic\n", 4, "encoding is one of"),
            (start + "actor: \"{Who\"\n", 4, "a } behind"),
            (start + "status: S\nevents:\n  close: [Done]\n  reply: [Done]\n", 6, "Done once"),
            (start + "events: { close: Done }\n", 4, "status, the column"),
            (start + "actor: Who\nconstants:\n  actor: eva\n", 6, "either from a column"),
            (start + "urgency:\n  column: U\n  values: { \"1\": urgent, 1: high }\n", 0, "valid YAML"),
            (start + "urgency:\n  column: U\n  values: { a: soon }\n", 6, "urgent, high, middle or low"),
            (start + "sites:\n  column: C\n  groups:\n    n: { site: HZ }\n", 7, "a site's code"),
            (
                start + "sites:\n  column: C\n  default: x\n  groups:\n    n: { site: hz.zj }\n", 6,
                "one of the groups n"
            ),
            ("source: s\nticket: C\ntime:\n  columns: At\n  formats: QQ\n", 5, "a time pattern of"),
            ("source: s\nticket: C\ntime:\n  columns: At\n  formats: yyyy-MM-dd\n  offset: CET\n", 6, "as +08:00"),
        ])
    func problems(text: String, line: Int, expected: String) {
        #expect { try mapping(text) } throws: { error in
            guard let problem = error as? FileProblem else { return false }
            return (line == 0 || problem.line == line) && problem.expected.contains(expected)
        }
    }

    @Test("a column that the file does not have is named with those it has")
    func unknownColumn() throws {
        let mapping = try mapping(Self.start)
        #expect(
            throws: FileProblem(
                path: "m.yaml", line: 3, expected: "a column of the file, not \"At\"; it has Case, When")
        ) { try mapping.check(header: ["Case", "When"]) }
    }
}
