internal import Foundation
internal import Replication

/// The key under which this store's secrets lie in the database: `tls/sealing.key`, 32 random octets in hexadecimal. The
/// database without that file opens nothing.
///
/// Source: Protocols/personal-data.md §5.
struct DiskKey: Sendable {
    static let fileName = "sealing.key"

    private let key: [UInt8]
    /// Tells this key from another without showing it.
    let check: [UInt8]

    private init(_ key: [UInt8]) {
        self.key = key
        var hasher = ContentHasher()
        check = Array(hasher.hash(Array("banjie disk key check 1".utf8) + key).bytes.prefix(8))
    }

    /// Reads the file, or makes it.
    /// - Throws: `StoreError.file`.
    static func open(_ folder: DataFolder) throws -> DiskKey {
        let path = folder.tls + "/" + fileName
        guard let data = FileManager.default.contents(atPath: path) else {
            let key = randomOctets(PersonalKey.secretBytes)
            try FileManager.default.createDirectory(
                atPath: folder.tls, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            let text = key.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            try DurableFile.write(Array((text + "\n").utf8), to: path)
            return DiskKey(key)
        }
        let digits = Array(data).filter { $0 != 0x0A && $0 != 0x0D }
        let key = stride(from: 0, to: digits.count - 1, by: 2).compactMap {
            UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
        }
        guard digits.count == 2 * PersonalKey.secretBytes, key.count == PersonalKey.secretBytes else {
            throw StoreError.file(
                path: path, operation: "reading",
                reason: "64 hexadecimal digits are expected; put the file back, or remove it to ask peers for the keys"
            )
        }
        return DiskKey(key)
    }

    func wrap(_ secret: [UInt8], of id: PersonalKeyID) -> [UInt8] {
        WrappedSecret.wrap(secret, of: id, under: key, nonce: randomOctets(SealedValue.nonceBytes))
    }

    func unwrap(_ wrapped: [UInt8], of id: PersonalKeyID) -> [UInt8]? {
        WrappedSecret.unwrap(wrapped, of: id, under: key)
    }
}

/// Octets of the system's generator.
private func randomOctets(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in generator.next() }
}
