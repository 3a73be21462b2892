internal import FoundationEssentials
internal import SwiftProtobuf

/// How a batch's columns are written.
package enum BatchCoding: Sendable {
    case plain
    /// A frame of its own, that can be read without any other.
    case zstd
}

/// Messages to bytes and back: four bytes of length, big-endian, then the message. Source: Protocols/sync.md §3.
package enum SyncCodec {
    package static let prefixBytes = 4

    /// A batch that stands alone.
    package static func encode(_ batch: OutgoingBatch, coding: BatchCoding) throws -> [UInt8] {
        var wire = head(of: batch)
        let columns = OperationColumns.encode(batch.operations)
        switch coding {
        case .plain: wire.columns = columns
        case .zstd:
            let plain: [UInt8] = try columns.serializedBytes()
            wire.columnsZstd = .init(Compression.compress(plain))
        }
        return try frame(wire)
    }

    /// A batch that may point back into those before it.
    package static func encode(_ batch: OutgoingBatch, with compressor: inout StreamCompressor) throws -> [UInt8] {
        var wire = head(of: batch)
        let plain: [UInt8] = try OperationColumns.encode(batch.operations).serializedBytes()
        let (block, isStart) = compressor.compress(plain)
        wire.columnsStream = .init(block)
        wire.streamStart = isStart
        return try frame(wire)
    }

    private static func head(of batch: OutgoingBatch) -> WireBatch {
        var wire = WireBatch()
        wire.start = WireCursor(batch.start)
        wire.end = WireCursor(batch.end)
        wire.remaining = batch.remaining
        wire.lane = WireLane(batch.lane)
        wire.omitted = batch.omitted.map { .init($0.bytes) }
        return wire
    }

    private static func frame(_ batch: WireBatch) throws -> [UInt8] {
        var message = WireMessage()
        message.batch = batch
        return try frame(message)
    }

    package static func encode(_ message: SyncMessage) throws -> [UInt8] {
        var wire = WireMessage()
        switch message {
        case .hello(let hello):
            wire.hello.version = hello.version
            wire.hello.site = hello.site.rawValue
            wire.hello.replica = hello.replica.rawValue
            wire.hello.wallMilliseconds = hello.wallMilliseconds
            wire.hello.acceptsZstd = hello.acceptsZstd
            wire.hello.run = hello.run
            wire.hello.follows = hello.follows?.rawValue ?? 0
            wire.hello.acceptsKeys = hello.acceptsKeys
        case .resume(let resume):
            wire.resume.isEmpty = resume.isEmpty
            wire.resume.isCloned = resume.isCloned
            if let received = resume.received {
                wire.resume.received = WireCursor(received.cursor)
                wire.resume.known = received.intervals.map(WireInterval.init)
            }
            if let held = resume.held {
                wire.resume.heldSequence = held.sequence
                wire.resume.heldHash = .init(held.hash.bytes)
            }
        case .batch(let batch):
            return try encode(
                OutgoingBatch(
                    lane: batch.lane, start: batch.start, end: batch.end, operations: batch.operations,
                    omitted: batch.omitted, remaining: batch.remaining),
                coding: .zstd)
        case .ack(let lane, let position, let digest):
            wire.ack.lane = WireLane(lane)
            wire.ack.position = position
            wire.ack.count = digest.count
            wire.ack.sum = .init(digest.sum.bytes)
        case .caughtUp: wire.caughtUp = WireCaughtUp()
        case .rebase(let cursor): wire.rebase.cursor = WireCursor(cursor)
        case .clock(let origin, let echo):
            wire.clock.originMilliseconds = origin
            wire.clock.echoMilliseconds = echo
        case .probe(let sequence): wire.probe.sequence = sequence
        case .probeAnswer(let held):
            wire.probeAnswer.sequence = held?.sequence ?? 0
            wire.probeAnswer.hash = held.map { .init($0.hash.bytes) } ?? .init()
        case .auditRequest(let request): wire.auditRequest = WireAuditRequest(request)
        case .auditReply(let reply): wire.auditReply = WireAuditReply(reply)
        case .auditCall: wire.auditCall = WireAuditCall()
        case .auditDone(let found, let unresolved, let isRepaired):
            wire.auditDone.found = found
            wire.auditDone.unresolved = unresolved
            wire.auditDone.isRepaired = isRepaired
        case .keys(let entries, let beforeBatch): wire.keys = WireKeys(entries, beforeBatch: beforeBatch)
        case .keyRequest(let ids): wire.keyRequest = WireKeyRequest(ids)
        case .heads(let heads): wire.heads.heads = heads.map(WireSignedHead.init)
        case .bye(let code, let reason):
            wire.bye.code = code.rawValue
            wire.bye.reason = String(decoding: reason.utf8.prefix(SyncLimits.reasonBytesMax), as: UTF8.self)
        }
        return try frame(wire)
    }

    private static func frame(_ message: WireMessage) throws -> [UInt8] {
        let content: [UInt8] = try message.serializedBytes()
        var writer = ByteWriter(reserving: content.count + prefixBytes)
        writer.integer(UInt32(content.count))
        writer.raw(content)
        return writer.bytes
    }

    /// Length of the message that starts here.
    /// - Returns: nil if fewer than four bytes are given.
    package static func messageBytes(prefix: some Collection<UInt8>) throws(DecodingFailure) -> Int? {
        guard prefix.count >= prefixBytes else { return nil }
        let count = prefix.prefix(prefixBytes).reduce(0) { $0 << 8 | Int($1) }
        guard count <= SyncLimits.messageBytesMax else {
            throw .tooLarge(field: "message", count: count, countMax: SyncLimits.messageBytesMax)
        }
        return count
    }
}

