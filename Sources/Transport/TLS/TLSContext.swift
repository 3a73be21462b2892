import COpenSSL

/// A certificate with what leads to its root, and its private key.
package struct TLSIdentity: Sendable {
    /// PEM, leaf first, then the intermediates; the root may be left out.
    package let certificateChainPEM: String
    /// PEM, unencrypted (PKCS#8 or SEC 1).
    package let privateKeyPEM: String

    package init(certificateChainPEM: String, privateKeyPEM: String) {
        self.certificateChainPEM = certificateChainPEM
        self.privateKeyPEM = privateKeyPEM
    }
}

/// Whether a listener asks for certificates.
package enum ClientCertificatePolicy: Sendable {
    /// Nodes: no certificate, no connection.
    case required
    /// The console: people log in with a password.
    case none
}

/// Keys, roots and revocation lists from which connections are made.
///
/// TLS 1.3 alone, ALPN h2, no tickets, no session cache, no early data: whatever lets a peer skip the certificate
/// would outlive its revocation. A context never changes; a new list or a renewed certificate means a new context,
/// which a running listener takes over for the connections that come after.
///
/// Revocation: a list counts for the certificates of its own issuer, at every depth of the chain. An issuer without a
/// list is not an error, nor is a list past its next update, because an office that is cut off gets neither.
/// Give one list per issuer: of two with the same time OpenSSL keeps the first.
package final class TLSContext: @unchecked Sendable {
    // Sendable: the SSL_CTX is complete when init returns and never modified again; SSL_new may be called by any thread.
    let pointer: OpaquePointer
    let role: TLSRole
    let requiresPeerCertificate: Bool

    /// Key exchange. Finite fields are left out: a stranger who asks for one of 8,192 bits would make this side compute
    /// for tens of milliseconds (CVE-2002-20001).
    private static let groups = "X25519:P-256:P-384"

    /// Octets of a peer's certificate message. A node's chain has some 2 KiB; a stranger's would be kept until the
    /// handshake has failed.
    static let certificateListBytesMax = 16_384

    /// A context for accepting.
    /// - Parameter trustRootsPEM: roots that client certificates must lead to; unused if none are asked for.
    /// - Parameter crlsPEM: PEM revocation lists, each text holding one or more.
    /// - Parameter ignoringDates: accept certificates outside their validity, for a listener that decides itself what
    ///   an expired one may do (see `PeerCertificate.notAfterMilliseconds`).
    /// - Parameter toleratesExpiredLeaf: the same for a leaf past its end alone; its issuers' dates count.
    /// - Throws: `TransportError.configuration`. Parses every input; some milliseconds.
    package static func server(
        identity: TLSIdentity, trustRootsPEM: String, crlsPEM: [String] = [],
        clientCertificate: ClientCertificatePolicy = .required, ignoringDates: Bool = false,
        toleratesExpiredLeaf: Bool = false
    ) throws -> TLSContext {
        let context = try TLSContext(role: .server, requiresPeerCertificate: clientCertificate == .required)
        try context.use(identity)
        if clientCertificate == .required {
            try context.trust(
                rootsPEM: trustRootsPEM, crlsPEM: crlsPEM, ignoringDates: ignoringDates,
                toleratesExpiredLeaf: toleratesExpiredLeaf)
        }
        SSL_CTX_set_alpn_select_cb(context.pointer, selectApplicationProtocol, nil)
        return context
    }

    /// A context for dialling.
    /// - Parameter identity: nil for a client that shows no certificate.
    /// - Parameter ignoringDates: for a node whose clock is far off and that only wants the time or a renewal.
    /// - Throws: `TransportError.configuration`.
    package static func client(
        identity: TLSIdentity?, trustRootsPEM: String, crlsPEM: [String] = [], ignoringDates: Bool = false
    ) throws -> TLSContext {
        let context = try TLSContext(role: .client, requiresPeerCertificate: true)
        if let identity { try context.use(identity) }
        try context.trust(rootsPEM: trustRootsPEM, crlsPEM: crlsPEM, ignoringDates: ignoringDates)
        let list: [UInt8] = [2, UInt8(ascii: "h"), UInt8(ascii: "2")]
        guard SSL_CTX_set_alpn_protos(context.pointer, list, UInt32(list.count)) == 0 else {
            throw TransportError.configuration(takeOpenSSLErrorText())
        }
        return context
    }

    init(role: TLSRole, requiresPeerCertificate: Bool) throws {
        ERR_clear_error()
        guard let pointer = SSL_CTX_new(role == .server ? TLS_server_method() : TLS_client_method()) else {
            throw TransportError.configuration(takeOpenSSLErrorText())
        }
        self.pointer = pointer
        self.role = role
        self.requiresPeerCertificate = requiresPeerCertificate
        SSL_CTX_ctrl(pointer, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_3_VERSION), nil)
        SSL_CTX_ctrl(pointer, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(TLS1_3_VERSION), nil)
        SSL_CTX_ctrl(pointer, SSL_CTRL_SET_SESS_CACHE_MODE, Int(SSL_SESS_CACHE_OFF), nil)
        // Release buffers: an idle connection gives back the two record buffers of some 17 KiB each.
        let mode =
            Int(SSL_MODE_RELEASE_BUFFERS) | Int(SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER) | Int(SSL_MODE_NO_AUTO_CHAIN)
        SSL_CTX_ctrl(pointer, SSL_CTRL_MODE, mode, nil)
        let hasGroups = Self.groups.withCString {
            SSL_CTX_ctrl(pointer, SSL_CTRL_SET_GROUPS_LIST, 0, UnsafeMutableRawPointer(mutating: $0))
        }
        guard hasGroups == 1 else { throw TransportError.configuration(takeOpenSSLErrorText()) }
        SSL_CTX_ctrl(pointer, SSL_CTRL_SET_MAX_CERT_LIST, Self.certificateListBytesMax, nil)
        SSL_CTX_set_num_tickets(pointer, 0)
        SSL_CTX_set_max_early_data(pointer, 0)
        // SSL_OP_NO_TICKET and SSL_OP_NO_RENEGOTIATION; Swift does not see the macros behind SSL_OP_BIT.
        SSL_CTX_set_options(pointer, (1 << 14) | (1 << 30))
        if requiresPeerCertificate {
            SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
            SSL_CTX_set_cert_verify_callback(pointer, verifyPeerCertificate, nil)
        } else {
            SSL_CTX_set_verify(pointer, SSL_VERIFY_NONE, nil)
        }
    }

    deinit { SSL_CTX_free(pointer) }

    func use(_ identity: TLSIdentity) throws {
        let chain = try X509Reference.parseChain(identity.certificateChainPEM)
        let key = try KeyReference(privateKeyPEM: identity.privateKeyPEM)
        defer {
            keepAlive(chain as AnyObject)
            keepAlive(key)
        }
        ERR_clear_error()
        guard SSL_CTX_use_certificate(pointer, chain[0].pointer) == 1,
            SSL_CTX_use_PrivateKey(pointer, key.pointer) == 1,
            SSL_CTX_check_private_key(pointer) == 1
        else { throw TransportError.configuration("identity: \(takeOpenSSLErrorText())") }
        // The root stays at home: the peer has it, or does not trust it, and would keep a copy per connection.
        for certificate in chain.dropFirst() where X509_self_signed(certificate.pointer, 0) != 1 {
            let added = SSL_CTX_ctrl(pointer, SSL_CTRL_CHAIN_CERT, 1, UnsafeMutableRawPointer(certificate.pointer))
            guard added == 1 else { throw TransportError.configuration("chain: \(takeOpenSSLErrorText())") }
        }
    }

    func trust(
        rootsPEM: String, crlsPEM: [String], ignoringDates: Bool, toleratesExpiredLeaf: Bool = false
    ) throws {
        guard let store = SSL_CTX_get_cert_store(pointer) else { preconditionFailure("a context has a store") }
        try fillTrustStore(
            store, rootsPEM: rootsPEM, crlsPEM: crlsPEM, ignoringDates: ignoringDates,
            toleratesExpiredLeaf: toleratesExpiredLeaf)
    }
}

