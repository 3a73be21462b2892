internal import FoundationEssentials
internal import SwiftProtobuf

/// A place in a feed and the digest of all it carried up to there.
///
/// `feed` names the sending store's incarnation: a cursor of another feed says nothing about this one.
package struct FeedCursor: Hashable, Sendable {
    package var feed: ReplicaID
    package var position: UInt64
    package var digest: SetDigest

    package init(feed: ReplicaID, position: UInt64 = 0, digest: SetDigest = .empty) {
        self.feed = feed
        self.position = position
        self.digest = digest
    }
}

/// The messages of a session, decoded. Source: Protocols/sync.md §3.
package enum SyncMessage: Sendable {
    case hello(Hello)
    case batch(ReceivedBatch)
    case ack(position: UInt64, digest: SetDigest)
    case caughtUp(position: UInt64)
    case clock(originMilliseconds: Int64, echoMilliseconds: Int64)
    case bye(ByeCode, reason: String)

    package struct Hello: Hashable, Sendable {
        package var version: UInt32
        package var site: SiteCode
        package var replica: ReplicaID
        package var wallMilliseconds: Int64
        package var received: FeedCursor?
        package var acceptsZstd: Bool

        package init(
            version: UInt32, site: SiteCode, replica: ReplicaID, wallMilliseconds: Int64, received: FeedCursor?,
            acceptsZstd: Bool = true
        ) {
            self.version = version
            self.site = site
            self.replica = replica
            self.wallMilliseconds = wallMilliseconds
            self.received = received
            self.acceptsZstd = acceptsZstd
        }
    }
}

/// Operations as they arrived, each with the hash that the receiver has computed.
package struct ReceivedBatch: Sendable {
    package var start: FeedCursor
    package var end: FeedCursor
    package var operations: [Operation]
    package var hashes: [ContentHash]
    package var remaining: UInt64
    /// Bytes the message took on the wire.
    package var wireBytes: Int

    package init(
        start: FeedCursor, end: FeedCursor, operations: [Operation], hashes: [ContentHash], remaining: UInt64,
        wireBytes: Int
    ) {
        self.start = start
        self.end = end
        self.operations = operations
        self.hashes = hashes
        self.remaining = remaining
        self.wireBytes = wireBytes
    }
}

/// Operations read from a feed, to be sent.
package struct OutgoingBatch: Sendable {
    package var start: FeedCursor
    package var end: FeedCursor
    package var operations: [Operation]
    package var remaining: UInt64

    package init(start: FeedCursor, end: FeedCursor, operations: [Operation], remaining: UInt64) {
        self.start = start
        self.end = end
        self.operations = operations
        self.remaining = remaining
    }
}

/// Why a session ends; the numbers are on the wire.
package enum ByeCode: UInt32, Sendable, CaseIterable {
    case unspecified = 0
    case shuttingDown = 1
    case malformedMessage = 2
    case messageTooLarge = 3
    case hashMismatch = 4
    case cursorMismatch = 5
    case conflictingHistory = 6
    case wrongSite = 7
    case unsupportedVersion = 8
    case outOfOrder = 9
    case paused = 10
    case storeFailure = 11
    case superseded = 12
}

/// Limits of the sync protocol; listed in Protocols/limits.md.
package enum SyncLimits {
    package static let messageBytesMax = 1024 * 1024
    package static let batchOperationsMax = OperationColumns.operationCountMax
    package static let batchBytesMax = 512 * 1024
    package static let unacknowledgedBytesMax = 4 * 1024 * 1024
    package static let helloMillisecondsMax: Int64 = 10_000
    package static let clockIntervalMilliseconds: Int64 = 30_000
    /// Between two answers to the peer's questions for the time; what it asks in between is left unanswered.
    package static let clockAnswerIntervalMilliseconds: Int64 = 1_000
    package static let reasonBytesMax = 1024
    /// Depth to which a message may nest; it does so three deep.
    package static let nestingMax = 8
}

