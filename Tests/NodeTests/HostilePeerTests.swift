import Logging
import NIOCore
import Node
import Replication
import Store
import TestSupport
import Testing
import Tickets
import Transport

@Suite struct HostilePeerTests {
    private func operations(_ code: String) throws -> [Operation] {
        var office = Office(code, replica: 0xBAD, announced: true)
        try office.perform(
            .open(OpenBody(title: "伪造", department: "service")), on: nil, as: "service", minute: 1)
        return [announcement(code, replica: 0xBAD)] + office.log
    }

    enum Attack: CaseIterable {
        case garbage, oversized, wrongDigest, batchBeforeHello, wrongSite, foreignFeed
    }

    @Test(
        "a bad message ends its session with a reason, nothing of it is applied, and other children go on",
        arguments: Attack.allCases)
    func badMessage(attack: Attack) async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let good = try await province.add("hz.zj")
        let child = try await HandMadeChild("nb.zj", province: province, parent: zj)
        let expected: ByeCode
        switch attack {
        case .garbage:
            expected = .malformedMessage
            try await child.greet()
            try await child.send([0, 0, 0, 5, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
        case .oversized:
            expected = .messageTooLarge
            try await child.greet()
            try await child.send([0x7F, 0, 0, 0])
        case .wrongDigest:
            expected = .hashMismatch
            try await child.greet()
            try await child.send(child.batch(operations("nb.zj"), spoiling: true))
        case .batchBeforeHello:
            expected = .outOfOrder
            try await child.send(child.batch(operations("nb.zj")))
        case .wrongSite:
            expected = .wrongSite
            try await child.send(
                SyncCodec.encode(
                    .hello(
                        SyncMessage.Hello(
                            version: 1, site: good.site, replica: child.replica, wallMilliseconds: 0, run: 1))))
        case .foreignFeed:
            expected = .cursorMismatch
            try await child.greet()
            let other = FeedCursor(feed: ReplicaID(7), position: 2)
            try await child.send(
                try SyncCodec.encode(
                    OutgoingBatch(
                        start: FeedCursor(feed: ReplicaID(7)), end: other, operations: operations("nb.zj"), remaining: 0
                    ),
                    coding: .plain))
        }
        let bye = try #require(try await child.goodbye())
        #expect(bye.code == expected && !bye.reason.isEmpty)
        #expect(try zj.node.reader.operation(Dot(child.replica, 1)) == nil)
        let opened = try await good.node.execute(
            TicketCommand(
                ticket: nil, version: VersionVector(), action: .open(OpenBody(title: "正常工单", department: "service"))),
            by: agent(at: good.site))
        try await eventually("the other child's ticket arrives") {
            try zj.node.reader.state(of: opened.ticket) != nil
        }
        await child.connection.close(limitMilliseconds: 0)
        await province.stop()
    }

    @Test("operations under another site's name are parked: visible, not applied, and the session goes on")
    func foreignOrigin() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let child = try await HandMadeChild("nb.zj", province: province, parent: zj)
        try await child.greet()
        try await child.send(child.batch(operations("hz.zj")))
        try await eventually("they are parked") { try zj.node.reader.counts().parked == 2 }
        #expect(try zj.node.reader.counts().tickets == 0)
        try await eventually("the session stands") { try zj.node.links.all.values.contains(where: \.isConnected) }
        await child.connection.close(limitMilliseconds: 0)
        await province.stop()
    }

    @Test("a good batch by hand is applied and acknowledged durably")
    func goodBatch() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let child = try await HandMadeChild("nb.zj", province: province, parent: zj)
        try await child.greet()
        try await child.send(child.batch(operations("nb.zj")))
        try await eventually("it is applied") { try zj.node.reader.counts().tickets == 1 }
        await child.connection.close(limitMilliseconds: 0)
        await province.stop()
    }

    @Test("a grandchild's certificate does not open a session with the province")
    func notAChild() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        _ = try await province.add("hz.zj")
        let branch = try await province.add("xihu.hz.zj", starting: false)
        #expect(try await status(of: branch, dialling: zj) == 403)
        await province.stop()
    }

    @Test("a parent's certificate does not open a session with its child: who dials is the child")
    func notAParent() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        #expect(try await status(of: zj, dialling: hz) == 403)
        await province.stop()
    }

    /// What a node's sync listener answers to another node's certificate.
    private func status(of office: Province.Office, dialling other: Province.Office) async throws -> Int {
        let address = try #require(other.runtime?.addresses.sync.flatMap(NodeConfiguration.parse))
        let connection = try await HTTP2Client.connect(
            to: address, tls: try KeyFolder(office.folder).clientContext(),
            expectedPeer: .uri("banjie://\(other.site)/"), logger: quiet)
        let stream = try await connection.open(
            HTTP2RequestHead(method: "POST", authority: "\(other.site)", path: "/sync/v1"))
        let status = try await stream.responseHead.status
        await connection.close(limitMilliseconds: 0)
        return status
    }

    @Test("a token is good once, and only for a site directly below")
    func tokens() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let runtime = try #require(zj.runtime)
        let site = SiteCode(validated: "hz.zj")
        let token = try await Enrolment.makeToken(
            node: runtime.node, folder: zj.folder, site: site, addresses: runtime.addresses)
        let options = InitOptions(logger: quiet)
        _ = try await Offices.join(folder: DataFolder(path: province.root + "/one"), token: token, options: options)
        await #expect(throws: EnrolmentError.self) {
            _ = try await Offices.join(folder: DataFolder(path: province.root + "/two"), token: token, options: options)
        }
        await #expect(throws: EnrolmentError.self) {
            _ = try await Enrolment.makeToken(
                node: runtime.node, folder: zj.folder, site: SiteCode(validated: "xihu.hz.zj"),
                addresses: runtime.addresses)
        }
        await province.stop()
    }
}
