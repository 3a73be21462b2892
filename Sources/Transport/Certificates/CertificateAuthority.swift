import COpenSSL

/// A revoked certificate.
package struct RevokedCertificate: Sendable, Hashable {
    /// As in `PeerCertificate.serialHex`.
    package let serialHex: String
    /// UTC milliseconds.
    package let revokedAtMilliseconds: Int64

    package init(serialHex: String, revokedAtMilliseconds: Int64) {
        self.serialHex = serialHex
        self.revokedAtMilliseconds = revokedAtMilliseconds
    }
}

/// The province's root or a region's intermediate: signs certificates and revocation lists.
///
/// A subtree is held together twice. X.509 name constraints make every verifier refuse a name outside it, and this
/// type refuses to sign one, because OpenSSL 3.0 compares nothing but the host of a URI and lets pass what has no URI.
package struct CertificateAuthority: Sendable {
    /// This authority's certificate, then its issuers, the root included. PEM.
    package let chainPEM: String
    /// PKCS#8 PEM. Keep it in a file of mode 0600.
    package let privateKeyPEM: String
    /// The host below which it signs: `province`, or `region1.province`.
    package let subtree: NodeURI

    package static let leafDays = 30
    package static let authorityDays = 3_650
    /// Certificates start this long before `now`, so that a peer whose clock is behind takes them.
    package static let backdateMilliseconds: Int64 = 5 * 60 * 1000

    /// An authority made earlier.
    /// - Throws: `TransportError.configuration` if the parts do not belong together.
    package init(chainPEM: String, privateKeyPEM: String, subtree: NodeURI) throws {
        let certificate = try X509Reference.parseChain(chainPEM)[0]
        let key = try KeyReference(privateKeyPEM: privateKeyPEM)
        defer {
            keepAlive(certificate)
            keepAlive(key)
        }
        ERR_clear_error()
        guard X509_check_private_key(certificate.pointer, key.pointer) == 1 else {
            throw TransportError.configuration("authority: \(takeOpenSSLErrorText())")
        }
        guard X509_check_ca(certificate.pointer) == 1 else {
            throw TransportError.configuration("authority: the certificate may not sign others")
        }
        self.chainPEM = chainPEM
        self.privateKeyPEM = privateKeyPEM
        self.subtree = subtree
    }

    /// The self-signed root of a province, with a new key.
    /// - Parameter nowMilliseconds: UTC.
    package static func makeRoot(
        subtree: NodeURI, nowMilliseconds: Int64, days: Int = authorityDays, privateKeyPEM: String? = nil
    ) throws -> CertificateAuthority {
        let keyPEM = try privateKeyPEM ?? makePrivateKeyPEM()
        let key = try KeyReference(privateKeyPEM: keyPEM)
        let draft = try CertificateDraft(
            commonName: "\(subtree.host) root", publicKey: key, nowMilliseconds: nowMilliseconds, days: days)
        try draft.setIssuer(nil)
        try draft.add(NID_basic_constraints, "critical,CA:TRUE")
        try draft.add(NID_key_usage, "critical,keyCertSign,cRLSign")
        try draft.add(NID_subject_key_identifier, "hash")
        let pem = try draft.sign(with: key)
        return try CertificateAuthority(chainPEM: pem, privateKeyPEM: keyPEM, subtree: subtree)
    }

    /// Signs a region's authority from its request, constrained to what lies at and below its host.
    /// - Parameter expecting: the name that the issuer was told to sign; the request's own must be the same.
    /// - Returns: the chain, new certificate first, root last. PEM.
    /// - Throws: `TransportError.certificate`.
    package func signAuthority(
        _ request: CertificateRequest, expecting uri: NodeURI, nowMilliseconds: Int64, days: Int = authorityDays
    ) throws -> String {
        let draft = try draft(request, expecting: uri, nowMilliseconds: nowMilliseconds, days: days, isAuthority: true)
        try draft.add(NID_basic_constraints, "critical,CA:TRUE,pathlen:0")
        try draft.add(NID_key_usage, "critical,keyCertSign,cRLSign")
        try draft.add(NID_subject_key_identifier, "hash")
        try draft.add(NID_authority_key_identifier, "keyid:always")
        try draft.constrainNames(toHostAndBelow: uri.host)
        return try draft.sign(with: KeyReference(privateKeyPEM: privateKeyPEM)) + chainPEM
    }

    /// Signs a node's certificate from its request: one URI, for both ends of a connection.
    /// - Parameter expecting: the name that the issuer was told to sign; the request's own must be the same.
    /// - Returns: the chain, leaf first, root last. PEM.
    /// - Throws: `TransportError.certificate`.
    package func signLeaf(
        _ request: CertificateRequest, expecting uri: NodeURI, nowMilliseconds: Int64, days: Int = leafDays
    ) throws -> String {
        let draft = try draft(request, expecting: uri, nowMilliseconds: nowMilliseconds, days: days, isAuthority: false)
        try draft.add(NID_basic_constraints, "critical,CA:FALSE")
        try draft.add(NID_key_usage, "critical,digitalSignature")
        try draft.add(NID_ext_key_usage, "clientAuth,serverAuth")
        try draft.add(NID_subject_key_identifier, "hash")
        try draft.add(NID_authority_key_identifier, "keyid:always")
        try draft.add(NID_subject_alt_name, "URI:\(uri)")
        return try draft.sign(with: KeyReference(privateKeyPEM: privateKeyPEM)) + chainPEM
    }

    /// A list of everything this authority has revoked. - Returns: PEM.
    /// - Parameter number: must grow from list to list.
    package func signRevocationList(
        _ revoked: [RevokedCertificate], number: Int64, nowMilliseconds: Int64, days: Int = leafDays
    ) throws -> String {
        let issuer = try X509Reference.parseChain(chainPEM)[0]
        let key = try KeyReference(privateKeyPEM: privateKeyPEM)
        ERR_clear_error()
        guard let pointer = X509_CRL_new() else { preconditionFailure("out of memory") }
        let list = CRLReference(owning: pointer)
        let start = try ASN1TimeReference(milliseconds: nowMilliseconds)
        let end = try ASN1TimeReference(milliseconds: nowMilliseconds + Int64(days) * 86_400_000)
        defer { for object in [issuer, key, list, start, end] as [AnyObject] { keepAlive(object) } }
        guard X509_CRL_set_version(pointer, 1) == 1,
            X509_CRL_set_issuer_name(pointer, X509_get_subject_name(issuer.pointer)) == 1,
            X509_CRL_set1_lastUpdate(pointer, start.pointer) == 1, X509_CRL_set1_nextUpdate(pointer, end.pointer) == 1
        else { throw TransportError.certificate(takeOpenSSLErrorText()) }
        for entry in revoked { try list.add(entry) }
        X509_CRL_sort(pointer)
        var context = X509V3_CTX()
        X509V3_set_ctx(&context, issuer.pointer, nil, nil, pointer, 0)
        guard let keyIdentifier = X509V3_EXT_conf_nid(nil, &context, NID_authority_key_identifier, "keyid:always"),
            let sequence = ASN1_INTEGER_new()
        else { throw TransportError.certificate(takeOpenSSLErrorText()) }
        defer {
            X509_EXTENSION_free(keyIdentifier)
            ASN1_INTEGER_free(sequence)
        }
        guard ASN1_INTEGER_set_int64(sequence, number) == 1, X509_CRL_add_ext(pointer, keyIdentifier, -1) == 1,
            X509_CRL_add1_ext_i2d(pointer, NID_crl_number, sequence, 0, 0) == 1,
            X509_CRL_sign(pointer, key.pointer, EVP_sha256()) > 0
        else { throw TransportError.certificate(takeOpenSSLErrorText()) }
        return String(decoding: try collectBIO { PEM_write_bio_X509_CRL($0, pointer) == 1 }, as: UTF8.self)
    }

    private func draft(
        _ request: CertificateRequest, expecting uri: NodeURI, nowMilliseconds: Int64, days: Int, isAuthority: Bool
    ) throws -> CertificateDraft {
        // The struct may hold anything that decodes to it, so the request is verified again where it is signed.
        let parsed = try RequestReference(pem: request.pem)
        defer { keepAlive(parsed) }
        let asked = try parsed.verifiedURI()
        guard asked == uri else {
            throw TransportError.certificate("the request asks for \(asked), the issuer was told to sign \(uri)")
        }
        guard uri.isWithin(subtree), !(isAuthority && uri == subtree) else {
            throw TransportError.certificate("\(uri) is not below \(subtree)")
        }
        ERR_clear_error()
        guard let publicKey = X509_REQ_get_pubkey(parsed.pointer) else {
            throw TransportError.certificate(takeOpenSSLErrorText())
        }
        // The whole URI and not its host: OpenSSL holds a common name that looks like a DNS name against the constraints
        // on DNS names, and these exclude every one.
        let draft = try CertificateDraft(
            commonName: isAuthority ? "\(uri.host) authority" : uri.description,
            publicKey: KeyReference(owning: publicKey),
            nowMilliseconds: nowMilliseconds, days: days)
        try draft.setIssuer(try X509Reference.parseChain(chainPEM)[0])
        return draft
    }
}

