package import Logging
package import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

/// A listener for HTTP/2: over TLS, or in clear on a local socket.
///
/// `run` binds, serves and returns after a shutdown; a shutdown sends GOAWAY, lets running streams finish within
/// `TransportLimits.shutdownMilliseconds` and cuts the rest. Each stream is served by a task, which is cancelled when the
/// connection ends and waited for before `run` returns. Each connection that is turned away is logged once, with its
/// reason, as long as they are not too many (see `RefusalLog`).
package final class HTTP2Server: Service {
    /// Serves one stream. When it returns, an unfinished answer is reset and an unread request is read away.
    package typealias Handler = @Sendable (HTTP2Stream, ConnectionPeer) async -> Void

    let limits: TransportLimits
    let logger: Logger
    let registry: ConnectionRegistry
    private let refusals: RefusalLog
    private let address: TransportAddress
    private let handler: Handler
    private let eventLoopGroup: any EventLoopGroup
    private let bound: EventLoopPromise<Int>
    private let tls: Mutex<TLSContext?>
    private let listener = Mutex<(any Channel)?>(nil)
    private let tally = Tally()

    /// - Parameter tls: nil for clear text with prior knowledge, for local sockets alone: on another address it traps.
    package init(
        address: TransportAddress, tls: TLSContext?, limits: TransportLimits = .node, logger: Logger,
        eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton, handler: @escaping Handler
    ) {
        if case .hostPort = address { precondition(tls != nil, "clear text is for local sockets") }
        precondition(tls?.role != .client, "a listener needs a server's context")
        self.address = address
        self.limits = limits
        self.logger = logger
        refusals = RefusalLog(logger)
        self.handler = handler
        self.eventLoopGroup = eventLoopGroup
        self.tls = Mutex(tls)
        registry = ConnectionRegistry(limits: limits)
        bound = eventLoopGroup.next().makePromise(of: Int.self)
    }

    deinit { bound.fail(TransportError.listenFailed(address: address.description, reason: "never run")) }

    /// The bound port, or 0 on a local socket. Waits until `run` has bound; throws `.listenFailed` if it cannot.
    package var port: Int {
        get async throws { try await bound.futureResult.get() }
    }

    /// Live connections, refused ones that are still being closed included.
    package var connectionCount: Int { registry.count }

    /// Those among them whose handshake or preface is not complete.
    package var waitingCount: Int { registry.waitingCount }

    /// Takes another context for the connections that come from now on; live ones keep theirs.
    ///
    /// For a revocation call this first and `closeConnections` after it. Handshakes under way are cut here, so that none
    /// slips through between the two.
    package func replaceTLS(_ context: TLSContext) {
        precondition(context.role == .server, "a listener needs a server's context")
        tls.withLock { $0 = context }
        for connection in registry.all() where connection.peer == nil {
            connection.cut(.refused(reason: "the certificates were renewed, dial again"))
        }
    }

    /// Cuts the live connections whose peer matches, for a revocation. - Returns: how many.
    @discardableResult
    package func closeConnections(where isMatch: (ConnectionPeer) -> Bool) -> Int {
        let matching = registry.all().filter { $0.peer.map(isMatch) ?? false }
        for connection in matching { connection.cut(.refused(reason: "cut by the operator")) }
        return matching.count
    }

    /// - Throws: `TransportError.listenFailed`. Otherwise returns when shut down or cancelled.
    package func run() async throws {
        let channel: any Channel
        do {
            channel = try await bind()
        } catch {
            let failure = TransportError.listenFailed(address: address.description, reason: "\(error)")
            bound.fail(failure)
            throw failure
        }
        listener.withLock { $0 = channel }
        bound.succeed(channel.localAddress?.port ?? 0)
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                // The listener is closed by a shutdown, a cancellation, or an error that it cannot live with.
                try? await channel.closeFuture.get()
                await tally.empty()
            } onGracefulShutdown: {
                self.stop { $0.beginShutdown(limitMilliseconds: self.limits.shutdownMilliseconds) }
            }
        } onCancel: {
            stop { $0.cut(.refused(reason: "shutting down")) }
        }
    }

    private func stop(_ end: (ServerConnection) -> Void) {
        registry.close()
        listener.withLock { $0 }?.close(promise: nil)
        for connection in registry.all() { end(connection) }
    }

    private func bind() async throws -> any Channel {
        let bootstrap = ServerBootstrap(group: eventLoopGroup)
            .serverChannelOption(ChannelOptions.backlog, value: 256)
            .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(ChannelOptions.writeBufferWaterMark, value: .init(low: 64 * 1024, high: 256 * 1024))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.accept(channel) }
            }
        switch address {
        case .hostPort(let host, let port):
            return
                try await bootstrap
                .childChannelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
                .bind(host: host, port: port).get()
        case .unixSocket(let path):
            return try await bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
        }
    }

    private func accept(_ channel: any Channel) throws {
        let connection = ServerConnection(
            channel: channel, registry: registry, tally: tally, logger: logger, refusals: refusals, handler: handler)
        let arrival = registry.add(connection)
        if let refusal = arrival.refusal {
            connection.logRefusal(refusal)
            throw refusal
        }
        let reason = TransportError.refused(
            reason: "\(limits.handshakesMax) other connections wait for their handshake")
        arrival.displaced?.park(reason)
        arrival.closed?.cut(reason)
        do {
            let context = tls.withLock { $0 }
            if let context {
                try channel.pipeline.syncOperations.addHandler(TLSHandler(session: try TLSSession(context: context)))
            }
            let handler = HTTP2Handler(role: .server, limits: limits, isSecure: context != nil, owner: connection)
            try channel.pipeline.syncOperations.addHandler(handler)
        } catch {
            registry.remove(connection)
            throw error
        }
    }
}
