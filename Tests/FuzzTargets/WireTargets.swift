import NIOCore
import Node
import Replication
import Transport

extension FuzzTarget {
    static func runSession(_ bytes: [UInt8]) {
        var decoder = SyncDecoder()
        var session = SyncSession(
            SyncSession.Configuration(
                site: SiteCode(validated: "zj"), replica: ReplicaID(0xA1), run: 1,
                peerSite: SiteCode(validated: "hz.zj"), isDialer: false))
        var now = SyncSession.Moment(monotonicMilliseconds: 0, wallMilliseconds: 1_800_000_000_000)
        _ = session.start(now: now)
        var rest = bytes[...]
        while let length = try? SyncCodec.messageBytes(prefix: rest), rest.count >= SyncCodec.prefixBytes + length {
            rest = rest.dropFirst(SyncCodec.prefixBytes)
            guard let message = try? decoder.decode(Array(rest.prefix(length))) else { return }
            rest = rest.dropFirst(length)
            now.monotonicMilliseconds += 1
            now.wallMilliseconds += 1
            answer(session.handle(message, now: now), &session)
            _ = session.tick(now: now)
        }
    }

    /// A store that is empty and takes everything in.
    private static func answer(_ effects: [SyncSession.Effect], _ session: inout SyncSession) {
        for effect in effects {
            switch effect {
            case .identify:
                answer(
                    session.identified(
                        SyncSession.PeerStanding(received: nil, held: nil, isEmpty: true, wantsAudit: false)), &session)
            case .judge: answer(session.judged(.sound), &session)
            case .findHeld: answer(session.held(nil), &session)
            case .vouch:
                answer(
                    session.vouched(
                        SyncSession.Resumption(cursor: FeedCursor(feed: ReplicaID(0xA1)), head: 0, headCount: 0)),
                    &session)
            case .readFeed(let lane, _, _, _): answer(session.batchRead(lane, nil), &session)
            default: continue
            }
        }
    }

    /// In pieces, since what is cut between two reads is another path than what comes whole.
    static func runHTTP2(_ bytes: [UInt8]) {
        guard let session = try? HTTP2Session(role: .server, limits: .node) else { return }
        var now: Int64 = 1_000
        var rest = bytes[...]
        var size = 1 + Int(bytes.first ?? 0)
        while !rest.isEmpty, !session.isFinished {
            let piece = rest.prefix(size)
            rest = rest.dropFirst(size)
            size = 1 + (size * 7) % 257
            now += 1
            guard (try? session.receive(ByteBuffer(bytes: piece), nowMilliseconds: now)) != nil else { break }
            for case .request(let stream, _) in session.takeEvents() {
                try? session.respond(stream, HTTP2ResponseHead(status: 200), endStream: true)
            }
            while (try? session.produceOutput(limitBytes: 65_536, nowMilliseconds: now)) ?? nil != nil {}
        }
        _ = session.takeEvents()
    }

    /// Small, so that most of the time does not go into filling it.
    private static let unpackedBytesMax = 65_536

    static func runZstd(_ bytes: [UInt8]) throws {
        guard let form = bytes.first else { return }
        guard form % 2 == 1 else {
            let plain = try? Compression.decompress(Array(bytes.dropFirst()), countMax: unpackedBytesMax)
            return try requireBounded(plain)
        }
        // Blocks, each behind its length in two bytes whose highest bit begins a new frame.
        var decompressor = StreamDecompressor()
        var rest = bytes.dropFirst()
        while let high = rest.popFirst(), let low = rest.popFirst() {
            let block = rest.prefix(Int(high & 0x7F) << 8 | Int(low))
            rest = rest.dropFirst(block.count)
            guard
                let plain = try? decompressor.decompress(
                    Array(block), isStart: high & 0x80 != 0, countMax: unpackedBytesMax)
            else { return }
            try requireBounded(plain)
        }
    }

    private static func requireBounded(_ plain: [UInt8]?) throws {
        guard let plain, plain.count > unpackedBytesMax else { return }
        throw Violation(description: "\(plain.count) bytes were unpacked, more than was allowed")
    }

    static func runBundle(_ bytes: [UInt8]) throws {
        guard let header = try? BundleHeader(decoding: bytes) else { return }
        guard header.encoded() == bytes else {
            throw Violation(description: "a bundle's header is another one after a round trip")
        }
    }
}
