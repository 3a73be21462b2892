import TestSupport
import Transport

/// RFC 7541: what a decoder takes, and what ends the connection with COMPRESSION_ERROR.
extension ConformanceCase {
    private static func get(_ block: [UInt8], before: [UInt8] = []) -> [[UInt8]] {
        [Frame.headers(1, before + Request.get + block, flags: 5)]
    }

    private static let isCompressionError = Expectation.connectionError([.compressionError])
    private static let key = HPACK.string("custom-key"), value = HPACK.string("custom-value")
    private static let huffmanKey = HPACK.huffman(HPACK.huffmanCustomKey),
        huffmanValue = HPACK.huffman(HPACK.huffmanCustomValue)
    private static let custom = ["custom-key: custom-value"]

    /// Each way to write a literal field. §5.2, §6.2
    static let literals: [Self] = HPACK.Indexing.allCases.flatMap { indexing in
        [
            Self(
                "6.2", "indexed name, \(indexing) indexing", get(HPACK.literal(nameIndex: 58, value: value, indexing)),
                .response(1, has: ["user-agent: custom-value"])),
            Self(
                "6.2", "indexed name, \(indexing) indexing, Huffman",
                get(HPACK.literal(nameIndex: 58, value: huffmanValue, indexing)),
                .response(1, has: ["user-agent: custom-value"])),
            Self(
                "6.2", "new name, \(indexing) indexing", get(HPACK.literal("custom-key", "custom-value", indexing)),
                .response(1, has: custom)),
            Self(
                "6.2", "new name, \(indexing) indexing, Huffman", get([indexing.pattern] + huffmanKey + huffmanValue),
                .response(1, has: custom)),
        ]
    }

    /// §2.3.3, §4.2, §6.1, §6.3
    static let tables: [Self] = [
        Self(
            "6.1", "fields of the static table", [Frame.headers(1, [0x82, 0x87, 0x84, 0x41, 1, 0x61, 0x90], flags: 5)],
            .response(1, has: ["GET /", "accept-encoding: gzip, deflate"])),
        Self(
            "2.3.2", "a field of the dynamic table",
            [
                Frame.headers(1, Request.get + HPACK.literal("custom-key", "custom-value", .incremental), flags: 5),
                Frame.headers(3, Request.get + HPACK.indexed(HPACK.dynamicIndex), flags: 5),
            ], .response(3, has: custom)),
        Self(
            "2.3.2", "a name of the dynamic table in the same block",
            get(
                HPACK.literal("custom-key", "1", .incremental)
                    + HPACK.literal(nameIndex: HPACK.dynamicIndex, value: value)), .response(1, has: custom)),
        Self("2.3.3", "an index beyond both tables", get(HPACK.indexed(HPACK.dynamicIndex)), isCompressionError),
        Self(
            "2.3.3", "a name's index beyond both tables",
            get(HPACK.literal(nameIndex: HPACK.dynamicIndex, value: value)), isCompressionError),
        Self("2.3.3", "an index far beyond", get(HPACK.indexed(100_000)), isCompressionError),
        Self("6.1", "index 0", get(HPACK.indexed(0)), isCompressionError),
        Self("4.2", "a change of the table's size after a field", get(HPACK.tableSize(0)), isCompressionError),
        Self(
            "4.2", "a change of the table's size before the first field", get([], before: HPACK.tableSize(1_024)),
            .response(1)),
        Self(
            "4.2", "two changes, the smaller one first", get([], before: HPACK.tableSize(0) + HPACK.tableSize(4_096)),
            .response(1)),
        Self(
            "6.3", "a table larger than SETTINGS_HEADER_TABLE_SIZE", get([], before: HPACK.tableSize(4_097)),
            isCompressionError),
        Self("6.3", "a table of more than 2^31 octets", get([], before: HPACK.tableSize(1 << 33)), isCompressionError),
        Self(
            "4.3", "a size of 0 empties the table",
            [
                Frame.headers(1, Request.get + HPACK.literal("custom-key", "custom-value", .incremental), flags: 5),
                Frame.headers(3, HPACK.tableSize(0) + Request.get + HPACK.indexed(HPACK.dynamicIndex), flags: 5),
            ], isCompressionError),
        Self(
            "4.4", "a field larger than the table empties it and is no error",
            [
                Frame.headers(
                    1, Request.get + HPACK.literal("a", String(repeating: "v", count: 5_000), .incremental), flags: 5),
                Frame.headers(3, Request.get + HPACK.indexed(HPACK.dynamicIndex), flags: 5),
            ], isCompressionError),
        Self(
            "4.1", "what a refused list has put into the table counts",
            [
                Frame.headers(1, HPACK.literal("custom-key", "custom-value", .incremental), flags: 5),
                Frame.headers(3, Request.get + HPACK.indexed(HPACK.dynamicIndex), flags: 5),
            ],
            .goesOn("a reset of 1 and an answer on 3") { frames in
                frames.contains { $0.type == Frame.resetType && $0.stream == 1 }
                    && frames.contains { $0.type == Frame.headersType && $0.stream == 3 }
            }),
    ]

    /// §5.1, §5.2
    static let primitives: [Self] = [
        Self("5.1", "an integer that does not end", get([0xff, 0xff, 0xff]), isCompressionError),
        Self(
            "5.1", "an integer above 2^62", get([0xff] + Array(repeating: 0xff, count: 9) + [0x7f]), isCompressionError),
        Self("5.1", "an index in more octets than it needs", get([0xff, 0x80, 0x80, 0x80, 0x00]), isCompressionError),
        Self("5.2", "a string longer than its block", get([0x00, 0x05, 0x61]), isCompressionError),
        Self("5.2", "a block that ends after a name", get([0x00] + key), isCompressionError),
        Self(
            "5.2", "Huffman code padded with eight ones",
            get([0x00] + key + HPACK.huffman(HPACK.huffmanCustomValue + [0xff])), isCompressionError),
        Self("5.2", "Huffman code padded with zeros", get([0x00] + key + HPACK.huffman([0x18])), isCompressionError),
        Self(
            "5.2", "Huffman code with EOS", get([0x00] + key + HPACK.huffman([0x1f, 0xff, 0xff, 0xff, 0xff])),
            isCompressionError),
        Self(
            "5.2", "Huffman code padded with ones", get([0x00] + key + HPACK.huffman([0x1f])),
            .response(1, has: ["custom-key: a"])),
        Self(
            "5.2", "an empty string in Huffman code", get([0x00] + key + HPACK.huffman([])),
            .response(1, has: ["custom-key: "])),
    ]
}
