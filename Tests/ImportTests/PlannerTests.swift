@testable import Node
import Replication
import Testing
import Tickets

@Suite("Planning an import")
struct PlannerTests {
    private func plan(
        _ text: String, site: String = "hz.zj", mapping: String = SampleLog.mapping,
        options: ImportOptions = ImportOptions()
    ) throws -> ImportPlan {
        let mapping = try ImportMapping(path: "m.yaml", text: mapping)
        let table = try CSVTable(path: "log.csv", bytes: Array(text.utf8), separator: ",")
        return try ImportPlanner(
            mapping, table: table, options: options, site: SiteCode(validated: site), key: ImportOffice.key
        ).plan()
    }

    private func describe(_ plan: ImportPlan) -> [String] {
        plan.tickets.flatMap { ticket in
            [ticket.isOwner ? "\(ticket.opening.number) opened here: \(ticket.opening.title)" : "opened elsewhere"]
                + ticket.rows.map { row in
                    let parts = row.steps.map { "\($0)" } + (row.event.map { ["\($0)"] } ?? [])
                    return "  \(row.line)\(row.isOwn ? "" : " not ours") \(row.actor) \(row.department)"
                        + " \(row.site?.rawValue ?? "-"): \(parts.joined(separator: " + "))"
                }
        }
    }

    @Test("the office of a ticket's first row opens it and keeps its course")
    func golden() throws {
        let plan = try plan(SampleLog.header + SampleLog.first + SampleLog.second)
        #expect(
            describe(plan) == [
                "A opened here: About pump", "  2 Eva T1 hz.zj: ", "  3 Eva T1 hz.zj: accept",
                "  4 not ours Raj T2 nb.zj: transfer + note", "  8 Eva T1 hz.zj: transfer + close",
                "  9 not ours Raj T2 nb.zj: reopen + accept", "  10 not ours Raj T2 nb.zj: close",
            ])
        #expect((plan.rowCount, plan.ticketCount, plan.elsewhereCount, plan.ownRowCount) == (11, 2, 8, 3))
    }

    @Test("the other offices have their own rows alone")
    func others() throws {
        let plan = try plan(SampleLog.header + SampleLog.first, site: "nb.zj")
        #expect(
            describe(plan) == [
                "opened elsewhere", "  4 Raj T2 nb.zj: transfer + note", "  5 Raj T2 nb.zj: accept",
                "B opened here: About valve", "  6 Raj T2 nb.zj: accept",
            ])
    }

    @Test("rows are put in the order of their times, and those of one instant in the file's")
    func order() throws {
        let plan = try plan(
            SampleLog.header
                + """
                A,2020-01-01 09:00,c,T1,Queued,pump,SE
                A,2020-01-01 08:00,a,T1,Queued,pump,SE
                A,2020-01-01 08:00,b,T1,Queued,pump,SE
                """)
        #expect(plan.tickets[0].rows.map(\.actor) == ["a", "b", "c"])
    }

    @Test("identity is that of source, ticket and content, not of place or order")
    func identity() throws {
        let rows = SampleLog.first.split(separator: "\n").map(String.init)
        let forwards = try plan(SampleLog.header + rows.joined(separator: "\n"))
        let backwards = try plan(SampleLog.header + "\n" + rows.reversed().joined(separator: "\n"))
        #expect(forwards.tickets.map(\.id) == backwards.tickets.map(\.id))
        #expect(forwards.tickets[0].rows.map(\.keys) == backwards.tickets[0].rows.map(\.keys))
        let other = try plan(
            SampleLog.header + rows.joined(separator: "\n"),
            mapping: SampleLog.mapping.replacing("source: sample", with: "source: other"))
        #expect(Set(other.tickets.map(\.id)).isDisjoint(with: forwards.tickets.map(\.id)))
    }

    @Test("identical rows are told apart by their number")
    func ordinals() throws {
        let row = "A,2020-01-01 08:00,Eva,T1,Queued,pump,SE\n"
        let plan = try plan(SampleLog.header + row + row)
        #expect(Set(plan.tickets[0].rows.map(\.keys)).count == 2)
    }

    @Test("a refused row is named with line, column and what was expected")
    func refusals() throws {
        let plan = try plan(
            SampleLog.header
                + """
                ,2020-01-01 08:00,Eva,T1,Queued,pump,SE
                A,yesterday,Eva,T1,Queued,pump,SE
                A,2020-01-01 08:00
                A,2020-01-01 08:00,Eva,\(String(repeating: "T", count: 300)),Queued,pump,SE
                A,2020-01-01 08:00,Eva,T1,Queued,pump,SE
                """)
        #expect(plan.refused.map(\.line) == [2, 3, 4, 5])
        #expect(plan.refused.map(\.column) == ["Case", "At", "", "Team"])
        #expect(plan.refused[1].problem == "a time from 1970 on as yyyy-MM-dd HH:mm, not \"yesterday\"")
        #expect(plan.ownRowCount == 1)
    }

    @Test("a title that is too long keeps its rest in the body, and an empty one is the ticket's key")
    func titles() throws {
        let long = String(repeating: "长", count: 300)
        let mapping = SampleLog.mapping.replacing("\"About {Thing}\"", with: "Thing")
        let plan = try plan(
            SampleLog.header + "A,2020-01-01 08:00,Eva,T1,Queued,\(long),SE\nB,2020-01-01 08:01,Eva,T1,Queued,,SE\n",
            mapping: mapping)
        let openings = plan.tickets.map(\.opening)
        #expect(openings[0].title.count == TicketLimits.titleCharactersMax && openings[0].body == long)
        #expect(openings[1].title == "B")
    }

    @Test("options choose rows by column, by group and all of them")
    func selection() throws {
        let text = SampleLog.header + SampleLog.first
        var options = ImportOptions()
        options.takesAll = true
        #expect(try plan(text, site: "x.zj", options: options).ownRowCount == 5)
        options = ImportOptions()
        options.siteGroup = "south"
        #expect(try plan(text, site: "x.zj", options: options).ownRowCount == 3)
        options = ImportOptions()
        options.conditions = [try #require(ImportOptions.Condition("Who=Eva,Ann"))]
        #expect(try plan(text, site: "x.zj", options: options).ownRowCount == 2)
        options = ImportOptions()
        options.siteCodes = ["south": "x.zj"]
        let moved = try plan(text, site: "x.zj", options: options)
        #expect(moved.ownRowCount == 3 && moved.tickets[0].rows[0].site == SiteCode("x.zj"))
    }

    @Test("options that do not fit say what to do instead")
    func wrongOptions() throws {
        #expect { try plan(SampleLog.header, site: "x.zj") } throws: { "\($0)".contains("--site-group NAME") }
        var options = ImportOptions()
        options.conditions = [try #require(ImportOptions.Condition("Nobody=1"))]
        #expect { try plan(SampleLog.header, options: options) } throws: { "\($0)".contains("the file has At, Case") }
        options = ImportOptions()
        options.siteGroup = "west"
        #expect { try plan(SampleLog.header, options: options) } throws: { "\($0)".contains("it has north, south") }
    }
}
