internal import Foundation
internal import NIOCore
internal import Node
internal import Replication
internal import Store
internal import Transport

/// Many children of one node, connected and idle, in one process: each has a certificate of its own site, a TLS
/// connection, an HTTP/2 stream and a session, and nothing behind it. To their parent they are whole.
struct IdleChildren {
    /// Source: Protocols/sync.md §1.
    static let path = "/sync/v1"
    static let mediaType = "application/vnd.banjie.sync"
    /// First of the children's incarnations: the same in every run.
    static let firstReplica: UInt64 = 0xB000_0000_0000_0000

    /// The parent's data folder: its authority signs them here, without the enrolment's way over the network.
    let folder: String
    let address: String
    let count: Int

    static func site(_ number: Int) -> SiteCode {
        SiteCode(validated: "c\(number).\(WorkloadStream.province)")
    }

    func run() async throws {
        guard let address = NodeConfiguration.parse(address),
            let authority = try KeyFolder(DataFolder(path: folder)).authority(subtree: WorkloadStream.province)
        else { throw BenchError("the children need their parent's address and its authority") }
        let lines = PeerSpeech.lines()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 1...count {
                let context = try Self.context(number, authority)
                let connection = try await HTTP2Client.connect(
                    to: address, tls: context, expectedPeer: .uri("banjie://\(WorkloadStream.province)/"),
                    logger: quiet)
                group.addTask { try await Self.live(number, over: connection) }
            }
            try PeerSpeech.say(Peer.Ready(address: ""))
            group.addTask { for await _ in lines {} }
            // The first that ends: whoever has started this process is done, or a session was cut.
            try await group.next()
            group.cancelAll()
        }
    }

    static func context(_ number: Int, _ authority: CertificateAuthority) throws -> TLSContext {
        guard let uri = NodeURI(host: site(number).rawValue) else { throw BenchError("no name") }
        let key = try makePrivateKeyPEM()
        let chain = try authority.signLeaf(
            CertificateRequest(uri: uri, privateKeyPEM: key), expecting: uri, nowMilliseconds: NodeClock.system())
        return try TLSContext.client(
            identity: TLSIdentity(certificateChainPEM: chain, privateKeyPEM: key), trustRootsPEM: authority.chainPEM)
    }

    private static func live(_ number: Int, over connection: HTTP2Connection) async throws {
        let stream = try await connection.open(
            HTTP2RequestHead(
                method: "POST", authority: WorkloadStream.province.rawValue, path: path,
                headers: [HTTP2Header("content-type", mediaType)]))
        guard try await stream.responseHead.status == 200 else { throw BenchError("child \(number) was refused") }
        var child = IdleChild(number, stream)
        try await child.run()
        throw BenchError("the session of child \(number) ended")
    }
}

/// One session whose store is empty and stays so: what arrives counts as durable and is forgotten.
private struct IdleChild: ~Copyable {
    private let replica: ReplicaID
    private let stream: HTTP2Stream
    private var session: SyncSession

    init(_ number: Int, _ stream: HTTP2Stream) {
        replica = ReplicaID(IdleChildren.firstReplica + UInt64(number))
        self.stream = stream
        session = SyncSession(
            SyncSession.Configuration(
                site: IdleChildren.site(number), replica: replica, run: UInt64.random(in: 1...UInt64.max),
                peerSite: WorkloadStream.province, isDialer: true))
    }

    mutating func run() async throws {
        try await perform(session.start(now: Self.moment()))
        var buffer = ByteBuffer()
        var decoder = SyncDecoder()
        for try await var chunk in stream.body {
            buffer.writeBuffer(&chunk)
            while let length = try SyncCodec.messageBytes(prefix: buffer.readableBytesView),
                buffer.readableBytes >= SyncCodec.prefixBytes + length
            {
                buffer.moveReaderIndex(forwardBy: SyncCodec.prefixBytes)
                guard let bytes = buffer.readBytes(length: length) else { break }
                try await perform(session.handle(decoder.decode(bytes), now: Self.moment()))
            }
            buffer.discardReadBytes()
        }
    }

    private static func moment() -> SyncSession.Moment {
        SyncSession.Moment(
            monotonicMilliseconds: NodeClock.monotonic(), wallMilliseconds: NodeClock.system())
    }

    private mutating func perform(_ effects: [SyncSession.Effect]) async throws {
        var waiting = effects[...]
        while let effect = waiting.popFirst() {
            switch effect {
            case .send(let message): try await stream.write(ByteBuffer(bytes: try SyncCodec.encode(message)))
            case .identify:
                waiting += session.identified(
                    SyncSession.PeerStanding(received: nil, held: nil, isEmpty: true, wantsAudit: false))
            case .judge: waiting += session.judged(.sound)
            case .compareOwn(let held): waiting += session.ownCompared(held, isSame: true)
            case .findHeld: waiting += session.held(nil)
            case .vouch:
                waiting += session.vouched(
                    SyncSession.Resumption(cursor: FeedCursor(feed: replica), head: 0, headCount: 0))
            case .readFeed(let lane, _, _, _): waiting += session.batchRead(lane, nil)
            case .readAnnouncements: waiting += session.repairRead([], hashes: [], forAudit: false)
            case .readForRepair: waiting += session.repairRead([], hashes: [], forAudit: true)
            case .apply(let batch, _): waiting += session.applied(batch.lane, batch.end)
            case .saveReceived, .saveAcknowledged, .takeHeads, .notice, .saveKeys: break
            case .answerKeys: waiting += session.keysAnswered([])
            case .sendBatch, .answerAudit, .compareAudit, .recover:
                throw BenchError("a session without operations was asked for some")
            case .close(_, let reason): throw BenchError("a child's session ended: \(reason)")
            }
        }
    }
}
