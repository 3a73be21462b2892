import COpenSSL

/// Judges a node's certificate outside a connection: at enrolment, or before a signature made with its key counts.
///
/// The rules are those of a connection: the chain leads to a root, name constraints hold, the lists do not name it, and
/// the leaf carries exactly one node name.
/// - Parameter chainPEM: leaf first, then the intermediates.
/// - Parameter nowMilliseconds: the instant for which to judge, UTC: for an old signature the time of that.
/// - Returns: the leaf.
/// - Throws: `TransportError.peerCertificateRejected` with OpenSSL's reason, `.configuration` for damaged PEM.
///   Some 0.3 ms a link.
package func verifyNodeChain(
    _ chainPEM: String, trustRootsPEM: String, crlsPEM: [String] = [], nowMilliseconds: Int64
) throws -> PeerCertificate {
    let chain = try X509Reference.parseChain(chainPEM)
    defer { keepAlive(chain as AnyObject) }
    guard let store = X509_STORE_new(), let context = X509_STORE_CTX_new(), let others = OPENSSL_sk_new_null() else {
        preconditionFailure("out of memory")
    }
    defer {
        X509_STORE_CTX_free(context)
        X509_STORE_free(store)
        OPENSSL_sk_free(others)
    }
    try fillTrustStore(store, rootsPEM: trustRootsPEM, crlsPEM: crlsPEM, ignoringDates: false)
    for certificate in chain.dropFirst() { OPENSSL_sk_push(others, UnsafeRawPointer(certificate.pointer)) }
    guard X509_STORE_CTX_init(context, store, chain[0].pointer, others) == 1 else {
        throw TransportError.certificate(takeOpenSSLErrorText())
    }
    X509_STORE_CTX_set_time(context, 0, Int(nowMilliseconds / 1000))
    ERR_clear_error()
    defer { ERR_clear_error() }
    guard X509_verify_cert(context) == 1 else {
        let reason = X509_verify_cert_error_string(Int(X509_STORE_CTX_get_error(context)))
        throw TransportError.peerCertificateRejected(reason: reason.map { String(cString: $0) } ?? "unknown")
    }
    let leaf = PeerCertificate(x509: chain[0].pointer)
    guard leaf.nodeURI != nil else {
        throw TransportError.peerCertificateRejected(reason: "needs exactly one name of the form banjie://HOST/")
    }
    return leaf
}

/// Puts roots and lists into a store, and the rules by which the lists count.
func fillTrustStore(
    _ store: OpaquePointer, rootsPEM: String, crlsPEM: [String], ignoringDates: Bool,
    toleratesExpiredLeaf: Bool = false
) throws {
    let roots = try X509Reference.parseChain(rootsPEM)
    let lists = try crlsPEM.flatMap(CRLReference.parseAll)
    defer {
        keepAlive(roots as AnyObject)
        keepAlive(lists as AnyObject)
    }
    ERR_clear_error()
    for root in roots where X509_STORE_add_cert(store, root.pointer) != 1 {
        throw TransportError.configuration("root: \(takeOpenSSLErrorText())")
    }
    for list in lists where X509_STORE_add_crl(store, list.pointer) != 1 {
        throw TransportError.configuration("revocation list: \(takeOpenSSLErrorText())")
    }
    var flags: UInt = 0
    if !lists.isEmpty { flags = UInt(X509_V_FLAG_CRL_CHECK) | UInt(X509_V_FLAG_CRL_CHECK_ALL) }
    if ignoringDates { flags |= UInt(X509_V_FLAG_NO_CHECK_TIME) }
    X509_STORE_set_flags(store, flags)
    X509_STORE_set_verify_cb(
        store, toleratesExpiredLeaf ? tolerateExpiredLeaf : tolerateMissingRevocationList)
}

/// No list of an issuer, or an old one, is what an office that is cut off has; one from the future is what an office
/// with a slow clock sees, and what judges an old signature. Whom a list names stays revoked in each case.
private let tolerateMissingRevocationList: X509_STORE_CTX_verify_cb = { isFine, store in
    if isFine == 1 { return 1 }
    switch X509_STORE_CTX_get_error(store) {
    case X509_V_ERR_UNABLE_TO_GET_CRL, X509_V_ERR_CRL_HAS_EXPIRED, X509_V_ERR_CRL_NOT_YET_VALID:
        X509_STORE_CTX_set_error(store, X509_V_OK)
        return 1
    default: return 0
    }
}

/// The same for a listener that decides itself what an expired leaf may do: nothing but ask for a new one.
private let tolerateExpiredLeaf: X509_STORE_CTX_verify_cb = { isFine, store in
    if isFine != 1, X509_STORE_CTX_get_error(store) == X509_V_ERR_CERT_HAS_EXPIRED,
        X509_STORE_CTX_get_error_depth(store) == 0
    {
        X509_STORE_CTX_set_error(store, X509_V_OK)
        return 1
    }
    return tolerateMissingRevocationList(isFine, store)
}