/// Which end of a connection.
package enum TLSRole: Sendable { case client, server }

/// Picks `h2` out of what the client offers; nothing else is spoken here.
private let selectApplicationProtocol: SSL_CTX_alpn_select_cb_func = { _, out, outLength, offered, count, _ in
    guard let out, let outLength, let offered else { return SSL_TLSEXT_ERR_ALERT_FATAL }
    var index = 0
    while index < Int(count) {
        let length = Int(offered[index])
        guard index + 1 + length <= Int(count) else { break }
        if length == 2, offered[index + 1] == UInt8(ascii: "h"), offered[index + 2] == UInt8(ascii: "2") {
            out.pointee = offered + index + 1
            outLength.pointee = 2
            return SSL_TLSEXT_ERR_OK
        }
        index += 1 + length
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL
}

/// Verifies the chain as OpenSSL does, then asks the session about the leaf, so that a refusal travels as an alert.
private let verifyPeerCertificate: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> Int32 = { store, _ in
    guard let store else { return 0 }
    guard X509_verify_cert(store) == 1 else { return 0 }
    let raw = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx())
    guard let raw, let sessionPointer = SSL_get_ex_data(OpaquePointer(raw), 0),
        let leaf = X509_STORE_CTX_get0_cert(store)
    else { return 0 }
    let session = Unmanaged<TLSSession>.fromOpaque(sessionPointer).takeUnretainedValue()
    if session.accepts(PeerCertificate(x509: leaf)) { return 1 }
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION)
    return 0
}
