import FoundationEssentials
import Replication
import SwiftProtobuf
import TestSupport
import Testing

/// Messages to bytes and back (Protocols/sync.md §3–§4). Bytes come from elsewhere: whatever they are, the answer is a
/// message or a `DecodingFailure`.
@Suite struct SyncCodecTests {
    static let feed = MemoryFeed(
        name: ReplicaID(1), operations: (1...9).map { MemoryFeed.operation($0, of: ReplicaID(1)) })

    static func decode(_ frame: [UInt8]) throws(DecodingFailure) -> SyncMessage {
        var decoder = SyncDecoder()
        guard let count = try SyncCodec.messageBytes(prefix: frame), frame.count == SyncCodec.prefixBytes + count else {
            throw .truncated(at: frame.count)
        }
        return try decoder.decode(Array(frame.dropFirst(SyncCodec.prefixBytes)))
    }

    static func batch(_ operations: [Operation]) -> OutgoingBatch {
        let start = FeedCursor(feed: feed.name)
        return OutgoingBatch(
            start: start, end: FeedCursor(feed: feed.name, position: 1), operations: operations, remaining: 3)
    }

    /// A batch message around columns of any kind.
    static func frame(columns: WireOperationColumns) throws -> [UInt8] {
        var message = WireMessage()
        message.batch.start.sum = .init(repeating: 0, count: 32)
        message.batch.end.sum = .init(repeating: 0, count: 32)
        message.batch.columns = columns
        return try frame(message)
    }

    static func frame(_ message: WireMessage) throws -> [UInt8] {
        let content: [UInt8] = try message.serializedBytes()
        var writer = ByteWriter()
        writer.integer(UInt32(content.count))
        writer.raw(content)
        return writer.bytes
    }

    static let entities = (1...3).map { EntityID(type: .ticket, high: .max, low: UInt64($0)) }
    static let messages: [SyncMessage] = [
        .hello(
            SyncMessage.Hello(
                version: 1, site: SiteCode(validated: "xihu.hz.zj"), replica: ReplicaID(.max), wallMilliseconds: 5,
                run: 9, follows: ReplicaID(4))),
        .hello(
            SyncMessage.Hello(
                version: 2, site: SiteCode(validated: "zj"), replica: ReplicaID(1), wallMilliseconds: 0,
                acceptsZstd: false, run: 1)),
        .resume(
            SyncMessage.Resume(
                received: FeedProgress(
                    cursor: feed.cursor(at: 3),
                    intervals: [FeedInterval(start: 5, end: 7, digest: feed.cursor(at: 7, from: 5).digest)]),
                held: HeldOperation(sequence: 4, hash: feed.cursor(at: 1).digest.sum), isEmpty: false)),
        .resume(SyncMessage.Resume(received: nil, held: nil, isEmpty: true)),
        .batch(
            ReceivedBatch(
                lane: .repair, start: FeedCursor(feed: feed.name), end: feed.cursor(at: 2),
                operations: [feed.operations[0]], hashes: [], omitted: [feed.cursor(at: 1).digest.sum], remaining: 7,
                wireBytes: 0)),
        .ack(.live, position: 7, digest: feed.cursor(at: 7).digest), .caughtUp, .rebase(feed.cursor(at: 9)),
        .probe(sequence: 7), .probeAnswer(nil),
        .probeAnswer(HeldOperation(sequence: 2, hash: feed.cursor(at: 1).digest.sum)),
        .auditRequest(
            AuditRequest(
                number: 1, content: .summarise(AuditRange(low: EntityKey(entities[0]), high: EntityKey(entities[2]))))),
        .auditRequest(AuditRequest(number: 2, content: .summarise(.all))),
        .auditRequest(AuditRequest(number: 3, content: .list(entities, after: Dot(ReplicaID(1), 2)))),
        .auditRequest(AuditRequest(number: 4, content: .fetch([Dot(ReplicaID(1), 2), Dot(ReplicaID(3), 4)]))),
        .auditReply(
            AuditReply(
                number: 1,
                content: .parts([
                    RangeDigest(
                        range: AuditRange(low: nil, high: EntityKey(entities[1])), entityCount: 3,
                        digest: feed.cursor(at: 3).digest),
                    RangeDigest(
                        range: AuditRange(low: EntityKey(entities[1]), high: nil), entityCount: 0, digest: .empty),
                ]))),
        .auditReply(
            AuditReply(
                number: 2, content: .leaf([EntityDigest(entity: entities[0], digest: feed.cursor(at: 2).digest)]))),
        .auditReply(
            AuditReply(
                number: 3,
                content: .operations(
                    [
                        EntityOperations(
                            entity: entities[0],
                            entries: [.init(dot: Dot(ReplicaID(1), 2), hash: feed.cursor(at: 1).digest.sum)]),
                        EntityOperations(entity: entities[1], entries: []),
                    ], isCut: true))),
        .auditReply(AuditReply(number: 4, content: .sent(2))), .auditCall,
        .auditDone(found: 3, unresolved: 1, isRepaired: true),
        .heads([
            SignedHead(
                replica: ReplicaID(5), sequence: 9, chain: feed.cursor(at: 9).digest.sum, time: 1_800_000_000_000,
                certificateChain: "-----BEGIN CERTIFICATE-----", signature: [0x30, 1, 2])
        ]), .heads([]),
        .clock(originMilliseconds: 1_800_000_000_000, echoMilliseconds: 0), .bye(.paused, reason: "管理员暂停"),
    ]

