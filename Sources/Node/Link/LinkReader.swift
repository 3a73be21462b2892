internal import NIOCore
internal import Replication
internal import Store
internal import Transport

/// Takes what a peer's stream brings: cuts it into messages, decodes and hashes them, and feeds the session with them.
///
/// Runs only while there is something to take. Flow-control credit for a batch goes back after its commit, so a slow disk
/// here slows the sender and nobody else.
actor LinkReader {
    private let node: SyncNode
    private let stream: HTTP2Stream
    private let inputs: Mailbox<PeerLink.Input>
    private let counters: LinkCounters
    private let gauge: LinkGauge
    private let calls = Mailbox<Void>()
    private var buffer = ByteBuffer()
    private var decoder = SyncDecoder()

    init(
        node: SyncNode, stream: HTTP2Stream, inputs: Mailbox<PeerLink.Input>, counters: LinkCounters, gauge: LinkGauge
    ) {
        self.node = node
        self.stream = stream
        self.inputs = inputs
        self.counters = counters
        self.gauge = gauge
    }

    nonisolated func start() {
        // Until `stop`.
        calls.open { [self] in await read() }
        stream.whenReadable { [calls] in calls.putIfNothingWaits(()) }
    }

    /// To be called once, when the session is over: what still comes is not read.
    nonisolated func stop() async {
        stream.whenReadable(nil)
        calls.cancel()
        _ = await calls.finished()
    }

    /// - Returns: whether more may come.
    private func read() async -> Bool {
        do {
            while !inputs.isClosed {
                switch try stream.take() {
                case .nothing:
                    buffer.discardReadBytes()
                    // A thousand links that wait keep no room for what they once took in.
                    if buffer.readableBytes == 0 { buffer = ByteBuffer() }
                    return true
                case .bytes(let chunk): try await take(chunk)
                case .end:
                    inputs.put(
                        .streamEnded(
                            buffer.readableBytes == 0
                                ? "the peer ended the stream" : "the stream ended within a message"))
                    return false
                }
            }
        } catch let failure as DecodingFailure {
            if case .tooLarge(field: "message", _, _) = failure {
                inputs.put(.failed(.messageTooLarge, "\(failure)"))
            } else {
                inputs.put(.failed(.malformedMessage, "\(failure)"))
            }
        } catch {
            inputs.put(.streamEnded("\(error)"))
        }
        return false
    }

    private func take(_ chunk: ByteBuffer) async throws {
        counters.update { [bytes = chunk.readableBytes] in $0.receivedBytes += UInt64(bytes) }
        if buffer.readableBytes == 0 { buffer = chunk } else { buffer.writeImmutableBuffer(chunk) }
        while let length = try SyncCodec.messageBytes(prefix: buffer.readableBytesView) {
            guard buffer.readableBytes >= SyncCodec.prefixBytes + length else { break }
            buffer.moveReaderIndex(forwardBy: SyncCodec.prefixBytes)
            guard let bytes = buffer.readBytes(length: length) else { break }
            while node.isApplyQueueFull { guard try await pause() else { return } }
            let message = try decoder.decode(bytes)
            var admission = gauge.admit(message)
            while admission == .hold {
                guard try await pause() else { return }
                admission = gauge.admit(message)
            }
            // A batch's credit goes back after its commit, everything else's now.
            if case .batch = message {} else { stream.consume(bytes: SyncCodec.prefixBytes + length) }
            if admission == .pass { inputs.put(.message(message)) }
        }
        buffer.discardReadBytes()
    }

    /// - Returns: false if the session is over.
    private func pause() async throws -> Bool {
        try await Task.sleep(for: .milliseconds(PeerLink.fullQueuePauseMilliseconds))
        return !inputs.isClosed
    }
}
