import FoundationEssentials
@testable import Replication
import SwiftProtobuf
import TestSupport
import Testing

/// Messages at their limits and one beyond, and messages whose parts do not fit together: the failure names the field.
/// Source: Protocols/sync.md §3–§4, Protocols/limits.md.
@Suite struct SyncLimitTests {
    static let zeros = Data(repeating: 0, count: ContentHash.byteCount)

    static let entity: WireEntityKey = {
        var key = WireEntityKey()
        key.type = UInt32(EntityType.ticket.rawValue)
        return key
    }()

    static func dots(_ count: Int) -> WireDotList {
        var list = WireDotList()
        list.replicas = [1]
        list.replica = [UInt32](repeating: 0, count: count)
        list.sequence = (0..<count).map { UInt64($0) + 1 }
        return list
    }

    static func operations(_ count: Int) -> WireEntityOperations {
        var list = WireEntityOperations()
        list.entity = entity
        list.dots = dots(count)
        list.hashes = Data(repeating: 0, count: count * ContentHash.byteCount)
        return list
    }

    static func part(high: UInt64?) -> WireRangeDigest {
        var part = WireRangeDigest()
        part.sum = zeros
        if let high {
            part.high = entity
            part.high.low = high
        }
        return part
    }

    static func batch(_ message: inout WireMessage) {
        message.batch.start.sum = zeros
        message.batch.end.sum = zeros
    }

    /// A whole erased key.
    static func erased(_ key: inout WirePersonalKey) {
        key.id = Data(repeating: 1, count: PersonalKeyID.byteCount)
        key.confirmation.sequence = 1
    }

    static let head: WireSignedHead = {
        var head = WireSignedHead()
        head.chain = zeros
        head.sequence = 1
        return head
    }()

    /// Everything that is counted, filled to a given count.
    static let counted: [(field: String, countMax: Int, change: @Sendable (inout WireMessage, Int) -> Void)] = [
        (
            "list.entities", AuditLimits.leafEntitiesMax,
            { $0.auditRequest.list.entities = Array(repeating: entity, count: $1) }
        ),
        ("dots", AuditLimits.fetchedOperationsMax, { $0.auditRequest.fetch = dots($1) }),
        (
            "audit_reply.entities", AuditLimits.leafEntitiesMax,
            {
                var digest = WireEntityDigest()
                digest.entity = entity
                digest.sum = zeros
                $0.auditReply.isLeaf = true
                $0.auditReply.entities = Array(repeating: digest, count: $1)
            }
        ),
        (
            "audit_reply.parts", AuditLimits.partsMax,
            { message, count in
                message.auditReply.parts = (1...count).map { part(high: $0 == count ? nil : UInt64($0)) }
            }
        ),
        (
            "operations", AuditLimits.listedOperationsMax,
            { $0.auditReply.operations = [operations($1 - 1), operations(1)] }
        ),
        (
            "resume.known", FeedProgress.intervalCountMax,
            { message, count in
                message.resume.received.sum = zeros
                message.resume.known = (0..<count).map { index in
                    var interval = WireInterval()
                    interval.start = UInt64(index) * 3 + 1
                    interval.end = UInt64(index) * 3 + 2
                    interval.sum = zeros
                    return interval
                }
            }
        ),
        (
            "omitted", SyncLimits.batchOperationsMax,
            {
                batch(&$0)
                $0.batch.omitted = Array(repeating: zeros, count: $1)
            }
        ),
        (
            "keys", SyncLimits.keysMax,
            {
                var key = WirePersonalKey()
                erased(&key)
                $0.keys.keys = Array(repeating: key, count: $1)
            }
        ),
        (
            "key_request.ids", SyncLimits.keysMax,
            { $0.keyRequest.ids = Array(repeating: Data(repeating: 1, count: PersonalKeyID.byteCount), count: $1) }
        ),
        ("heads", HeadLimits.headsMax, { $0.heads.heads = Array(repeating: head, count: $1) }),
        (
            "head.certificate_chain", HeadLimits.certificateBytesMax,
            {
                var long = head
                long.certificateChain = String(repeating: "x", count: $1)
                $0.heads.heads = [long]
            }
        ),
        (
            "head.signature", HeadLimits.signatureBytesMax,
            {
                var long = head
                long.signature = Data(repeating: 1, count: $1)
                $0.heads.heads = [long]
            }
        ),
    ]

