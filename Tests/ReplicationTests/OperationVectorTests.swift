import Foundation
import Replication
import SwiftProtobuf
import Testing

/// Foundation has another one.
private typealias Operation = Replication.Operation

/// Operations as Protocols/vectors/operations.json has them: their canonical bytes, hashes, chains and columns, written
/// and read. `RECORD=1 swift test` rewrites the file after a deliberate change.
@Suite struct OperationVectorTests {
    struct Vectors: Codable, Equatable {
        var operations: [Vector]
        /// `OperationColumns` of all operations in their order, serialised and not compressed.
        var columns: String
    }

    struct Vector: Codable, Equatable {
        var name: String
        /// `<replica>:<sequence>`.
        var dot: String
        var entity: String
        var previous: UInt64
        var seen: [String]
        /// Milliseconds and counter, with a point between them.
        var time: String
        var author: Writer
        var scope: [String]
        var kind: UInt16
        var isCritical: Bool
        var body: String
        var extensions: String
        /// The bytes that are hashed.
        var canonical: String
        var h: String
        /// The chain of this replica up to this operation.
        var c: String
    }

    struct Writer: Codable, Equatable {
        var name: String
        var role: UInt8
        var level: UInt8
        var site: String
        var department: String
        var catalogVersion: UInt32
    }

    static let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Protocols/vectors/operations.json")

    // MARK: The operations

    private static let branch = ReplicaID(0x0102_0304_0506_0708)
    private static let region = ReplicaID(0xFEDC_BA98_7654_3210)
    private static let ticket = EntityID(ticketOpenedBy: Dot(branch, 2))
    private static let imported = EntityID(type: .ticket, high: 0x8899_AABB_CCDD_EEFF, low: 0x8011_2233_4455_6677)

    private static func author(_ name: String, _ role: Role, _ site: String, _ department: String) -> Author {
        let code = SiteCode(validated: site)
        return Author(
            name: name, role: role, level: AuthorityLevel(of: code), site: code, department: department,
            catalogVersion: 3)
    }

    /// Two replicas' streams from their first operation on, in an order in which they may have arrived.
    fileprivate static let operations: [(name: String, operation: Operation)] = {
        let clerk = author("𠮷田小红", .agent, "xihu.hz.zj", "SVC")
        let node = author("node", .system, "xihu.hz.zj", "")
        let lead = author("王 调度", .dispatcher, "hz.zj", "NET")
        var list: [(name: String, operation: Operation)] = []
        func add(
            _ name: String, _ replica: ReplicaID, _ sequence: UInt64, _ entity: EntityID, previous: UInt64 = 0,
            seen: [Dot] = [],
            at milliseconds: Int64, counter: UInt16 = 0, by author: Author, scope: [String] = [], kind: UInt16,
            isCritical: Bool = false, body: String, extensions: [UInt8] = []
        ) {
            let operation = Operation(
                dot: Dot(replica, sequence), entity: entity, previous: previous, seen: VersionVector(seen),
                time: HybridTimestamp(milliseconds: milliseconds, counter: counter), author: author,
                scope: scope.map(SiteCode.init(validated:)), kind: OperationKind(rawValue: kind),
                isCritical: isCritical, body: bytes(body), extensions: extensions)
            list.append((name, operation))
        }
        add(
            "announce, a first operation", branch, 1, EntityID(announcementOf: branch), at: 1_800_000_000_000, by: node,
            kind: 30,
            isCritical: true, body: "0a0a786968752e687a2e7a6a2801")
        add(
            "open", branch, 2, ticket, at: 1_800_000_060_000, by: clerk, scope: ["xihu.hz.zj"], kind: 1,
            isCritical: true, body: "0a10f0a0aeb7e5aeb6e6ada6e696ade7bd912001")
        add(
            "transfer that lets two sites in", branch, 3, ticket, previous: 2, seen: [Dot(branch, 2)],
            at: 1_800_000_060_000, counter: 1,
            by: clerk, scope: ["hz.zj", "yuhang.hz.zj"], kind: 3, isCritical: true,
            body: "0a0b09080706050403020110021001")
        add(
            "announce of a region", region, 1, EntityID(announcementOf: region), at: 1_799_999_999_000, by: lead,
            kind: 30,
            isCritical: true, body: "0a05687a2e7a6a2802")
        add(
            "delivered, by the node itself", region, 2, ticket, seen: [Dot(branch, 3)], at: 1_800_000_061_000,
            by: author("node", .system, "hz.zj", ""), kind: 4, body: "0a0b0908070605040302011003")
        add(
            "set a field, having seen both replicas", region, 3, ticket, previous: 2,
            seen: [Dot(branch, 3), Dot(region, 2)], at: 1_800_000_062_345,
            counter: 65_535, by: lead, kind: 2, body: "080c1206e59fbae7ab99")
        add(
            "an unknown critical kind with extensions", branch, 4, ticket, previous: 3, seen: [Dot(branch, 3)],
            at: 1_800_000_059_000, by: clerk,
            kind: 900, isCritical: true, body: "ff00ff", extensions: [1, 2, 3])
        add("note on an imported ticket, of an empty body", region, 4, imported, at: 0, by: lead, kind: 13, body: "")
        add(
            "catalog document", region, 5, EntityID(type: .catalog, high: 0, low: 1), at: (1 << 48) - 1, counter: 7,
            by: lead,
            kind: 31, body: "0a07636174616c6f671002180122027b7d")
        return list
    }()

    // MARK: Forms

