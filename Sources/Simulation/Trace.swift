internal import Replication

/// A hash of everything that happened, in order.
struct Trace: ~Copyable {
    private(set) var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    private var hasher = ContentHasher()

    mutating func mix(_ value: UInt64) {
        hash = (hash ^ value) &* 0x0000_0100_0000_01B3
        hash ^= hash >> 29
    }

    mutating func mix(_ content: ContentHash) {
        mix(content.bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
    }

    mutating func mix(bytes: [UInt8]) {
        mix(hasher.hash(bytes))
    }
}
