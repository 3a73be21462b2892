/// Everything that can go wrong between this program and a peer, in the words an operator needs.
///
/// No case is caused by a bug of ours (those trap); each comes from the peer, the network, a file or a person.
package enum TransportError: Error, Equatable, Sendable {
    /// A certificate, key, CRL or option could not be used. Fix the configuration and start again.
    case configuration(String)
    /// OpenSSL ended the handshake or the connection; `reason` is its text, or the alert that the peer sent.
    case tls(reason: String)
    /// The peer's certificate was judged and found wanting; `reason` is the verification text.
    case peerCertificateRejected(reason: String)
    /// The handshake finished without agreeing on `h2`.
    case applicationProtocolMissing
    /// The peer proved to be somebody else than the one who was dialled.
    case peerNameMismatch(expected: String, presented: String)
    /// `phase` took longer than `milliseconds`.
    case timedOut(phase: String, milliseconds: Int64)
    /// No connection came about: refused, no route, no such socket.
    case connectFailed(address: String, reason: String)
    /// The listener could not take the address.
    case listenFailed(address: String, reason: String)
    /// This side turned the peer away: too many connections, or cut by an operator.
    case refused(reason: String)
    /// The bytes were no valid HTTP/2.
    case protocolViolation(String)
    /// The peer did too much of something harmless in itself; the connection got ENHANCE_YOUR_CALM.
    case flood(kind: String)
    /// The peer is going away and takes no new streams.
    case goAway(code: HTTP2ErrorCode, debug: String)
    /// The stream was reset; `byPeer` tells who did it.
    case streamReset(code: HTTP2ErrorCode, byPeer: Bool)
    /// The connection ended while something was still wanted from it.
    case connectionClosed(reason: String)
    /// A certificate request, certificate or revocation list could not be made, read or trusted.
    case certificate(String)
    /// A cryptographic primitive failed, or its input has the wrong form.
    case cryptography(String)
    /// An operation on the stream that its state does not allow, such as a body after its end.
    case streamState(String)
}

extension TransportError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .configuration(let text): "configuration: \(text)"
        case .tls(let reason): "TLS failed: \(reason)"
        case .peerCertificateRejected(let reason): "peer certificate rejected: \(reason)"
        case .applicationProtocolMissing: "the peer did not agree on ALPN h2"
        case .peerNameMismatch(let expected, let presented): "peer is \(presented), expected \(expected)"
        case .timedOut(let phase, let milliseconds): "\(phase) took longer than \(milliseconds) ms"
        case .connectFailed(let address, let reason): "cannot connect to \(address): \(reason)"
        case .listenFailed(let address, let reason): "cannot listen on \(address): \(reason)"
        case .refused(let reason): "refused: \(reason)"
        case .protocolViolation(let text): "HTTP/2 violation: \(text)"
        case .flood(let kind): "flood of \(kind)"
        case .goAway(let code, let debug): "peer is going away: \(code)\(debug.isEmpty ? "" : " (\(debug))")"
        case .streamReset(let code, let byPeer): "stream reset by \(byPeer ? "peer" : "this side"): \(code)"
        case .connectionClosed(let reason): "connection closed: \(reason)"
        case .certificate(let text): "certificate: \(text)"
        case .cryptography(let text): "cryptography: \(text)"
        case .streamState(let text): "stream: \(text)"
        }
    }
}

/// An error code of RFC 9113 §7.
package struct HTTP2ErrorCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package var rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let noError = Self(rawValue: 0x0)
    package static let protocolError = Self(rawValue: 0x1)
    package static let internalError = Self(rawValue: 0x2)
    package static let flowControlError = Self(rawValue: 0x3)
    package static let refusedStream = Self(rawValue: 0x7)
    package static let cancel = Self(rawValue: 0x8)
    package static let enhanceYourCalm = Self(rawValue: 0xb)

    private static let names = [
        "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
        "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
    ]

    package var description: String {
        rawValue < UInt32(Self.names.count) ? Self.names[Int(rawValue)] : "0x\(String(rawValue, radix: 16))"
    }
}
