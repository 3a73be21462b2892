/// Field blocks by hand: what an encoder would write, and what none should (RFC 7541 §5, §6).
enum HPACK {
    /// How a decoder is told to keep a literal field.
    enum Indexing: CaseIterable {
        case incremental, without, never

        /// The bits before the index of the name.
        var pattern: UInt8 { [.incremental: 0x40, .without: 0x00, .never: 0x10][self]! }
        var prefixBits: Int { self == .incremental ? 6 : 4 }
    }

    /// RFC 7541 §5.1.
    static func integer(_ value: Int, prefixBits: Int, pattern: UInt8 = 0) -> [UInt8] {
        let most = 1 << prefixBits - 1
        guard value >= most else { return [pattern | UInt8(value)] }
        var result = [pattern | UInt8(most)]
        var rest = value - most
        while rest >= 128 {
            result.append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        return result + [UInt8(rest)]
    }

    /// RFC 7541 §5.2, its octets as they are.
    static func string(_ octets: [UInt8]) -> [UInt8] { integer(octets.count, prefixBits: 7) + octets }

    static func string(_ text: String) -> [UInt8] { string(Array(text.utf8)) }

    /// A string that says of itself that it is in Huffman code.
    static func huffman(_ octets: [UInt8]) -> [UInt8] { integer(octets.count, prefixBits: 7, pattern: 0x80) + octets }

    static func indexed(_ index: Int) -> [UInt8] { integer(index, prefixBits: 7, pattern: 0x80) }

    static func literal(_ name: String, _ value: String, _ indexing: Indexing = .without) -> [UInt8] {
        [indexing.pattern] + string(name) + string(value)
    }

    /// - Parameter value: a string literal, its length included.
    static func literal(nameIndex: Int, value: [UInt8], _ indexing: Indexing = .without) -> [UInt8] {
        integer(nameIndex, prefixBits: indexing.prefixBits, pattern: indexing.pattern) + value
    }

    /// RFC 7541 §6.3.
    static func tableSize(_ bytes: Int) -> [UInt8] { integer(bytes, prefixBits: 5, pattern: 0x20) }

    /// From RFC 7541 Appendix C.4.
    static let huffmanCustomKey: [UInt8] = [0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f]
    static let huffmanCustomValue: [UInt8] = [0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf]
    /// The first index of the dynamic table.
    static let dynamicIndex = 62
}

/// Field blocks of requests.
enum Request {
    /// Fields in the order in which they are given, without tables and without Huffman code.
    static func fields(_ list: [(String, String)]) -> [UInt8] { list.flatMap { HPACK.literal($0.0, $0.1) } }

    static func block(
        method: String = "GET", path: String = "/", _ further: [(String, String)] = []
    ) -> [UInt8] {
        fields([(":method", method), (":scheme", "https"), (":authority", "a"), (":path", path)] + further)
    }

    static let get = block()
    static let post = block(method: "POST")
}
