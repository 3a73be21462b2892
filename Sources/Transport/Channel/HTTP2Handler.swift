import NIOCore

/// Whether a peer that has shown its certificate may stay.
enum Admission: Equatable {
    case admitted
    /// - Parameter delayMilliseconds: how long the peer is left without an answer, and unread.
    case refused(TransportError, delayMilliseconds: Int64 = 0)
}

/// Who is told what happens on a connection. All calls come on its event loop.
protocol HTTP2ConnectionOwner: AnyObject {
    /// The transport below is up.
    func admit(_ link: HTTP2Link, peerCertificate: PeerCertificate?) -> Admission
    /// The peer's first SETTINGS are here.
    func becameReady()
    func opened(_ stream: HTTP2StreamCore, _ head: HTTP2RequestHead)
    func isGoingAway(_ error: TransportError)
    /// The last call; once.
    func closed(_ error: TransportError)
}

/// Drives an `HTTP2Session` over a channel. Thin: it switches over events, keeps the timers and pumps.
final class HTTP2Handler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Bytes taken out of the session at a time; the channel's high-water mark decides how often.
    static let pumpBytes = 128 * 1024

    let role: TLSRole
    let limits: TransportLimits
    let isSecure: Bool
    /// Let go when the connection ends, which also ends the cycle through the link.
    var owner: (any HTTP2ConnectionOwner)?
    var context: ChannelHandlerContext?
    var link: HTTP2Link?
    var session: HTTP2Session?
    var streams: [Int32: HTTP2StreamCore] = [:]
    /// Streams whose handler returned before the request was complete, with the bytes that are still read away.
    var draining: [Int32: Int] = [:]
    var pings: [UInt64: (EventLoopPromise<Duration>, NIODeadline)] = [:]
    var nextPing: UInt64 = 1
    var phaseTimer: Scheduled<Void>?
    var idleTimer: Scheduled<Void>?
    /// Until the first request.
    var requestTimer: Scheduled<Void>?
    var overdueTimer: Scheduled<Void>?
    var lastRead = NIODeadline.now()
    /// When the last stream ended.
    var lastUse = NIODeadline.now()
    var isReading = false
    var isPumping = false
    var mustPumpAgain = false
    var isPumpScheduled = false
    var isReady = false
    var isClosing = false
    /// A refused peer that is left waiting for it.
    var isHeld = false
    var isAskingForLife = false
    var goAway: TransportError?
    var failure: TransportError?

    init(role: TLSRole, limits: TransportLimits, isSecure: Bool, owner: any HTTP2ConnectionOwner) {
        self.role = role
        self.limits = limits
        self.isSecure = isSecure
        self.owner = owner
    }

    // MARK: Channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        link = HTTP2Link(self, eventLoop: context.eventLoop)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        link = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        if isSecure {
            startPhase("TLS handshake", limits.handshakeMilliseconds)
        } else {
            begin(peerCertificate: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let established = event as? TLSEstablished { begin(peerCertificate: established.peerCertificate) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let session, !isClosing, !isHeld else { return }
        lastRead = .now()
        isAskingForLife = false
        isReading = true
        do throws(TransportError) {
            try session.receive(unwrapInboundIn(data), nowMilliseconds: Self.milliseconds(lastRead))
            handleEvents()
        } catch {
            handleEvents()
            fail(error)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        pump()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { pump() }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let reason = (error as? TransportError) ?? .connectionClosed(reason: "\(error)")
        failure = failure ?? reason
        endEverything(reason)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        let phase = session == nil && isSecure ? "during the TLS handshake" : "before SETTINGS"
        endEverything(
            failure ?? goAway
                ?? .connectionClosed(reason: isReady ? "the peer closed it" : "the peer closed it \(phase)"))
        session = nil
        context.fireChannelInactive()
    }

    // MARK: Commands, on the event loop

    func open(_ head: HTTP2RequestHead, endStream: Bool) throws(TransportError) -> HTTP2StreamCore {
        if let goAway { throw goAway }
        guard let session, let link, !isClosing else {
            throw failure ?? .connectionClosed(reason: "it is closed")
        }
        let id = try session.open(head, endStream: endStream)
        let stream = HTTP2StreamCore(
            id: id, link: link, state: HTTP2StreamState(role: role, limits: limits, endStream: endStream))
        streams[id] = stream
        schedulePump()
        return stream
    }

    func drain(_ stream: HTTP2StreamCore) {
        let commands = stream.withState { $0.takeCommands() }
        guard let session, streams[stream.id] === stream else { return }
        for command in commands {
            switch command {
            case .respond(let head, let endStream):
                do throws(TransportError) {
                    try session.respond(stream.id, head, endStream: endStream)
                } catch {
                    session.reset(stream.id, code: .internalError)
                }
            case .data(let bytes): session.enqueue(stream.id, bytes)
            case .finish(let trailers): session.finish(stream.id, trailers: trailers)
            case .reset(let code): session.reset(stream.id, code: code)
            }
        }
        schedulePump()
    }

    func consume(_ streamID: Int32, bytes: Int) {
        session?.consume(streamID, bytes: bytes)
        schedulePump()
    }

    func ping(_ promise: EventLoopPromise<Duration>) {
        guard let session, !isClosing else {
            return promise.fail(failure ?? .connectionClosed(reason: "it is closed"))
        }
        pings[nextPing] = (promise, .now())
        session.ping(nextPing)
        nextPing += 1
        schedulePump()
    }

    /// A server's handler returned: an unfinished answer must not look complete; an unread request is read away up to
    /// a bound, because a reset after an early answer makes some clients drop the answer.
    func release(_ stream: HTTP2StreamCore) {
        drain(stream)
        guard let session, streams[stream.id] === stream else { return }
        let (isEnded, isInboundOpen, credit) = stream.withState { ($0.isOutboundEnded, $0.isInboundOpen, $0.settle()) }
        session.consume(stream.id, bytes: credit)
        if !isEnded {
            session.reset(stream.id, code: .internalError)
        } else if isInboundOpen {
            draining[stream.id] = limits.drainBytesMax
            armDrainTimer(stream.id)
        }
        schedulePump()
    }

    private func armDrainTimer(_ id: Int32) {
        guard let context else { return }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: .milliseconds(limits.drainMilliseconds)) {
            let handler = bound.value
            if handler.draining[id] != nil, !handler.endDraining(id) { handler.armDrainTimer(id) }
        }
    }

    /// Tells the client to stop sending, unless some of the answer still waits for it: a reset would cut that off.
    /// - Returns: whether it did.
    @discardableResult
    func endDraining(_ id: Int32) -> Bool {
        guard let session, let stream = streams[id], !stream.withState({ $0.hasUnsentBody }) else { return false }
        draining[id] = nil
        session.reset(id, code: .noError)
        schedulePump()
        return true
    }

    func beginShutdown(limitMilliseconds: Int64) {
        guard let context else { return }
        guard let session else { return cut(.refused(reason: "shutting down")) }
        if isClosing || failure != nil { return }
        session.beginShutdown()
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let timer = context.eventLoop.scheduleTask(in: .milliseconds(limitMilliseconds)) {
            bound.value.cut(.timedOut(phase: "shutdown", milliseconds: limitMilliseconds))
        }
        context.channel.closeFuture.whenComplete { _ in timer.cancel() }
        schedulePump()
    }

    /// Ends the connection now, with a GOAWAY.
    func cut(_ error: TransportError) {
        session?.terminate(code: .noError, debug: error.description)
        fail(error)
    }
}