    private static func bytes(_ hex: String) -> [UInt8] {
        let digits = hex.compactMap(\.hexDigitValue)
        return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func dot(_ text: String) -> Dot? {
        let parts = text.split(separator: ":")
        guard parts.count == 2, let replica = ReplicaID(hexadecimal: String(parts[0])), let sequence = UInt64(parts[1])
        else { return nil }
        return Dot(replica, sequence)
    }

    private static func canonical(_ operation: Operation) -> [UInt8] {
        var writer = ByteWriter()
        operation.writeCanonical(into: &writer)
        return writer.bytes
    }

    private static func vectors() throws -> Vectors {
        var hasher = ContentHasher()
        var chains: [ReplicaID: ContentHash] = [:]
        let vectors = operations.map { name, operation in
            let own = hasher.hash(operation)
            let chain = hasher.link(previous: chains[operation.dot.replica] ?? .zero, hash: own)
            chains[operation.dot.replica] = chain
            let author = operation.author
            return Vector(
                name: name, dot: operation.dot.description, entity: operation.entity.description,
                previous: operation.previous, seen: operation.seen.entries.map(\.description),
                time: operation.time.description,
                author: Writer(
                    name: author.name, role: author.role.rawValue, level: author.level.rawValue,
                    site: author.site.rawValue, department: author.department, catalogVersion: author.catalogVersion),
                scope: operation.scope.map(\.rawValue), kind: operation.kind.rawValue,
                isCritical: operation.isCritical, body: hex(operation.body), extensions: hex(operation.extensions),
                canonical: hex(canonical(operation)), h: own.description, c: chain.description)
        }
        let columns: [UInt8] = try OperationColumns.encode(operations.map(\.operation)).serializedBytes()
        return Vectors(operations: vectors, columns: hex(columns))
    }

    /// The operation that a vector describes, from its readable fields alone.
    private static func operation(_ vector: Vector) throws -> Operation {
        let time = vector.time.split(separator: ".")
        let author = vector.author
        return Operation(
            dot: try #require(dot(vector.dot)), entity: try #require(EntityID(vector.entity)),
            previous: vector.previous, seen: VersionVector(vector.seen.compactMap(dot)),
            time: HybridTimestamp(
                milliseconds: try #require(Int64(time[0])), counter: try #require(UInt16(time[1]))),
            author: Author(
                name: author.name, role: try #require(Role(rawValue: author.role)),
                level: try #require(AuthorityLevel(rawValue: author.level)), site: try #require(SiteCode(author.site)),
                department: author.department, catalogVersion: author.catalogVersion),
            scope: try vector.scope.map { try #require(SiteCode($0)) },
            kind: OperationKind(rawValue: vector.kind), isCritical: vector.isCritical, body: bytes(vector.body),
            extensions: bytes(vector.extensions))
    }

    private static func recorded() throws -> Vectors {
        if ProcessInfo.processInfo.environment["RECORD"] == "1" {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try encoder.encode(vectors()).write(to: path)
        }
        return try JSONDecoder().decode(Vectors.self, from: Data(contentsOf: path))
    }

    // MARK: Tests

    @Test("operations are written, hashed and chained as the vectors have them")
    func written() throws {
        let recorded = try Self.recorded()
        let current = try Self.vectors()
        #expect(recorded.operations == current.operations)
        for (vector, expected) in zip(recorded.operations, Self.operations) {
            let operation = try Self.operation(vector)
            #expect(operation == expected.operation, "\(vector.name)")
            #expect(Self.hex(Self.canonical(operation)) == vector.canonical, "\(vector.name)")
        }
    }

    /// The table of Protocols/sync.md §10, part by part.
    @Test("a signed head's bytes are its tag, its site as a text, and its numbers, big-endian")
    func headBytes() throws {
        let chain = try #require(ContentHash(1...32))
        let head = SignedHead(
            replica: ReplicaID(0x0102_0304_0506_0708), sequence: 258, chain: chain, time: 1_800_000_000_000,
            certificateChain: "not signed itself", signature: [9])
        let parts: [[UInt8]] = [
            Array("banjie head 1".utf8) + [0], [0, 0, 0, 5] + Array("hz.zj".utf8), [1, 2, 3, 4, 5, 6, 7, 8],
            [0, 0, 0, 0, 0, 0, 1, 2], Array(1...32), [0, 0, 0x01, 0xA3, 0x18, 0x5C, 0x50, 0x00],
        ]
        #expect(Self.hex(head.signedBytes(site: SiteCode(validated: "hz.zj"))) == Self.hex(parts.flatMap { $0 }))
    }

    @Test("hash and chain follow from the canonical bytes alone")
    func hashes() throws {
        var hasher = ContentHasher()
        var chains: [Substring: ContentHash] = [:]
        for vector in try Self.recorded().operations {
            let own = hasher.hash(Self.bytes(vector.canonical))
            #expect(own.description == vector.h, "\(vector.name)")
            let replica = vector.dot.prefix(16)
            let chain = hasher.hash((chains[replica] ?? .zero).bytes + own.bytes)
            #expect(chain.description == vector.c, "\(vector.name)")
            chains[replica] = chain
        }
    }

    @Test("the columns of the vectors read as the operations, and are what is written for them")
    func columns() throws {
        let recorded = try Self.recorded()
        let expected = Self.operations.map(\.operation)
        let columns = try WireOperationColumns(serializedBytes: Self.bytes(recorded.columns))
        #expect(try OperationColumns.decode(columns) == expected)
        let written: [UInt8] = try OperationColumns.encode(expected).serializedBytes()
        #expect(Self.hex(written) == recorded.columns)
    }
}
