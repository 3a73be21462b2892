internal import NIOCore
internal import Replication
internal import Transport

/// Writes what a link sends. Batches are encoded and compressed here, while the next is read.
actor LinkWriter {
    private let stream: HTTP2Stream
    private let counters: LinkCounters
    private let gauge: LinkGauge
    private var compressor = StreamCompressor()
    private var rate: SendingRate?
    /// For the rate.
    private var pause: Task<Void, any Error>?

    init(stream: HTTP2Stream, settings: LinkSettings, counters: LinkCounters, gauge: LinkGauge) {
        self.stream = stream
        self.counters = counters
        self.gauge = gauge
        rate = settings.bytesPerSecondMax.map(SendingRate.init(bytesPerSecond:))
    }

    /// Returns when the next may be written.
    /// - Throws: `DecodingFailure`, `TransportError`, `CancellationError`.
    func write(_ outgoing: PeerLink.Outgoing) async throws {
        if case .done(let work) = outgoing { return gauge.done(work) }
        let frame = try encode(outgoing)
        try await stream.write(ByteBuffer(bytes: frame))
        gauge.written(bytes: outgoing.answerBytes)
        counters.update { status in
            status.sentBytes += UInt64(frame.count)
            if case .batch(let batch, _) = outgoing { status.sentOperations += UInt64(batch.operations.count) }
        }
        if let delay = rate?.delayMilliseconds(after: frame.count, now: NodeClock.monotonic()), delay > 0 {
            let pause = Task { try await Task.sleep(for: .milliseconds(delay)) }
            self.pause = pause
            try await pause.value
        }
    }

    /// Whatever is under way ends with an error.
    func end() {
        stream.reset(.cancel)
        pause?.cancel()
    }

    private func encode(_ outgoing: PeerLink.Outgoing) throws -> [UInt8] {
        switch outgoing {
        case .message(let message):
            // The peer lets go of the frame's memory here too.
            if case .caughtUp = message { compressor.reset() }
            return try SyncCodec.encode(message)
        case .batch(let batch, compressed: false): return try SyncCodec.encode(batch, coding: .plain)
        // A backlog's batches have much in common; a live one is small and alone.
        case .batch(let batch, compressed: true) where batch.lane == .backlog:
            return try SyncCodec.encode(batch, with: &compressor)
        case .batch(let batch, compressed: true): return try SyncCodec.encode(batch, coding: .zstd)
        case .answer(let bytes): return bytes
        case .answers(let batch, let isCompressed, _):
            return try SyncCodec.encode(batch, coding: isCompressed ? .zstd : .plain)
        case .done: return []
        }
    }
}
