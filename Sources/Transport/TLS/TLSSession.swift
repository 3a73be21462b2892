import COpenSSL
package import NIOCore

/// Whom a dialler expects at the other end. In each case the certificate must carry exactly one node name.
package enum ExpectedPeer: Sendable {
    /// This very name, `banjie://HOST/`.
    case uri(String)
    /// Any certificate of the trusted roots for which the predicate holds; it must not block.
    case matching(@Sendable (PeerCertificate) -> Bool)
}

/// One TLS connection without I/O: bytes in, plaintext and bytes out.
///
/// Call order: `start`, then any mix of `receive`, `send` and `close`; after each, `takeOutput` and put that on the
/// wire, also when the call threw, because what it holds then is the alert that tells the peer why.
/// Not Sendable: it lives where its connection lives.
package final class TLSSession {
    /// How far the connection has come.
    package enum State: Equatable, Sendable {
        case handshaking, established, peerClosed, closed
        case failed(TransportError)
    }

    /// Plaintext octets of one record (RFC 8446 §5.1).
    static let recordBytesMax = 16_384
    /// What a record adds to its plaintext: header, content type, tag.
    static let recordOverheadBytes = 22

    package private(set) var state = State.handshaking
    /// The peer's leaf; nil before the handshake is done and where none was asked for.
    package private(set) var peerCertificate: PeerCertificate?

    private let context: TLSContext
    private let expectedPeer: ExpectedPeer?
    private let ssl: OpaquePointer
    private var input = ByteBuffer()
    private var output = ByteBuffer()
    private var rejection: TransportError?

    /// - Parameter expectedPeer: for the client's role; a listener accepts every name that its roots vouch for.
    /// - Throws: `TransportError.tls` if OpenSSL has no memory left.
    package init(context: TLSContext, expectedPeer: ExpectedPeer? = nil) throws(TransportError) {
        ERR_clear_error()
        guard let ssl = SSL_new(context.pointer) else { throw .tls(reason: takeOpenSSLErrorText()) }
        guard let bio = BIO_new(sessionBIOMethod.pointer) else {
            SSL_free(ssl)
            throw .tls(reason: takeOpenSSLErrorText())
        }
        self.ssl = ssl
        self.context = context
        self.expectedPeer = expectedPeer
        let me = Unmanaged.passUnretained(self).toOpaque()
        BIO_set_data(bio, me)
        BIO_set_init(bio, 1)
        SSL_set_bio(ssl, bio, bio)
        SSL_set_ex_data(ssl, 0, me)
        if context.role == .client { SSL_set_connect_state(ssl) } else { SSL_set_accept_state(ssl) }
    }

    deinit { SSL_free(ssl) }

    // MARK: Inputs

    /// Begins: the client's first flight is in `takeOutput` afterwards.
    package func start() throws(TransportError) {
        try handshake()
    }

    /// Takes bytes from the wire and appends what they decrypt to.
    ///
    /// A close_notify shows as `state == .peerClosed`.
    /// - Throws: `.tls`, `.peerCertificateRejected`, `.peerNameMismatch`, `.applicationProtocolMissing`; the session has
    ///   failed then. O(bytes).
    package func receive(_ bytes: ByteBuffer, plaintext: inout ByteBuffer) throws(TransportError) {
        switch state {
        case .failed(let error): throw error
        case .closed, .peerClosed: return
        case .handshaking, .established: break
        }
        if input.readableBytes == 0 { input = bytes } else { input.writeImmutableBuffer(bytes) }
        if state == .handshaking { try handshake() }
        if state == .established { try read(into: &plaintext) }
        if input.readableBytes == 0 { input = ByteBuffer() }
    }

    /// Encrypts. Only once established. O(bytes).
    package func send(_ bytes: ByteBuffer) throws(TransportError) {
        if case .failed(let error) = state { throw error }
        guard state == .established || state == .peerClosed else {
            throw .connectionClosed(reason: "TLS is not established")
        }
        let count = bytes.readableBytes
        if count == 0 { return }
        output.reserveCapacity(
            minimumWritableBytes: count + (count / Self.recordBytesMax + 1) * Self.recordOverheadBytes)
        ERR_clear_error()
        let written = bytes.withUnsafeReadableBytes { raw in SSL_write(ssl, raw.baseAddress, Int32(raw.count)) }
        guard Int(written) == count else { throw fail(written) }
    }

    /// Sends close_notify; nothing may be sent after it.
    package func close() {
        guard state == .established || state == .peerClosed else { return }
        ERR_clear_error()
        SSL_shutdown(ssl)
        state = .closed
    }

    /// Whether `takeOutput` would give something.
    package var hasOutput: Bool { output.readableBytes > 0 }

    /// What has to go on the wire; nil if nothing.
    package func takeOutput() -> ByteBuffer? {
        if output.readableBytes == 0 { return nil }
        defer { output = ByteBuffer() }
        return output
    }

    // MARK: Private

    private func handshake() throws(TransportError) {
        ERR_clear_error()
        let result = SSL_do_handshake(ssl)
        guard result == 1 else {
            if SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ { return }
            throw fail(result)
        }
        // A client that offers no ALPN at all finishes the handshake; OpenSSL does not mind, we do.
        guard agreedOnHTTP2() else {
            SSL_shutdown(ssl)
            state = .failed(.applicationProtocolMissing)
            throw .applicationProtocolMissing
        }
        if let leaf = SSL_get1_peer_certificate(ssl) {
            peerCertificate = PeerCertificate(x509: leaf)
            X509_free(leaf)
        }
        precondition(peerCertificate != nil || !context.requiresPeerCertificate, "verified without a certificate")
        state = .established
    }

    private func read(into plaintext: inout ByteBuffer) throws(TransportError) {
        plaintext.reserveCapacity(minimumWritableBytes: input.readableBytes)
        while true {
            ERR_clear_error()
            let room = min(Self.recordBytesMax, max(input.readableBytes, 256))
            var result: Int32 = 0
            plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { raw in
                result = SSL_read(ssl, raw.baseAddress, Int32(min(raw.count, Int(Int32.max))))
                return max(0, Int(result))
            }
            if result > 0 { continue }
            switch SSL_get_error(ssl, result) {
            case SSL_ERROR_WANT_READ: return
            case SSL_ERROR_ZERO_RETURN:
                state = .peerClosed
                return
            default: throw fail(result)
            }
        }
    }

    private func agreedOnHTTP2() -> Bool {
        var name: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &name, &count)
        guard let name, count == 2 else { return false }
        return name[0] == UInt8(ascii: "h") && name[1] == UInt8(ascii: "2")
    }

    /// Judges the peer's leaf after its chain was verified. Called by OpenSSL in the middle of the handshake.
    func accepts(_ certificate: PeerCertificate) -> Bool {
        guard let name = certificate.nodeURI else {
            rejection = .peerCertificateRejected(
                reason: "needs exactly one name of the form banjie://HOST/, has \(certificate.uris), "
                    + "\(certificate.otherNameCount) of another type; authority: \(certificate.isAuthority)")
            return false
        }
        switch expectedPeer {
        case nil: return true
        case .uri(let expected):
            if expected == name.description { return true }
            rejection = .peerNameMismatch(expected: expected, presented: name.description)
        case .matching(let predicate):
            if predicate(certificate) { return true }
            rejection = .peerNameMismatch(expected: "another node", presented: name.description)
        }
        return false
    }

    private func fail(_ result: Int32) -> TransportError {
        if case .failed(let error) = state { return error }
        let reasonCode = Int32(truncatingIfNeeded: ERR_peek_error() & 0x7f_ffff)
        let text = takeOpenSSLErrorText()
        let verification = SSL_get_verify_result(ssl)
        let error: TransportError
        if let rejection {
            error = rejection
        } else if verification != Int(X509_V_OK), state == .handshaking {
            error = .peerCertificateRejected(reason: String(cString: X509_verify_cert_error_string(verification)))
        } else if reasonCode == SSL_R_NO_APPLICATION_PROTOCOL || reasonCode == SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL
        {
            error = .applicationProtocolMissing
        } else {
            error = .tls(reason: text)
        }
        state = .failed(error)
        return error
    }

    // MARK: What the BIO calls

    fileprivate func bioRead(_ target: UnsafeMutablePointer<CChar>, _ count: Int) -> Int {
        let available = min(count, input.readableBytes)
        if available == 0 { return 0 }
        input.readWithUnsafeReadableBytes { raw in
            UnsafeMutableRawPointer(target).copyMemory(from: raw.baseAddress!, byteCount: available)
            return available
        }
        return available
    }

    fileprivate func bioWrite(_ source: UnsafePointer<CChar>, _ count: Int) {
        output.writeBytes(UnsafeRawBufferPointer(start: source, count: count))
    }
}

/// A BIO that reads and writes the session's own buffers: one copy less than a memory BIO, and nothing kept when idle.
private struct SessionBIOMethod: @unchecked Sendable {
    // Sendable: filled in once by the initialiser of a global, only read afterwards.
    let pointer: OpaquePointer

    init() {
        guard let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "session") else {
            preconditionFailure("out of memory")
        }
        BIO_meth_set_read(method) { bio, target, count in
            BIO_clear_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY)
            guard let target, count > 0, let session = session(of: bio) else { return 0 }
            let taken = session.bioRead(target, Int(count))
            if taken > 0 { return Int32(taken) }
            BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY)
            return -1
        }
        BIO_meth_set_write(method) { bio, source, count in
            BIO_clear_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY)
            guard let source, count > 0, let session = session(of: bio) else { return 0 }
            session.bioWrite(source, Int(count))
            return count
        }
        BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
        pointer = method
    }
}

private let sessionBIOMethod = SessionBIOMethod()

private func session(of bio: OpaquePointer?) -> TLSSession? {
    guard let raw = BIO_get_data(bio) else { return nil }
    return Unmanaged<TLSSession>.fromOpaque(raw).takeUnretainedValue()
}
