/// The bounds of a connection, listed with their reasons in the protocol's page on limits.
package struct TransportLimits: Sendable, Equatable {
    /// From accept (or connect) to the end of the TLS handshake.
    package var handshakeMilliseconds: Int64 = 10_000
    /// From the end of the handshake to the peer's first SETTINGS.
    package var prefaceMilliseconds: Int64 = 5_000
    /// Silence after which a connection without streams is closed, and one with streams is asked with a PING.
    package var idleMilliseconds: Int64 = 120_000
    /// What a shutdown waits for running streams before it cuts them.
    package var shutdownMilliseconds: Int64 = 10_000
    /// Live connections of one listener.
    package var connectionsMax = 2_048
    /// Live connections that present the same client certificate.
    package var connectionsPerCertificateMax = 2
    /// Sum of name, value and 32 octets over the fields of one header list (RFC 9113 §10.5.1).
    package var headerListBytesMax = 16 * 1024
    /// SETTINGS_MAX_FRAME_SIZE.
    package var frameBytesMax = 16 * 1024
    /// Streams that the peer may have open.
    package var streamsMax = 16
    /// Unreturned credit of one stream.
    package var streamWindowBytes = 4 * 1024 * 1024
    /// Unreturned credit of the connection: larger than a stream's, so that one slow reader does not stop the others.
    package var connectionWindowBytes = 16 * 1024 * 1024
    /// PING, SETTINGS, empty DATA and resets we are made to send: this many at once ...
    package var floodBurst = 50
    /// ... and this many a second after that.
    package var floodPerSecond = 10
    /// Bytes that a stream's writer may have queued before it is suspended.
    package var writeQueueBytesMax = 256 * 1024
    /// Body that is read and thrown away when the handler answered without reading it; then the stream is reset.
    package var drainBytesMax = 1024 * 1024
    /// How long that may take.
    package var drainMilliseconds: Int64 = 5_000

    /// Limits of a listener for nodes.
    package init() {}

    /// Limits for nodes.
    package static let node = TransportLimits()

    /// Limits of the console's listener: many small streams, no client certificates.
    package static let browser: TransportLimits = {
        var limits = TransportLimits()
        limits.connectionsMax = 512
        limits.connectionsPerCertificateMax = 512
        limits.streamsMax = 64
        limits.streamWindowBytes = 256 * 1024
        limits.connectionWindowBytes = 1024 * 1024
        return limits
    }()
}
