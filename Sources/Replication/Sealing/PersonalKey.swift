/// Names a key that personal fields are sealed under: the first 16 octets of a hash of the key and of whose it is, so
/// that nobody can bring another key under the same name.
///
/// Source: Protocols/personal-data.md §2.
package struct PersonalKeyID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package static let byteCount = 16

    let high: UInt64
    let low: UInt64

    /// Nil unless there are exactly 16 octets.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        high = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        low = bytes.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The first 16 octets of a hash.
    init(startOf hash: ContentHash) {
        high = UInt64(bigEndian: hash.words.0)
        low = UInt64(bigEndian: hash.words.1)
    }

    /// 32 hexadecimal digits.
    package init?(hexadecimal text: String) {
        guard text.utf8.count == 32, let high = UInt64(text.prefix(16), radix: 16),
            let low = UInt64(text.suffix(16), radix: 16)
        else { return nil }
        self.high = high
        self.low = low
    }

    package var bytes: [UInt8] {
        var writer = ByteWriter(reserving: Self.byteCount)
        writer.integer(high)
        writer.integer(low)
        return writer.bytes
    }

    package var description: String { "\(ReplicaID(high))\(ReplicaID(low))" }

    package static func < (left: PersonalKeyID, right: PersonalKeyID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

/// The key of one customer, or of one ticket that names none.
///
/// Source: Protocols/personal-data.md §2.
package struct PersonalKey: Hashable, Sendable {
    package static let secretBytes = AuthenticatedCipher.keyBytes

    package let id: PersonalKeyID
    /// The customer or ticket.
    package let subject: EntityID
    package let secret: [UInt8]

    /// - Parameter secret: 32 random octets.
    package init(subject: EntityID, secret: [UInt8]) {
        precondition(secret.count == Self.secretBytes, "a key has 32 octets")
        var hasher = ContentHasher()
        var writer = ByteWriter(reserving: 80)
        writer.raw("banjie personal key 1".utf8)
        writer.byte(subject.type.rawValue)
        writer.integer(subject.high)
        writer.integer(subject.low)
        writer.raw(secret)
        id = PersonalKeyID(startOf: hasher.hash(writer.bytes))
        self.subject = subject
        self.secret = secret
    }
}

/// Where a sealed value stands: it opens there and nowhere else.
package struct SealedPlace: Hashable, Sendable {
    package var entity: EntityID
    /// Number of the field.
    package var field: UInt16

    package init(entity: EntityID, field: UInt16) {
        self.entity = entity
        self.field = field
    }
}

/// A personal value as operations carry it: ciphertext, and the name of the key that opens it.
///
///     format (1) · key id (16) · nonce (12) · ciphertext · tag (16)
///
/// Source: Protocols/personal-data.md §1.
package struct SealedValue: Hashable, Sendable, CustomStringConvertible {
    package static let format: UInt8 = 1
    /// Octets beside the ciphertext.
    package static let overheadBytes =
        1 + PersonalKeyID.byteCount + AuthenticatedCipher.nonceBytes + AuthenticatedCipher.tagBytes
    package static let nonceBytes = AuthenticatedCipher.nonceBytes

    package let bytes: [UInt8]
    package let key: PersonalKeyID

    package var description: String { "sealed under \(key)" }

    /// - Returns: nil for another format, or octets that are too few.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count >= Self.overheadBytes, bytes[0] == Self.format,
            let key = PersonalKeyID(bytes[1...PersonalKeyID.byteCount])
        else { return nil }
        self.bytes = bytes
        self.key = key
    }

    /// - Parameter nonce: 12 random octets.
    package init(_ text: String, under key: PersonalKey, at place: SealedPlace, nonce: [UInt8]) {
        let head = [Self.format] + key.id.bytes
        bytes =
            head + nonce
            + AuthenticatedCipher.seal(
                Array(text.utf8), key: key.secret, nonce: nonce, binding: Self.binding(head, place))
        self.key = key.id
    }

    /// - Returns: nil if it was sealed under another key, for another place, or has been changed.
    package func open(with secret: [UInt8], at place: SealedPlace) -> String? {
        let headBytes = 1 + PersonalKeyID.byteCount
        let bodyStart = headBytes + AuthenticatedCipher.nonceBytes
        guard
            let plain = AuthenticatedCipher.open(
                Array(bytes[bodyStart...]), key: secret, nonce: Array(bytes[headBytes..<bodyStart]),
                binding: Self.binding(Array(bytes[..<headBytes]), place))
        else { return nil }
        return String(validating: plain, as: UTF8.self)
    }

    private static func binding(_ head: [UInt8], _ place: SealedPlace) -> [UInt8] {
        var writer = ByteWriter(reserving: 40)
        writer.raw(head)
        writer.byte(place.entity.type.rawValue)
        writer.integer(place.entity.high)
        writer.integer(place.entity.low)
        writer.integer(place.field)
        return writer.bytes
    }
}
