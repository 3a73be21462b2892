internal import Foundation
package import Replication
package import Transport

/// What stands in the clear at the beginning of a bundle, signed by its sender. Source: Protocols/bundle.md §3.
package struct BundleHeader: Hashable, Sendable {
    /// Of its series, from 1.
    package var number: UInt32
    /// UTC milliseconds of the sender's machine.
    package var created: Int64
    package var sender: SiteCode
    /// The incarnation that names the feed.
    package var senderReplica: ReplicaID
    package var senderFollows: ReplicaID?
    package var receiver: SiteCode
    /// Nil for any node of the site.
    package var receiverReplica: ReplicaID?
    /// SHA-256 of the receiver's public key.
    package var receiverKey: [UInt8]
    package var start: FeedCursor
    package var end: FeedCursor
    /// Where the series ends.
    package var head: UInt64
    package var operations: UInt64
    package var batches: UInt32
    /// What the sender holds of the receiver's feed: an acknowledgement.
    package var received: FeedCursor?
    /// The highest operation that the sender holds of the receiver's incarnation.
    package var held: HeldOperation?
    package var wrappedKey: WrappedKey
    package var contentBytes: UInt64
    /// SHA-256 of the sealed content.
    package var contentHash: ContentHash
    /// The sender's certificate and its issuers.
    package var chainPEM: String

    package var isLast: Bool { end.position >= head }

    /// Its length does not depend on the numbers: the content can be written before they are known.
    package func encoded() -> [UInt8] {
        var writer = ByteWriter(reserving: 512 + chainPEM.utf8.count)
        writer.integer(number)
        writer.integer(created)
        writer.text(sender.rawValue)
        writer.integer(senderReplica.rawValue)
        writer.integer(senderFollows?.rawValue ?? 0)
        writer.text(receiver.rawValue)
        writer.integer(receiverReplica?.rawValue ?? 0)
        writer.raw(receiverKey)
        writer.place(start)
        writer.place(end)
        writer.integer(head)
        writer.integer(operations)
        writer.integer(batches)
        writer.integer(received?.feed.rawValue ?? 0)
        writer.place(received ?? FeedCursor(feed: ReplicaID(0)))
        writer.integer(held?.sequence ?? 0)
        writer.raw((held?.hash ?? .zero).bytes)
        writer.raw(wrappedKey.point)
        writer.raw(wrappedKey.wrapped)
        writer.integer(contentBytes)
        writer.raw(contentHash.bytes)
        writer.text(chainPEM)
        return writer.bytes
    }

    package init(decoding bytes: [UInt8]) throws(DecodingFailure) {
        let result = bytes.withUnsafeBytes { buffer -> Result<BundleHeader, DecodingFailure> in
            do throws(DecodingFailure) {
                var reader = ByteReader(buffer)
                let header = try BundleHeader(&reader)
                try reader.finish()
                return .success(header)
            } catch {
                return .failure(error)
            }
        }
        self = try result.get()
    }

    private init(_ reader: inout ByteReader) throws(DecodingFailure) {
        number = try reader.integer(UInt32.self)
        created = try reader.integer(Int64.self)
        sender = try reader.site("sender")
        let feed = ReplicaID(try reader.integer(UInt64.self))
        senderReplica = feed
        let follows = try reader.integer(UInt64.self)
        senderFollows = follows == 0 ? nil : ReplicaID(follows)
        receiver = try reader.site("receiver")
        let node = try reader.integer(UInt64.self)
        receiverReplica = node == 0 ? nil : ReplicaID(node)
        receiverKey = Array(try reader.raw(ContentHash.byteCount))
        start = try reader.place(of: feed, "start")
        end = try reader.place(of: feed, "end")
        head = try reader.integer(UInt64.self)
        operations = try reader.integer(UInt64.self)
        batches = try reader.integer(UInt32.self)
        let receivedFeed = try reader.integer(UInt64.self)
        let place = try reader.place(of: ReplicaID(receivedFeed), "received")
        received = receivedFeed == 0 ? nil : place
        guard received != nil || place == FeedCursor(feed: ReplicaID(0)) else { throw .invalid(field: "received") }
        let sequence = try reader.integer(UInt64.self)
        let hash = try reader.hash("held")
        held = sequence == 0 ? nil : HeldOperation(sequence: sequence, hash: hash)
        guard held != nil || hash == .zero else { throw .invalid(field: "held") }
        let point = Array(try reader.raw(WrappedKey.pointBytes))
        let wrapped = Array(try reader.raw(WrappedKey.wrappedBytes))
        guard let key = try? WrappedKey(point: point, wrapped: wrapped) else { throw .invalid(field: "wrapped key") }
        wrappedKey = key
        contentBytes = try reader.integer(UInt64.self)
        contentHash = try reader.hash("content hash")
        chainPEM = try reader.text("chain")
        guard number > 0, created > 0, sequence <= OperationLimits.sequenceMax, start.position <= end.position,
            end.position <= head, head <= OperationLimits.sequenceMax,
            operations <= UInt64(BundleLimits.operationsMax),
            contentBytes <= UInt64(BundleLimits.contentBytesMax)
        else { throw .invalid(field: "header") }
    }

    package init(
        number: UInt32, created: Int64, sender: SiteCode, senderReplica: ReplicaID, senderFollows: ReplicaID?,
        receiver: SiteCode, receiverReplica: ReplicaID?, receiverKey: [UInt8], start: FeedCursor, head: UInt64,
        received: FeedCursor?, held: HeldOperation?, wrappedKey: WrappedKey, chainPEM: String
    ) {
        self.number = number
        self.created = created
        self.sender = sender
        self.senderReplica = senderReplica
        self.senderFollows = senderFollows
        self.receiver = receiver
        self.receiverReplica = receiverReplica
        self.receiverKey = receiverKey
        self.start = start
        end = start
        self.head = head
        operations = 0
        batches = 0
        self.received = received
        self.held = held
        self.wrappedKey = wrappedKey
        contentBytes = 0
        contentHash = .zero
        self.chainPEM = chainPEM
    }
}

