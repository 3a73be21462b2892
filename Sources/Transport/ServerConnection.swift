import Logging
import NIOCore
import NIOPosix
import Synchronization
#if canImport(Glibc)
    import Glibc
#endif

/// `struct ucred` of unix(7), which Glibc hides behind _GNU_SOURCE.
private struct SocketCredentials {
    var pid: Int32 = 0
    var uid: UInt32 = 0
    var gid: UInt32 = 0
}

/// One accepted connection: its peer, and the tasks of its streams.
///
/// Each stream has a task of its own, which is cancelled when the connection ends. No task waits for the next stream: of a
/// thousand connections most have one that lasts for days, and a task that waits beside it costs 4 KiB.
final class ServerConnection: HTTP2ConnectionOwner, Sendable {
    private struct State {
        var peer: ConnectionPeer?
        var link: HTTP2Link?
        var countedFingerprint: String?
        var isReady = false
        /// By the streams' numbers.
        var tasks: [Int32: Task<Void, Never>] = [:]
        /// Why it was cut in the middle of its handshake.
        var cutReason: TransportError?
        /// An order that came before the connection could take it.
        var pending: (@Sendable (HTTP2Link) -> Void)?
    }

    /// Under what its connections are counted: see `PeerHost`.
    let host: String
    private let channel: any Channel
    private let registry: ConnectionRegistry
    private let logger: Logger
    private let refusals: RefusalLog
    private let handler: HTTP2Server.Handler
    private let tally: Tally
    private let state = Mutex(State())

    /// - Parameter tally: counts this connection until it is closed, and each task of a stream until that has ended.
    init(
        channel: any Channel, registry: ConnectionRegistry, tally: Tally, logger: Logger, refusals: RefusalLog,
        handler: @escaping HTTP2Server.Handler
    ) {
        host = channel.remoteAddress?.ipAddress.map(PeerHost.key) ?? "unix"
        self.channel = channel
        self.registry = registry
        self.logger = logger
        self.refusals = refusals
        self.handler = handler
        self.tally = tally
        tally.begin()
        let me = self
        channel.closeFuture.whenComplete { _ in me.channelClosed() }
    }

    /// Nil before the handshake is done.
    var peer: ConnectionPeer? { state.withLock { $0.peer } }

    func cut(_ error: TransportError) {
        state.withLock { if $0.link == nil { $0.cutReason = $0.cutReason ?? error } }
        order { $0.cut(error) }
    }

    /// Ends its handshake and keeps its socket, unread, until the handshake's time is over: a stranger who is not cut off
    /// does not come back, and each time that he did would cost a handshake.
    func park(_ reason: TransportError) {
        channel.eventLoop.execute { [self] in
            let isWaiting = state.withLock { state in
                if state.link == nil { state.cutReason = state.cutReason ?? reason }
                return state.link == nil
            }
            guard isWaiting, channel.isActive else { return cut(reason) }
            channel.setOption(ChannelOptions.autoRead, value: false).whenFailure { _ in }
            guard let context = try? channel.pipeline.syncOperations.context(handlerType: TLSHandler.self) else {
                return
            }
            channel.pipeline.syncOperations.removeHandler(context: context).whenFailure { _ in }
        }
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

    func admit(_ link: HTTP2Link, peerCertificate: PeerCertificate?) -> Admission {
        let process = channel.remoteAddress?.ipAddress == nil ? readProcess() : nil
        let peer = ConnectionPeer(channel: channel, certificate: peerCertificate, process: process)
        var admission = Admission.admitted
        if let fingerprint = peerCertificate?.fingerprint {
            admission = registry.admit(fingerprint: fingerprint, nowMilliseconds: Self.now)
            if admission == .admitted { state.withLock { $0.countedFingerprint = fingerprint } }
        }
        let pending = state.withLock { state in
            state.peer = peer
            state.link = link
            return state.pending
        }
        pending?(link)
        return admission
    }

    func becameReady() {
        state.withLock { $0.isReady = true }
        registry.established(self)
    }

    func opened(_ core: HTTP2StreamCore, _ head: HTTP2RequestHead) {
        guard let peer else { return }
        let stream = HTTP2Stream(core: core, requestHead: head, connection: nil)
        tally.begin()
        state.withLock { state in
            state.tasks[core.id] = Task { [self] in
                await handler(stream, peer)
                ended(core)
            }
        }
    }

    private func ended(_ core: HTTP2StreamCore) {
        core.link.release(core)
        state.withLock { _ = $0.tasks.removeValue(forKey: core.id) }
        tally.end()
    }

    private func cancelTasks() {
        for task in state.withLock({ $0.tasks.values }) { task.cancel() }
    }

    func isGoingAway(_ error: TransportError) {}

    func closed(_ error: TransportError) {
        cancelTasks()
        let (isReady, cutReason) = state.withLock { state in
            // The link leads to the handler, and the handler to this connection's session.
            state.link = nil
            return (state.isReady, state.cutReason)
        }
        let error = cutReason ?? error
        switch error {
        case .flood:
            if let fingerprint = peer?.certificate?.fingerprint {
                registry.punish(fingerprint: fingerprint, nowMilliseconds: Self.now)
            }
            logRefusal(error)
        case .refused, .protocolViolation: logRefusal(error)
        case _ where !isReady: logRefusal(error)
        default:
            logger.debug("connection closed", metadata: ["remote": "\(remoteAddress)", "reason": "\(error)"])
        }
    }

    func logRefusal(_ error: TransportError) {
        refusals.write(remote: remoteAddress, reason: error, nowMilliseconds: Self.now)
    }

    private static var now: Int64 { HTTP2Handler.milliseconds(.now()) }

    private var remoteAddress: String {
        peer?.remoteAddress ?? ConnectionPeer(channel: channel, certificate: nil, process: nil).remoteAddress
    }

    private func channelClosed() {
        cancelTasks()
        let fingerprint = state.withLock { state in
            state.link = nil
            defer { state.countedFingerprint = nil }
            return state.countedFingerprint
        }
        if let fingerprint { registry.release(fingerprint: fingerprint) }
        registry.remove(self)
        tally.end()
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
