import Node
import Replication
import Store
import TestSupport
import Testing
import Tickets
import Transport

/// A region that does not pass on what its branches have written. The keys it has are its own.
@Suite struct HostileRegionTests {
    private struct Scene {
        let province: Province
        let zj: Province.Office
        let hz: Province.Office
        let branch: Province.Office

        /// A branch has worked, everything has gone up through an honest region, which then goes away.
        init() async throws {
            province = try Province()
            zj = try await province.add("zj")
            hz = try await province.add("hz.zj")
            branch = try await province.add("xihu.hz.zj")
            for number in 0..<3 { try await Self.open("工单 \(number)", at: branch) }
            let (zj, branch) = (zj, branch)
            try await eventually("the province has the branch's word on its history") {
                try zj.node.reader.head(of: branch.node.identity.replica)?.state == .sound
            }
            await hz.stop()
        }

        static func open(_ title: String, at office: Province.Office) async throws {
            _ = try await office.node.execute(
                TicketCommand(
                    ticket: nil, version: VersionVector(), action: .open(OpenBody(title: title, department: "service"))),
                by: agent(at: office.site))
        }

        /// What the branch has written since, as it lies in its log.
        func written(after sequence: UInt64) throws -> [Operation] {
            let own = try branch.node.identity.replica
            return try branch.node.reader.operations(after: 0, limit: 1_000).map(\.operation)
                .filter { $0.dot.replica == own && $0.dot.sequence > sequence }
        }

        func ownHistory() async throws -> (sequence: UInt64, chain: ContentHash) {
            let history = try await branch.node.administer { try $0.ownHistory() }
            return try #require(history)
        }

        func signedHead(
            with office: Province.Office, chainPEM: String? = nil, key: String? = nil
        ) async throws -> SignedHead {
            let history = try await ownHistory()
            let tls = try KeyFolder(office.folder).identity()
            var head = SignedHead(
                replica: try branch.node.identity.replica, sequence: history.sequence, chain: history.chain,
                time: try branch.node.clock.now() + 1_000, certificateChain: chainPEM ?? tls.certificateChainPEM)
            head.signature = try SigningKey(privateKeyPEM: key ?? tls.privateKeyPEM).sign(
                head.signedBytes(site: branch.site))
            return head
        }

        func state() throws -> HeadState? {
            try zj.node.reader.head(of: branch.node.identity.replica)?.state
        }

        /// The region's word for its own operations: without it they would be parked.
        func announce(_ region: HandMadeChild) -> Operation {
            announcement("hz.zj", replica: region.replica.rawValue)
        }
    }

    enum Tampering: CaseIterable {
        case changes, drops, reorders
    }

    @Test("a region that changes, drops or reorders a branch's operations is found", arguments: Tampering.allCases)
    func tampering(how: Tampering) async throws {
        let scene = try await Scene()
        let before = try await scene.ownHistory().sequence
        for number in 0..<2 { try await Scene.open("新工单 \(number)", at: scene.branch) }
        var operations = try scene.written(after: before)
        switch how {
        case .changes: operations[0].body = Body.open(OpenBody(title: "改过的", department: "service")).encoded()
        case .drops:
            operations.removeFirst()
            operations[0].dot = Dot(operations[0].dot.replica, operations[0].dot.sequence - 1)
        case .reorders:
            operations.swapAt(0, 1)
            (operations[0].dot, operations[1].dot) = (operations[1].dot, operations[0].dot)
        }
        for index in operations.indices { operations[index].entity = EntityID(ticketOpenedBy: operations[index].dot) }
        let region = try await HandMadeChild(with: scene.hz, parent: scene.zj)
        try await region.greet()
        let passed = [scene.announce(region)] + operations
        try await region.send(region.batch(passed))
        let last = try #require(operations.last?.dot)
        try await eventually("the province has taken them") { try scene.zj.node.reader.operation(last) != nil }
        if how == .drops {
            // The branch's word reaches further than what the region lets through.
            try await region.send(SyncCodec.encode(.heads([scene.signedHead(with: scene.branch)])))
            try await eventually("it waits for what is missing") { try scene.state() == .waiting }
            let filler = try scene.written(after: last.sequence)
            try await region.send(region.batch(filler, after: passed))
            // What has come since is compared with the next word of the branch, or the next look.
            try await region.send(SyncCodec.encode(.heads([scene.signedHead(with: scene.branch)])))
        } else {
            try await region.send(SyncCodec.encode(.heads([scene.signedHead(with: scene.branch)])))
        }
        try await eventually("the province sees that it is not what was signed") { try scene.state() == .differs }
        await region.connection.close(limitMilliseconds: 0)
        await scene.province.stop()
    }

    @Test("a region that signs in a branch's name, with a certificate it has made, is found by the key")
    func forgedCertificate() async throws {
        let scene = try await Scene()
        let uri = try #require(NodeURI(host: scene.branch.site.rawValue))
        let authority = try #require(try KeyFolder(scene.hz.folder).authority(subtree: scene.hz.site))
        let key = try makePrivateKeyPEM()
        let chain = try authority.signLeaf(
            CertificateRequest(uri: uri, privateKeyPEM: key), expecting: uri,
            nowMilliseconds: scene.branch.node.clock.now())
        let region = try await HandMadeChild(with: scene.hz, parent: scene.zj)
        try await region.greet()
        try await region.send(
            SyncCodec.encode(.heads([scene.signedHead(with: scene.branch, chainPEM: chain, key: key)])))
        try await eventually("the province sees another key") { try scene.state() == .otherKey }
        await region.connection.close(limitMilliseconds: 0)
        await scene.province.stop()
    }

    @Test("an old head that is replayed, or one that nobody has signed, changes nothing")
    func replayed() async throws {
        let scene = try await Scene()
        let replica = try scene.branch.node.identity.replica
        let known = try #require(try scene.zj.node.reader.head(of: replica))
        var unsigned = try await scene.signedHead(with: scene.branch)
        unsigned.sequence += 1
        let region = try await HandMadeChild(with: scene.hz, parent: scene.zj)
        try await region.greet()
        try await region.send(SyncCodec.encode(.heads([known.head, unsigned])))
        // What comes behind it in the same session has been dealt with after it.
        let last = try await scene.signedHead(with: scene.branch)
        try await region.send(SyncCodec.encode(.heads([last])))
        try await eventually("the later one is taken") {
            try scene.zj.node.reader.head(of: replica)?.head.time == last.time
        }
        #expect(try scene.state() == .sound)
        #expect(try scene.zj.node.reader.head(of: replica)?.head.sequence == known.head.sequence)
        await region.connection.close(limitMilliseconds: 0)
        await scene.province.stop()
    }
}
