import Foundation
import Replication
import TestSupport
import Testing
import Tickets

@testable import Node
@testable import Store

/// Outputs as they were recorded; `RECORD=1 swift test` writes them anew.
enum Golden {
    static func expect(_ text: String, _ name: String, file: String = #filePath) throws {
        let folder = URL(fileURLWithPath: file).deletingLastPathComponent().appendingPathComponent("Golden")
        let path = folder.appendingPathComponent(name + ".txt")
        if ProcessInfo.processInfo.environment["RECORD"] == "1" {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try Data(text.utf8).write(to: path)
        }
        let recorded = String(decoding: try Data(contentsOf: path), as: UTF8.self)
        #expect(text == recorded, "\(name) differs from what was recorded; RECORD=1 renews it")
    }
}

@Suite struct RenderingTests {
    private let presentation = Presentation(language: .chinese, utcOffsetMinutes: 480)
    private let english = Presentation(language: .english, utcOffsetMinutes: 0)

    /// A ticket that two offices worked on while they could not see each other.
    private func contested() throws -> TicketRecord {
        var region = Office("hz.zj", replica: 0xA1)
        var branch = Office("xihu.hz.zj", replica: 0xB2)
        let open = OpenBody(
            title: "晚间上网慢", body: "每晚八点后无法看视频\n已重启路由器", category: "NETWORK.DATA", urgency: .high,
            customerLabel: "138****1234", channel: "10086", department: "SVC")
        let first = try region.perform(.open(open), on: nil, as: "SVC", minute: 0)
        let id = first[0].entity
        Office.exchange(&region, &branch)
        try region.perform(
            .transfer(.dispatch, site: region.site, department: "NET", reason: "", note: "请核查基站"), on: id, as: "SVC",
            minute: 10)
        try branch.perform(.set(.category, .text("NETWORK.VOICE")), on: id, as: "SVC", minute: 11)
        try region.perform(.set(.category, .text("BILLING.DISPUTE")), on: id, as: "SVC", minute: 12)
        try region.perform(
            .chase(customer: nil, promised: Office.start + 4 * 3_600_000, note: "客户再次来电", channel: "10086"), on: id,
            as: "SVC", minute: 20)
        try region.perform(.tag("批量"), on: id, as: "SVC", minute: 21)
        // The other half of the contest, decided on what the branch had seen.
        let rival = Replication.Operation(
            dot: Dot(ReplicaID(0xB2), 2), entity: id, previous: 1, seen: first[0].seenWithItself,
            time: HybridTimestamp(milliseconds: Office.start + 13 * 60_000), author: branch.author("SVC"),
            scope: [branch.site], kind: Kind.transfer.operationKind, isCritical: true,
            body: Body.transfer(
                TransferBody(
                    custody: first[0].dot, variant: .dispatch, site: branch.site, department: "BILL", note: "核对账单")
            ).encoded())
        branch.receive([rival])
        Office.exchange(&region, &branch)
        return record(of: id, in: region)
    }

    private func record(of id: EntityID, in office: Office) -> TicketRecord {
        var hasher = ContentHasher()
        var operations: [StoredOperation] = []
        var digest = SetDigest.empty
        for operation in office.log where operation.entity == id {
            let hash = hasher.hash(operation)
            digest.insert(hash)
            operations.append(
                StoredOperation(arrival: Int64(operations.count + 1), source: 0, operation: operation, hash: hash))
        }
        return TicketRecord(
            ticket: office.tickets[id] ?? Ticket(id: id), number: "HZ-270115-7KQ2-F", digest: digest,
            operations: operations)
    }

    private func detail() throws -> TicketDetail {
        TicketDetail(try contested(), catalog: .standard, now: Office.start + 90 * 60_000) { TicketBrief(unknown: $0) }
    }

    @Test("a ticket's page, in both languages")
    func ticket() throws {
        let detail = try detail()
        #expect(detail.contested.count == 1)
        #expect(detail.fields.contains { $0.isConflict })
        try Golden.expect(detail.text(presentation), "ticket-zh")
        try Golden.expect(detail.text(english), "ticket-en")
    }

    @Test("a ticket's history")
    func history() throws {
        let record = try contested()
        let history = TicketHistory(
            id: "\(record.ticket.id)", number: record.number, digest: "\(record.digest)",
            operations: record.operations.map { HistoryEntry($0, in: record) })
        try Golden.expect(history.text(presentation), "history-zh")
    }

    @Test("conflicts say what to type")
    func conflicts() throws {
        let detail = try detail()
        let brief = TicketBrief(
            id: detail.id, number: detail.number, title: detail.title, status: detail.status, holderSite: "hz.zj",
            holderDepartment: "NET")
        let list = ConflictList(
            items: [.init(ticket: brief, fields: detail.fields.filter(\.isConflict), contested: detail.contested)])
        try Golden.expect(list.text(english), "conflicts-en")
    }

