internal import COpenSSL

/// AES-256-GCM (NIST SP 800-38D) with additional data, for values that are each sealed alone.
enum AuthenticatedCipher {
    static let keyBytes = 32
    static let nonceBytes = 12
    static let tagBytes = 16

    /// - Parameter nonce: 12 octets, never the same twice under one key.
    /// - Returns: as many octets as the plain ones, then the tag of 16.
    static func seal(_ plain: [UInt8], key: [UInt8], nonce: [UInt8], binding: [UInt8]) -> [UInt8] {
        precondition(key.count == keyBytes && nonce.count == nonceBytes, "32 octets of key, 12 of nonce")
        let context = makeContext()
        defer { EVP_CIPHER_CTX_free(context) }
        var sealed = [UInt8](repeating: 0, count: plain.count + tagBytes)
        var (count, rest): (Int32, Int32) = (0, 0)
        let done = sealed.withUnsafeMutableBufferPointer { buffer -> Bool in
            guard let start = buffer.baseAddress else { return false }
            return EVP_EncryptInit_ex2(context, EVP_aes_256_gcm(), key, nonce, nil) == 1
                && (binding.isEmpty || EVP_EncryptUpdate(context, nil, &rest, binding, Int32(binding.count)) == 1)
                && (plain.isEmpty || EVP_EncryptUpdate(context, start, &count, plain, Int32(plain.count)) == 1)
                && EVP_EncryptFinal_ex(context, start + Int(count), &rest) == 1
                && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(tagBytes), start + plain.count) == 1
        }
        precondition(done && Int(count + rest) == plain.count, "AES-256-GCM of octets in memory cannot fail")
        return sealed
    }

    /// - Returns: nil unless the octets were sealed with this key, nonce and binding.
    static func open(_ sealed: [UInt8], key: [UInt8], nonce: [UInt8], binding: [UInt8]) -> [UInt8]? {
        guard key.count == keyBytes, nonce.count == nonceBytes, sealed.count >= tagBytes else { return nil }
        let context = makeContext()
        defer {
            EVP_CIPHER_CTX_free(context)
            ERR_clear_error()
        }
        let plainCount = sealed.count - tagBytes
        var tag = Array(sealed[plainCount...])
        // One octet more than needed: an empty array has no address.
        var plain = [UInt8](repeating: 0, count: plainCount + 1)
        var (count, rest): (Int32, Int32) = (0, 0)
        let done = plain.withUnsafeMutableBufferPointer { buffer -> Bool in
            guard let start = buffer.baseAddress else { return false }
            return EVP_DecryptInit_ex2(context, EVP_aes_256_gcm(), key, nonce, nil) == 1
                && (binding.isEmpty || EVP_DecryptUpdate(context, nil, &rest, binding, Int32(binding.count)) == 1)
                && (plainCount == 0 || EVP_DecryptUpdate(context, start, &count, sealed, Int32(plainCount)) == 1)
                && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tagBytes), &tag) == 1
                && EVP_DecryptFinal_ex(context, start + Int(count), &rest) == 1
        }
        guard done else { return nil }
        plain.removeLast()
        return plain
    }

    private static func makeContext() -> OpaquePointer {
        guard let context = EVP_CIPHER_CTX_new() else { preconditionFailure("out of memory") }
        return context
    }
}
