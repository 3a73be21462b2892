import TestSupport
import Testing

@testable import Transport

/// What bundles are sealed with. Source: Protocols/bundle.md §3.
@Suite struct SealingTests {
    private static func bytes(_ hexadecimal: String) -> [UInt8] {
        stride(from: 0, to: hexadecimal.utf8.count, by: 2).compactMap {
            UInt8(hexadecimal.dropFirst($0).prefix(2), radix: 16)
        }
    }

    private let nonce = [UInt8](repeating: 7, count: SealingKey.nonceBytes)

    @Test("AES-256-GCM gives what its specification's test cases 13 and 14 say")
    func cipherVectors() {
        let key = SealingKey([UInt8](repeating: 0, count: 32))
        let zeros = [UInt8](repeating: 0, count: 12)
        #expect(key.seal([], nonce: zeros) == Self.bytes("530f8afbc74536b9a963b4f1c4cb738b"))
        #expect(
            key.seal([UInt8](repeating: 0, count: 16), nonce: zeros)
                == Self.bytes("cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"))
    }

    @Test("HKDF-SHA256 gives what RFC 5869 says in its first and third case")
    func derivationVectors() throws {
        let secret = [UInt8](repeating: 0x0b, count: 22)
        let first = try hkdfSHA256(
            secret: secret, salt: Self.bytes("000102030405060708090a0b0c"),
            info: Self.bytes("f0f1f2f3f4f5f6f7f8f9"), count: 42)
        #expect(
            first
                == Self.bytes(
                    "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"))
        let third = try hkdfSHA256(secret: secret, info: [], count: 42)
        #expect(
            third
                == Self.bytes(
                    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"))
    }

    @Test("what was sealed opens with the same key and nonce, and with nothing else", arguments: [0, 1, 65_536])
    func sealing(count: Int) {
        let key = SealingKey(randomBytes(32))
        let plain = randomBytes(count)
        var sealed = key.seal(plain, nonce: nonce)
        #expect(sealed.count == count + SealingKey.tagBytes)
        #expect(key.open(sealed, nonce: nonce) == plain)
        #expect(SealingKey(randomBytes(32)).open(sealed, nonce: nonce) == nil)
        #expect(key.open(sealed, nonce: [UInt8](repeating: 8, count: 12)) == nil)
        #expect(key.open(Array(sealed.dropLast()), nonce: nonce) == nil)
        #expect(key.open(Array(sealed.prefix(15)), nonce: nonce) == nil)
        sealed[count / 2] ^= 1
        #expect(key.open(sealed, nonce: nonce) == nil)
    }

    @Test("a wrapped key is unwrapped by the receiver for the same purpose, and by nobody else")
    func wrapping() throws {
        let (receiver, other) = (try makePrivateKeyPEM(), try makePrivateKeyPEM())
        let publicKey = try VerifyingKey(publicKeyPEM: SigningKey(privateKeyPEM: receiver).publicKeyPEM())
        let key = randomBytes(32)
        var wrapped = try KeyWrapping.wrap(key, for: publicKey, binding: [1, 2, 3])
        #expect(try KeyWrapping.unwrap(wrapped, privateKeyPEM: receiver, binding: [1, 2, 3]) == key)
        #expect(try KeyWrapping.unwrap(wrapped, privateKeyPEM: receiver, binding: [1, 2]) == nil)
        #expect(try KeyWrapping.unwrap(wrapped, privateKeyPEM: other, binding: [1, 2, 3]) == nil)
        wrapped.point[40] ^= 1
        #expect(
            try KeyWrapping.unwrap(wrapped, privateKeyPEM: receiver, binding: [1, 2, 3]) == nil,
            "a point that is not on the curve")
    }

    @Test("a public key's fingerprint is that of its certificate's key")
    func fingerprint() throws {
        let authority = try TestAuthority.shared.get()
        let key = try SigningKey(privateKeyPEM: authority.branch.privateKeyPEM)
        let certificate = try PeerCertificate(pem: authority.branch.certificateChainPEM)
        #expect(
            try VerifyingKey(certificatePEM: certificate.pem).fingerprint()
                == VerifyingKey(publicKeyPEM: key.publicKeyPEM()).fingerprint())
    }

    @Test("a hash of pieces is the hash of the whole")
    func runningHash() {
        var pieces = RunningHash()
        var whole = RunningHash()
        for piece in [[1, 2], [], [3]] as [[UInt8]] { pieces.update(piece) }
        whole.update([1, 2, 3])
        #expect(pieces.finish() == whole.finish())
    }
}
