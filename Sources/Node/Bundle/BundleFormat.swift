internal import Replication
internal import Transport

/// What is fixed about a bundle's file. Source: Protocols/bundle.md §3.
package enum BundleFormat {
    static let magic = Array("BJBUNDLE".utf8)
    package static let version: UInt16 = 1
    /// Longest DER form of an ECDSA signature with P-256; shorter ones are filled up with zeros.
    static let signatureBytes = 72
    /// Plain bytes of a chunk; the last one may have less.
    static let chunkBytes = 64 * 1024
    static let fileExtension = "bundle"

    /// Magic, version and the header's length.
    static let prefixBytes = magic.count + 2 + 4

    /// Binds the wrapped key to its purpose, the sender's certificate and the receiver's key.
    static func binding(senderFingerprint: String, receiverKey: [UInt8]) -> [UInt8] {
        Array("banjie bundle 1".utf8) + Array(senderFingerprint.utf8) + receiverKey
    }

    /// Seven zeros, the chunk's number from 0, and whether it is the last: a file that ends early, or with its chunks in
    /// another order, cannot be opened.
    static func nonce(chunk: UInt32, isLast: Bool) -> [UInt8] {
        var writer = ByteWriter(reserving: SealingKey.nonceBytes)
        writer.raw([UInt8](repeating: 0, count: 7))
        writer.integer(chunk)
        writer.byte(isLast ? 1 : 0)
        return writer.bytes
    }
}

/// Bounds of bundles; listed in Protocols/limits.md.
package enum BundleLimits {
    package static let operationsMax = 250_000
    package static let contentBytesMax = 256 * 1024 * 1024
    static let headerBytesMax = 64 * 1024
    /// Bundles that one command makes.
    package static let seriesMax = 999
}