/// A self-signed certificate for the console, with a new key.
///
/// Names `localhost` and 127.0.0.1 besides the given ones. A person accepts it once in the browser, or the site puts
/// its own in place.
/// - Throws: `TransportError.certificate` if a name is none.
package func makeConsoleIdentity(
    dnsNames: [String], nowMilliseconds: Int64, days: Int = 397
) throws -> TLSIdentity {
    let keyPEM = try makePrivateKeyPEM()
    let key = try KeyReference(privateKeyPEM: keyPEM)
    for name in dnsNames where NodeURI(host: name.lowercased()) == nil {
        throw TransportError.certificate("\(name) is not a DNS name")
    }
    let draft = try CertificateDraft(
        commonName: dnsNames.first ?? "localhost", publicKey: key, nowMilliseconds: nowMilliseconds, days: days)
    try draft.setIssuer(nil)
    try draft.add(NID_basic_constraints, "critical,CA:FALSE")
    try draft.add(NID_key_usage, "critical,digitalSignature")
    try draft.add(NID_ext_key_usage, "serverAuth")
    try draft.add(NID_subject_key_identifier, "hash")
    let names = (["localhost"] + dnsNames).map { "DNS:\($0)" } + ["IP:127.0.0.1", "IP:::1"]
    try draft.add(NID_subject_alt_name, names.joined(separator: ","))
    return TLSIdentity(certificateChainPEM: try draft.sign(with: key), privateKeyPEM: keyPEM)
}
