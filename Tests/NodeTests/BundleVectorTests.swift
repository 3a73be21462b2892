import Foundation
import Replication
import Store
import Testing
import Transport

@testable import Node

/// A bundle as Protocols/vectors/bundle.json has it, with all keys: written and read. `RECORD=1 swift test` makes a new
/// one after a deliberate change. Source: Protocols/bundle.md §3.
@Suite struct BundleVectorTests {
    struct Vector: Codable, Equatable {
        var rootPEM: String
        var chainPEM: String
        var senderKeyPEM: String
        var receiverKeyPEM: String
        var ephemeralKeyPEM: String
        var contentKey: String
        /// What is sealed: the messages, each behind its length.
        var content: String
        var header: String
        var file: String
    }

    private static let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Protocols/vectors/bundle.json")
    private static let created: Int64 = 1_800_000_000_000
    private static let sender = SiteCode(validated: "hz.zj")
    private static let feed = ReplicaID(0x0102_0304_0506_0708)

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func bytes(_ hexadecimal: String) -> [UInt8] {
        let digits = Array(hexadecimal.utf8)
        return stride(from: 0, to: digits.count, by: 2).compactMap {
            UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
        }
    }

    /// Two batches without operations: how operations look is the subject of other vectors.
    private static func messages() throws -> [[UInt8]] {
        try [(3, 70_000), (70_000, 70_001)].map { start, end in
            try SyncCodec.encode(
                OutgoingBatch(
                    start: FeedCursor(feed: feed, position: start), end: FeedCursor(feed: feed, position: end),
                    operations: [], remaining: 0),
                coding: .zstd)
        }
    }

    private static func header(_ vector: Vector) throws -> BundleHeader {
        let receiver = try VerifyingKey(
            publicKeyPEM: SigningKey(privateKeyPEM: vector.receiverKeyPEM).publicKeyPEM())
        let receiverKey = try receiver.fingerprint()
        let binding = BundleFormat.binding(
            senderFingerprint: try PeerCertificate(pem: vector.chainPEM).fingerprint, receiverKey: receiverKey)
        var hasher = ContentHasher()
        var header = BundleHeader(
            number: 2, created: created, sender: sender, senderReplica: feed, senderFollows: ReplicaID(0xAB),
            receiver: SiteCode(validated: "zj"), receiverReplica: ReplicaID(0xFEDC_BA98_7654_3210),
            receiverKey: receiverKey, start: FeedCursor(feed: feed, position: 3), head: 80_000,
            received: FeedCursor(
                feed: ReplicaID(0xFEDC_BA98_7654_3210), position: 17,
                digest: SetDigest(count: 16, sum: hasher.hash([1]))),
            held: HeldOperation(sequence: 5, hash: hasher.hash([2])),
            wrappedKey: try KeyWrapping.wrap(
                bytes(vector.contentKey), for: receiver, binding: binding, ephemeralKeyPEM: vector.ephemeralKeyPEM),
            chainPEM: vector.chainPEM)
        header.end = FeedCursor(feed: feed, position: 70_001)
        header.batches = 2
        return header
    }

    /// Writes the bundle. - Returns: the header as it came to be, and the file.
    private static func write(_ vector: Vector) throws -> (header: BundleHeader, file: [UInt8]) {
        let path = NSTemporaryDirectory() + "banjie-vector-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let header = try header(vector)
        let file = try BundleFileWriter(
            path: path, headerBytes: header.encoded().count, key: bytes(vector.contentKey))
        for message in try messages() { try file.append(message) }
        _ = try file.finish(header, signer: SigningKey(privateKeyPEM: vector.senderKeyPEM))
        return (try BundleFileReader(path: path).header, Array(try Data(contentsOf: URL(filePath: path))))
    }

    private static func record() throws {
        let host = try #require(NodeURI(host: "hz.zj"))
        let root = try CertificateAuthority.makeRoot(
            subtree: #require(NodeURI(host: "zj")), nowMilliseconds: created, days: 7_300)
        let key = try makePrivateKeyPEM()
        let chain = try root.signLeaf(
            CertificateRequest(uri: host, privateKeyPEM: key), expecting: host, nowMilliseconds: created)
        var vector = Vector(
            rootPEM: root.chainPEM, chainPEM: chain, senderKeyPEM: key, receiverKeyPEM: try makePrivateKeyPEM(),
            ephemeralKeyPEM: try makePrivateKeyPEM(), contentKey: hexadecimal(randomBytes(32)),
            content: hexadecimal(try messages().flatMap { $0 }), header: "", file: "")
        let made = try write(vector)
        vector.header = hexadecimal(made.header.encoded())
        vector.file = hexadecimal(made.file)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try (encoder.encode(vector) + Data("\n".utf8)).write(to: path)
    }

    private static func vector() throws -> Vector {
        if ProcessInfo.processInfo.environment["RECORD"] == "1" { try record() }
        return try JSONDecoder().decode(Vector.self, from: Data(contentsOf: path))
    }

    @Test("the bundle of Protocols/vectors/bundle.json is written and read as the page says")
    func bundle() throws {
        let vector = try Self.vector()
        let made = try Self.write(vector)
        #expect(Self.hexadecimal(made.header.encoded()) == vector.header)
        #expect(try BundleHeader(decoding: Self.bytes(vector.header)) == made.header)
        // A signature is another one each time: all the rest is the same.
        let file = Self.bytes(vector.file)
        let signature = BundleFormat.prefixBytes + Self.bytes(vector.header).count
        let content = signature + 1 + BundleFormat.signatureBytes
        #expect(made.file.prefix(signature) == file.prefix(signature))
        #expect(made.file.dropFirst(content) == file.dropFirst(content))

        let path = NSTemporaryDirectory() + "banjie-vector-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(file).write(to: URL(filePath: path))
        let reader = try BundleFileReader(path: path)
        let leaf = try verifyNodeChain(
            reader.header.chainPEM, trustRootsPEM: vector.rootPEM, nowMilliseconds: reader.header.created)
        #expect(leaf.nodeURI?.host == "hz.zj")
        #expect(reader.isSigned(by: try VerifyingKey(certificatePEM: vector.chainPEM)))
        let key = try KeyWrapping.unwrap(
            reader.header.wrappedKey, privateKeyPEM: vector.receiverKeyPEM,
            binding: BundleFormat.binding(
                senderFingerprint: leaf.fingerprint, receiverKey: reader.header.receiverKey))
        #expect(key == Self.bytes(vector.contentKey))
        var messages: [[UInt8]] = []
        try reader.forEachMessage(key: try #require(key)) { messages.append($0) }
        #expect(try messages == Self.messages().map { Array($0.dropFirst(SyncCodec.prefixBytes)) })
        #expect(try Self.hexadecimal(Self.messages().flatMap { $0 }) == vector.content)
    }
}