    @Test("every message reads back as it was written")
    func roundTrips() throws {
        for message in Self.messages {
            let frame = try SyncCodec.encode(message)
            let decoded = try Self.decode(frame)
            #expect(try SyncCodec.encode(decoded) == frame)
            #expect(SyncSession.Effect.send(decoded).words == SyncSession.Effect.send(message).words)
        }
    }

    @Test("a batch reads back with its hashes, compressed or not", arguments: [BatchCoding.zstd, .plain])
    func batches(coding: BatchCoding) throws {
        let sent = try #require(Self.feed.batch(after: 2))
        guard case .batch(let batch) = try Self.decode(SyncCodec.encode(sent, coding: coding)) else {
            return #expect(Bool(false), "a batch was sent")
        }
        var hasher = ContentHasher()
        #expect(batch.operations == sent.operations && batch.remaining == sent.remaining)
        #expect(batch.start == sent.start && batch.end == sent.end)
        #expect(batch.hashes == sent.operations.map { hasher.hash($0) })
    }

    @Test("batches of a session lean on those before them, and read back; a frame can begin anew at any of them")
    func streams() throws {
        var compressor = StreamCompressor()
        var decoder = SyncDecoder()
        var sizes: [Int] = []
        for round in 0..<6 {
            if round == 4 { compressor.reset() }
            let sent = try #require(Self.feed.batch(after: round))
            let frame = try SyncCodec.encode(sent, with: &compressor)
            sizes.append(frame.count)
            guard case .batch(let batch) = try decoder.decode(Array(frame.dropFirst(SyncCodec.prefixBytes))) else {
                return #expect(Bool(false), "a batch was sent")
            }
            #expect(batch.operations == sent.operations)
        }
        #expect(sizes[1] < sizes[0] && sizes[4] > sizes[3])
    }

    @Test("a block of a session's frame is refused without what it leans on, and one that unpacks to too much")
    func brokenStreams() throws {
        var compressor = StreamCompressor()
        _ = try SyncCodec.encode(try #require(Self.feed.batch(after: 0)), with: &compressor)
        let second = try SyncCodec.encode(try #require(Self.feed.batch(after: 3)), with: &compressor)
        var decoder = SyncDecoder()
        #expect(throws: DecodingFailure.self) { try decoder.decode(Array(second.dropFirst(SyncCodec.prefixBytes))) }
        var bomb = StreamCompressor()
        let (block, isStart) = bomb.compress([UInt8](repeating: 7, count: 3 * SyncLimits.messageBytesMax))
        var decompressor = StreamDecompressor()
        #expect(throws: DecodingFailure.self) {
            try decompressor.decompress(block, isStart: isStart, countMax: SyncLimits.messageBytesMax)
        }
    }

    @Test("a code of Bye that this version does not know is an unspecified one")
    func unknownBye() throws {
        var message = WireMessage()
        message.bye.code = 4_000
        message.bye.reason = String(repeating: "长", count: 1_000)
        guard case .bye(let code, let reason) = try Self.decode(Self.frame(message)) else {
            return #expect(Bool(false), "a Bye was sent")
        }
        #expect(code == .unspecified && reason.utf8.count <= SyncLimits.reasonBytesMax + 2)
    }

    @Test("a message that is too long is refused by its length alone")
    func oversize() throws {
        #expect(try SyncCodec.messageBytes(prefix: [0, 0x10, 0]) == nil)
        #expect(try SyncCodec.messageBytes(prefix: [0, 0x10, 0, 0]) == SyncLimits.messageBytesMax)
        #expect(
            throws: DecodingFailure.tooLarge(
                field: "message", count: SyncLimits.messageBytesMax + 1, countMax: SyncLimits.messageBytesMax)
        ) { try SyncCodec.messageBytes(prefix: [0, 0x10, 0, 1]) }
        #expect(throws: DecodingFailure.self) { try SyncCodec.messageBytes(prefix: [255, 255, 255, 255]) }
    }

