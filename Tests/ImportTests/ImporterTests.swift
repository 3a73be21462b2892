import Foundation
@testable import Node
import Replication
import Store
import Synchronization
import Testing
import Tickets

/// How often something happened.
private final class Calls: Sendable {
    private let number = Mutex(0)

    func count() -> Int {
        number.withLock { number in
            number += 1
            return number
        }
    }
}

@Suite("Importing")
struct ImporterTests {
    private var all: ImportOptions {
        var options = ImportOptions()
        options.takesAll = true
        return options
    }

    @Test("a log becomes tickets with their own times, custodies and cycles")
    func imports() async throws {
        let office = try await ImportOffice("hz.zj", replica: 1, parent: "zj")
        let mapping = try office.write("m.yaml", SampleLog.mapping)
        let csv = try office.write("log.csv", SampleLog.header + SampleLog.first + SampleLog.second)
        let report = try await office.run(csv, mapping, all)
        #expect((report.taken, report.alreadyThere, report.elsewhere, report.refusedCount) == (11, 0, 0, 0))
        let ticket = try #require(try office.node.reader.tickets(numbered: "A").first)
        let summary = try #require(try office.node.reader.state(of: ticket)).summary()
        #expect(summary.path.map(\.department) == ["T1", "T2", "T1", "T2"])
        #expect(summary.path.map(\.site.rawValue) == ["hz.zj", "nb.zj", "hz.zj", "nb.zj"])
        #expect(summary.path.map(\.variant) == [nil, .dispatch, .returning, nil])
        #expect(summary.status == .closed && summary.reopenedCount == 1)
        #expect(summary.path[1].accepted == 1_577_871_000_000 && summary.path[1].replied == 1_577_872_800_000)
        #expect(summary.path[0].person == "Eva")
        // No link clock runs between the years.
        #expect(summary.links.allSatisfy { $0.delivered == $0.sent })
        #expect(summary.opening?.at == 1_577_865_600_000)
    }

    @Test("a repetition writes nothing, and a longer extract adds what is new")
    func repeats() async throws {
        let office = try await ImportOffice("hz.zj", replica: 1, parent: "zj")
        let mapping = try office.write("m.yaml", SampleLog.mapping)
        let short = try office.write("short.csv", SampleLog.header + SampleLog.first)
        let long = try office.write("long.csv", SampleLog.header + SampleLog.first + SampleLog.second)
        #expect(try await office.run(short, mapping, all).taken == 5)
        let again = try await office.run(short, mapping, all)
        #expect((again.taken, again.alreadyThere, again.operations) == (0, 5, 0))
        let rest = try await office.run(long, mapping, all)
        #expect((rest.taken, rest.alreadyThere) == (6, 5))
        let before = try office.counts()
        #expect(try await office.run(long, mapping, all).operations == 0)
        #expect(try office.counts() == before)

        let whole = try await ImportOffice("nb.zj", replica: 2, parent: "zj")
        _ = try await whole.run(long, mapping, all)
        #expect(
            try office.tickets().mapValues(CourseDescription.init) == whole.tickets().mapValues(CourseDescription.init))
    }

    @Test("overlapping extracts imported at two offices count once after they meet")
    func overlap() async throws {
        let first = try await ImportOffice("hz.zj", replica: 1, parent: "zj")
        let second = try await ImportOffice("nb.zj", replica: 2, parent: "zj")
        let mapping = try first.write("m.yaml", SampleLog.mapping)
        let short = try first.write("short.csv", SampleLog.header + SampleLog.first)
        let long = try first.write("long.csv", SampleLog.header + SampleLog.first + SampleLog.second)
        _ = try await first.run(short, mapping, all)
        _ = try await second.run(long, mapping, all)
        var merged = try second.tickets()
        for (id, ticket) in try first.tickets() { merged[id, default: Ticket(id: id)].merge(ticket) }
        let alone = try second.tickets()
        #expect(merged.mapValues(CourseDescription.init) == alone.mapValues(CourseDescription.init))
        for (id, ticket) in merged {
            let summary = ticket.summary()
            #expect(summary.duplicateCount > 0 && summary.contested.isEmpty && !summary.hasConflict)
            #expect(summary.notes.count == alone[id]?.summary().notes.count)
        }
    }

    @Test("a row that lies before what the ticket has been through is told, and moves nothing")
    func lateRows() async throws {
        let office = try await ImportOffice("hz.zj", replica: 1, parent: "zj")
        let mapping = try office.write("m.yaml", SampleLog.mapping)
        let late = try office.write("late.csv", SampleLog.header + SampleLog.second)
        let long = try office.write("long.csv", SampleLog.header + SampleLog.first + SampleLog.second)
        _ = try await office.run(late, mapping, all)
        let before = try office.tickets().mapValues(CourseDescription.init)
        let report = try await office.run(long, mapping, all)
        #expect((report.taken, report.alreadyThere) == (5, 6))
        #expect(try office.tickets().mapValues(CourseDescription.init) == before)
        #expect(try await office.run(long, mapping, all).operations == 0)
    }

    @Test("an import that is stopped after any transaction goes on where it was")
    func interrupted() async throws {
        let whole = try await ImportOffice("hz.zj", replica: 1, parent: "zj")
        let mapping = try whole.write("m.yaml", SampleLog.mapping)
        let csv = try whole.write("log.csv", SampleLog.header + SampleLog.first + SampleLog.second)
        _ = try await whole.run(csv, mapping, all)
        let expected = try whole.tickets().mapValues(CourseDescription.init)
        for stop in 1...5 {
            let office = try await ImportOffice("hz.zj", replica: 2, parent: "zj")
            let options = all
            let calls = Calls()
            let node = office.node
            let interrupted = Task {
                try await Importer(operationsMax: 2).run(
                    csv: csv, mapping: mapping, options: options, node: node, key: ImportOffice.key
                ) { _, _ in
                    if calls.count() > stop { withUnsafeCurrentTask { $0?.cancel() } }
                }
            }
            await #expect(throws: CancellationError.self) { try await interrupted.value }
            let there = try office.node.reader.counts().operations
            #expect(there > 0)
            let report = try await office.run(csv, mapping, options)
            #expect(report.alreadyThere > 0 && report.taken + report.alreadyThere == 11)
            #expect(try office.tickets().mapValues(CourseDescription.init) == expected)
            #expect(try office.node.reader.counts().operations == whole.node.reader.counts().operations)
        }
    }

    @Test("a dry run counts and writes nothing")
    func dryRun() async throws {
        let office = try await ImportOffice("hz.zj", replica: 1, parent: "zj")
        let mapping = try office.write("m.yaml", SampleLog.mapping)
        let csv = try office.write("log.csv", SampleLog.header + SampleLog.first)
        var options = all
        options.isDryRun = true
        let report = try await office.run(csv, mapping, options)
        #expect(report.taken == 5 && report.isDryRun)
        #expect(try office.node.reader.counts().tickets == 0)
    }

    @Test("a row whose ticket was opened elsewhere falls back to a note, and to its custody once that is known")
    func withoutCustody() async throws {
        let south = try await ImportOffice("nb.zj", replica: 2, parent: "zj")
        let mapping = try south.write("m.yaml", SampleLog.mapping)
        let csv = try south.write("log.csv", SampleLog.header + SampleLog.first)
        #expect(try await south.run(csv, mapping).taken == 3)
        let pending = try #require(try south.tickets().values.first { $0.summary().isPending })
        #expect(pending.summary().notes.count == 2 && pending.operationCount == 2)
    }
}
