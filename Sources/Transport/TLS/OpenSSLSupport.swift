import COpenSSL
import NIOCore

/// The oldest entry's text of this thread's error queue, and empties the queue.
func takeOpenSSLErrorText() -> String {
    var texts: [String] = []
    while true {
        let code = ERR_get_error()
        if code == 0 { break }
        if let reason = ERR_reason_error_string(code) {
            texts.append(String(cString: reason))
        } else {
            texts.append("error \(String(code, radix: 16))")
        }
    }
    return texts.isEmpty ? "unknown OpenSSL error" : texts.joined(separator: "; ")
}

/// Calls `body` with a read-only BIO over the text.
func withBIO<Result>(_ text: String, _ body: (OpaquePointer) throws -> Result) rethrows -> Result {
    var text = text
    return try text.withUTF8 { bytes in
        guard let bio = BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count)) else {
            preconditionFailure("out of memory")
        }
        defer { BIO_free(bio) }
        return try body(bio)
    }
}

/// Collects what `body` writes into a memory BIO.
func collectBIO(_ body: (OpaquePointer) throws -> Bool) throws -> [UInt8] {
    guard let bio = BIO_new(BIO_s_mem()) else { preconditionFailure("out of memory") }
    defer { BIO_free(bio) }
    ERR_clear_error()
    guard try body(bio) else { throw TransportError.certificate(takeOpenSSLErrorText()) }
    var pointer: UnsafeMutableRawPointer?
    let count = withUnsafeMutablePointer(to: &pointer) { BIO_ctrl(bio, BIO_CTRL_INFO, 0, $0) }
    guard let pointer, count > 0 else { return [] }
    return Array(UnsafeRawBufferPointer(start: pointer, count: count))
}

/// Keeps the object until here. Swift may let go of it after its last use, and reading `pointer` is one, while C goes on
/// with the pointer. To be used in a `defer` beside the declaration.
func keepAlive(_ object: AnyObject) { withExtendedLifetime(object) {} }

/// One `X509 *` with its reference count tied to Swift's.
final class X509Reference {
    let pointer: OpaquePointer
    init(owning pointer: OpaquePointer) { self.pointer = pointer }
    deinit { X509_free(pointer) }

    /// Every certificate of a PEM text, in order. Text between the blocks is skipped.
    static func parseChain(_ pem: String) throws -> [X509Reference] {
        ERR_clear_error()
        var chain: [X509Reference] = []
        withBIO(pem) { bio in
            while let certificate = PEM_read_bio_X509(bio, nil, nil, nil) {
                chain.append(X509Reference(owning: certificate))
            }
        }
        try requireEndOfPEM("certificate")
        if chain.isEmpty { throw TransportError.configuration("no certificate in the PEM text") }
        return chain
    }
}

/// One `X509_CRL *`.
final class CRLReference {
    let pointer: OpaquePointer
    init(owning pointer: OpaquePointer) { self.pointer = pointer }
    deinit { X509_CRL_free(pointer) }

    static func parseAll(_ pem: String) throws -> [CRLReference] {
        ERR_clear_error()
        var lists: [CRLReference] = []
        withBIO(pem) { bio in
            while let list = PEM_read_bio_X509_CRL(bio, nil, nil, nil) { lists.append(CRLReference(owning: list)) }
        }
        try requireEndOfPEM("revocation list")
        if lists.isEmpty { throw TransportError.configuration("no revocation list in the PEM text") }
        return lists
    }
}

/// One `EVP_PKEY *`.
final class KeyReference {
    let pointer: OpaquePointer
    init(owning pointer: OpaquePointer) { self.pointer = pointer }
    deinit { EVP_PKEY_free(pointer) }

    init(privateKeyPEM: String) throws {
        ERR_clear_error()
        // A password callback that answers "none": without it OpenSSL would ask on the terminal for an encrypted key.
        let key = withBIO(privateKeyPEM) { PEM_read_bio_PrivateKey($0, nil, { _, _, _, _ in -1 }, nil) }
        guard let key else {
            throw TransportError.configuration("private key is not readable: \(takeOpenSSLErrorText())")
        }
        pointer = key
    }

    init(publicKeyPEM: String) throws {
        ERR_clear_error()
        guard let key = withBIO(publicKeyPEM, { PEM_read_bio_PUBKEY($0, nil, nil, nil) }) else {
            throw TransportError.configuration("public key is not readable: \(takeOpenSSLErrorText())")
        }
        pointer = key
    }
}

/// PEM readers end with "no start line"; anything else on the queue means that a block was damaged.
private func requireEndOfPEM(_ what: String) throws {
    let code = ERR_peek_last_error()
    let isEnd = Int32(code & 0xff) == 0 || Int32(truncatingIfNeeded: code & 0x7f_ffff) == PEM_R_NO_START_LINE
    if isEnd {
        ERR_clear_error()
    } else {
        throw TransportError.configuration("damaged \(what) in the PEM text: \(takeOpenSSLErrorText())")
    }
}