/// Decodes a session's messages in the order they arrived, and hashes the operations they bring.
package struct SyncDecoder: ~Copyable {
    private var hasher = ContentHasher()
    private var decompressor = StreamDecompressor()

    package init() {}

    /// - Parameter bytes: one message without its length.
    /// - Throws: `DecodingFailure`.
    package mutating func decode(_ bytes: [UInt8]) throws(DecodingFailure) -> SyncMessage {
        let wire: WireMessage
        do {
            var options = BinaryDecodingOptions()
            options.messageDepthLimit = SyncLimits.nestingMax
            wire = try WireMessage(serializedBytes: bytes, options: options)
        } catch {
            throw .invalid(field: "message")
        }
        switch wire.content {
        case .hello(let hello): return .hello(try SyncMessage.Hello(hello))
        case .resume(let resume): return .resume(try SyncMessage.Resume(resume))
        case .batch(let batch): return .batch(try self.batch(batch, wireBytes: bytes.count))
        case .ack(let ack):
            guard let sum = ContentHash(ack.sum) else { throw .invalid(field: "ack.sum") }
            return .ack(
                try Lane(ack.lane), position: ack.position, digest: SetDigest(count: ack.count, sum: sum))
        case .caughtUp:
            // Nothing can follow that would gain from what came before.
            decompressor.reset()
            return .caughtUp
        case .rebase(let rebase): return .rebase(try FeedCursor(rebase.cursor))
        case .clock(let clock):
            // The range of a timestamp: differences of two never overflow.
            let range: Range<Int64> = 0..<1 << 48
            guard range.contains(clock.originMilliseconds), range.contains(clock.echoMilliseconds) else {
                throw .invalid(field: "clock")
            }
            return .clock(originMilliseconds: clock.originMilliseconds, echoMilliseconds: clock.echoMilliseconds)
        case .probe(let probe): return .probe(sequence: probe.sequence)
        case .probeAnswer(let answer):
            return .probeAnswer(try HeldOperation(answer.sequence, answer.hash, field: "probe_answer"))
        case .auditRequest(let request): return .auditRequest(try AuditRequest(request))
        case .auditReply(let reply): return .auditReply(try AuditReply(reply))
        case .auditCall: return .auditCall
        case .auditDone(let done):
            return .auditDone(found: done.found, unresolved: done.unresolved, isRepaired: done.isRepaired)
        case .keys(let keys): return .keys(try keys.entries(), beforeBatch: keys.beforeBatch)
        case .keyRequest(let request): return .keyRequest(try request.names())
        case .heads(let heads): return .heads(try [SignedHead](heads))
        case .bye(let bye):
            let reason = String(decoding: bye.reason.utf8.prefix(SyncLimits.reasonBytesMax), as: UTF8.self)
            return .bye(ByeCode(rawValue: bye.code) ?? .unspecified, reason: reason)
        case nil: throw .invalid(field: "content")
        }
    }

    private mutating func batch(_ wire: WireBatch, wireBytes: Int) throws(DecodingFailure) -> ReceivedBatch {
        var columns = wire.columns
        if !wire.columnsZstd.isEmpty {
            let plain = try Compression.decompress(Array(wire.columnsZstd), countMax: SyncLimits.messageBytesMax)
            columns = try Self.columns(plain, field: "columns_zstd")
        } else if !wire.columnsStream.isEmpty {
            let plain = try decompressor.decompress(
                Array(wire.columnsStream), isStart: wire.streamStart, countMax: SyncLimits.messageBytesMax)
            columns = try Self.columns(plain, field: "columns_stream")
        }
        let operations = try OperationColumns.decode(columns)
        var hashes: [ContentHash] = []
        hashes.reserveCapacity(operations.count)
        for operation in operations { hashes.append(hasher.hash(operation)) }
        guard wire.omitted.count <= SyncLimits.batchOperationsMax else {
            throw .tooLarge(field: "omitted", count: wire.omitted.count, countMax: SyncLimits.batchOperationsMax)
        }
        var omitted: [ContentHash] = []
        for bytes in wire.omitted {
            guard let hash = ContentHash(bytes) else { throw .invalid(field: "omitted") }
            omitted.append(hash)
        }
        return ReceivedBatch(
            lane: try Lane(wire.lane), start: try FeedCursor(wire.start), end: try FeedCursor(wire.end),
            operations: operations, hashes: hashes, omitted: omitted, remaining: wire.remaining, wireBytes: wireBytes)
    }

    private static func columns(_ plain: [UInt8], field: String) throws(DecodingFailure) -> WireOperationColumns {
        do {
            return try WireOperationColumns(serializedBytes: plain)
        } catch {
            throw .invalid(field: field)
        }
    }
}

