import NIOCore

/// Who is told what happens on a connection. All calls come on its event loop.
protocol HTTP2ConnectionOwner: AnyObject {
    /// The transport below is up. - Returns: a reason to turn the peer away.
    func admit(_ link: HTTP2Link, peerCertificate: PeerCertificate?) -> TransportError?
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

    private let role: TLSRole
    private let limits: TransportLimits
    private let isSecure: Bool
    /// Let go when the connection ends, which also ends the cycle through the link.
    private var owner: (any HTTP2ConnectionOwner)?
    private var context: ChannelHandlerContext?
    private var link: HTTP2Link?
    private var session: HTTP2Session?
    private var streams: [Int32: HTTP2StreamCore] = [:]
    private var pings: [UInt64: (EventLoopPromise<Duration>, NIODeadline)] = [:]
    private var nextPing: UInt64 = 1
    private var phaseTimer: Scheduled<Void>?
    private var idleTimer: Scheduled<Void>?
    private var lastRead = NIODeadline.now()
    private var isReading = false
    private var isPumping = false
    private var mustPumpAgain = false
    private var isPumpScheduled = false
    private var isReady = false
    private var isClosing = false
    private var isAskingForLife = false
    private var goAway: TransportError?
    private var failure: TransportError?

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
        guard let session, !isClosing else { return }
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
        } else if isInboundOpen, let context {
            let id = stream.id
            let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
            context.eventLoop.scheduleTask(in: .milliseconds(limits.drainMilliseconds)) {
                bound.value.session?.reset(id, code: .noError)
                bound.value.schedulePump()
            }
        }
        schedulePump()
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

    // MARK: Events

    private func begin(peerCertificate: PeerCertificate?) {
        guard let context, let link else { return }
        do throws(TransportError) {
            let session = try HTTP2Session(role: role, limits: limits)
            self.session = session
            startPhase("HTTP/2 preface", limits.prefaceMilliseconds)
            armIdleTimer(context, after: limits.idleMilliseconds)
            if let refusal = owner?.admit(link, peerCertificate: peerCertificate) {
                session.terminate(code: .enhanceYourCalm, debug: refusal.description)
                fail(refusal)
            }
            pump()
        } catch {
            fail(error)
        }
    }

    private func handleEvents() {
        guard let session else { return }
        var events = session.takeEvents()
        while !events.isEmpty {
            for event in events { handle(event, session) }
            events = session.takeEvents()
        }
        if !isReady { return }
        phaseTimer?.cancel()
        phaseTimer = nil
    }

    private func handle(_ event: HTTP2Event, _ session: HTTP2Session) {
        switch event {
        case .request(let id, let head): opened(id, head)
        case .response(let id, let head): streams[id]?.update { $0.receivedHead(head) }
        case .data(let id, let bytes):
            let credit = streams[id]?.update { $0.received(bytes) } ?? bytes.readableBytes
            session.consume(id, bytes: credit)
        case .end(let id, let trailers): streams[id]?.update { $0.receivedEnd(trailers: trailers) }
        case .sent(let id, let bytes): streams[id]?.update { $0.sent(bytes: bytes) }
        case .closed(let id, let code, let byPeer):
            guard let stream = streams.removeValue(forKey: id) else { return }
            let credit = stream.update { $0.closed(.streamReset(code: code, byPeer: byPeer)) }
            session.consume(id, bytes: credit)
        case .settings:
            if isReady { return }
            isReady = true
            owner?.becameReady()
        case .pong(let opaque):
            guard let (promise, start) = pings.removeValue(forKey: opaque) else { return }
            promise.succeed(.nanoseconds((NIODeadline.now() - start).nanoseconds))
        case .goAway(let code, let debug):
            let error = TransportError.goAway(code: code, debug: debug)
            goAway = goAway ?? error
            owner?.isGoingAway(error)
        case .flood(let kind): fail(.flood(kind: kind))
        }
    }

    private func opened(_ id: Int32, _ head: HTTP2RequestHead) {
        guard let link, let owner else { return }
        let stream = HTTP2StreamCore(id: id, link: link, state: HTTP2StreamState(role: role, limits: limits))
        streams[id] = stream
        owner.opened(stream, head)
    }

    private func fail(_ error: TransportError) {
        failure = failure ?? error
        if isClosing { return }
        sendLastWords()
        endEverything(error)
        context?.close(promise: nil)
    }

    /// GOAWAY and what stands before it, without asking whether the channel takes it: one portion, then the end.
    private func sendLastWords() {
        guard let session, let context else { return }
        if let bytes = try? session.produceOutput(
            limitBytes: Self.pumpBytes, nowMilliseconds: Self.milliseconds(.now()))
        {
            context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        }
    }

    /// `session_del` tells nobody about its streams, so they are failed here.
    private func endEverything(_ error: TransportError) {
        isClosing = true
        phaseTimer?.cancel()
        idleTimer?.cancel()
        let ended = streams.values
        streams = [:]
        for stream in ended { stream.update { _ = $0.closed(error) } }
        let waiting = pings.values
        pings = [:]
        for (promise, _) in waiting { promise.fail(error) }
        let owner = self.owner
        self.owner = nil
        owner?.closed(error)
    }

    // MARK: Pump

    private func schedulePump() {
        if isReading || isPumping || isPumpScheduled {
            mustPumpAgain = true
            return
        }
        guard let context else { return }
        isPumpScheduled = true
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.execute {
            bound.value.isPumpScheduled = false
            bound.value.pump()
        }
    }

    /// Moves bytes from the session to the channel while the channel takes them.
    ///
    /// A flush may report writability from within, and events may ask for more; both only set `mustPumpAgain`, and the
    /// loop runs again after the flush. A plain "already pumping" guard would lose them and stall the transfer.
    private func pump() {
        if isPumping || isReading {
            mustPumpAgain = true
            return
        }
        guard let session, let context, !isClosing else { return }
        isPumping = true
        defer { isPumping = false }
        repeat {
            mustPumpAgain = false
            var hasWritten = false
            do throws(TransportError) {
                while context.channel.isWritable,
                    let bytes = try session.produceOutput(
                        limitBytes: Self.pumpBytes, nowMilliseconds: Self.milliseconds(.now()))
                {
                    context.write(wrapOutboundOut(bytes), promise: nil)
                    hasWritten = true
                    handleEvents()
                }
            } catch {
                failure = failure ?? error
            }
            if hasWritten { context.flush() }
            handleEvents()
        } while mustPumpAgain && context.channel.isWritable && failure == nil && !isClosing
        if session.isFinished, !isClosing {
            endEverything(failure ?? goAway ?? .connectionClosed(reason: "finished"))
            context.close(promise: nil)
        } else if failure != nil, !isClosing {
            endEverything(failure!)
            context.close(promise: nil)
        }
    }

    // MARK: Timers

    private func startPhase(_ phase: String, _ milliseconds: Int64) {
        phaseTimer?.cancel()
        guard let context else { return }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        phaseTimer = context.eventLoop.scheduleTask(in: .milliseconds(milliseconds)) {
            bound.value.cut(.timedOut(phase: phase, milliseconds: milliseconds))
        }
    }

    /// One timer a connection, moved on only when it fires.
    private func armIdleTimer(_ context: ChannelHandlerContext, after milliseconds: Int64) {
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        idleTimer = context.eventLoop.scheduleTask(in: .milliseconds(milliseconds)) { bound.value.idleTimerFired() }
    }

    private func idleTimerFired() {
        guard let context, let session, !isClosing else { return }
        let idle = (NIODeadline.now() - lastRead).nanoseconds / 1_000_000
        if idle < limits.idleMilliseconds {
            return armIdleTimer(context, after: max(1, limits.idleMilliseconds - idle))
        }
        // A client decides itself how long it keeps a connection without streams.
        let isUsed = !streams.isEmpty || role == .client
        if isAskingForLife || !isUsed {
            return cut(.timedOut(phase: "silence", milliseconds: limits.idleMilliseconds))
        }
        isAskingForLife = true
        session.ping(0)
        schedulePump()
        armIdleTimer(context, after: limits.idleMilliseconds)
    }

    private static func milliseconds(_ deadline: NIODeadline) -> Int64 {
        Int64(deadline.uptimeNanoseconds / 1_000_000)
    }
}
