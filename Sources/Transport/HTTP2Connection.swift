import Logging
import NIOCore
import Synchronization

/// A dialled connection. It closes when nobody holds it or one of its streams any more.
package final class HTTP2Connection: Sendable {
    private let connection: ClientConnection

    init(_ connection: ClientConnection) { self.connection = connection }

    deinit { connection.beginShutdown(limitMilliseconds: 0) }

    /// Who answered.
    package var peer: ConnectionPeer { connection.peer }

    /// Opens a stream. If the server's number of streams is reached, the request waits in the connection.
    /// - Parameter endStream: the request has no body.
    /// - Throws: `TransportError.goAway` or `.connectionClosed`: dial again.
    package func open(_ head: HTTP2RequestHead, endStream: Bool = false) async throws -> HTTP2Stream {
        let core = try await connection.link().open(head, endStream: endStream)
        return HTTP2Stream(core: core, requestHead: head, connection: self)
    }

    /// Round trip of a PING. Wait for it under a time limit of your own: a dead peer never answers.
    package func ping() async throws -> Duration { try await connection.link().ping() }

    /// Says GOAWAY, lets running streams finish for at most `limitMilliseconds`, and waits for the end.
    package func close(limitMilliseconds: Int64 = 5_000) async {
        connection.beginShutdown(limitMilliseconds: limitMilliseconds)
        _ = try? await connection.ended.futureResult.get()
    }

    /// Waits for the end of the connection. - Returns: why it ended.
    package var closed: TransportError {
        get async {
            (try? await connection.ended.futureResult.get()) ?? .connectionClosed(reason: "unknown")
        }
    }
}

/// The dialler's end as its handler sees it.
final class ClientConnection: HTTP2ConnectionOwner, Sendable {
    private enum Phase {
        case connecting(CheckedContinuation<Void, any Error>?)
        case ready
        case closed(TransportError)
    }

    private struct State {
        var phase = Phase.connecting(nil)
        var channel: (any Channel)?
        var link: HTTP2Link?
        var peer: ConnectionPeer
        var goAway: TransportError?
    }

    let ended: EventLoopPromise<TransportError>
    private let address: TransportAddress
    private let logger: Logger
    private let state: Mutex<State>

    init(eventLoop: any EventLoop, address: TransportAddress, logger: Logger) {
        ended = eventLoop.makePromise(of: TransportError.self)
        self.address = address
        self.logger = logger
        state = Mutex(State(peer: ConnectionPeer(remoteAddress: address.description)))
    }

    var peer: ConnectionPeer { state.withLock { $0.peer } }

    func attach(_ channel: any Channel) {
        state.withLock { $0.channel = channel }
    }

    /// - Throws: why the connection takes no more.
    func link() throws(TransportError) -> HTTP2Link {
        let (link, phase, goAway) = state.withLock { ($0.link, $0.phase, $0.goAway) }
        if let goAway { throw goAway }
        if case .closed(let error) = phase { throw error }
        guard let link else { throw .connectionClosed(reason: "it is closed") }
        return link
    }

    func beginShutdown(limitMilliseconds: Int64) {
        let (link, channel) = state.withLock { ($0.link, $0.channel) }
        if let link { link.beginShutdown(limitMilliseconds: limitMilliseconds) } else { channel?.close(promise: nil) }
    }

    /// Waits for the server's SETTINGS. Cancelled, it closes the channel.
    func waitUntilReady() async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result: Result<Void, any Error>? = state.withLock { state in
                    switch state.phase {
                    case .connecting:
                        state.phase = .connecting(continuation)
                        return nil
                    case .ready: return .success(())
                    case .closed(let error): return .failure(error)
                    }
                }
                if let result { continuation.resume(with: result) }
                if Task.isCancelled { cancelConnecting() }
            }
        } onCancel: {
            cancelConnecting()
        }
    }

    private func cancelConnecting() {
        let waiter = state.withLock { state -> CheckedContinuation<Void, any Error>? in
            guard case .connecting(let waiter) = state.phase else { return nil }
            state.phase = .connecting(nil)
            return waiter
        }
        waiter?.resume(throwing: CancellationError())
        beginShutdown(limitMilliseconds: 0)
    }

    // MARK: HTTP2ConnectionOwner

    func admit(_ link: HTTP2Link, peerCertificate: PeerCertificate?) -> Admission {
        state.withLock { state in
            state.link = link
            state.peer = ConnectionPeer(remoteAddress: address.description, certificate: peerCertificate)
        }
        return .admitted
    }

    func becameReady() {
        let waiter = state.withLock { state -> CheckedContinuation<Void, any Error>? in
            guard case .connecting(let waiter) = state.phase else { return nil }
            state.phase = .ready
            return waiter
        }
        logger.debug("connected", metadata: ["remote": "\(address)"])
        waiter?.resume()
    }

    func opened(_ stream: HTTP2StreamCore, _ head: HTTP2RequestHead) {}

    func isGoingAway(_ error: TransportError) {
        state.withLock { $0.goAway = $0.goAway ?? error }
    }

    func closed(_ error: TransportError) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, any Error>? in
            defer {
                state.phase = .closed(error)
                state.link = nil
                state.channel = nil
            }
            if case .connecting(let waiter) = state.phase { return waiter }
            return nil
        }
        waiter?.resume(throwing: error)
        ended.succeed(error)
    }
}
