import Foundation
import Node
import Replication
import Store
import TestSupport
import Testing
import Tickets

@Suite struct SyncTests {
    @Test("an operation of a branch reaches the province over its region, and the digests agree")
    func upward() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        let xihu = try await province.add("xihu.hz.zj")
        let opened = try await xihu.node.execute(
            TicketCommand(
                ticket: nil, version: VersionVector(),
                action: .open(OpenBody(title: "宽带断网", body: "昨晚起无法上网", category: "network", department: "service"))),
            by: agent(at: xihu.site))
        try await eventually("the ticket is at the province") {
            try zj.node.reader.state(of: opened.ticket) != nil
        }
        let there = try #require(try zj.node.reader.record(of: opened.ticket))
        let here = try #require(try xihu.node.reader.record(of: opened.ticket))
        #expect(there.digest == here.digest && there.ticket == here.ticket)
        #expect(try hz.node.reader.counts().digest == zj.node.reader.counts().digest)
        await province.stop()
    }

    @Test("a ticket that is transferred to another region arrives there with its whole history, and nowhere else")
    func acrossRegions() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        _ = try await province.add("hz.zj")
        let nb = try await province.add("nb.zj")
        let xihu = try await province.add("xihu.hz.zj")
        let other = try await province.add("gongshu.hz.zj")
        let author = agent(at: xihu.site)
        let opened = try await xihu.node.execute(
            TicketCommand(
                ticket: nil, version: VersionVector(),
                action: .open(OpenBody(title: "基站故障", category: "network", department: "service"))), by: author)
        let state = try #require(try xihu.node.reader.state(of: opened.ticket))
        _ = try await xihu.node.execute(
            TicketCommand(
                ticket: opened.ticket, version: state.version,
                action: .transfer(.dispatch, site: nb.site, department: "network", reason: "", note: "请处理")),
            by: author)
        try await eventually("the receipt of the other region is back at the branch") {
            try xihu.node.reader.state(of: opened.ticket)?.summary().custody?.delivered != nil
        }
        let there = try #require(try nb.node.reader.record(of: opened.ticket))
        #expect(there.ticket.summary().custody?.site == nb.site)
        #expect(there.operations.count == 3)
        try await eventually("the province has the receipt") {
            try zj.node.reader.record(of: opened.ticket)?.digest == there.digest
        }
        #expect(try other.node.reader.state(of: opened.ticket) == nil)
        await province.stop()
    }

    @Test("what was written without a line arrives when the line is back, and nothing arrives twice")
    func offline() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        await hz.stop()
        try await hz.start()
        await zj.stop()
        var ids: [EntityID] = []
        for index in 1...20 {
            let opened = try await hz.node.execute(
                TicketCommand(
                    ticket: nil, version: VersionVector(),
                    action: .open(OpenBody(title: "离线工单 \(index)", department: "service"))), by: agent(at: hz.site))
            ids.append(opened.ticket)
        }
        try await zj.start()
        try dial(hz, zj)
        await hz.stop()
        try await hz.start()
        try await eventually("all twenty are at the province") {
            try zj.node.reader.counts().tickets == 20
        }
        try await eventually("the digests agree") {
            try zj.node.reader.counts().digest == hz.node.reader.counts().digest
        }
        await province.stop()
    }

    /// The parent has another port after its restart: what an admin would write into the file.
    private func dial(_ child: Province.Office, _ parent: Province.Office) throws {
        var configuration = try NodeConfiguration(folder: child.folder)
        let address = try #require(parent.runtime?.addresses.sync)
        configuration.parents = [try #require(NodeConfiguration.parse(address))]
        try configuration.yaml.write(toFile: child.folder.configuration, atomically: true, encoding: .utf8)
    }
}
