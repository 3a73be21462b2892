package import Logging
package import NIOCore
import NIOPosix
import Synchronization

/// Dials. A connection is one only when the server's first SETTINGS are here: in TLS 1.3 the client's handshake is
/// complete before the server has judged the client's certificate.
package enum HTTP2Client {
    /// Connects, and waits until the server has accepted.
    /// - Parameter tls: nil for clear text, on local sockets alone: on another address it traps.
    /// - Parameter expectedPeer: who must answer; required over TLS.
    /// - Throws: `.connectFailed`, `.timedOut`, `.peerNameMismatch`, `.peerCertificateRejected`, `.tls` with the alert's
    ///   text such as "certificate required", `.goAway` from a server that has enough, or `CancellationError`.
    package static func connect(
        to address: TransportAddress, tls: TLSContext?, expectedPeer: ExpectedPeer? = nil,
        limits: TransportLimits = .node,
        eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        logger: Logger
    ) async throws -> HTTP2Connection {
        if case .hostPort = address { precondition(tls != nil, "clear text is for local sockets") }
        precondition(tls == nil || (tls?.role == .client && expectedPeer != nil), "whom to expect is not optional")
        try Task.checkCancellation()
        let loop = eventLoopGroup.next()
        let connection = ClientConnection(eventLoop: loop, address: address, logger: logger)
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(.milliseconds(limits.handshakeMilliseconds))
            .channelOption(ChannelOptions.writeBufferWaterMark, value: .init(low: 64 * 1024, high: 256 * 1024))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        let session = try TLSSession(context: tls, expectedPeer: expectedPeer)
                        try channel.pipeline.syncOperations.addHandler(TLSHandler(session: session))
                    }
                    let handler = HTTP2Handler(role: .client, limits: limits, isSecure: tls != nil, owner: connection)
                    try channel.pipeline.syncOperations.addHandler(handler)
                    connection.attach(channel)
                }
            }
        do {
            switch address {
            case .hostPort(let host, let port):
                _ = try await bootstrap.channelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
                    .connect(host: host, port: port).get()
            case .unixSocket(let path): _ = try await bootstrap.connect(unixDomainSocketPath: path).get()
            }
        } catch {
            connection.closed(.connectionClosed(reason: "never opened"))
            if let error = error as? TransportError { throw error }
            throw TransportError.connectFailed(address: address.description, reason: "\(error)")
        }
        try await connection.waitUntilReady()
        return HTTP2Connection(connection)
    }
}
