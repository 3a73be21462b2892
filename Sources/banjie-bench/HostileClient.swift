internal import Foundation
internal import NIOCore
internal import NIOPosix
internal import Node
internal import Store
internal import Synchronization
internal import Transport

/// A client that means harm, cheaply: what it sends was made once.
struct HostileClient {
    struct Report: Codable {
        var connections = 0
        var frames = 0
    }

    /// A handshake that was cut off is begun again after this long.
    static let returnMilliseconds: Int64 = 1_000
    /// After so many frames a connection that is still up is left for another.
    static let framesPerConnection = 1_000
    /// Frames in one write.
    static let framesPerWrite = 100

    /// The parent's data folder, whose authority signs the certificate of the one that floods.
    let folder: String
    let address: String

    func run(_ side: Peer.Side, count: Int) async throws {
        guard case .hostPort(let host, let port) = NodeConfiguration.parse(address),
            let authority = try KeyFolder(DataFolder(path: folder)).authority(subtree: WorkloadStream.province)
        else { throw BenchError("a hostile client needs an address and an authority") }
        let context = try IdleChildren.context(1, authority)
        let report = Counted()
        let attack = Task {
            side == .halfOpen
                ? try await holdHandshakes(count, host, port, context, report)
                : try await flood(count, host, port, context, report)
        }
        for await _ in report.hasBegun { break }
        try PeerSpeech.say(Peer.Ready(address: ""))
        for await _ in PeerSpeech.lines() { try PeerSpeech.say(report.value.withLock { $0 }) }
        attack.cancel()
    }

    /// What has been done so far, and word of the beginning.
    private final class Counted: Sendable {
        let value = Mutex(Report())
        let hasBegun: AsyncStream<Void>
        private let begin: AsyncStream<Void>.Continuation

        init() { (hasBegun, begin) = AsyncStream.makeStream() }

        func begun() { begin.yield() }

        /// - Returns: how many there have been.
        @discardableResult
        func connected() -> Int {
            value.withLock {
                $0.connections += 1
                return $0.connections
            }
        }

        func sent(_ count: Int) -> Int {
            value.withLock {
                $0.frames += count
                return $0.frames
            }
        }
    }

    // MARK: Half-open handshakes

    /// Each says its ClientHello, and nothing to the answer.
    private func holdHandshakes(
        _ count: Int, _ host: String, _ port: Int, _ context: TLSContext, _ report: Counted
    ) async throws {
        let session = try TLSSession(context: context, expectedPeer: .matching { _ in true })
        try session.start()
        guard let hello = session.takeOutput() else { throw BenchError("no ClientHello") }
        await withDiscardingTaskGroup { group in
            for _ in 0..<count {
                group.addTask {
                    while !Task.isCancelled {
                        if let channel = try? await Self.connect(host, port) {
                            try? await channel.writeAndFlush(hello)
                            if report.connected() == count { report.begun() }
                            try? await channel.closeFuture.get()
                        }
                        try? await Task.sleep(for: .milliseconds(Self.returnMilliseconds))
                    }
                }
            }
        }
    }

    private static func connect(_ host: String, _ port: Int) async throws -> any Channel {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connect(host: host, port: port).get()
    }

    // MARK: Control frames

    /// What is sent over and over, and what has to stand before it.
    private struct Kind {
        var opening: [UInt8] = []
        /// - Parameter index: within its connection.
        var frame: @Sendable (_ index: Int) -> [UInt8]
    }

    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(4)

    private static func frame(_ type: UInt8, flags: UInt8 = 0, stream: Int = 0, _ payload: [UInt8] = []) -> [UInt8] {
        let number = [stream >> 24, stream >> 16, stream >> 8, stream].map { UInt8($0 & 0xff) }
        return [0, 0, UInt8(payload.count), type, flags] + number + payload
    }

    /// POST https /, authority "a", without an end.
    private static func request(_ stream: Int) -> [UInt8] {
        frame(1, flags: 4, stream: stream, [0x83, 0x87, 0x84, 0x41, 1, 0x61])
    }

    /// PING; SETTINGS; requests that are reset; empty DATA.
    private static let kinds: [Kind] = [
        Kind(frame: { _ in frame(6, [1, 2, 3, 4, 5, 6, 7, 8]) }),
        Kind(frame: { _ in frame(4) }),
        Kind(frame: { request(2 * $0 + 1) + frame(3, stream: 2 * $0 + 1, [0, 0, 0, 8]) }),
        Kind(opening: request(1), frame: { _ in frame(0, stream: 1) }),
    ]

    private func flood(
        _ count: Int, _ host: String, _ port: Int, _ context: TLSContext, _ report: Counted
    ) async throws {
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        for (number, kind) in Self.kinds.enumerated() {
            let end = count * (number + 1) / Self.kinds.count
            while report.value.withLock({ $0.frames }) < end, !Task.isCancelled {
                let channel =
                    try await bootstrap.channelInitializer { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try channel.pipeline.syncOperations.addHandler(
                                Flooder(context, kind: kind.frame, opening: Self.preface + kind.opening, report.sent))
                        }
                    }
                    .connect(host: host, port: port).get()
                report.connected()
                report.begun()
                try? await channel.closeFuture.get()
            }
        }
    }

    /// One connection: the handshake as it should be, then frames until it is cut off or has sent its share.
    private final class Flooder: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let session: TLSSession
        private let frame: @Sendable (Int) -> [UInt8]
        private let opening: [UInt8]
        private let sent: @Sendable (Int) -> Int
        private var sentCount = 0
        private var hasBegun = false

        init(
            _ context: TLSContext, kind: @escaping @Sendable (Int) -> [UInt8], opening: [UInt8],
            _ sent: @escaping @Sendable (Int) -> Int
        ) throws {
            session = try TLSSession(context: context, expectedPeer: .matching { _ in true })
            frame = kind
            self.opening = opening
            self.sent = sent
        }

        func channelActive(context: ChannelHandlerContext) {
            try? session.start()
            flush(context)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var plaintext = ByteBuffer()
            try? session.receive(unwrapInboundIn(data), plaintext: &plaintext)
            flush(context)
            switch session.state {
            case .handshaking: break
            case .established:
                if hasBegun { return }
                hasBegun = true
                try? session.send(ByteBuffer(bytes: opening))
                pour(context)
            case .peerClosed, .closed, .failed: context.close(promise: nil)
            }
        }

        func channelWritabilityChanged(context: ChannelHandlerContext) {
            if hasBegun, context.channel.isWritable { pour(context) }
        }

        private func pour(_ context: ChannelHandlerContext) {
            guard context.channel.isActive, context.channel.isWritable else { return }
            guard sentCount < HostileClient.framesPerConnection else { return context.close(promise: nil) }
            var bytes = ByteBuffer()
            for _ in 0..<HostileClient.framesPerWrite {
                bytes.writeBytes(frame(sentCount))
                sentCount += 1
            }
            _ = sent(HostileClient.framesPerWrite)
            try? session.send(bytes)
            flush(context)
            // Whatever has come meanwhile is read first.
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            context.eventLoop.execute { bound.value.0.pour(bound.value.1) }
        }

        private func flush(_ context: ChannelHandlerContext) {
            if let output = session.takeOutput() { context.writeAndFlush(wrapOutboundOut(output), promise: nil) }
        }
    }
}
