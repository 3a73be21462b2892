import Logging
import NIOCore
import NIOPosix
import Synchronization
#if canImport(Glibc)
    import Glibc
#endif

/// A listener's live connections, and the bounds on their number.
final class ConnectionRegistry: Sendable {
    private struct State {
        var connections: [ObjectIdentifier: ServerConnection] = [:]
        var perCertificate: [String: Int] = [:]
        var isClosed = false
    }

    private let limits: TransportLimits
    private let state = Mutex(State())

    init(limits: TransportLimits) { self.limits = limits }

    var count: Int { state.withLock { $0.connections.count } }

    func all() -> [ServerConnection] { state.withLock { Array($0.connections.values) } }

    /// - Returns: why not.
    func add(_ connection: ServerConnection) -> TransportError? {
        state.withLock { state in
            if state.isClosed { return .refused(reason: "shutting down") }
            guard state.connections.count < limits.connectionsMax else {
                return .refused(reason: "\(limits.connectionsMax) connections are open")
            }
            state.connections[ObjectIdentifier(connection)] = connection
            return nil
        }
    }

    /// Counts a connection under its certificate. - Returns: why not.
    func admit(fingerprint: String) -> TransportError? {
        state.withLock { state in
            guard state.perCertificate[fingerprint, default: 0] < limits.connectionsPerCertificateMax else {
                return .refused(
                    reason: "\(limits.connectionsPerCertificateMax) connections with this certificate are open")
            }
            state.perCertificate[fingerprint, default: 0] += 1
            return nil
        }
    }

    func release(fingerprint: String) {
        state.withLock { state in
            guard let count = state.perCertificate[fingerprint] else { return }
            state.perCertificate[fingerprint] = count > 1 ? count - 1 : nil
        }
    }

    func remove(_ connection: ServerConnection) {
        _ = state.withLock { $0.connections.removeValue(forKey: ObjectIdentifier(connection)) }
    }

    /// Takes no more.
    func close() { state.withLock { $0.isClosed = true } }
}

/// `struct ucred` of unix(7), which Glibc hides behind _GNU_SOURCE.
private struct SocketCredentials {
    var pid: Int32 = 0
    var uid: UInt32 = 0
    var gid: UInt32 = 0
}

/// One accepted connection: its peer, and the streams that wait to be served.
final class ServerConnection: HTTP2ConnectionOwner, Sendable {
    private struct State {
        var peer: ConnectionPeer?
        var link: HTTP2Link?
        var countedFingerprint: String?
        var isReady = false
        /// An order that came before the connection could take it.
        var pending: (@Sendable (HTTP2Link) -> Void)?
    }

    private let channel: any Channel
    private let registry: ConnectionRegistry
    private let limits: TransportLimits
    private let logger: Logger
    private let state = Mutex(State())
    private let streams: AsyncStream<(HTTP2Stream, ConnectionPeer)>
    private let continuation: AsyncStream<(HTTP2Stream, ConnectionPeer)>.Continuation

    init(channel: any Channel, registry: ConnectionRegistry, limits: TransportLimits, logger: Logger) {
        self.channel = channel
        self.registry = registry
        self.limits = limits
        self.logger = logger
        // Bounded by SETTINGS_MAX_CONCURRENT_STREAMS: every waiting stream is an open one.
        (streams, continuation) = AsyncStream.makeStream()
        let me = self
        channel.closeFuture.whenComplete { _ in me.channelClosed() }
    }

    /// Nil before the handshake is done.
    var peer: ConnectionPeer? { state.withLock { $0.peer } }

    /// Serves the streams until the connection ends; then cancels what still runs.
    func serve(_ handler: @escaping HTTP2Server.Handler) async {
        await withDiscardingTaskGroup { group in
            for await (stream, peer) in streams {
                group.addTask {
                    await handler(stream, peer)
                    stream.core.link.release(stream.core)
                }
            }
            group.cancelAll()
        }
    }

    func cut(_ error: TransportError) {
        order { $0.cut(error) }
    }

    func beginShutdown(limitMilliseconds: Int64) {
        order { $0.beginShutdown(limitMilliseconds: limitMilliseconds) }
    }

    /// Gives an order to the handler; to one still in its handshake, by closing it.
    private func order(_ body: @escaping @Sendable (HTTP2Link) -> Void) {
        let link = state.withLock { state in
            if state.link == nil { state.pending = body }
            return state.link
        }
        if let link { body(link) } else { channel.close(promise: nil) }
    }

    // MARK: HTTP2ConnectionOwner

    func admit(_ link: HTTP2Link, peerCertificate: PeerCertificate?) -> TransportError? {
        let process = channel.remoteAddress?.ipAddress == nil ? readProcess() : nil
        let peer = ConnectionPeer(channel: channel, certificate: peerCertificate, process: process)
        var refusal: TransportError?
        if let fingerprint = peerCertificate?.fingerprint {
            refusal = registry.admit(fingerprint: fingerprint)
            if refusal == nil { state.withLock { $0.countedFingerprint = fingerprint } }
        }
        let pending = state.withLock { state in
            state.peer = peer
            state.link = link
            return state.pending
        }
        pending?(link)
        return refusal
    }

    func becameReady() { state.withLock { $0.isReady = true } }

    func opened(_ core: HTTP2StreamCore, _ head: HTTP2RequestHead) {
        guard let peer else { return }
        continuation.yield((HTTP2Stream(core: core, requestHead: head, connection: nil), peer))
    }

    func isGoingAway(_ error: TransportError) {}

    func closed(_ error: TransportError) {
        continuation.finish()
        let isReady = state.withLock { state in
            // The link leads to the handler, and the handler to this connection's session.
            state.link = nil
            return state.isReady
        }
        switch error {
        case .refused, .flood, .protocolViolation:
            logger.warning("connection refused", metadata: metadata(error))
        case _ where !isReady: logger.warning("connection refused", metadata: metadata(error))
        default: logger.debug("connection closed", metadata: metadata(error))
        }
    }

    func metadata(_ error: TransportError) -> Logger.Metadata {
        let remote =
            peer?.remoteAddress ?? ConnectionPeer(channel: channel, certificate: nil, process: nil).remoteAddress
        return ["remote": "\(remote)", "reason": "\(error)"]
    }

    private func channelClosed() {
        continuation.finish()
        let fingerprint = state.withLock { state in
            state.link = nil
            defer { state.countedFingerprint = nil }
            return state.countedFingerprint
        }
        if let fingerprint { registry.release(fingerprint: fingerprint) }
        registry.remove(self)
    }

    /// SO_PEERCRED. A local socket's channel answers at once on its own event loop.
    private func readProcess() -> ConnectionPeer.LocalProcess? {
        guard let provider = channel as? any SocketOptionProvider else { return nil }
        let future: EventLoopFuture<SocketCredentials> = provider.unsafeGetSocketOption(
            level: .socket, name: .init(rawValue: SO_PEERCRED))
        let found = Mutex<ConnectionPeer.LocalProcess?>(nil)
        future.assumeIsolated().whenSuccess { credentials in
            found.withLock { $0 = .init(uid: credentials.uid, gid: credentials.gid, pid: credentials.pid) }
        }
        return found.withLock { $0 }
    }
}
