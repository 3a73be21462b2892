import Logging
import NIOCore
import Node
import Replication
import Store
import Testing
import Transport

/// A child that is enrolled, and speaks the protocol by hand.
struct HandMadeChild {
    let site: SiteCode
    let replica = ReplicaID(0xBAD)
    let connection: HTTP2Connection
    let stream: HTTP2Stream
    private let incoming: Incoming

    /// The parent's messages, one after the other.
    private final class Incoming {
        private var chunks: HTTP2Body.AsyncIterator
        private var buffer = ByteBuffer()
        private var decoder = SyncDecoder()

        init(_ stream: HTTP2Stream) {
            chunks = stream.body.makeAsyncIterator()
        }

        func next() async throws -> SyncMessage? {
            while true {
                if let length = try SyncCodec.messageBytes(prefix: buffer.readableBytesView),
                    buffer.readableBytes >= length + SyncCodec.prefixBytes
                {
                    buffer.moveReaderIndex(forwardBy: SyncCodec.prefixBytes)
                    return try decoder.decode(buffer.readBytes(length: length) ?? [])
                }
                guard var chunk = try await chunks.next() else { return nil }
                buffer.writeBuffer(&chunk)
            }
        }
    }

    init(_ code: String, province: Province, parent: Province.Office) async throws {
        try await self.init(with: province.add(code, starting: false), parent: parent)
    }

    /// - Parameter office: whose keys it has; not running.
    init(with office: Province.Office, parent: Province.Office) async throws {
        site = office.site
        let address = try #require(parent.runtime?.addresses.sync.flatMap(NodeConfiguration.parse))
        connection = try await HTTP2Client.connect(
            to: address, tls: try KeyFolder(office.folder).clientContext(),
            expectedPeer: .uri("banjie://\(parent.site)/"), logger: quiet)
        stream = try await connection.open(HTTP2RequestHead(method: "POST", authority: "zj", path: "/sync/v1"))
        let status = try await stream.responseHead.status
        #expect(status == 200)
        incoming = Incoming(stream)
    }

    func send(_ bytes: [UInt8]) async throws {
        try await stream.write(ByteBuffer(bytes: bytes))
    }

    func greet() async throws {
        try await send(
            SyncCodec.encode(
                .hello(
                    SyncMessage.Hello(
                        version: SyncSession.versionMax, site: site, replica: replica, wallMilliseconds: 0, run: 1))))
        while let message = try await incoming.next() {
            if case .resume = message { break }
        }
        try await send(SyncCodec.encode(.resume(SyncMessage.Resume(received: nil, held: nil, isEmpty: true))))
    }

    /// - Parameter sent: everything that went before in this feed.
    func batch(_ operations: [Operation], after sent: [Operation] = [], spoiling: Bool = false) throws -> [UInt8] {
        var hasher = ContentHasher()
        var start = FeedCursor(feed: replica, position: UInt64(sent.count))
        for operation in sent { start.digest.insert(hasher.hash(operation)) }
        var end = start
        end.position += UInt64(operations.count)
        for operation in operations { end.digest.insert(hasher.hash(operation)) }
        if spoiling { end.digest.insert(.zero) }
        return try SyncCodec.encode(
            OutgoingBatch(start: start, end: end, operations: operations, remaining: 0), coding: .zstd)
    }

    /// The parent's next message; nil once it has ended the stream.
    func next() async throws -> SyncMessage? {
        try await incoming.next()
    }

    /// Reads on to the parent's goodbye.
    func goodbye() async throws -> (code: ByeCode, reason: String)? {
        while let message = try await incoming.next() {
            if case .bye(let code, let reason) = message { return (code, reason) }
        }
        return nil
    }
}