    @Test("a message may nest eight deep, itself counted; one more is refused")
    func nesting() throws {
        let message = Array(try SyncCodec.encode(.caughtUp).dropFirst(SyncCodec.prefixBytes))
        // Groups within groups, as a field that this version does not know (number 99).
        func decode(_ depth: Int) throws {
            var decoder = SyncDecoder()
            _ = try decoder.decode(
                message + (0..<depth).flatMap { _ in [0x9b, 0x06] as [UInt8] }
                    + (0..<depth).flatMap { _ in [0x9c, 0x06] })
        }
        try decode(SyncLimits.nestingMax - 1)
        #expect(throws: DecodingFailure.self) { try decode(SyncLimits.nestingMax) }
    }

    @Test("a message cut at any byte is refused")
    func truncated() throws {
        var frames = try Self.messages.map(SyncCodec.encode)
        frames.append(try SyncCodec.encode(Self.batch(Self.feed.operations), coding: .zstd))
        frames.append(try SyncCodec.encode(Self.batch(Self.feed.operations), coding: .plain))
        var decoder = SyncDecoder()
        for frame in frames {
            for count in SyncCodec.prefixBytes..<frame.count {
                #expect(throws: DecodingFailure.self, "cut at \(count)") {
                    try decoder.decode(Array(frame[SyncCodec.prefixBytes..<count]))
                }
            }
        }
    }

    @Test("changed bytes give a message or a failure, never a trap", arguments: 0..<40 as Range<UInt64>)
    func mutated(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var decoder = SyncDecoder()
        let frames =
            try Self.messages.map(SyncCodec.encode) + [
                SyncCodec.encode(Self.batch(Self.feed.operations), coding: .zstd),
                SyncCodec.encode(Self.batch(Self.feed.operations), coding: .plain),
            ]
        for frame in frames {
            for _ in 0..<60 {
                var bytes = Array(frame.dropFirst(SyncCodec.prefixBytes))
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    let index = Int.random(in: 0..<bytes.count, using: &generator)
                    switch Int.random(in: 0..<4, using: &generator) {
                    case 0: bytes[index] = 0xFF
                    case 1: bytes[index] = 0
                    default: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                    }
                }
                do throws(DecodingFailure) {
                    let message = try decoder.decode(bytes)
                    var session = SyncSessionTests.established()
                    _ = session.handle(message, now: SyncSessionTests.at(5))
                } catch {
                    #expect(!error.description.isEmpty)
                }
            }
        }
    }

    @Test("a frame that would unpack to more than a message may hold is refused before it is unpacked")
    func compressedBombs() throws {
        var message = WireMessage()
        message.batch.columnsZstd = .init(Compression.compress([UInt8](repeating: 0, count: 8 * 1024 * 1024)))
        let bomb = try Self.frame(message)
        #expect(bomb.count < 4_096)
        #expect(
            throws: DecodingFailure.tooLarge(
                field: "columns_zstd", count: 8 * 1024 * 1024, countMax: SyncLimits.messageBytesMax)
        ) { try Self.decode(bomb) }
        // A small frame with a large one behind it declares the small size only.
        let disguised = Compression.compress([0]) + Compression.compress([UInt8](repeating: 0, count: 4_000_000))
        message.batch.columnsZstd = .init(disguised)
        let frame = try Self.frame(message)
        #expect(throws: DecodingFailure.invalid(field: "columns_zstd")) { try Self.decode(frame) }
        message.batch.columnsZstd = .init([1, 2, 3] as [UInt8])
        let noise = try Self.frame(message)
        #expect(throws: DecodingFailure.invalid(field: "columns_zstd")) { try Self.decode(noise) }
    }

    /// One change of good columns each, and the field that the failure has to name.
    static let damages: [(field: String, change: @Sendable (inout WireOperationColumns) -> Void)] = [
        ("sequence", { $0.sequence.removeLast() }), ("entity", { $0.entity.append(0) }),
        ("previous", { $0.previous.removeLast() }), ("seen_count", { $0.seenCount.removeLast() }),
        ("seen_count", { $0.seenReplica.append(0) }), ("seen_count", { $0.seenCount[0] = 4_000_000_000 }),
        ("scope_count", { $0.scopeCount.removeLast() }), ("scope_count", { $0.scopeSite.append(0) }),
        ("time_milliseconds", { $0.timeMilliseconds.removeLast() }), ("time_counter", { $0.timeCounter = [] }),
        ("author", { $0.author.removeLast() }), ("kind", { $0.kind.removeLast() }),
        ("critical", { $0.critical.append(true) }), ("body_bytes", { $0.bodyBytes.removeLast() }),
        ("extension_bytes", { $0.extensionBytes = [0] }), ("bodies", { $0.bodies.append(0) }),
        ("extensions", { $0.extensions.append(0) }), ("entity_type", { $0.entityType.append(1) }),
        ("entity_high", { $0.entityHigh.removeLast() }), ("entity_low", { $0.entityLow.append(1) }),
        ("replica", { $0.replica[3] = 2 }), ("entity", { $0.entity[3] = 77 }), ("author", { $0.author[3] = 1 }),
        ("seen_replica", { $0.seenReplica[0] = 9 }), ("scope_site", { $0.scopeSite[0] = 1 }),
        (
            "entity_replica",
            {
                $0.entityReplica[0] = 9
                $0.entityLow.append(1)
                $0.entityHigh.removeLast()
                $0.entityLowRaw.removeLast()
            }
        ),
        ("entity_type", { $0.entityType[0] = 5 }), ("entity_type", { $0.entityType[0] = 257 }),
        ("sequence", { $0.sequence[0] = 0 }), ("sequence", { $0.sequence[0] = .max }),
        ("previous", { $0.previous[0] = 1 }), ("time_milliseconds", { $0.timeMilliseconds[0] = -1 }),
        ("time_milliseconds", { $0.timeMilliseconds[0] = .max }), ("time_milliseconds", { $0.timeCounter[0] = 65_536 }),
        ("kind", { $0.kind[0] = 65_536 }), ("body_bytes", { $0.bodyBytes[0] = .max }),
        ("author.role", { $0.authors[0].role = 7 }), ("author.level", { $0.authors[0].level = 0 }),
        ("author.site", { $0.authors[0].site = "A" }), ("sites", { $0.sites[0] = "" }),
        ("author.name", { $0.authors[0].name = String(repeating: "x", count: 257) }),
        ("author.department", { $0.authors[0].department = String(repeating: "x", count: 257) }),
    ]

    @Test("columns that do not fit together are refused, by the name of the column", arguments: damages.indices)
    func damagedColumns(index: Int) throws {
        var columns = OperationColumns.encode(Self.feed.operations)
        Self.damages[index].change(&columns)
        let frame = try Self.frame(columns: columns)
        do {
            _ = try Self.decode(frame)
            #expect(Bool(false), "damage to \(Self.damages[index].field) was not noticed")
        } catch {
            switch error {
            case .invalid(let field), .tooLarge(let field, _, _): #expect(field == Self.damages[index].field)
            case .truncated, .trailingBytes: #expect(Bool(false), "\(error)")
            }
        }
    }

    @Test("a seen vector or a scope that is not ascending is refused: there is one way to write each")
    func order() throws {
        var operation = MemoryFeed.operation(1, of: ReplicaID(1))
        operation.seen = VersionVector([Dot(ReplicaID(3), 1), Dot(ReplicaID(4), 1)])
        operation.scope = [SiteCode(validated: "hz.zj"), SiteCode(validated: "nb.zj")]
        let columns = OperationColumns.encode([operation])
        #expect(try Self.operations(columns) == [operation])
        for change in [
            { $0.seenReplica.reverse() }, { $0.seenReplica[1] = $0.seenReplica[0] }, { $0.seenSequence[0] = 0 },
            { $0.scopeSite.reverse() }, { $0.scopeSite[1] = $0.scopeSite[0] },
        ] as [(inout WireOperationColumns) -> Void] {
            var changed = columns
            change(&changed)
            let frame = try Self.frame(columns: changed)
            #expect(throws: DecodingFailure.self) { try Self.decode(frame) }
        }
    }

    static func operations(_ columns: WireOperationColumns) throws -> [Operation] {
        guard case .batch(let batch) = try decode(frame(columns: columns)) else { return [] }
        return batch.operations
    }

    @Test("as many operations as the limit says make one message, one more is refused")
    func operationCount() throws {
        let limit = OperationColumns.operationCountMax
        let operations = (1...UInt64(limit) + 1).map { MemoryFeed.operation($0, of: ReplicaID(1)) }
        #expect(try Self.operations(OperationColumns.encode(operations[..<limit])).count == limit)
        let frame = try Self.frame(columns: OperationColumns.encode(operations))
        #expect(throws: DecodingFailure.tooLarge(field: "replica", count: limit + 1, countMax: limit)) {
            try Self.decode(frame)
        }
    }

    @Test("an operation over its limits is refused by its writer and by every receiver")
    func operationLimits() throws {
        let good = MemoryFeed.operation(2, of: ReplicaID(1))
        var broken = [Operation](repeating: good, count: 5)
        broken[0].body = [UInt8](repeating: 1, count: OperationLimits.bytesMax + 1)
        broken[1].scope = (0...OperationLimits.scopeCountMax).map { SiteCode(validated: "s\(100 + $0)") }
        broken[2].seen = VersionVector((0...UInt64(OperationLimits.seenCountMax)).map { Dot(ReplicaID($0), 1) })
        broken[3].author.name = String(repeating: "名", count: 86)
        broken[4].seen = VersionVector([Dot(ReplicaID(9), OperationLimits.sequenceMax + 1)])
        try good.check()
        for operation in broken {
            let frame = try Self.frame(columns: OperationColumns.encode([operation]))
            #expect(throws: DecodingFailure.self) { try operation.check() }
            #expect(throws: DecodingFailure.self) { try Self.decode(frame) }
        }
    }

    @Test("the size that limits go by is never less than what the operation takes on the wire")
    func approximateSize() throws {
        var largest = MemoryFeed.operation(2, of: ReplicaID(1), bodyBytes: 40_000)
        largest.extensions = [UInt8](repeating: 2, count: OperationLimits.bytesMax - 40_000)
        largest.seen = VersionVector(
            (1...UInt64(OperationLimits.seenCountMax)).map {
                Dot(ReplicaID(.max / $0), OperationLimits.sequenceMax - $0)
            })
        largest.scope = (0..<OperationLimits.scopeCountMax).map { index in
            SiteCode(
                validated: ["a\(100 + index)", "b", "c"].map { $0 + String(repeating: "x", count: 58) }.joined(
                    separator: "."))
        }
        largest.author.name = String(repeating: "名", count: 85)
        largest.author.department = String(repeating: "d", count: 256)
        try largest.check()
        for operation in [largest, MemoryFeed.operation(1, of: ReplicaID(.max), bodyBytes: 0)] {
            let bytes: [UInt8] = try OperationColumns.encode([operation]).serializedBytes()
            #expect(bytes.count <= operation.approximateBytes + 64)
            #expect(operation.approximateBytes < SyncLimits.messageBytesMax / 2)
        }
    }

    @Test("two spellings of one name stay two, so that the hash survives the dictionary of authors")
    func spellings() throws {
        var composed = MemoryFeed.operation(1, of: ReplicaID(1))
        composed.author.name = "caf\u{E9}"
        var decomposed = MemoryFeed.operation(2, of: ReplicaID(1))
        decomposed.author.name = "cafe\u{301}"
        let read = try Self.operations(OperationColumns.encode([composed, decomposed]))
        #expect(read.map { Array($0.author.name.utf8) } == [composed, decomposed].map { Array($0.author.name.utf8) })
    }

    @Test("a cursor or a clock beyond its range is refused")
    func ranges() throws {
        var message = WireMessage()
        message.clock.originMilliseconds = .min
        let clock = try Self.frame(message)
        #expect(throws: DecodingFailure.invalid(field: "clock")) { try Self.decode(clock) }
        message.rebase.cursor.sum = .init(repeating: 0, count: 32)
        message.rebase.cursor.count = .max
        let cursor = try Self.frame(message)
        #expect(throws: DecodingFailure.invalid(field: "cursor.position")) { try Self.decode(cursor) }
    }
}
