import Foundation
import Logging
import Node
import Replication
import Testing
import Tickets
import Transport

/// What the pages in Protocols/ show, against the code.
@Suite struct PageTests {
    static func page(_ name: String) throws -> String {
        try String(
            contentsOf: LimitsPageTests.repository.appending(path: "Protocols/\(name)"), encoding: .utf8)
    }

    /// The first block of a language.
    static func block(_ language: String, in page: String) throws -> String {
        let parts = page.components(separatedBy: "```\(language)\n")
        let block = try #require(parts.dropFirst().first)
        return try #require(block.components(separatedBy: "\n```").first)
    }

    /// Rows of tables whose first cell is a number.
    static func numberedRows(_ page: String) -> [(number: Int, cells: [String])] {
        page.split(separator: "\n").compactMap { line in
            guard line.hasPrefix("| ") else { return nil }
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).dropFirst()
                .map { $0.trimmingCharacters(in: .whitespaces) }
            return cells.first.flatMap { Int($0) }.map { ($0, Array(cells.dropFirst())) }
        }
    }

    @Test("the catalog in catalog.md is a valid catalog")
    func catalog() throws {
        let catalog = try Catalog(json: Array(Self.block("json", in: Self.page("catalog.md")).utf8))
        #expect(catalog.version == 4 && catalog.limits == Catalog.standard.limits)
        #expect(catalog.category("NETWORK.VOICE")?.department == "NET")
        #expect(catalog.workingHours?["NOC"]?.week.count == 7)
        #expect(try Catalog(json: catalog.json()) == catalog)
    }

    @Test("the node.yaml in configuration.md is read as the page says")
    func configuration() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).yaml")
        defer { try? FileManager.default.removeItem(at: file) }
        try Self.block("yaml", in: Self.page("configuration.md")).write(to: file, atomically: true, encoding: .utf8)
        let configuration = try NodeConfiguration(path: file.path)
        #expect(configuration.name == "西湖营业厅" && configuration.listen == nil && configuration.enrolment == nil)
        #expect(configuration.parents == [.hostPort("sync1.hz.example", 7443), .hostPort("2001:db8::7", 7443)])
        #expect(configuration.logLevel == .notice && configuration.department == "SVC")
    }

    @Test("configuration.md has the defaults of the code")
    func defaults() throws {
        let page = try Self.page("configuration.md")
        let standard = NodeConfiguration()
        for (key, value) in [
            ("listen", standard.listen?.description), ("enrolment", standard.enrolment?.description),
            ("console", standard.console?.description), ("advertisedHost", standard.advertisedHost),
            ("department", standard.department), ("log", standard.logLevel.rawValue),
        ] {
            #expect(page.contains("| `\(key)` | `\(value ?? "off")` |"), "\(key)")
        }
    }

    @Test("operations.md lists every kind with its number and whether it is critical")
    func kinds() throws {
        let sections = try Self.page("operations.md").components(separatedBy: "\n## ")
        let section = try #require(sections.first { $0.hasPrefix("4. ") })
        var listed: [Int: Bool] = [:]
        for line in section.split(separator: "\n") where line.hasPrefix("| ") {
            let cells = line.split(separator: "|", omittingEmptySubsequences: false)
                .map { $0.trimmingCharacters(in: .whitespaces) }
            for number in cells[1].split(separator: ",").compactMap({ Int($0.trimmingCharacters(in: .whitespaces)) }) {
                listed[number] = cells[3] == "yes"
            }
        }
        let known = Kind.allCases.map { (Int($0.rawValue), $0.isCritical) }
        #expect(listed == Dictionary(uniqueKeysWithValues: known))
    }

    @Test("sync.md lists every code of Bye by number and name")
    func byeCodes() throws {
        let rows = try Self.numberedRows(Self.page("sync.md"))
        #expect(rows.map { "\($0.number) \($0.cells[0])" } == ByeCode.allCases.map { "\($0.rawValue) \($0)" })
    }

    @Test("service-levels.md has the standard catalog's limits")
    func standardLimits() throws {
        let page = try Self.page("service-levels.md")
        for step in Step.allCases {
            let minutes = Catalog.standard.limits.minutes(step)
            #expect(page.contains("| \(step.rawValue) | \(minutes) | `\(step)Minutes` |"), "\(step)")
        }
        for route in RouteCase.allCases {
            let totals = Catalog.standard.totals.totals(route)
            let row = "| \(totals.acceptingMinutes) | \(totals.handlingMinutes) | \(totals.ticketMinutes) |"
            let isListed = page.split(separator: "\n").contains { $0.contains("`\(route)`") && $0.hasSuffix(row) }
            #expect(isListed, "\(route)")
        }
    }

    @Test("every page that a comment names exists, and has the section")
    func references() throws {
        let sources = LimitsPageTests.repository.appending(path: "Sources")
        let files = FileManager.default.enumerator(atPath: sources.path)
        while let file = files?.nextObject() as? String {
            guard file.hasSuffix(".swift") else { continue }
            let text = try String(contentsOf: sources.appending(path: file), encoding: .utf8)
            for match in text.matches(of: /Protocols\/([a-z-]+\.md)(?: §(\d+))?/) {
                let page = try? Self.page(String(match.1))
                #expect(page != nil, "Sources/\(file) names Protocols/\(match.1)")
                if let section = match.2 {
                    #expect(
                        page?.contains("\n## \(section). ") ?? false, "Sources/\(file) names \(match.1) §\(section)")
                }
            }
        }
    }
}
