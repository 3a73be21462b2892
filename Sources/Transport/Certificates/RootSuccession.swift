import COpenSSL

/// A root that takes another's place, and the word of the former for it. Source: Protocols/trust.md §10.
package struct RootSuccessor: Sendable {
    /// Self-signed, PEM.
    package let rootPEM: String
    /// The new root's name and key, signed by the former root; for whoever knows only that one. PEM.
    package let bridgePEM: String
    /// PKCS#8 PEM. Keep it in a file of mode 0600.
    package let privateKeyPEM: String
}

extension CertificateAuthority {
    /// Makes a second root with a new key, and has it vouched for by this one.
    ///
    /// Its name differs from this one's, because revocation lists are found by the name of their issuer. The bridge signs
    /// what the province signs and is constrained to it: a root itself is constrained by nobody.
    /// - Parameter nowMilliseconds: UTC.
    /// - Parameter days: of the new root; the bridge ends with this one.
    package func makeSuccessor(nowMilliseconds: Int64, days: Int) throws -> RootSuccessor {
        let keyPEM = try makePrivateKeyPEM()
        let key = try KeyReference(privateKeyPEM: keyPEM)
        defer { keepAlive(key) }
        let number = try SigningKey(privateKeyPEM: keyPEM).publicKey().fingerprint().prefix(4)
        let name = "\(subtree.host) root \(hexadecimalText(Array(number)))"
        let root = try CertificateDraft(
            commonName: name, publicKey: key, nowMilliseconds: nowMilliseconds, days: days)
        try root.setIssuer(nil)
        try root.add(NID_basic_constraints, "critical,CA:TRUE")
        try root.add(NID_key_usage, "critical,keyCertSign,cRLSign")
        try root.add(NID_subject_key_identifier, "hash")
        let own = try X509Reference.parseChain(chainPEM)[0]
        defer { keepAlive(own) }
        let left = PeerCertificate(x509: own.pointer).notAfterMilliseconds - nowMilliseconds
        let bridge = try CertificateDraft(
            commonName: name, publicKey: key, nowMilliseconds: nowMilliseconds, days: max(1, Int(left / 86_400_000)))
        try bridge.setIssuer(own)
        try bridge.add(NID_basic_constraints, "critical,CA:TRUE,pathlen:1")
        try bridge.add(NID_key_usage, "critical,keyCertSign,cRLSign")
        try bridge.add(NID_subject_key_identifier, "hash")
        try bridge.add(NID_authority_key_identifier, "keyid:always")
        try bridge.constrainNames(toHostAndBelow: subtree.host)
        return RootSuccessor(
            rootPEM: try root.sign(with: key),
            bridgePEM: try bridge.sign(with: KeyReference(privateKeyPEM: privateKeyPEM)),
            privateKeyPEM: keyPEM)
    }
}

/// Whether one of these roots has vouched for a new one: the bridge has the root's name and key and was signed by one of
/// them, the root is self-signed, and both may sign others.
/// - Parameter nowMilliseconds: the instant for which the bridge's chain is judged, UTC.
package func isSuccessor(_ rootPEM: String, bridgePEM: String, of rootsPEM: String, nowMilliseconds: Int64) -> Bool {
    defer { ERR_clear_error() }
    guard let roots = try? X509Reference.parseChain(rootPEM), roots.count == 1,
        let bridges = try? X509Reference.parseChain(bridgePEM), bridges.count == 1
    else { return false }
    let (root, bridge) = (roots[0], bridges[0])
    defer {
        keepAlive(root)
        keepAlive(bridge)
    }
    guard X509_check_ca(root.pointer) == 1, X509_check_ca(bridge.pointer) == 1,
        X509_self_signed(root.pointer, 1) == 1,
        X509_NAME_cmp(X509_get_subject_name(root.pointer), X509_get_subject_name(bridge.pointer)) == 0,
        let rootKey = X509_get0_pubkey(root.pointer), let bridgeKey = X509_get0_pubkey(bridge.pointer),
        EVP_PKEY_eq(rootKey, bridgeKey) == 1
    else { return false }
    return leads(bridgePEM, to: rootsPEM, nowMilliseconds: nowMilliseconds)
}

/// Whether a chain leads to one of these roots. Says nothing of the name that its first certificate carries.
/// - Parameter chainPEM: a node's certificate or an authority's, then its issuers.
/// - Parameter nowMilliseconds: the instant for which to judge, UTC.
package func leads(_ chainPEM: String, to rootsPEM: String, nowMilliseconds: Int64) -> Bool {
    defer { ERR_clear_error() }
    guard let chain = try? X509Reference.parseChain(chainPEM), let store = X509_STORE_new(),
        let context = X509_STORE_CTX_new(), let others = OPENSSL_sk_new_null()
    else { return false }
    defer {
        X509_STORE_CTX_free(context)
        X509_STORE_free(store)
        OPENSSL_sk_free(others)
        keepAlive(chain as AnyObject)
    }
    guard (try? fillTrustStore(store, rootsPEM: rootsPEM, crlsPEM: [], ignoringDates: false)) != nil else {
        return false
    }
    for certificate in chain.dropFirst() { OPENSSL_sk_push(others, UnsafeRawPointer(certificate.pointer)) }
    guard X509_STORE_CTX_init(context, store, chain[0].pointer, others) == 1 else { return false }
    X509_STORE_CTX_set_time(context, 0, Int(nowMilliseconds / 1000))
    return X509_verify_cert(context) == 1
}

extension PeerCertificate {
    /// SHA-256 of the public key's DER form, as `VerifyingKey.fingerprint`; nil for a key of another kind than a node's.
    package var keyFingerprint: [UInt8]? { try? VerifyingKey(certificatePEM: pem).fingerprint() }
}
