internal import Replication

// The reader and writer of a ticket's state. They do what `ByteReader` and `ByteWriter` do, but inside this module and
// without a throwing call for each number: a batch decodes and encodes thousands of tickets, and that is most of it.

/// Reads numbers and notes damage instead of throwing at once; whoever uses what was read asks `isDamaged` first.
/// Must not outlive the buffer it is made over.
struct StateReader {
    private let buffer: UnsafeRawBufferPointer
    private var offset = 0
    private(set) var isDamaged = false

    init(_ buffer: UnsafeRawBufferPointer) {
        self.buffer = buffer
    }

    var isAtEnd: Bool { offset == buffer.count }

    mutating func byte() -> UInt8 {
        guard offset < buffer.count else {
            isDamaged = true
            return 0
        }
        defer { offset += 1 }
        return buffer[offset]
    }

    mutating func integer() -> UInt64 {
        guard buffer.count - offset >= 8 else {
            isDamaged = true
            return 0
        }
        defer { offset += 8 }
        return UInt64(bigEndian: buffer.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    mutating func varint() -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = byte()
            if shift >= 63, next > 1 {
                isDamaged = true
                return 0
            }
            value |= UInt64(next & 0x7F) << shift
            if next & 0x80 == 0 { return value }
            shift += 7
        }
    }

    mutating func signedVarint() -> Int64 {
        let raw = varint()
        return Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1)
    }

    /// A number below a bound; 0 when damaged.
    mutating func index(below count: Int) -> UInt32 {
        let value = varint()
        guard value < UInt64(count) else {
            isDamaged = true
            return 0
        }
        return UInt32(truncatingIfNeeded: value)
    }

    /// A count of things that each take at least one byte: never more than what is left; 0 when damaged.
    mutating func count() -> Int {
        let value = varint()
        guard !isDamaged, value <= UInt64(buffer.count - offset) else {
            isDamaged = true
            return 0
        }
        return Int(value)
    }

    mutating func text() -> String {
        let count = count()
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[offset..<offset + count])
        offset += count
        // Decoding repairs what is no UTF-8, which comparing shows; validating first costs three times as much.
        let text = String(decoding: bytes, as: UTF8.self)
        let isWhole = text.utf8.withContiguousStorageIfAvailable { $0.elementsEqual(bytes) }
        guard isWhole ?? text.utf8.elementsEqual(bytes) else {
            isDamaged = true
            return ""
        }
        return text
    }

    func check(_ field: String) throws(DecodingFailure) {
        if isDamaged { throw isAtEnd ? .truncated(at: offset) : .invalid(field: field) }
    }

    func finish() throws(DecodingFailure) {
        guard isAtEnd else { throw .trailingBytes(count: buffer.count - offset) }
    }
}

/// Writes into memory that is large enough for all that will be written.
struct StateWriter {
    private let buffer: UnsafeMutableBufferPointer<UInt8>
    private(set) var count = 0

    init(_ buffer: UnsafeMutableBufferPointer<UInt8>) {
        self.buffer = buffer
    }

    static let varintBytesMax = 10

    mutating func byte(_ value: UInt8) {
        buffer[count] = value
        count += 1
    }

    mutating func integer(_ value: UInt64) {
        for shift in stride(from: 56, through: 0, by: -8) { byte(UInt8(truncatingIfNeeded: value >> UInt64(shift))) }
    }

    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            byte(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        byte(UInt8(truncatingIfNeeded: rest))
    }

    mutating func varint(_ value: Int) { varint(UInt64(value)) }

    mutating func signedVarint(_ value: Int64) {
        varint(UInt64(bitPattern: (value << 1) ^ (value >> 63)))
    }

    mutating func text(_ text: String) {
        varint(text.utf8.count)
        for byte in text.utf8 { self.byte(byte) }
    }
}