extension ByteWriter {
    /// A text behind its length of two octets.
    fileprivate mutating func text(_ text: String) {
        integer(UInt16(clamping: text.utf8.count))
        raw(Array(text.utf8.prefix(Int(UInt16.max))))
    }

    /// A cursor without its feed.
    fileprivate mutating func place(_ cursor: FeedCursor) {
        integer(cursor.position)
        integer(cursor.digest.count)
        raw(cursor.digest.sum.bytes)
    }
}

extension ByteReader {
    fileprivate mutating func text(_ field: String) throws(DecodingFailure) -> String {
        let count = try integer(UInt16.self)
        guard let text = String(validating: try raw(Int(count)), as: UTF8.self) else { throw .invalid(field: field) }
        return text
    }

    fileprivate mutating func site(_ field: String) throws(DecodingFailure) -> SiteCode {
        guard let site = SiteCode(try text(field)) else { throw .invalid(field: field) }
        return site
    }

    fileprivate mutating func hash(_ field: String) throws(DecodingFailure) -> ContentHash {
        guard let hash = ContentHash(try raw(ContentHash.byteCount)) else { throw .invalid(field: field) }
        return hash
    }

    fileprivate mutating func place(of feed: ReplicaID, _ field: String) throws(DecodingFailure) -> FeedCursor {
        let position = try integer(UInt64.self)
        let count = try integer(UInt64.self)
        guard position <= OperationLimits.sequenceMax, count <= OperationLimits.sequenceMax else {
            throw .invalid(field: field)
        }
        return FeedCursor(
            feed: feed, position: position, digest: SetDigest(count: count, sum: try hash(field)))
    }
}
