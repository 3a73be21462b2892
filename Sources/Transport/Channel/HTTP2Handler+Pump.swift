import NIOCore

/// Bytes from the session to the channel, and the clocks that end a connection.
extension HTTP2Handler {
    // MARK: Pump

    func schedulePump() {
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
    func pump() {
        if isPumping || isReading {
            mustPumpAgain = true
            return
        }
        guard let session, let context, !isClosing, !isHeld else { return }
        isPumping = true
        defer { isPumping = false }
        repeat {
            mustPumpAgain = false
            var hasWritten = false
            do throws(TransportError) {
                while !isClosing, context.channel.isWritable,
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
        armOverdueTimer()
        if session.isFinished, !isClosing {
            endEverything(failure ?? goAway ?? .connectionClosed(reason: "finished"))
            context.close(promise: nil)
        } else if failure != nil, !isClosing {
            endEverything(failure!)
            context.close(promise: nil)
        }
    }

    // MARK: Timers

    func startPhase(_ phase: String, _ milliseconds: Int64) {
        phaseTimer?.cancel()
        guard let context else { return }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        phaseTimer = context.eventLoop.scheduleTask(in: .milliseconds(milliseconds)) {
            bound.value.cut(.timedOut(phase: phase, milliseconds: milliseconds))
        }
    }

    /// A browser that has nothing to ask for has no reason to be connected.
    func startWaitingForRequest() {
        guard role == .server, limits.firstRequestMilliseconds > 0, let context else { return }
        let (limit, bound) = (limits.firstRequestMilliseconds, NIOLoopBound(self, eventLoop: context.eventLoop))
        requestTimer = context.eventLoop.scheduleTask(in: .milliseconds(limit)) {
            bound.value.cut(.timedOut(phase: "the first request", milliseconds: limit))
        }
    }

    /// One timer a connection, moved on only when it fires.
    func armIdleTimer(_ context: ChannelHandlerContext, after milliseconds: Int64) {
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        idleTimer = context.eventLoop.scheduleTask(in: .milliseconds(milliseconds)) { bound.value.idleTimerFired() }
    }

    func idleTimerFired() {
        guard let context, let session, !isClosing else { return }
        // A client decides itself how long it keeps a connection without streams.
        let isUsed = !streams.isEmpty || role == .client
        // PINGs alone keep no connection open.
        let idle = (NIODeadline.now() - (isUsed ? lastRead : lastUse)).nanoseconds / 1_000_000
        if idle < limits.idleMilliseconds {
            return armIdleTimer(context, after: max(1, limits.idleMilliseconds - idle))
        }
        if isAskingForLife || !isUsed {
            return cut(.timedOut(phase: "silence", milliseconds: limits.idleMilliseconds))
        }
        isAskingForLife = true
        session.ping(0)
        schedulePump()
        armIdleTimer(context, after: limits.idleMilliseconds)
    }

    /// Runs only while the peer owes something.
    func armOverdueTimer() {
        guard overdueTimer == nil, !isClosing, let session, let context, session.isOwedByPeer else { return }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        overdueTimer = context.eventLoop.scheduleTask(in: .milliseconds(limits.overdueLookMilliseconds)) {
            bound.value.overdueTimer = nil
            bound.value.endOverdue()
        }
    }

    private func endOverdue() {
        guard let session, let context, !isClosing else { return }
        for overdue in session.overdue(nowMilliseconds: Self.milliseconds(.now())) {
            switch overdue {
            case .headers: return cut(.timedOut(phase: "a header list", milliseconds: limits.headersMilliseconds))
            case .body(let id):
                end(id, .timedOut(phase: "the body of a request", milliseconds: limits.bodyMilliseconds))
            case .reading(let id):
                let error = TransportError.timedOut(
                    phase: "reading by the peer", milliseconds: limits.stallMilliseconds)
                // Where the wire itself takes nothing, a reset would not get out either.
                guard context.channel.isWritable else { return cut(error) }
                end(id, error)
            }
        }
        armOverdueTimer()
    }

    /// Resets one stream, and tells its user why; the connection goes on.
    private func end(_ id: Int32, _ error: TransportError) {
        guard let session else { return }
        draining[id] = nil
        if let stream = streams.removeValue(forKey: id) {
            lastUse = .now()
            session.consume(id, bytes: stream.update { $0.closed(error) })
        }
        session.reset(id, code: .cancel)
        schedulePump()
    }

    static func milliseconds(_ deadline: NIODeadline) -> Int64 {
        Int64(deadline.uptimeNanoseconds / 1_000_000)
    }
}
