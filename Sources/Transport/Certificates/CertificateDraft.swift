import COpenSSL

/// A certificate that is being filled in.
final class CertificateDraft {
    private let certificate: X509Reference
    private var issuer: X509Reference?

    /// Serial of 128 random bits, validity from five minutes before `nowMilliseconds`.
    init(commonName: String, publicKey: KeyReference, nowMilliseconds: Int64, days: Int) throws {
        ERR_clear_error()
        guard let pointer = X509_new() else { preconditionFailure("out of memory") }
        certificate = X509Reference(owning: pointer)
        let start = try ASN1TimeReference(
            milliseconds: nowMilliseconds - CertificateAuthority.backdateMilliseconds)
        let end = try ASN1TimeReference(milliseconds: nowMilliseconds + Int64(days) * 86_400_000)
        defer { for object in [publicKey, start, end] as [AnyObject] { keepAlive(object) } }
        guard X509_set_version(pointer, 2) == 1, X509_set_pubkey(pointer, publicKey.pointer) == 1,
            X509_set1_notBefore(pointer, start.pointer) == 1, X509_set1_notAfter(pointer, end.pointer) == 1
        else { throw TransportError.certificate(takeOpenSSLErrorText()) }
        guard let serial = BN_new() else { preconditionFailure("out of memory") }
        defer { BN_free(serial) }
        guard BN_rand(serial, 128, -1, 0) == 1, BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(pointer)) != nil else {
            throw TransportError.certificate(takeOpenSSLErrorText())
        }
        try setCommonName(X509_get_subject_name(pointer), commonName)
    }

    /// - Parameter issuer: nil for a self-signed one. Must precede `add`.
    func setIssuer(_ issuer: X509Reference?) throws {
        self.issuer = issuer
        let name = X509_get_subject_name((issuer ?? certificate).pointer)
        guard X509_set_issuer_name(certificate.pointer, name) == 1 else {
            throw TransportError.certificate(takeOpenSSLErrorText())
        }
    }

    /// Adds an extension in OpenSSL's configuration syntax; `value` must not hold what a peer wrote unchecked.
    func add(_ identifier: Int32, _ value: String) throws {
        var context = X509V3_CTX()
        X509V3_set_ctx(&context, (issuer ?? certificate).pointer, certificate.pointer, nil, nil, 0)
        ERR_clear_error()
        guard let made = X509V3_EXT_conf_nid(nil, &context, identifier, value) else {
            throw TransportError.certificate("extension \(value): \(takeOpenSSLErrorText())")
        }
        defer { X509_EXTENSION_free(made) }
        guard X509_add_ext(certificate.pointer, made, -1) == 1 else {
            throw TransportError.certificate(takeOpenSSLErrorText())
        }
    }

    /// Permits URIs of this host and of all below it; excludes every DNS name, mail address and IP address.
    func constrainNames(toHostAndBelow host: String) throws {
        ERR_clear_error()
        guard let constraints = NAME_CONSTRAINTS_new() else { preconditionFailure("out of memory") }
        defer { NAME_CONSTRAINTS_free(constraints) }
        let permitted = OPENSSL_sk_new_null()
        let excluded = OPENSSL_sk_new_null()
        constraints.pointee.permittedSubtrees = permitted
        constraints.pointee.excludedSubtrees = excluded
        // RFC 5280 §4.2.1.10: with a leading dot the hosts below, without it the host itself; hence both.
        OPENSSL_sk_push(permitted, Self.subtree(GEN_URI, Array(".\(host)".utf8)))
        OPENSSL_sk_push(permitted, Self.subtree(GEN_URI, Array(host.utf8)))
        // The empty name matches every name. The configuration syntax cannot say it, so these are made by hand.
        OPENSSL_sk_push(excluded, Self.subtree(GEN_DNS, []))
        OPENSSL_sk_push(excluded, Self.subtree(GEN_EMAIL, []))
        OPENSSL_sk_push(excluded, Self.subtree(GEN_IPADD, [UInt8](repeating: 0, count: 8)))
        OPENSSL_sk_push(excluded, Self.subtree(GEN_IPADD, [UInt8](repeating: 0, count: 32)))
        guard X509_add1_ext_i2d(certificate.pointer, NID_name_constraints, constraints, 1, 0) == 1 else {
            throw TransportError.certificate(takeOpenSSLErrorText())
        }
    }

    private static func subtree(_ type: Int32, _ value: [UInt8]) -> UnsafeRawPointer {
        guard let subtree = GENERAL_SUBTREE_new(),
            let text = type == GEN_IPADD ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new(),
            ASN1_STRING_set(text, value, Int32(value.count)) == 1
        else { preconditionFailure("out of memory") }
        GENERAL_NAME_set0_value(subtree.pointee.base, type, text)
        return UnsafeRawPointer(subtree)
    }

    /// - Returns: PEM.
    func sign(with key: KeyReference) throws -> String {
        ERR_clear_error()
        if let issuer, X509_check_private_key(issuer.pointer, key.pointer) != 1 {
            throw TransportError.certificate("the issuer's key and certificate differ")
        }
        guard X509_sign(certificate.pointer, key.pointer, EVP_sha256()) > 0 else {
            throw TransportError.certificate(takeOpenSSLErrorText())
        }
        let bytes = try collectBIO { PEM_write_bio_X509($0, certificate.pointer) == 1 }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// One `ASN1_TIME *`.
final class ASN1TimeReference {
    let pointer: UnsafeMutablePointer<ASN1_TIME>

    init(milliseconds: Int64) throws {
        guard let pointer = ASN1_TIME_set(nil, Int(milliseconds / 1000)) else {
            throw TransportError.certificate("\(milliseconds) is no time for a certificate")
        }
        self.pointer = pointer
    }

    deinit { ASN1_TIME_free(pointer) }
}

extension CRLReference {
    func add(_ entry: RevokedCertificate) throws {
        var number: OpaquePointer?
        guard !entry.serialHex.isEmpty, entry.serialHex.utf8.count <= 40,
            Int(BN_hex2bn(&number, entry.serialHex)) == entry.serialHex.utf8.count
        else {
            BN_free(number)
            throw TransportError.certificate("\(entry.serialHex) is no serial number")
        }
        defer { BN_free(number) }
        guard let revoked = X509_REVOKED_new(), let serial = BN_to_ASN1_INTEGER(number, nil) else {
            preconditionFailure("out of memory")
        }
        defer { ASN1_INTEGER_free(serial) }
        let time = try ASN1TimeReference(milliseconds: entry.revokedAtMilliseconds)
        defer { keepAlive(time) }
        guard X509_REVOKED_set_serialNumber(revoked, serial) == 1,
            X509_REVOKED_set_revocationDate(revoked, time.pointer) == 1, X509_CRL_add0_revoked(pointer, revoked) == 1
        else {
            X509_REVOKED_free(revoked)
            throw TransportError.certificate(takeOpenSSLErrorText())
        }
    }
}
