import NIOCore

/// What the session reports, passed on to streams and owner.
extension HTTP2Handler {
    func begin(peerCertificate: PeerCertificate?) {
        guard let context, let link else { return }
        do throws(TransportError) {
            let session = try HTTP2Session(role: role, limits: limits)
            self.session = session
            startPhase("HTTP/2 preface", limits.prefaceMilliseconds)
            armIdleTimer(context, after: limits.idleMilliseconds)
            switch owner?.admit(link, peerCertificate: peerCertificate) ?? .admitted {
            case .admitted: pump()
            case .refused(let refusal, delayMilliseconds: 0): refuse(refusal)
            case .refused(let refusal, let delayMilliseconds): hold(refusal, delayMilliseconds, context)
            }
        } catch {
            fail(error)
        }
    }

    private func refuse(_ refusal: TransportError) {
        session?.terminate(code: .enhanceYourCalm, debug: refusal.description)
        fail(refusal)
    }

    /// Refuses after a while in which nothing is read: what the peer sends meanwhile fills its own buffers.
    private func hold(_ refusal: TransportError, _ milliseconds: Int64, _ context: ChannelHandlerContext) {
        isHeld = true
        phaseTimer?.cancel()
        context.channel.setOption(ChannelOptions.autoRead, value: false).whenFailure { _ in }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        phaseTimer = context.eventLoop.scheduleTask(in: .milliseconds(milliseconds)) { bound.value.refuse(refusal) }
    }

    func handleEvents() {
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

    func handle(_ event: HTTP2Event, _ session: HTTP2Session) {
        switch event {
        case .request(let id, let head): opened(id, head)
        case .response(let id, let head): streams[id]?.update { $0.receivedHead(head) }
        case .data(let id, let bytes):
            let credit = streams[id]?.update { $0.received(bytes) } ?? bytes.readableBytes
            session.consume(id, bytes: credit)
            if let left = draining[id] {
                draining[id] = left - bytes.readableBytes
                if left < bytes.readableBytes { endDraining(id) }
            }
        case .end(let id, let trailers): streams[id]?.update { $0.receivedEnd(trailers: trailers) }
        case .sent(let id, let bytes): streams[id]?.update { $0.sent(bytes: bytes) }
        case .closed(let id, let code, let byPeer):
            draining[id] = nil
            lastUse = .now()
            guard let stream = streams.removeValue(forKey: id) else { return }
            let credit = stream.update { $0.closed(.streamReset(code: code, byPeer: byPeer)) }
            session.consume(id, bytes: credit)
        case .settings:
            if isReady { return }
            isReady = true
            owner?.becameReady()
            startWaitingForRequest()
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

    func opened(_ id: Int32, _ head: HTTP2RequestHead) {
        guard let link, let owner else { return }
        requestTimer?.cancel()
        requestTimer = nil
        let stream = HTTP2StreamCore(id: id, link: link, state: HTTP2StreamState(role: role, limits: limits))
        streams[id] = stream
        owner.opened(stream, head)
    }

    func fail(_ error: TransportError) {
        failure = failure ?? error
        if isClosing { return }
        sendLastWords()
        endEverything(error)
        context?.close(promise: nil)
    }

    /// GOAWAY and what stands before it, without asking whether the channel takes it: one portion, then the end.
    func sendLastWords() {
        guard let session, let context else { return }
        if let bytes = try? session.produceOutput(
            limitBytes: Self.pumpBytes, nowMilliseconds: Self.milliseconds(.now()))
        {
            context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        }
    }

    /// `session_del` tells nobody about its streams, so they are failed here.
    func endEverything(_ error: TransportError) {
        isClosing = true
        phaseTimer?.cancel()
        idleTimer?.cancel()
        requestTimer?.cancel()
        overdueTimer?.cancel()
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
}