/// Messages to bytes and back: four bytes of length, big-endian, then the message.
package enum SyncCodec {
    package static let prefixBytes = 4

    package static func encode(_ batch: OutgoingBatch, compressed: Bool) throws -> [UInt8] {
        var wire = WireBatch()
        wire.start = WireCursor(batch.start)
        wire.end = WireCursor(batch.end)
        wire.remaining = batch.remaining
        let columns = OperationColumns.encode(batch.operations)
        if compressed {
            let plain: [UInt8] = try columns.serializedBytes()
            wire.columnsZstd = .init(Compression.compress(plain))
        } else {
            wire.columns = columns
        }
        var message = WireMessage()
        message.batch = wire
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
            if let received = hello.received { wire.hello.received = WireCursor(received) }
        case .batch(let batch):
            return try encode(
                OutgoingBatch(
                    start: batch.start, end: batch.end, operations: batch.operations, remaining: batch.remaining),
                compressed: true)
        case .ack(let position, let digest):
            wire.ack.position = position
            wire.ack.count = digest.count
            wire.ack.sum = .init(digest.sum.bytes)
        case .caughtUp(let position): wire.caughtUp.position = position
        case .clock(let origin, let echo):
            wire.clock.originMilliseconds = origin
            wire.clock.echoMilliseconds = echo
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

    /// Decodes one message without its length and hashes the operations it brings.
    /// - Throws: `DecodingFailure`.
    package static func decode(_ bytes: [UInt8], hasher: inout ContentHasher) throws(DecodingFailure) -> SyncMessage {
        let wire: WireMessage
        do {
            var options = BinaryDecodingOptions()
            options.messageDepthLimit = SyncLimits.nestingMax
            wire = try WireMessage(serializedBytes: bytes, options: options)
        } catch {
            throw .invalid(field: "message")
        }
        switch wire.content {
        case .hello(let hello): return .hello(try Self.hello(hello))
        case .batch(let batch): return .batch(try Self.batch(batch, wireBytes: bytes.count, hasher: &hasher))
        case .ack(let ack):
            guard let sum = ContentHash(ack.sum) else { throw .invalid(field: "ack.sum") }
            return .ack(position: ack.position, digest: SetDigest(count: ack.count, sum: sum))
        case .caughtUp(let caughtUp): return .caughtUp(position: caughtUp.position)
        case .clock(let clock):
            // The range of a timestamp: differences of two never overflow.
            let range: Range<Int64> = 0..<1 << 48
            guard range.contains(clock.originMilliseconds), range.contains(clock.echoMilliseconds) else {
                throw .invalid(field: "clock")
            }
            return .clock(originMilliseconds: clock.originMilliseconds, echoMilliseconds: clock.echoMilliseconds)
        case .bye(let bye):
            let reason = String(decoding: bye.reason.utf8.prefix(SyncLimits.reasonBytesMax), as: UTF8.self)
            return .bye(ByeCode(rawValue: bye.code) ?? .unspecified, reason: reason)
        case nil: throw .invalid(field: "content")
        }
    }

    private static func hello(_ wire: WireHello) throws(DecodingFailure) -> SyncMessage.Hello {
        guard let site = SiteCode(wire.site) else { throw .invalid(field: "hello.site") }
        return SyncMessage.Hello(
            version: wire.version, site: site, replica: ReplicaID(wire.replica),
            wallMilliseconds: wire.wallMilliseconds,
            received: wire.hasReceived ? try FeedCursor(wire.received) : nil, acceptsZstd: wire.acceptsZstd)
    }

    private static func batch(
        _ wire: WireBatch, wireBytes: Int, hasher: inout ContentHasher
    ) throws(DecodingFailure) -> ReceivedBatch {
        var columns = wire.columns
        if !wire.columnsZstd.isEmpty {
            let plain = try Compression.decompress(Array(wire.columnsZstd), countMax: SyncLimits.messageBytesMax)
            do {
                columns = try WireOperationColumns(serializedBytes: plain)
            } catch {
                throw .invalid(field: "columns_zstd")
            }
        }
        let operations = try OperationColumns.decode(columns)
        var hashes: [ContentHash] = []
        hashes.reserveCapacity(operations.count)
        for operation in operations { hashes.append(hasher.hash(operation)) }
        return ReceivedBatch(
            start: try FeedCursor(wire.start), end: try FeedCursor(wire.end), operations: operations, hashes: hashes,
            remaining: wire.remaining, wireBytes: wireBytes)
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
