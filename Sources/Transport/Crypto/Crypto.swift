import COpenSSL

/// Octets of the system's generator. Traps if it has none to give, since nothing safe can follow.
package func randomBytes(_ count: Int) -> [UInt8] {
    precondition(count >= 0, "a count")
    var bytes = [UInt8](repeating: 0, count: count)
    guard count == 0 || RAND_bytes(&bytes, Int32(count)) == 1 else { preconditionFailure("no randomness") }
    return bytes
}

/// Whether both hold the same octets, in a time that depends on their lengths alone.
package func equalInConstantTime(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
}

/// HMAC-SHA256. 32 octets; the key may be of any length, also empty.
package func hmacSHA256(key: [UInt8], message: [UInt8]) -> [UInt8] {
    var code = [UInt8](repeating: 0, count: 32)
    var count: UInt32 = 32
    // An empty array has no address, and OpenSSL takes a null key for "as before".
    let done = (key.isEmpty ? [0] : key).withUnsafeBytes { keyBytes in
        HMAC(EVP_sha256(), keyBytes.baseAddress, Int32(key.count), message, message.count, &code, &count)
    }
    precondition(done != nil && count == 32, "HMAC-SHA256 is always there")
    return code
}

/// The cost of one scrypt (RFC 7914).
package struct ScryptParameters: Sendable, Equatable {
    /// N: a power of two, > 1. Memory is 128 · N · r octets.
    package var cost: UInt64
    /// r.
    package var blockSize: UInt64
    /// p.
    package var parallelism: UInt64
    /// Octets of the result.
    package var outputBytes: Int

    package init(cost: UInt64 = 1 << 15, blockSize: UInt64 = 8, parallelism: UInt64 = 1, outputBytes: Int = 32) {
        self.cost = cost
        self.blockSize = blockSize
        self.parallelism = parallelism
        self.outputBytes = outputBytes
    }
}

/// Stretches a password. With the defaults some 60 ms and 32 MiB: not on an event loop.
/// - Throws: `TransportError.cryptography` if the parameters are not valid or need more than 256 MiB.
package func scrypt(
    password: [UInt8], salt: [UInt8], parameters: ScryptParameters = .init()
) throws(TransportError) -> [UInt8] {
    guard (16...1024).contains(parameters.outputBytes) else {
        throw .cryptography("scrypt: output of 16 to 1024 octets")
    }
    ERR_clear_error()
    var key = [UInt8](repeating: 0, count: parameters.outputBytes)
    let memoryMax: UInt64 = 256 * 1024 * 1024
    let done = (password.isEmpty ? [0] : password).withUnsafeBytes { raw in
        EVP_PBE_scrypt(
            raw.bindMemory(to: CChar.self).baseAddress, password.count, salt, salt.count, parameters.cost,
            parameters.blockSize, parameters.parallelism, memoryMax, &key, parameters.outputBytes)
    }
    guard done == 1 else { throw .cryptography("scrypt: \(takeOpenSSLErrorText())") }
    return key
}

/// Signs with a node's P-256 key: ECDSA over SHA-256, DER (70 to 72 octets). Some 30 µs after the key is parsed.
package struct SigningKey: @unchecked Sendable {
    // Sendable: an EVP_PKEY that is never modified may be used by several threads.
    private let key: KeyReference

    /// - Throws: `TransportError.configuration` if the PEM is not readable, `.cryptography` if it is no P-256 key.
    package init(privateKeyPEM: String) throws {
        key = try KeyReference(privateKeyPEM: privateKeyPEM)
        try requireP256(key)
    }

    /// - Throws: `TransportError.cryptography`.
    package func sign(_ message: [UInt8]) throws -> [UInt8] {
        ERR_clear_error()
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("out of memory") }
        defer { EVP_MD_CTX_free(context) }
        var count = 0
        guard EVP_DigestSignInit(context, nil, EVP_sha256(), nil, key.pointer) == 1,
            EVP_DigestSign(context, nil, &count, message, message.count) == 1
        else { throw TransportError.cryptography("sign: \(takeOpenSSLErrorText())") }
        var signature = [UInt8](repeating: 0, count: count)
        guard EVP_DigestSign(context, &signature, &count, message, message.count) == 1 else {
            throw TransportError.cryptography("sign: \(takeOpenSSLErrorText())")
        }
        return Array(signature.prefix(count))
    }

    /// The public half as PEM (SubjectPublicKeyInfo).
    package func publicKeyPEM() throws -> String {
        String(decoding: try collectBIO { PEM_write_bio_PUBKEY($0, key.pointer) == 1 }, as: UTF8.self)
    }

    package func publicKey() throws -> VerifyingKey { try VerifyingKey(publicKeyPEM: publicKeyPEM()) }
}

/// Verifies what a `SigningKey` signed.
package struct VerifyingKey: @unchecked Sendable {
    // Sendable: an EVP_PKEY that is never modified may be used by several threads.
    let key: KeyReference

    /// - Parameter publicKeyPEM: SubjectPublicKeyInfo.
    package init(publicKeyPEM: String) throws {
        key = try KeyReference(publicKeyPEM: publicKeyPEM)
        try requireP256(key)
    }

    /// The key inside a certificate. Says nothing about whether to trust it.
    package init(certificatePEM: String) throws {
        let leaf = try X509Reference.parseChain(certificatePEM)[0]
        defer { keepAlive(leaf) }
        ERR_clear_error()
        guard let pointer = X509_get_pubkey(leaf.pointer) else {
            throw TransportError.cryptography("key of the certificate: \(takeOpenSSLErrorText())")
        }
        key = KeyReference(owning: pointer)
        try requireP256(key)
    }

    /// Whether the signature is this key's over the message. A malformed signature is simply not valid.
    package func isValid(signature: [UInt8], of message: [UInt8]) -> Bool {
        ERR_clear_error()
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("out of memory") }
        defer {
            EVP_MD_CTX_free(context)
            ERR_clear_error()
        }
        guard EVP_DigestVerifyInit(context, nil, EVP_sha256(), nil, key.pointer) == 1 else { return false }
        return EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }

    /// The key as PEM (SubjectPublicKeyInfo).
    package func publicKeyPEM() throws -> String {
        String(decoding: try collectBIO { PEM_write_bio_PUBKEY($0, key.pointer) == 1 }, as: UTF8.self)
    }

    /// SHA-256 of the key's DER form (SubjectPublicKeyInfo): stays the same when a certificate is renewed. 32 octets.
    package func fingerprint() throws -> [UInt8] {
        let encoded = try collectBIO { i2d_PUBKEY_bio($0, key.pointer) == 1 }
        var hash = RunningHash()
        hash.update(encoded)
        return hash.finish()
    }
}

func requireP256(_ key: KeyReference) throws(TransportError) {
    var name = [CChar](repeating: 0, count: 64)
    var count = 0
    guard EVP_PKEY_get_group_name(key.pointer, &name, name.count, &count) == 1,
        String(decoding: name.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self) == "prime256v1"
    else { throw .cryptography("not a P-256 key") }
}
