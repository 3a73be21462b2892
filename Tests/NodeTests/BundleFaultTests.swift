import Foundation
import Replication
import Store
import TestSupport
import Testing
import Tickets
import Transport

@testable import Node

/// Bundles that must not be taken, and what is said then. After each of them the store is as it was.
/// Source: Protocols/bundle.md §4, §6.
@Suite struct BundleFaultTests {
    /// A province whose offices are enrolled and do not run, the nodes of two of them, and a bundle for the first.
    private final class Stick {
        let province: Province
        let zj: SyncNode
        let hz: SyncNode
        let path: String
        let created = NodeClock.system()

        init(tickets: Int = 3) async throws {
            province = try Province()
            let parent = try await province.add("zj")
            let child = try await province.add("hz.zj", starting: false)
            await parent.stop()
            zj = try await Self.open(parent.folder)
            hz = try await Self.open(child.folder)
            path = province.root + "/stick.bundle"
            // The two meet by a bundle: that is all they need.
            _ = try await BundleMaker(node: zj, keys: keys(zj)).make(
                for: hz.identity.site, path: province.root + "/first", created: created)
            _ = try await BundleApplier(node: hz, keys: keys(hz)).apply(path: province.root + "/first", now: created)
            for index in 0..<tickets {
                _ = try await hz.execute(
                    TicketCommand(
                        ticket: nil, version: VersionVector(),
                        action: .open(OpenBody(title: "工单 \(index)", department: "service"))),
                    by: agent(at: hz.identity.site))
            }
            _ = try await make(path)
        }

        static func open(_ folder: DataFolder) async throws -> SyncNode {
            var node: SyncNode?
            try await eventually("the folder can be opened") {
                node = try? SyncNode.open(folder: folder, logger: quiet)
                return node != nil
            }
            return try #require(node)
        }

        func make(_ path: String) async throws -> BundleReport {
            try await BundleMaker(node: hz, keys: keys(hz)).make(
                for: zj.identity.site, path: path, created: created)
        }

        @discardableResult
        func apply(
            _ path: String? = nil, at node: SyncNode? = nil, allowsExpired: Bool = false, days: Int64 = 0
        ) async throws -> BundleAppliedReport {
            let node = node ?? zj
            return try await BundleApplier(node: node, keys: keys(node)).apply(
                path: path ?? self.path, allowsExpired: allowsExpired, now: created + days * 86_400_000)
        }

        /// The fault that applying ends with.
        func failure(
            _ path: String? = nil, at node: SyncNode? = nil, allowsExpired: Bool = false, days: Int64 = 0
        ) async throws -> BundleFailure? {
            let counts = try zj.reader.counts()
            do {
                try await apply(path, at: node, allowsExpired: allowsExpired, days: days)
                return nil
            } catch let failure as BundleFailure {
                #expect(try zj.reader.counts().operations == counts.operations)
                #expect(!failure.phrase.chinese.isEmpty && failure.phrase.english.contains(". "))
                return failure
            }
        }

        func write(_ bytes: [UInt8], _ name: String = "changed") throws -> String {
            let path = province.root + "/" + name
            try Data(bytes).write(to: URL(filePath: path))
            return path
        }
    }