    private var peers: [PeerStatus] {
        [
            PeerStatus(
                site: "zj", role: "parent", isConnected: true, isPaused: false, isElsewhere: false,
                since: Instant(Office.start),
                lastContact: Instant(Office.start), toSend: 12, toGet: 3, toGetKnownAt: Instant(Office.start + 60_000),
                sendRate: 4, toSendSeconds: 3, isAuditing: false,
                audit: AuditStatus(at: Instant(Office.start), found: 7, unresolved: 2),
                clockOffsetMilliseconds: -42, roundTripMilliseconds: 8, lastFailure: nil, sentOperations: 5,
                receivedOperations: 6, sentBytes: 700, receivedBytes: 800),
            PeerStatus(
                site: "xihu.hz.zj", role: "child", isConnected: false, isPaused: false, isElsewhere: false, since: nil,
                lastContact: nil,
                toSend: 0, toGet: nil, toGetKnownAt: nil, isAuditing: true, clockOffsetMilliseconds: nil,
                roundTripMilliseconds: nil,
                lastFailure: "timed out", sentOperations: 0, receivedOperations: 0, sentBytes: 0, receivedBytes: 0),
        ]
    }

    @Test("a node's status")
    func status() throws {
        let status = NodeStatus(
            site: "hz.zj", replica: "00000000000000a1",
            incarnation: IncarnationStatus(
                follows: "00000000000000a0:345", reason: "restored", since: Instant(Office.start), starts: 12),
            parent: "zj", now: Instant(Office.start), isRunning: true,
            addresses: RuntimeAddresses(sync: "hz.example:7443"), tickets: 120, operations: 900, parked: 2, damaged: 1,
            conflicts: 1,
            contested: 1, digest: "900:00ff", searchBacklog: 0, overdue: 4, warning: 7, peers: peers,
            degraded: [
                Degradation(reason: .peerDisconnected, peer: "xihu.hz.zj"),
                Degradation(reason: .operationsParked, count: 2), Degradation(reason: .rowsDamaged, count: 1),
            ])
        try Golden.expect(status.text(presentation), "status-zh")
        try Golden.expect(status.text(english), "status-en")
    }

    @Test("an assessment as a table with bars")
    func assessment() throws {
        var first = AssessmentTable.Counts()
        (first.met, first.late, first.overdue, first.uncertain) = (17, 2, 1, 3)
        first.elapsedMilliseconds = 23 * 3_600_000
        var second = AssessmentTable.Counts()
        second.contested = 1
        var total = first
        total.add(second)
        let table = AssessmentTable(
            groupings: ["department", "step"], from: "2027-01-01", to: "2027-01-31", site: "hz.zj",
            now: Instant(Office.start),
            rows: [
                .init(keys: ["NET", "handling"], counts: first), .init(keys: ["SVC", "dispatch"], counts: second),
            ],
            total: total)
        try Golden.expect(table.text(presentation), "assessment-zh")
        #expect(try JSONDecoder().decode(AssessmentTable.self, from: JSONReply.encode(table)) == table)
    }

    @Test("a terminal's control characters in a title do nothing")
    func controls() throws {
        let entry = TicketListEntry(
            id: "1-0", number: "HZ-1", title: "a\u{1B}[2Jb\u{7}\nc", status: "open", opened: nil, openedSite: "",
            acceptingDepartment: "", holderSite: "hz.zj", holderDepartment: "SVC", holderSince: nil, category: "",
            urgency: "urgent", conflicts: 1, contested: 1, unansweredChases: 1, undeliveredTransfers: 1,
            verdict: "overdue", nextDeadline: Instant(Office.start))
        let page = TicketPage(items: [entry], limit: 1, offset: 0, hasMore: true, searchBacklog: 3)
        let text = page.text(english)
        #expect(!text.unicodeScalars.contains { $0.properties.generalCategory == .control && $0 != "\n" })
        try Golden.expect(text, "list-en")
    }

    @Test("a Han character takes two cells")
    func widths() {
        #expect(TextLayout.width("派单ab") == 6)
        #expect(TextLayout.clipped("派单派单", to: 5) == "派单…")
        #expect(TextLayout.padded("派", to: 4) == "派  ")
        #expect(TextLayout.bar(1.5, cells: 4) == "███▶")
    }
}

extension Replication.Operation {
    /// What somebody has seen who has seen this operation.
    fileprivate var seenWithItself: VersionVector {
        var version = seen
        version.record(dot)
        return version
    }
}
