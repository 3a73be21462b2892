/// How and when a key was erased: the operation that confirmed it.
package struct KeyErasure: Hashable, Comparable, Sendable {
    package var confirmation: Dot
    /// UTC milliseconds, by the clock of who confirmed.
    package var milliseconds: Int64

    package init(confirmation: Dot, milliseconds: Int64) {
        self.confirmation = confirmation
        self.milliseconds = milliseconds
    }

    package static func < (left: KeyErasure, right: KeyErasure) -> Bool {
        left.milliseconds == right.milliseconds
            ? left.confirmation < right.confirmation : left.milliseconds < right.milliseconds
    }
}

/// What a node knows of a key. The states are ordered, and the higher wins for good: *erased* above *held* above
/// *wanted*.
///
/// Source: Protocols/personal-data.md §3.
package enum PersonalKeyState: Hashable, Sendable {
    /// Something is sealed under it, and it has not come.
    case wanted
    case held(secret: [UInt8])
    case erased(KeyErasure)

    /// The join of what two nodes know. Of two erasures the earlier is kept. Two secrets cannot differ: the key's name
    /// is a hash of them.
    package mutating func merge(_ other: PersonalKeyState) {
        switch (self, other) {
        case (.erased(let own), .erased(let theirs)): self = .erased(min(own, theirs))
        case (.erased, .wanted), (.erased, .held), (.held, .wanted), (.held, .held), (.wanted, .wanted): break
        case (.wanted, .held), (.wanted, .erased), (.held, .erased): self = other
        }
    }
}

/// A key as it travels between nodes: beside the log, never in it.
package struct PersonalKeyEntry: Hashable, Sendable {
    package var id: PersonalKeyID
    /// Whose it is; nil where a node that passes an erasure on does not know.
    package var subject: EntityID?
    /// Never `wanted`.
    package var state: PersonalKeyState

    package init(id: PersonalKeyID, subject: EntityID?, state: PersonalKeyState) {
        self.id = id
        self.subject = subject
        self.state = state
    }

    package init(_ key: PersonalKey) {
        self.init(id: key.id, subject: key.subject, state: .held(secret: key.secret))
    }

    package var isErased: Bool { if case .erased = state { true } else { false } }
}

/// A secret as the disk has it: sealed under a key that lies in a file beside the database.
///
///     nonce (12) · ciphertext (32) · tag (16)
///
/// Source: Protocols/personal-data.md §5.
package enum WrappedSecret {
    package static let byteCount =
        AuthenticatedCipher.nonceBytes + AuthenticatedCipher.keyBytes + AuthenticatedCipher.tagBytes

    /// - Parameter nonce: 12 random octets.
    package static func wrap(_ secret: [UInt8], of id: PersonalKeyID, under key: [UInt8], nonce: [UInt8]) -> [UInt8] {
        nonce + AuthenticatedCipher.seal(secret, key: key, nonce: nonce, binding: id.bytes)
    }

    /// - Returns: nil if it was wrapped under another key, or for another id.
    package static func unwrap(_ wrapped: [UInt8], of id: PersonalKeyID, under key: [UInt8]) -> [UInt8]? {
        guard wrapped.count == byteCount else { return nil }
        return AuthenticatedCipher.open(
            Array(wrapped[AuthenticatedCipher.nonceBytes...]), key: key,
            nonce: Array(wrapped[..<AuthenticatedCipher.nonceBytes]), binding: id.bytes)
    }
}
