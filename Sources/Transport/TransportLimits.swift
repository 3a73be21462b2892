/// The bounds of a connection, listed with their reasons in the protocol's page on limits.
package struct TransportLimits: Sendable, Equatable {
    /// From accept (or connect) to the end of the TLS handshake.
    package var handshakeMilliseconds: Int64 = 10_000
    /// From the end of the handshake to the peer's first SETTINGS.
    package var prefaceMilliseconds: Int64 = 5_000
    /// From the first octet of a header list to its last.
    package var headersMilliseconds: Int64 = 10_000
    /// From a request's head to the end of its body; 0 for streams that are meant to last.
    package var bodyMilliseconds: Int64 = 0
    /// How long a stream's waiting bytes may fail to move on by `progressBytesMin`, because the peer does not read.
    package var stallMilliseconds: Int64 = 300_000
    /// What a reader has to take in that time.
    package var progressBytesMin = 1_024
    /// Without a stream for this long a connection is closed; with streams and in silence, it is asked with a PING.
    package var idleMilliseconds: Int64 = 120_000
    /// What a shutdown waits for running streams before it cuts them.
    package var shutdownMilliseconds: Int64 = 10_000
    /// From a peer's first SETTINGS to its first request; 0 for peers that have shown who they are.
    package var firstRequestMilliseconds: Int64 = 0
    /// Live connections of one listener.
    package var connectionsMax = 2_048
    /// Of these, the ones whose TLS handshake or HTTP/2 preface is not complete.
    package var handshakesMax = 256
    /// Displaced ones whose socket is kept, unread, until their handshake's time is over; not among `connectionsMax`.
    package var parkedMax = 1_024
    /// Live connections that present the same client certificate.
    package var connectionsPerCertificateMax = 2
    /// Sum of name, value and 32 octets over the fields of one header list (RFC 9113 §10.5.1).
    package var headerListBytesMax = 16 * 1024
    /// SETTINGS_MAX_FRAME_SIZE.
    package var frameBytesMax = 16 * 1024
    /// CONTINUATION frames of one header list.
    package var continuationsMax = 8
    /// Streams that the peer may have open.
    package var streamsMax = 16
    /// Unreturned credit of one stream.
    package var streamWindowBytes = 4 * 1024 * 1024
    /// Unreturned credit of the connection: larger than a stream's, so that one slow reader does not stop the others.
    package var connectionWindowBytes = 16 * 1024 * 1024
    /// Frames that are cheap to send and carry nothing (see `FloodCounters`), of each kind this many at once ...
    package var floodBurst = 50
    /// ... and this many a second after that.
    package var floodPerSecond = 10
    /// Body sent for which the peer may give credit twice, for the stream and for the connection.
    package var creditBytesMin = 4_096
    /// How long a certificate whose connection was ended for a flood is refused.
    package var floodPenaltyMilliseconds: Int64 = 60_000
    /// How long such a connection waits for its refusal, unread: who dials again at once gains nothing by it.
    package var refusalDelayMilliseconds: Int64 = 2_000
    /// Bytes that a stream's writer may have queued before it is suspended.
    package var writeQueueBytesMax = 256 * 1024
    /// Body that is read and thrown away when the handler answered without reading it; then the stream is reset.
    package var drainBytesMax = 1024 * 1024
    /// How long that may take.
    package var drainMilliseconds: Int64 = 5_000

    /// Between two looks for what is overdue: an eighth of the shortest time.
    var overdueLookMilliseconds: Int64 {
        let times = [headersMilliseconds, stallMilliseconds, bodyMilliseconds].filter { $0 > 0 }
        return max(1, (times.min() ?? headersMilliseconds) / 8)
    }

    /// Limits of a listener for nodes.
    package init() {}

    /// Limits for nodes.
    package static let node = TransportLimits()

    /// Limits of the console's listener: many small streams, no client certificates.
    package static let browser: TransportLimits = {
        var limits = TransportLimits()
        limits.bodyMilliseconds = 60_000
        limits.firstRequestMilliseconds = 15_000
        limits.stallMilliseconds = 60_000
        limits.connectionsMax = 512
        limits.handshakesMax = 128
        limits.connectionsPerCertificateMax = 512
        limits.streamsMax = 64
        limits.streamWindowBytes = 256 * 1024
        limits.connectionWindowBytes = 1024 * 1024
        return limits
    }()
}
