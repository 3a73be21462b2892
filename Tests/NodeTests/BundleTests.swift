import Foundation
import Node
import Replication
import Store
import TestSupport
import Testing
import Tickets

/// Two real nodes, a stick between them, and a line now and then. Source: Protocols/bundle.md.
@Suite struct BundleTests {
    @Test("a stick carries what a line could not, both ways; when the line is back nothing is sent twice")
    func byStick() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        try await hz.work(tickets: 3)
        try await settled(hz, zj)
        await zj.stop()
        // Both work on; hz runs, zj does not: its commands work in the folder.
        try await hz.work(tickets: 30)
        let up = try await hz.create(for: zj)
        let path = try #require(up.bundles.first?.path)
        #expect(up.bundles.count == 1 && up.operations >= 30 && up.remaining == 0)
        #expect(path.hasPrefix(hz.folder.path + "/bundles/hz.zj-to-zj-") && path.hasSuffix("Z.bundle"))
        #expect(try permissions(path) == 0o600)
        let taken = try await zj.apply(path)
        #expect(taken.applied == up.operations && taken.held == 0 && taken.parked == 0)
        #expect(taken.sender == "hz.zj" && !taken.isExpired)
        // The way back acknowledges, also without anything new.
        let acknowledged = try #require(try hz.node.reader.peer(zj.site)).acknowledgedPosition
        let down = try await zj.create(for: hz)
        #expect(down.acknowledges == taken.end)
        let back = try await hz.apply(try #require(down.bundles.first?.path))
        #expect(back.acknowledged == taken.end && taken.end > acknowledged)
        #expect(try #require(try hz.node.reader.peer(zj.site)).acknowledgedPosition == taken.end)
        // A second bundle starts there.
        #expect(try await hz.create(for: zj, path: province.root + "/second").bundles.first?.start == taken.end)

        try await zj.start()
        try hz.dial(zj)
        await hz.stop()
        try await hz.start()
        try await eventually("the line is back") {
            try hz.node.links.all.values.contains { $0.isConnected }
                && zj.node.links.all.values.contains { $0.isConnected }
        }
        try await settled(hz, zj)
        #expect(try hz.node.links.all.values.allSatisfy { $0.sentOperations == 0 && $0.auditCount == 0 })
        #expect(try zj.node.links.all.values.allSatisfy { $0.receivedOperations == 0 && $0.auditCount == 0 })
        #expect(try zj.node.reader.counts().tickets == 33)
        await province.stop()
    }

    @Test("applying a bundle twice changes nothing the second time")
    func twice() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        try await settledOnce(hz, zj)
        await zj.stop()
        try await hz.work(tickets: 4)
        let path = try #require(try await hz.create(for: zj).bundles.first?.path)
        _ = try await zj.apply(path)
        try await zj.start()
        let (before, peer) = (try zj.node.reader.counts(), try zj.node.reader.peer(hz.site))
        let again = try await zj.apply(path)
        #expect(again.applied == 0 && again.held == again.operations && again.acknowledged == nil)
        #expect(try zj.node.reader.counts().digest == before.digest)
        #expect(try zj.node.reader.counts().operations == before.operations)
        #expect(try zj.node.reader.peer(hz.site) == peer)
        await province.stop()
    }

    @Test("a series is applied in the order of its numbers, and a gap is named")
    func series() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        try await settledOnce(hz, zj)
        await zj.stop()
        try await hz.work(tickets: 25)
        let report = try await hz.create(for: zj, path: province.root + "/x.bundle", operationsMax: 10)
        #expect(report.bundles.map(\.number) == Array(1...report.bundles.count) && report.bundles.count >= 3)
        #expect(report.bundles.prefix(2).map(\.operations) == [10, 10])
        #expect(report.bundles[1].path == province.root + "/x-2.bundle")
        let before = try await zj.create(for: hz, path: province.root + "/before").acknowledges
        await #expect {
            _ = try await zj.apply(report.bundles[1].path)
        } throws: { error in
            let error = error as? APIError
            return error?.code == "bundle.gap" && error?.status == 409
                && error?.message.contains("\(report.bundles[0].start + 1)–\(report.bundles[0].end)") == true
                && error?.next.contains("numbers 1–1 of the same series") == true
        }
        #expect(try await zj.create(for: hz, path: province.root + "/after").acknowledges == before)
        for bundle in report.bundles { #expect(try await zj.apply(bundle.path).applied == bundle.operations) }
        // The first of them once more, behind the last.
        #expect(try await zj.apply(report.bundles[0].path).applied == 0)
        try await zj.start()
        #expect(try zj.node.reader.counts().digest == hz.node.reader.counts().digest)
        await province.stop()
    }

    @Test("an office that has never had a line gets its tickets by bundle, and its receipts travel back")
    func neverDialled() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let nb = try await province.add("nb.zj", starting: false)
        let tickets = try await zj.work(tickets: 2, transferTo: nb.site)
        await #expect(throws: APIError.self) { _ = try await nb.create(for: zj) }
        let taken = try await nb.apply(try #require(try await zj.create(for: nb).bundles.first?.path))
        #expect(taken.applied == taken.operations && taken.parked == 0)
        let back = try await nb.create(for: zj)
        #expect(back.operations == 1 + 2, "the announcement, and a receipt for each transfer")
        let received = try await zj.apply(try #require(back.bundles.first?.path))
        #expect(received.applied == 3 && received.parked == 0 && received.acknowledged == taken.end)
        for ticket in tickets {
            #expect(try zj.node.reader.state(of: ticket)?.summary().custody?.delivered != nil)
        }
        // The first session of the two goes on from there.
        try await nb.start()
        try await settled(nb, zj)
        #expect(try zj.node.links.all.values.allSatisfy { $0.sentOperations == 0 && $0.receivedOperations == 0 })
        await province.stop()
    }

    @Test("a bundle that comes while the line is back is taken beside the session")
    func besideASession() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        try await settledOnce(hz, zj)
        await zj.stop()
        try await hz.work(tickets: 12)
        let path = try #require(try await hz.create(for: zj).bundles.first?.path)
        try await zj.start()
        try hz.dial(zj)
        await hz.stop()
        try await hz.start()
        _ = try await zj.apply(path)
        try await settled(hz, zj)
        try await hz.work(tickets: 1)
        try await settled(hz, zj)
        #expect(try zj.node.reader.counts().tickets == 14)
        await province.stop()
    }

    /// One ticket there and acknowledged: the two have met.
    private func settledOnce(_ child: Province.Office, _ parent: Province.Office) async throws {
        try await child.work(tickets: 1)
        try await settled(child, parent)
    }
}
