import NIOCore

/// Fired towards the application when the handshake is done.
struct TLSEstablished: Sendable {
    let peerCertificate: PeerCertificate?
}

/// Puts a `TLSSession` between the socket and HTTP/2. Stays on its event loop.
final class TLSHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How long a closing side waits for the peer's end. Closing with unread bytes makes the kernel send a reset, and
    /// the peer would lose the alert or GOAWAY that tells it why.
    static let lingerMilliseconds: Int64 = 1_000

    /// Reads that made OpenSSL answer, over the life of a connection. An honest peer sends some key update after each
    /// 400 GB.
    static let answersMax = 1_000

    private let session: TLSSession
    private var answers = 0
    private var isEstablished = false
    private var isClosing = false

    init(session: TLSSession) { self.session = session }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        do throws(TransportError) {
            try session.start()
            flushOutput(context)
        } catch {
            fail(context, error)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isClosing { return }
        var plaintext = ByteBuffer()
        do throws(TransportError) {
            try session.receive(unwrapInboundIn(data), plaintext: &plaintext)
        } catch {
            return fail(context, error)
        }
        if isEstablished, session.hasOutput, !countAnswer() { return fail(context, .flood(kind: "key updates")) }
        flushOutput(context)
        if !isEstablished, session.state == .established || session.state == .peerClosed {
            isEstablished = true
            context.fireUserInboundEventTriggered(TLSEstablished(peerCertificate: session.peerCertificate))
        }
        if plaintext.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(plaintext)) }
        if session.state == .peerClosed, !isClosing {
            session.close()
            isClosing = true
            flushOutput(context)
            context.close(promise: nil)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        do throws(TransportError) {
            try session.send(unwrapOutboundIn(data))
            guard let output = session.takeOutput() else { return promise?.succeed() ?? () }
            context.write(wrapOutboundOut(output), promise: promise)
        } catch {
            promise?.fail(error)
        }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        // Before the handshake is done there is nothing to say, and nobody to wait for.
        guard mode == .all, !isClosing, session.state != .handshaking else {
            return context.close(mode: mode, promise: promise)
        }
        session.close()
        linger(context)
        context.channel.closeFuture.cascade(to: promise)
    }

    /// Whether the peer may have another answer. After the handshake OpenSSL answers nothing but key updates, at once and
    /// however many; a peer that sends them and reads nothing would fill our memory.
    private func countAnswer() -> Bool {
        answers += 1
        return answers <= Self.answersMax
    }

    private func fail(_ context: ChannelHandlerContext, _ error: TransportError) {
        context.fireErrorCaught(error)
        if !isClosing { linger(context) }
    }

    private func linger(_ context: ChannelHandlerContext) {
        isClosing = true
        flushOutput(context)
        context.close(mode: .output, promise: nil)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        let timer = context.eventLoop.scheduleTask(in: .milliseconds(Self.lingerMilliseconds)) {
            bound.value.close(mode: .all, promise: nil)
        }
        context.channel.closeFuture.whenComplete { _ in timer.cancel() }
    }

    private func flushOutput(_ context: ChannelHandlerContext) {
        guard let output = session.takeOutput() else { return }
        context.writeAndFlush(wrapOutboundOut(output), promise: nil)
    }
}
