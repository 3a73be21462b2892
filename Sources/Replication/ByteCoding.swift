/// Writes the project's own binary forms: big-endian integers, LEB128 varints, length-prefixed strings.
package struct ByteWriter: Sendable {
    package private(set) var bytes: [UInt8]

    package init(reserving capacity: Int = 0) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
    }

    package mutating func integer<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    package mutating func byte(_ value: UInt8) {
        bytes.append(value)
    }

    package mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    package mutating func varint(_ value: Int) {
        varint(UInt64(value))
    }

    /// Zigzag, so that small negative numbers stay short.
    package mutating func signedVarint(_ value: Int64) {
        varint(UInt64(bitPattern: (value << 1) ^ (value >> 63)))
    }

    package mutating func raw(_ value: some Collection<UInt8>) {
        bytes.append(contentsOf: value)
    }

    package mutating func prefixed(_ value: [UInt8]) {
        varint(value.count)
        bytes.append(contentsOf: value)
    }

    package mutating func prefixed(_ text: String) {
        varint(text.utf8.count)
        bytes.append(contentsOf: text.utf8)
    }
}

/// What is wrong with bytes that were to be decoded.
package enum DecodingFailure: Error, Hashable, Sendable, CustomStringConvertible {
    case truncated(at: Int)
    case invalid(field: String)
    case tooLarge(field: String, count: Int, countMax: Int)
    case trailingBytes(count: Int)

    package var description: String {
        switch self {
        case .truncated(let offset): "the bytes end at offset \(offset), in the middle of a field"
        case .invalid(let field): "field \(field) has no valid value"
        case .tooLarge(let field, let count, let countMax):
            "field \(field) has \(count), at most \(countMax) is allowed"
        case .trailingBytes(let count): "\(count) bytes follow the last field"
        }
    }
}

/// Reads what `ByteWriter` writes. Never traps on any input. Must not outlive the buffer it is made over.
package struct ByteReader {
    private let buffer: UnsafeRawBufferPointer
    package private(set) var offset = 0

    package init(_ buffer: UnsafeRawBufferPointer) {
        self.buffer = buffer
    }

    package var isAtEnd: Bool { offset == buffer.count }
    package var remainingCount: Int { buffer.count - offset }

    package mutating func integer<Value: FixedWidthInteger>(_: Value.Type) throws(DecodingFailure) -> Value {
        let size = MemoryLayout<Value>.size
        guard remainingCount >= size else { throw .truncated(at: offset) }
        let value = buffer.loadUnaligned(fromByteOffset: offset, as: Value.self)
        offset += size
        return Value(bigEndian: value)
    }

    package mutating func byte() throws(DecodingFailure) -> UInt8 {
        guard offset < buffer.count else { throw .truncated(at: offset) }
        defer { offset += 1 }
        return buffer[offset]
    }

    package mutating func varint() throws(DecodingFailure) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            guard shift < 63 || next <= 1 else { throw .invalid(field: "varint") }
            value |= UInt64(next & 0x7F) << shift
            if next & 0x80 == 0 { return value }
            shift += 7
        }
    }

    package mutating func signedVarint() throws(DecodingFailure) -> Int64 {
        let raw = try varint()
        return Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1)
    }

    /// A count of things that each take at least one byte: never more than what is left.
    package mutating func count(_ field: String, max countMax: Int = .max) throws(DecodingFailure) -> Int {
        let value = try varint()
        guard value <= UInt64(min(countMax, remainingCount)) else {
            throw .tooLarge(field: field, count: Int(clamping: value), countMax: min(countMax, remainingCount))
        }
        return Int(value)
    }

    package mutating func raw(_ count: Int) throws(DecodingFailure) -> UnsafeRawBufferPointer {
        guard count >= 0, remainingCount >= count else { throw .truncated(at: offset) }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: buffer[offset..<offset + count])
    }

    package mutating func prefixedBytes(_ field: String, max countMax: Int = .max) throws(DecodingFailure) -> [UInt8] {
        let count = try count(field, max: countMax)
        return Array(try raw(count))
    }

    package mutating func prefixedString(_ field: String, max countMax: Int = .max) throws(DecodingFailure) -> String {
        let count = try count(field, max: countMax)
        let bytes = try raw(count)
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .invalid(field: field) }
        return text
    }

    package func finish() throws(DecodingFailure) {
        guard isAtEnd else { throw .trailingBytes(count: remainingCount) }
    }
}
