import Foundation
@testable import Node
import Replication
import Store
import Testing
import Tickets

/// Public event logs beside the project's folder; nothing needs them.
enum RealLogs {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    static let data = ProcessInfo.processInfo.environment["BANJIE_LOGS"] ?? root.path + "/../shared/data"
    static let problems = data + "/bpic2013_closed_problems.csv"
    static let incidents = data + "/bpic2013_incidents.csv"
    static let complaints = data + "/comcast_telecom_complaints.csv"
    static var areThere: Bool {
        [problems, incidents, complaints].allSatisfy { FileManager.default.fileExists(atPath: $0) }
    }

    static func mapping(_ name: String) -> String { root.path + "/Deploy/mappings/\(name).yaml" }
}

/// A province and offices below it that import one log, each its own rows.
struct SplitImport {
    let province: ImportOffice
    let offices: [ImportOffice]

    init(_ sites: [String]) async throws {
        province = try await ImportOffice("zj", replica: 100)
        var offices: [ImportOffice] = []
        for (index, site) in sites.enumerated() {
            offices.append(try await ImportOffice(site, replica: UInt64(index + 1), parent: "zj"))
        }
        self.offices = offices
        for office in offices {
            let site = office.site
            try await province.node.administer { try $0.register(child: site) }
        }
    }

    func exchange() async throws {
        for office in offices { try await province.take(from: office) }
        for office in offices { try await office.take(from: province) }
    }

    /// Whether every ticket that an office has is the province's.
    func expectAgreement() throws {
        let whole = try province.tickets()
        for office in offices {
            for (id, ticket) in try office.tickets() { #expect(ticket == whole[id]) }
        }
        #expect(try province.node.reader.counts().parked == 0)
    }
}

@Suite("One log at several offices")
struct SplitImportTests {
    @Test("offices that import their rows of one log come to the course that a single import gives")
    func split() async throws {
        let split = try await SplitImport(["hz.zj", "nb.zj"])
        let mapping = try split.province.write("m.yaml", SampleLog.mapping)
        let csv = try split.province.write("log.csv", SampleLog.header + SampleLog.first + SampleLog.second)
        var taken = 0
        for office in split.offices { taken += try await office.run(csv, mapping).taken }
        #expect(taken == 11)
        try await split.exchange()
        try split.expectAgreement()

        let single = try await ImportOffice("hz.zj", replica: 9, parent: "zj")
        var options = ImportOptions()
        options.takesAll = true
        _ = try await single.run(csv, mapping, options)
        #expect(
            try split.province.tickets().mapValues(CourseDescription.init)
                == single.tickets().mapValues(CourseDescription.init))

        let before = try split.province.counts()
        for office in split.offices { #expect(try await office.run(csv, mapping).operations == 0) }
        try await split.exchange()
        #expect(try split.province.counts() == before)
    }

    @Test("three offices cover the problem log, and all replicas agree", .enabled(if: RealLogs.areThere))
    func problems() async throws {
        let split = try await SplitImport(["hz.zj", "nb.zj", "wz.zj"])
        let mapping = RealLogs.mapping("bpic2013-problems")
        var taken = 0
        for office in split.offices {
            let report = try await office.run(RealLogs.problems, mapping)
            #expect((report.rows, report.tickets, report.refusedCount) == (6_660, 1_487, 0))
            #expect(report.taken + report.elsewhere == 6_660)
            taken += report.taken
        }
        #expect(taken == 6_660)
        try await split.exchange()
        let counts = try split.province.counts()
        #expect(counts.tickets == 1_487)
        try split.expectAgreement()

        var options = ImportOptions()
        options.takesAll = true
        let single = try await ImportOffice("hz.zj", replica: 9, parent: "zj")
        #expect(try await single.run(RealLogs.problems, mapping, options).taken == 6_660)
        let merged = try split.province.tickets()
        let alone = try single.tickets()
        for (id, ticket) in merged {
            #expect(alone[id].map(CourseDescription.init) == CourseDescription(ticket))
            #expect(ticket.summary().status == .closed)
        }

        for office in split.offices {
            let again = try await office.run(RealLogs.problems, mapping)
            #expect(again.operations == 0)
        }
        try await split.exchange()
        #expect(try split.province.counts() == counts)
    }

    @Test("the incident log is understood to the last row", .enabled(if: RealLogs.areThere))
    func incidents() throws {
        let plan = try Importer.plan(
            csv: RealLogs.incidents, mapping: RealLogs.mapping("bpic2013-incidents"), options: ImportOptions(),
            site: SiteCode(validated: "zj"), key: ImportOffice.key)
        #expect((plan.rowCount, plan.ticketCount, plan.ownRowCount) == (65_533, 7_554, 65_533))
        #expect(plan.refused.isEmpty)
    }

    @Test("the complaint list is imported to the last row, dates and all", .enabled(if: RealLogs.areThere))
    func complaints() async throws {
        let office = try await ImportOffice("zj", replica: 1)
        var options = ImportOptions()
        options.takesAll = true
        let report = try await office.run(RealLogs.complaints, RealLogs.mapping("comcast-complaints"), options)
        #expect((report.rows, report.tickets, report.taken, report.refusedCount) == (2_224, 2_224, 2_224, 0))
        let ticket = try #require(try office.node.reader.tickets(numbered: "250635").first)
        let summary = try #require(try office.node.reader.state(of: ticket)).summary()
        #expect(summary.opening?.at == 1_429_718_030_000 && summary.status == .closed)
    }
}