extension WireLane {
    fileprivate init(_ lane: Lane) {
        self =
            switch lane {
            case .backlog: .backlog
            case .live: .live
            case .repair: .repair
            }
    }
}

extension Lane {
    fileprivate init(_ wire: WireLane) throws(DecodingFailure) {
        guard let lane = Lane(rawValue: wire.rawValue) else { throw .invalid(field: "lane") }
        self = lane
    }
}

extension HeldOperation {
    /// Nil for a sequence of 0.
    fileprivate init?(_ sequence: UInt64, _ bytes: some Collection<UInt8>, field: String) throws(DecodingFailure) {
        guard sequence > 0 else { return nil }
        guard sequence <= OperationLimits.sequenceMax, let hash = ContentHash(bytes) else {
            throw .invalid(field: field)
        }
        self.init(sequence: sequence, hash: hash)
    }
}

extension SyncMessage.Hello {
    fileprivate init(_ wire: WireHello) throws(DecodingFailure) {
        guard let site = SiteCode(wire.site) else { throw .invalid(field: "hello.site") }
        self.init(
            version: wire.version, site: site, replica: ReplicaID(wire.replica),
            wallMilliseconds: wire.wallMilliseconds, acceptsZstd: wire.acceptsZstd, run: wire.run,
            follows: wire.follows == 0 ? nil : ReplicaID(wire.follows), acceptsKeys: wire.acceptsKeys)
    }
}

extension SyncMessage.Resume {
    fileprivate init(_ wire: WireResume) throws(DecodingFailure) {
        guard wire.known.count <= FeedProgress.intervalCountMax else {
            throw .tooLarge(field: "resume.known", count: wire.known.count, countMax: FeedProgress.intervalCountMax)
        }
        var received: FeedProgress?
        if wire.hasReceived {
            var intervals: [FeedInterval] = []
            for interval in wire.known { intervals.append(try FeedInterval(interval)) }
            received = FeedProgress(cursor: try FeedCursor(wire.received), intervals: intervals)
        }
        self.init(
            received: received, held: try HeldOperation(wire.heldSequence, wire.heldHash, field: "resume.held"),
            isEmpty: wire.isEmpty, isCloned: wire.isCloned)
    }
}

extension WireInterval {
    fileprivate init(_ interval: FeedInterval) {
        self.init()
        start = interval.start
        end = interval.end
        count = interval.digest.count
        sum = .init(interval.digest.sum.bytes)
    }
}

extension FeedInterval {
    fileprivate init(_ wire: WireInterval) throws(DecodingFailure) {
        guard let sum = ContentHash(wire.sum), wire.start < wire.end, wire.end <= OperationLimits.sequenceMax,
            wire.count <= OperationLimits.sequenceMax
        else { throw .invalid(field: "interval") }
        self.init(start: wire.start, end: wire.end, digest: SetDigest(count: wire.count, sum: sum))
    }
}

extension WireCursor {
    fileprivate init(_ cursor: FeedCursor) {
        self.init()
        feed = cursor.feed.rawValue
        position = cursor.position
        count = cursor.digest.count
        sum = .init(cursor.digest.sum.bytes)
    }
}

extension FeedCursor {
    fileprivate init(_ wire: WireCursor) throws(DecodingFailure) {
        guard let sum = ContentHash(wire.sum) else { throw .invalid(field: "cursor.sum") }
        guard wire.position <= OperationLimits.sequenceMax, wire.count <= OperationLimits.sequenceMax else {
            throw .invalid(field: "cursor.position")
        }
        self.init(
            feed: ReplicaID(wire.feed), position: wire.position, digest: SetDigest(count: wire.count, sum: sum))
    }
}