    @Test("a list of exactly its limit is read, one element more is refused by its name", arguments: counted.indices)
    func limits(index: Int) throws {
        let (field, countMax, change) = Self.counted[index]
        var message = WireMessage()
        change(&message, countMax)
        let most = try SyncCodecTests.frame(message)
        #expect(throws: Never.self, "\(field)") { try SyncCodecTests.decode(most) }
        change(&message, countMax + 1)
        let over = try SyncCodecTests.frame(message)
        #expect(throws: DecodingFailure.tooLarge(field: field, count: countMax + 1, countMax: countMax)) {
            try SyncCodecTests.decode(over)
        }
    }

    /// One change each that makes a message whose parts do not fit.
    static let damages: [(field: String, change: @Sendable (inout WireMessage) -> Void)] = [
        ("entity_key.type", { $0.auditRequest.list.entities = [WireEntityKey()] }),
        ("audit_request.content", { $0.auditRequest.number = 1 }),
        (
            "dots.replica",
            {
                $0.auditRequest.fetch = dots(2)
                $0.auditRequest.fetch.replica.removeLast()
            }
        ),
        (
            "dots",
            {
                $0.auditRequest.fetch = dots(1)
                $0.auditRequest.fetch.replica[0] = 1
            }
        ),
        (
            "dots",
            {
                $0.auditRequest.fetch = dots(1)
                $0.auditRequest.fetch.sequence[0] = OperationLimits.sequenceMax + 1
            }
        ),
        (
            "entity_digest.sum",
            {
                $0.auditReply.isLeaf = true
                $0.auditReply.entities = [WireEntityDigest()]
            }
        ),
        ("range_digest.sum", { $0.auditReply.parts = [WireRangeDigest()] }),
        ("range_digest.high", { $0.auditReply.parts = [part(high: 2), part(high: 2)] }),
        ("range_digest.high", { $0.auditReply.parts = [part(high: 2), part(high: 1), part(high: nil)] }),
        (
            "operations.hashes",
            {
                $0.auditReply.operations = [operations(2)]
                $0.auditReply.operations[0].hashes.removeLast()
            }
        ),
        (
            "omitted",
            {
                batch(&$0)
                $0.batch.omitted = [Data([1])]
            }
        ),
        (
            "columns_zstd",
            {
                batch(&$0)
                $0.batch.columnsZstd = .init(Compression.compress([0xFF]))
            }
        ),
        (
            "columns_stream",
            {
                batch(&$0)
                $0.batch.streamStart = true
                $0.batch.columnsStream = Data([1, 2, 3, 4, 5, 6, 7, 8])
            }
        ),
        ("key_request.ids", { $0.keyRequest.ids = [Data([1])] }),
        ("keys.id", { $0.keys.keys = [WirePersonalKey()] }),
        (
            "keys.subject",
            {
                var key = WirePersonalKey()
                erased(&key)
                key.subject.type = 9
                $0.keys.keys = [key]
            }
        ),
        (
            "keys.confirmation",
            {
                var key = WirePersonalKey()
                erased(&key)
                key.erasedMilliseconds = 1 << 48
                $0.keys.keys = [key]
            }
        ),
        (
            "keys.secret",
            {
                var key = WirePersonalKey()
                erased(&key)
                key.subject = WirePersonalKey().subject
                key.subject.type = UInt32(EntityType.customer.rawValue)
                key.secret = Data([1])
                $0.keys.keys = [key]
            }
        ),
        ("head", { $0.heads.heads = [WireSignedHead()] }),
        (
            "interval",
            {
                $0.resume.received.sum = zeros
                $0.resume.known = [WireInterval()]
            }
        ),
        ("resume.held", { $0.resume.heldSequence = 1 }), ("hello.site", { $0.hello.site = "A" }),
        ("cursor.sum", { $0.rebase.cursor.position = 1 }),
    ]

    @Test("a message whose parts do not fit together is refused by the name of the part", arguments: damages.indices)
    func damaged(index: Int) throws {
        let (field, change) = Self.damages[index]
        var message = WireMessage()
        change(&message)
        let frame = try SyncCodecTests.frame(message)
        #expect(throws: DecodingFailure.invalid(field: field)) { try SyncCodecTests.decode(frame) }
    }

    @Test("extensions of an operation end with its own, however long the column says they are")
    func extensions() throws {
        var operation = MemoryFeed.operation(1, of: ReplicaID(1))
        operation.extensions = [1, 2, 3]
        var columns = OperationColumns.encode([operation])
        #expect(try SyncCodecTests.operations(columns) == [operation])
        columns.extensionBytes[0] = 4
        let frame = try SyncCodecTests.frame(columns: columns)
        #expect(throws: DecodingFailure.invalid(field: "extension_bytes")) { try SyncCodecTests.decode(frame) }
    }

    @Test("dots of a list name each replica once, and read back in their order")
    func dotLists() throws {
        let dots = [Dot(ReplicaID(7), 3), Dot(ReplicaID(2), 1), Dot(ReplicaID(7), 1)]
        let wire = WireDotList(dots)
        #expect(wire.replicas == [7, 2])
        #expect(try wire.dots(countMax: 3) == dots)
    }

    @Test("entities are audited in the order of the store, where the upper half of the numbers is negative")
    func entityOrder() {
        func key(_ type: EntityType, _ high: UInt64, _ low: UInt64) -> EntityKey {
            EntityKey(EntityID(type: type, high: high, low: low))
        }
        let ascending = [
            key(.ticket, 1 << 63, 0), key(.ticket, .max, 0), key(.ticket, 0, 1 << 63), key(.ticket, 0, 5),
            key(.ticket, 1, 0), key(.customer, 1 << 63, 0),
        ]
        #expect(ascending.reversed().sorted() == ascending)
    }
}
