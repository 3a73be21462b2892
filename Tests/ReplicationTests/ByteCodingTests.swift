import Replication
import Testing

/// The project's own binary forms, and what is no such form.
@Suite struct ByteCodingTests {
    private func read<Value>(_ bytes: [UInt8], _ body: (inout ByteReader) throws -> Value) throws -> Value {
        try bytes.withUnsafeBytes { buffer in
            var reader = ByteReader(buffer)
            return try body(&reader)
        }
    }

    @Test("a varint of any size is read as it was written", arguments: [0, 1, 0x7F, 0x80, 0x3FFF, 0x4000, .max])
    func varint(value: UInt64) throws {
        var writer = ByteWriter()
        writer.varint(value)
        writer.signedVarint(Int64(bitPattern: value))
        #expect(value > 0x7F || writer.bytes[0] == UInt8(value))
        let (plain, signed) = try read(writer.bytes) { reader in
            let values = (try reader.varint(), try reader.signedVarint())
            try reader.finish()
            return values
        }
        #expect(plain == value && signed == Int64(bitPattern: value))
    }

    @Test("a number of more than 64 bits, or one that does not end, is refused")
    func broken() {
        #expect(throws: DecodingFailure.invalid(field: "varint")) {
            try read([UInt8](repeating: 0xFF, count: 9) + [2]) { try $0.varint() }
        }
        #expect(throws: DecodingFailure.truncated(at: 2)) { try read([0x80, 0x80]) { try $0.varint() } }
    }

    @Test("texts and octets keep their length, and a length beyond the end or the limit is refused")
    func prefixed() throws {
        var writer = ByteWriter()
        writer.prefixed("办结")
        writer.prefixed([1, 2, 3])
        let bytes = writer.bytes
        let (text, octets) = try read(bytes) { reader in
            let text = try reader.prefixedString("a")
            #expect(reader.remainingCount == 4)
            return (text, try reader.prefixedBytes("b"))
        }
        #expect(text == "办结" && octets == [1, 2, 3])
        #expect(throws: DecodingFailure.trailingBytes(count: 2)) { try read([1, 2]) { try $0.finish() } }
        #expect(throws: DecodingFailure.tooLarge(field: "a", count: 6, countMax: 5)) {
            try read(bytes) { try $0.prefixedString("a", max: 5) }
        }
        #expect(throws: DecodingFailure.tooLarge(field: "b", count: 9, countMax: 1)) {
            try read([9, 0]) { try $0.prefixedBytes("b") }
        }
        #expect(throws: DecodingFailure.invalid(field: "a")) { try read([1, 0xFF]) { try $0.prefixedString("a") } }
    }

    @Test("a number of fixed size is read whole or not at all")
    func integers() throws {
        var writer = ByteWriter()
        writer.integer(0x0102_0304 as UInt32)
        #expect(try read(writer.bytes) { try $0.integer(UInt32.self) } == 0x0102_0304)
        #expect(throws: DecodingFailure.truncated(at: 0)) {
            try read(Array(writer.bytes.dropLast())) { try $0.integer(UInt32.self) }
        }
    }

    @Test("a hash is the same from its octets in an array, in memory, and read in place; 31 octets are none")
    func hashOctets() {
        var hasher = ContentHasher()
        let hash = hasher.hash([4, 5, 6])
        #expect(ContentHash(hash.bytes) == hash && hash.withBytes { Array($0) } == hash.bytes)
        #expect(hash.bytes.withUnsafeBytes { ContentHash($0) } == hash)
        #expect(hash.bytes.withUnsafeBytes { ContentHash(UnsafeRawBufferPointer(rebasing: $0.dropLast())) } == nil)
        #expect(ContentHash(hash.bytes.dropLast()) == nil)
    }

    @Test("a digest is shown as its count and its sum")
    func digestText() {
        var digest = SetDigest.empty
        digest.insert(ContentHash(words: (1, 0, 0, 0)))
        digest.insert(ContentHash(words: (2, 0, 0, 0)))
        #expect("\(digest)" == "2:03" + String(repeating: "0", count: 62))
    }

    @Test("a hash is read from its 64 digits and from nothing else")
    func hash() throws {
        var hasher = ContentHasher()
        let hash = hasher.hash([1, 2, 3])
        #expect(ContentHash(hexadecimal: "\(hash)") == hash)
        #expect(ContentHash(hexadecimal: String("\(hash)".dropLast())) == nil)
        #expect(ContentHash(hexadecimal: String("\(hash)".dropLast()) + "g") == nil)
        #expect(Set([hash, hasher.hash([1, 2, 3])]).count == 1)
    }
}

/// Source: Protocols/bundle.md §5, Protocols/sync.md §2.
@Suite struct FeedPlacementTests {
    private static let feed = ReplicaID(7)

    private func cursor(_ position: UInt64, sum: UInt8 = 0) -> FeedCursor {
        var hasher = ContentHasher()
        return FeedCursor(feed: Self.feed, position: position, digest: SetDigest(count: 1, sum: hasher.hash([sum])))
    }

    @Test("a part of a feed is held, goes on, leaves a gap, or is of another history")
    func placement() {
        let here = cursor(10)
        #expect(here.placement(from: cursor(2), through: cursor(10)) == .held)
        #expect(here.placement(from: cursor(10), through: cursor(20)) == .follows)
        #expect(here.placement(from: cursor(5, sum: 9), through: cursor(20)) == .follows)
        #expect(here.placement(from: cursor(14), through: cursor(20)) == .behindGap(first: 11, last: 14))
        #expect(here.placement(from: cursor(10, sum: 9), through: cursor(20)) == .differs)
    }

    @Test("intervals that meet are one, and those that meet the cursor move it")
    func normalised() {
        func interval(_ start: UInt64, _ end: UInt64) -> FeedInterval {
            FeedInterval(start: start, end: end, digest: SetDigest(count: end - start, sum: .zero))
        }
        let progress = FeedProgress(
            cursor: FeedCursor(feed: Self.feed, position: 3, digest: SetDigest(count: 3, sum: .zero)),
            intervals: [interval(12, 15), interval(10, 12), interval(3, 5), interval(20, 20)])
        #expect(progress.cursor.position == 5 && progress.cursor.digest.count == 5)
        #expect(progress.intervals == [interval(10, 15)])
    }
}
