import COpenSSL

/// A key that only the holder of a certificate's private key can unwrap.
package struct WrappedKey: Sendable, Hashable {
    /// An uncompressed point of P-256.
    package static let pointBytes = 65
    package static let wrappedBytes = SealingKey.keyBytes + SealingKey.tagBytes

    /// The public half of a key pair that was made for this and thrown away.
    package var point: [UInt8]
    package var wrapped: [UInt8]

    /// - Throws: `TransportError.cryptography` for other lengths.
    package init(point: [UInt8], wrapped: [UInt8]) throws(TransportError) {
        guard point.count == Self.pointBytes, wrapped.count == Self.wrappedBytes else {
            throw .cryptography("a wrapped key has a point of 65 octets and 48 more")
        }
        self.point = point
        self.wrapped = wrapped
    }
}

/// ECDH between an ephemeral and a static key of P-256, HKDF-SHA256 (RFC 5869), AES-256-GCM: how a key travels to
/// somebody of whom only the certificate is known. Under a millisecond each way.
package enum KeyWrapping {
    /// - Parameter key: 32 octets.
    /// - Parameter binding: what both ends know of the purpose; another one does not unwrap.
    /// - Parameter ephemeralKeyPEM: for test vectors; otherwise a new one each time.
    /// - Throws: `TransportError.cryptography`.
    package static func wrap(
        _ key: [UInt8], for receiver: VerifyingKey, binding: [UInt8], ephemeralKeyPEM: String? = nil
    ) throws -> WrappedKey {
        let ephemeral = try KeyReference(privateKeyPEM: ephemeralKeyPEM ?? makePrivateKeyPEM())
        try requireP256(ephemeral)
        var encoded: UnsafeMutablePointer<UInt8>?
        ERR_clear_error()
        let count = EVP_PKEY_get1_encoded_public_key(ephemeral.pointer, &encoded)
        defer { CRYPTO_free(encoded, "", 0) }
        guard let encoded, count == WrappedKey.pointBytes else {
            throw TransportError.cryptography("public point: \(takeOpenSSLErrorText())")
        }
        let point = Array(UnsafeBufferPointer(start: encoded, count: count))
        let secret = try agree(ephemeral, receiver.key)
        return try WrappedKey(
            point: point,
            wrapped: SealingKey(try hkdfSHA256(secret: secret, info: binding + point))
                .seal(key, nonce: noNonce))
    }

    /// - Returns: nil if it was wrapped for somebody else, for another purpose, or has been changed.
    /// - Throws: `TransportError.configuration` if the private key is not readable.
    package static func unwrap(_ wrapped: WrappedKey, privateKeyPEM: String, binding: [UInt8]) throws -> [UInt8]? {
        let own = try KeyReference(privateKeyPEM: privateKeyPEM)
        try requireP256(own)
        guard let point = try? point(wrapped.point, like: own), let secret = try? agree(own, point) else { return nil }
        return SealingKey(try hkdfSHA256(secret: secret, info: binding + wrapped.point))
            .open(wrapped.wrapped, nonce: noNonce)
    }

    /// The key that it goes with is used for one message only.
    private static let noNonce = [UInt8](repeating: 0, count: SealingKey.nonceBytes)

    /// The x coordinate that both ends compute.
    private static func agree(_ own: KeyReference, _ other: KeyReference) throws -> [UInt8] {
        defer { for key in [own, other] { keepAlive(key) } }
        ERR_clear_error()
        guard let context = EVP_PKEY_CTX_new(own.pointer, nil) else { preconditionFailure("out of memory") }
        defer { EVP_PKEY_CTX_free(context) }
        var count = 0
        guard EVP_PKEY_derive_init(context) == 1, EVP_PKEY_derive_set_peer(context, other.pointer) == 1,
            EVP_PKEY_derive(context, nil, &count) == 1
        else { throw TransportError.cryptography("key agreement: \(takeOpenSSLErrorText())") }
        var secret = [UInt8](repeating: 0, count: count)
        guard EVP_PKEY_derive(context, &secret, &count) == 1 else {
            throw TransportError.cryptography("key agreement: \(takeOpenSSLErrorText())")
        }
        return Array(secret.prefix(count))
    }

    /// A public key from its point, which OpenSSL checks to lie on the curve.
    private static func point(_ bytes: [UInt8], like own: KeyReference) throws -> KeyReference {
        ERR_clear_error()
        guard let pointer = EVP_PKEY_new() else { preconditionFailure("out of memory") }
        let key = KeyReference(owning: pointer)
        guard EVP_PKEY_copy_parameters(pointer, own.pointer) == 1,
            EVP_PKEY_set1_encoded_public_key(pointer, bytes, bytes.count) == 1
        else { throw TransportError.cryptography("public point: \(takeOpenSSLErrorText())") }
        keepAlive(own)
        return key
    }
}

/// HKDF-SHA256 (RFC 5869): 32 octets.
func hkdfSHA256(secret: [UInt8], salt: [UInt8] = [], info: [UInt8], count: Int = 32) throws -> [UInt8] {
    ERR_clear_error()
    guard let context = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, nil) else { preconditionFailure("out of memory") }
    defer { EVP_PKEY_CTX_free(context) }
    var key = [UInt8](repeating: 0, count: count)
    var length = count
    guard EVP_PKEY_derive_init(context) == 1, EVP_PKEY_CTX_set_hkdf_md(context, EVP_sha256()) == 1,
        salt.isEmpty || EVP_PKEY_CTX_set1_hkdf_salt(context, salt, Int32(salt.count)) == 1,
        EVP_PKEY_CTX_set1_hkdf_key(context, secret, Int32(secret.count)) == 1,
        EVP_PKEY_CTX_add1_hkdf_info(context, info, Int32(info.count)) == 1,
        EVP_PKEY_derive(context, &key, &length) == 1, length == count
    else { throw TransportError.cryptography("HKDF: \(takeOpenSSLErrorText())") }
    return key
}