    @Test("whatever is changed in a bundle, it is refused, and nothing of it is committed", arguments: 0..<8)
    func mutations(seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        let stick = try await Stick()
        let whole = Array(try Data(contentsOf: URL(filePath: stick.path)))
        let counts = try stick.zj.reader.counts()
        for round in 0..<40 {
            var bytes = whole
            // Half of them in front, where everything has a meaning of its own.
            let reach = Bool.random(using: &generator) ? min(bytes.count, 700) : bytes.count
            let place = Int.random(in: 0..<reach, using: &generator)
            switch Int.random(in: 0..<5, using: &generator) {
            case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 1: bytes.removeLast(bytes.count - place)
            case 2: bytes.append(UInt8.random(in: 0...255, using: &generator))
            case 3: bytes.remove(at: place)
            default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: place)
            }
            guard bytes != whole else { continue }
            let path = try stick.write(bytes)
            await #expect(throws: (any Error).self, "seed \(seed), round \(round)") { try await stick.apply(path) }
        }
        #expect(try stick.zj.reader.counts().operations == counts.operations, "seed \(seed)")
        #expect(try stick.zj.reader.parkedCount() == 0, "seed \(seed)")
        // And the whole one still goes in.
        #expect(try await stick.apply().applied == 4, "seed \(seed)")
    }

    @Test("a file that ends early, is none, is a folder or cannot be reached is called that")
    func files() async throws {
        let stick = try await Stick()
        let whole = Array(try Data(contentsOf: URL(filePath: stick.path)))
        let short = try stick.write(Array(whole.dropLast(1)), "short")
        #expect(try await stick.failure(short) == .file(path: short, .truncated))
        let front = try stick.write(Array(whole.prefix(40)), "front")
        #expect(try await stick.failure(front) == .file(path: front, .truncated))
        let text = try stick.write(Array("这不是同步包，只是一段文字。".utf8), "text")
        #expect(try await stick.failure(text) == .file(path: text, .noBundle))
        let empty = try stick.write([], "empty")
        #expect(try await stick.failure(empty) == .file(path: empty, .noBundle))
        let absent = stick.province.root + "/absent"
        #expect(try await stick.failure(absent) == .file(path: absent, .missing))
        let root = stick.province.root
        #expect(try await stick.failure(root) == .file(path: root, .noFile))
        #expect(try await stick.failure("/dev/null") == .file(path: "/dev/null", .noFile))
        await #expect(throws: StoreError.self) { try await stick.apply(stick.path + "/below-a-file") }
        var newer = whole
        newer[9] = 2
        let next = try stick.write(newer, "newer")
        #expect(try await stick.failure(next) == .file(path: next, .newerVersion(found: 2, known: 1)))
    }

    @Test("a name that is taken is left as it is, and one that cannot be written is named")
    func names() async throws {
        let stick = try await Stick()
        let before = try Data(contentsOf: URL(filePath: stick.path))
        await #expect(throws: BundleFailure.file(path: stick.path, .exists)) { _ = try await stick.make(stick.path) }
        #expect(try Data(contentsOf: URL(filePath: stick.path)) == before)
        let folder = stick.province.root
        await #expect(throws: BundleFailure.file(path: folder, .exists)) { _ = try await stick.make(folder) }
        let below = stick.path + "/x"
        await #expect {
            _ = try await stick.make(below)
        } throws: {
            guard case StoreError.file(path: below, operation: "writing", _) = $0 else { return false }
            return true
        }
        let left = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".part") }
        #expect(left.isEmpty)
    }

    @Test("an expired sender is refused unless whoever applies allows it")
    func expired() async throws {
        let stick = try await Stick()
        let site = stick.hz.identity.site
        let notAfter = try keys(stick.hz).certificate().notAfterMilliseconds
        #expect(try await stick.failure(days: 31) == .sender(site, .expired(notAfter: notAfter)))
        let report = try await stick.apply(allowsExpired: true, days: 31)
        #expect(report.isExpired && report.applied == 4)
        // Before its time there is nothing to allow.
        guard case .sender(site, .untrusted) = try await stick.failure(allowsExpired: true, days: -2) else {
            Issue.record("a certificate that is not valid yet was trusted")
            return
        }
    }

    @Test("a bundle of another province's office of the same name is refused")
    func foreign() async throws {
        let (stick, other) = (try await Stick(), try await Stick())
        guard case .sender(stick.hz.identity.site, .untrusted) = try await stick.failure(other.path) else {
            Issue.record("a foreign root was trusted")
            return
        }
    }

    @Test("a bundle is taken by its receiver, and by nobody else")
    func receivers() async throws {
        let stick = try await Stick()
        #expect(try await stick.failure(at: stick.hz) == .file(path: stick.path, .own))
        // Sealed for a key that zj had never had.
        let other = try VerifyingKey(
            publicKeyPEM: SigningKey(privateKeyPEM: makePrivateKeyPEM()).publicKeyPEM())
        let path = stick.province.root + "/other"
        try HandMade(sender: stick.hz, receiver: stick.zj.identity.site, key: other).write(path)
        #expect(try await stick.failure(path) == .receiver(stick.zj.identity.site, .otherNode))
        let nb = SiteCode(validated: "nb.zj")
        try HandMade(sender: stick.hz, receiver: nb, key: other).write(path + "-2")
        #expect(try await stick.failure(path + "-2") == .receiver(nb, .otherSite(own: stick.zj.identity.site)))
    }

    @Test("a sender that signs with its own key what another has sealed is refused")
    func borrowedContent() async throws {
        let stick = try await Stick()
        let own = try VerifyingKey(certificatePEM: keys(stick.zj).read(.node))
        let path = stick.province.root + "/made"
        // Sound but for the name in the header.
        var made = HandMade(sender: stick.hz, receiver: stick.zj.identity.site, key: own)
        made.senderName = SiteCode(validated: "nb.zj")
        try made.write(path)
        guard case .sender(SiteCode(validated: "nb.zj"), .untrusted) = try await stick.failure(path) else {
            Issue.record("a header with another sender than its certificate's was taken")
            return
        }
        made.senderName = nil
        made.fingerprint = String(repeating: "0", count: 64)
        try made.write(path + "-2")
        #expect(
            try await stick.failure(path + "-2") == .receiver(stick.zj.identity.site, .otherNode),
            "a key that was wrapped by somebody else")
        made.fingerprint = nil
        try made.write(path + "-3")
        #expect(try await stick.failure(path + "-3") == nil)
    }

    @Test("a batch that does not have the digest it says is refused before anything is committed")
    func wrongDigest() async throws {
        let stick = try await Stick()
        let own = try VerifyingKey(certificatePEM: keys(stick.zj).read(.node))
        let replica = stick.hz.identity.replica
        let start = FeedCursor(feed: replica)
        var made = HandMade(sender: stick.hz, receiver: stick.zj.identity.site, key: own)
        let parent = try #require(try stick.hz.reader.peer(stick.zj.identity.site))
        let sound = try #require(try stick.hz.reader.nextBatch(for: parent.id, after: start).batch)
        for index in 0..<4 {
            var batch = sound
            switch index {
            case 0: batch.end.digest.insert(.zero)
            case 1: batch.operations.removeLast()
            case 2: batch.lane = .live
            default: batch.start.feed = ReplicaID(77)
            }
            made.batches = [batch]
            let path = stick.province.root + "/digest-\(index)"
            try made.write(path)
            #expect(try await stick.failure(path) == .file(path: path, .damaged(part: "batch 1")), "\(index)")
        }
        made.batches = [sound]
        made.operations = 77
        try made.write(stick.province.root + "/count")
        guard case .file(_, .damaged) = try await stick.failure(stick.province.root + "/count") else {
            Issue.record("a wrong number of operations was taken")
            return
        }
    }

    @Test("an acknowledgement that this store cannot vouch for is not stored")
    func wrongAcknowledgement() async throws {
        let stick = try await Stick()
        try await stick.apply()
        let own = try VerifyingKey(certificatePEM: keys(stick.zj).read(.node))
        var made = HandMade(sender: stick.hz, receiver: stick.zj.identity.site, key: own)
        let head = try #require(try stick.zj.reader.peer(stick.hz.identity.site))
        made.received = FeedCursor(
            feed: stick.zj.identity.replica, position: head.acknowledgedPosition + 1,
            digest: SetDigest(count: 1, sum: .zero))
        let path = stick.province.root + "/ack"
        try made.write(path)
        #expect(try await stick.apply(path).acknowledged == nil)
        #expect(try stick.zj.reader.peer(stick.hz.identity.site) == head)
    }

    @Test("for an office that was never met no bundle is made, and the text says what to do")
    func neverMet() async throws {
        let stick = try await Stick()
        let nb = SiteCode(validated: "nb.zj")
        await #expect(throws: BundleFailure.standing(nb, .neverMet)) {
            _ = try await BundleMaker(node: stick.zj, keys: keys(stick.zj)).make(
                for: nb, path: stick.province.root + "/never", created: stick.created)
        }
        let failure = APIError(BundleFailure.standing(nb, .neverMet), .english)
        #expect(failure.status == 404 && failure.code == "bundle.neverMet")
        #expect(failure.next.contains("banjie sync now"))
        #expect(APIError(BundleFailure.standing(nb, .neverMet), .chinese).next.contains("banjie sync now"))
    }
}

