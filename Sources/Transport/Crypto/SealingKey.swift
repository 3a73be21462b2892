import COpenSSL

/// AES-256-GCM (NIST SP 800-38D) with nonces of the caller's choice.
///
/// A nonce must never be used twice under one key: callers have a key for each file and count.
package struct SealingKey: Sendable {
    package static let keyBytes = 32
    package static let nonceBytes = 12
    package static let tagBytes = 16

    private let key: [UInt8]

    /// - Parameter key: 32 octets.
    package init(_ key: [UInt8]) {
        precondition(key.count == Self.keyBytes, "an AES-256 key has 32 octets")
        self.key = key
    }

    /// - Returns: as many octets as the plain ones, then the tag of 16.
    package func seal(_ plain: [UInt8], nonce: [UInt8]) -> [UInt8] {
        precondition(nonce.count == Self.nonceBytes, "a nonce has 12 octets")
        guard let context = EVP_CIPHER_CTX_new() else { preconditionFailure("out of memory") }
        defer { EVP_CIPHER_CTX_free(context) }
        var sealed = [UInt8](repeating: 0, count: plain.count + Self.tagBytes)
        var count: Int32 = 0
        var rest: Int32 = 0
        let done = sealed.withUnsafeMutableBufferPointer { buffer -> Bool in
            guard let start = buffer.baseAddress else { return false }
            return EVP_EncryptInit_ex2(context, EVP_aes_256_gcm(), key, nonce, nil) == 1
                && (plain.isEmpty || EVP_EncryptUpdate(context, start, &count, plain, Int32(plain.count)) == 1)
                && EVP_EncryptFinal_ex(context, start + Int(count), &rest) == 1
                && EVP_CIPHER_CTX_ctrl(
                    context, EVP_CTRL_AEAD_GET_TAG, Int32(Self.tagBytes), start + plain.count) == 1
        }
        precondition(done && Int(count + rest) == plain.count, "AES-256-GCM of octets in memory cannot fail")
        return sealed
    }

    /// - Returns: nil unless the octets were sealed with this key and nonce.
    package func open(_ sealed: [UInt8], nonce: [UInt8]) -> [UInt8]? {
        precondition(nonce.count == Self.nonceBytes, "a nonce has 12 octets")
        guard sealed.count >= Self.tagBytes else { return nil }
        guard let context = EVP_CIPHER_CTX_new() else { preconditionFailure("out of memory") }
        defer {
            EVP_CIPHER_CTX_free(context)
            ERR_clear_error()
        }
        let plainCount = sealed.count - Self.tagBytes
        var tag = Array(sealed[plainCount...])
        // One octet more than needed: an empty array has no address.
        var plain = [UInt8](repeating: 0, count: plainCount + 1)
        var count: Int32 = 0
        var rest: Int32 = 0
        let done = plain.withUnsafeMutableBufferPointer { buffer -> Bool in
            guard let start = buffer.baseAddress else { return false }
            return EVP_DecryptInit_ex2(context, EVP_aes_256_gcm(), key, nonce, nil) == 1
                && (plainCount == 0 || EVP_DecryptUpdate(context, start, &count, sealed, Int32(plainCount)) == 1)
                && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(Self.tagBytes), &tag) == 1
                && EVP_DecryptFinal_ex(context, start + Int(count), &rest) == 1
        }
        guard done else { return nil }
        plain.removeLast()
        return plain
    }
}

/// SHA-256 over what comes piece by piece.
package struct RunningHash: ~Copyable {
    private let context: OpaquePointer

    package init() {
        guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex2(context, EVP_sha256(), nil) == 1 else {
            preconditionFailure("libcrypto cannot give a SHA-256 context: out of memory or a broken installation")
        }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    package mutating func update(_ bytes: [UInt8]) {
        precondition(EVP_DigestUpdate(context, bytes, bytes.count) == 1, "SHA-256 of octets in memory cannot fail")
    }

    /// - Returns: 32 octets. Nothing may be added afterwards.
    package mutating func finish() -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        precondition(EVP_DigestFinal_ex(context, &digest, nil) == 1, "SHA-256 of octets in memory cannot fail")
        return digest
    }
}
