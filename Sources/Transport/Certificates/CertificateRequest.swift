import COpenSSL

/// Makes a P-256 key. - Returns: PKCS#8 PEM, unencrypted.
/// - Throws: `TransportError.cryptography`. Under a millisecond.
package func makePrivateKeyPEM() throws -> String {
    ERR_clear_error()
    guard let context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nil) else { preconditionFailure("out of memory") }
    defer { EVP_PKEY_CTX_free(context) }
    var pointer: OpaquePointer?
    guard EVP_PKEY_keygen_init(context) == 1,
        EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1) == 1,
        EVP_PKEY_keygen(context, &pointer) == 1, let pointer
    else { throw TransportError.cryptography("key: \(takeOpenSSLErrorText())") }
    let key = KeyReference(owning: pointer)
    defer { keepAlive(key) }
    let pem = try collectBIO { PEM_write_bio_PKCS8PrivateKey($0, key.pointer, nil, nil, 0, nil, nil) == 1 }
    return String(decoding: pem, as: UTF8.self)
}

/// A request for a node's certificate: a public key and the one name it asks for, signed with the key itself.
package struct CertificateRequest: Sendable, Equatable {
    /// PKCS#10.
    package let pem: String
    /// The name that it asks for.
    package let uri: NodeURI

    /// Makes a request.
    /// - Throws: `TransportError.certificate` or `.configuration` if the key is not usable.
    package init(uri: NodeURI, privateKeyPEM: String) throws {
        let key = try KeyReference(privateKeyPEM: privateKeyPEM)
        defer { keepAlive(key) }
        try requireP256(key)
        ERR_clear_error()
        guard let request = X509_REQ_new() else { preconditionFailure("out of memory") }
        defer { X509_REQ_free(request) }
        try setCommonName(X509_REQ_get_subject_name(request), uri.description)
        guard X509_REQ_set_version(request, 0) == 1, X509_REQ_set_pubkey(request, key.pointer) == 1 else {
            throw TransportError.certificate(takeOpenSSLErrorText())
        }
        let extensions = OPENSSL_sk_new_null()
        defer { OPENSSL_sk_pop_free(extensions) { X509_EXTENSION_free(OpaquePointer($0)) } }
        guard let names = X509V3_EXT_conf_nid(nil, nil, NID_subject_alt_name, "URI:\(uri)") else {
            throw TransportError.certificate(takeOpenSSLErrorText())
        }
        OPENSSL_sk_push(extensions, UnsafeRawPointer(names))
        guard X509_REQ_add_extensions(request, extensions) == 1, X509_REQ_sign(request, key.pointer, EVP_sha256()) > 0
        else { throw TransportError.certificate(takeOpenSSLErrorText()) }
        pem = String(decoding: try collectBIO { PEM_write_bio_X509_REQ($0, request) == 1 }, as: UTF8.self)
        self.uri = uri
    }

    /// Reads a request from elsewhere and checks all that an issuer relies on: its signature, a P-256 key, exactly one
    /// node name and no other kind of name.
    /// - Throws: `TransportError.certificate`.
    package init(pem: String) throws {
        let request = try RequestReference(pem: pem)
        uri = try request.verifiedURI()
        self.pem = pem
    }
}

/// One `X509_REQ *`.
final class RequestReference {
    let pointer: OpaquePointer

    init(pem: String) throws {
        ERR_clear_error()
        guard let request = withBIO(pem, { PEM_read_bio_X509_REQ($0, nil, nil, nil) }) else {
            throw TransportError.certificate("request is not readable: \(takeOpenSSLErrorText())")
        }
        pointer = request
    }

    deinit { X509_REQ_free(pointer) }

    /// Proof of possession first; then the name, read from the request and never from its subject.
    func verifiedURI() throws -> NodeURI {
        ERR_clear_error()
        guard let publicKey = X509_REQ_get_pubkey(pointer) else {
            throw TransportError.certificate("request: \(takeOpenSSLErrorText())")
        }
        let key = KeyReference(owning: publicKey)
        defer { keepAlive(key) }
        try requireP256(key)
        guard X509_REQ_verify(pointer, key.pointer) == 1 else {
            ERR_clear_error()
            throw TransportError.certificate("the request's signature is not by its own key")
        }
        let extensions = X509_REQ_get_extensions(pointer)
        defer { OPENSSL_sk_pop_free(extensions) { X509_EXTENSION_free(OpaquePointer($0)) } }
        var isCritical: Int32 = 0
        guard let raw = X509V3_get_d2i(extensions, NID_subject_alt_name, &isCritical, nil) else {
            throw TransportError.certificate("the request carries no name")
        }
        let names = PeerCertificate.readNames(OpaquePointer(raw))
        GENERAL_NAMES_free(OpaquePointer(raw))
        guard names.uris.count == 1, names.others == 0, let uri = NodeURI(names.uris[0]) else {
            throw TransportError.certificate(
                "the request must carry exactly one name banjie://HOST/, has \(names.uris) and \(names.others) others")
        }
        return uri
    }
}

func setCommonName(_ name: OpaquePointer?, _ text: String) throws {
    // X.520 allows 64 characters; the name that counts is the URI, so a long host is cut here and not refused.
    let bytes = Array(text.utf8.prefix(64))
    guard X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, bytes, Int32(bytes.count), -1, 0) == 1 else {
        throw TransportError.certificate(takeOpenSSLErrorText())
    }
}