private func keys(_ node: SyncNode) -> KeyFolder { KeyFolder(node.reader.folder) }

/// A bundle made by hand, with what a real one would not have.
private struct HandMade {
    let sender: SyncNode
    let receiver: SiteCode
    let key: VerifyingKey
    var senderName: SiteCode?
    var fingerprint: String?
    var batches: [OutgoingBatch] = []
    var operations: UInt64?
    var received: FeedCursor?

    init(sender: SyncNode, receiver: SiteCode, key: VerifyingKey) {
        self.sender = sender
        self.receiver = receiver
        self.key = key
    }

    func write(_ path: String) throws {
        let folder = keys(sender)
        let identity = sender.identity
        let contentKey = randomBytes(32)
        let receiverKey = try key.fingerprint()
        let certificate = try folder.certificate()
        let binding = BundleFormat.binding(
            senderFingerprint: fingerprint ?? certificate.fingerprint, receiverKey: receiverKey)
        let start = FeedCursor(feed: identity.replica)
        let end = batches.last?.end ?? start
        var header = BundleHeader(
            number: 1, created: NodeClock.system(), sender: senderName ?? identity.site,
            senderReplica: identity.replica, senderFollows: nil, receiver: receiver, receiverReplica: nil,
            receiverKey: receiverKey, start: start, head: end.position, received: received, held: nil,
            wrappedKey: try KeyWrapping.wrap(contentKey, for: key, binding: binding),
            chainPEM: try folder.read(.node))
        if received != nil {
            // Acknowledgements count for the incarnation that a bundle is for.
            let peer = try #require(try sender.reader.peer(receiver)?.node)
            header.receiverReplica = peer
        }
        header.end = end
        header.operations = operations ?? UInt64(batches.reduce(0) { $0 + $1.operations.count })
        header.batches = UInt32(batches.count)
        let file = try BundleFileWriter(path: path, headerBytes: header.encoded().count, key: contentKey)
        for batch in batches { try file.append(SyncCodec.encode(batch, coding: .zstd)) }
        _ = try file.finish(header, signer: SigningKey(privateKeyPEM: folder.read(.nodeKey)))
    }
}
