package import NIOCore
import NIOPosix
import Synchronization
package import Transport

/// A client over a real socket that does TLS as it should and writes its HTTP/2 by hand.
package struct RawClient: Sendable {
    package let channel: any Channel
    private let received: Received

    private final class Received: Sendable {
        let bytes = Mutex(ByteBuffer())
    }

    /// Waits for the end of the handshake.
    /// - Parameter identity: nil dials without a certificate.
    /// - Parameter isReading: false for a client that never takes anything off the wire after its handshake.
    package init(_ server: HTTP2Server, _ identity: TLSIdentity?, isReading: Bool = true) async throws {
        let context = try TestAuthority.shared.get().clientContext(identity)
        let established = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: Void.self)
        let received = Received()
        self.received = received
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let session = try TLSSession(context: context, expectedPeer: .matching { _ in true })
                    let handler = Handler(session, established, isReading: isReading) { bytes in
                        received.bytes.withLock { _ = $0.writeImmutableBuffer(bytes) }
                    }
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .connect(host: "127.0.0.1", port: try await server.port).get()
        try await established.futureResult.get()
    }

    /// In one piece, as one read of a socket gives it if it is not too long.
    package func send(_ frames: [[UInt8]]) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: frames.flatMap { $0 })).get()
    }

    package func greet() async throws { try await send([RawPeer.preface, Frame.settings()]) }

    /// Everything that the server has said so far.
    package var frames: [Frame] { Frame.all(in: received.bytes.withLock { $0 }) }

    package var isActive: Bool { channel.isActive }

    package var ended: Void { get async throws { try await channel.closeFuture.get() } }

    private final class Handler: ChannelDuplexHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let session: TLSSession
        private let established: EventLoopPromise<Void>
        private let isReading: Bool
        private let take: (ByteBuffer) -> Void

        init(
            _ session: TLSSession, _ established: EventLoopPromise<Void>, isReading: Bool,
            _ take: @escaping (ByteBuffer) -> Void
        ) {
            self.session = session
            self.established = established
            self.isReading = isReading
            self.take = take
        }

        func channelActive(context: ChannelHandlerContext) {
            end(context) { () throws(TransportError) in try session.start() }
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var plaintext = ByteBuffer()
            end(context) { () throws(TransportError) in
                try session.receive(unwrapInboundIn(data), plaintext: &plaintext)
            }
            if plaintext.readableBytes > 0 { take(plaintext) }
            switch session.state {
            case .handshaking, .failed: return
            case .established:
                if !isReading { context.channel.setOption(ChannelOptions.autoRead, value: false).whenFailure { _ in } }
                established.succeed()
            case .peerClosed, .closed:
                session.close()
                flush(context)
                context.close(promise: nil)
            }
        }

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            do {
                try session.send(unwrapOutboundIn(data))
                guard let output = session.takeOutput() else { return promise?.succeed() ?? () }
                context.write(wrapOutboundOut(output), promise: promise)
            } catch {
                promise?.fail(error)
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            established.fail(error)
            context.close(promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { established.fail(ChannelError.ioOnClosedChannel) }

        /// What there is to say goes out in any case: it may be the alert that says why.
        private func end(_ context: ChannelHandlerContext, _ body: () throws(TransportError) -> Void) {
            do throws(TransportError) {
                try body()
                flush(context)
            } catch {
                flush(context)
                established.fail(error)
                context.close(promise: nil)
            }
        }

        private func flush(_ context: ChannelHandlerContext) {
            if let output = session.takeOutput() { context.writeAndFlush(wrapOutboundOut(output), promise: nil) }
        }
    }
}
