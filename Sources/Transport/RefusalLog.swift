import Logging
import Synchronization

/// A line for each connection that is turned away, but not for each of thousands: a log that a stranger can fill is a
/// disk that he can fill.
final class RefusalLog: Sendable {
    /// Lines at once.
    static let linesMax = 50
    /// Lines a second after that.
    static let linesPerSecondMax = 1

    private struct State {
        var bucket = TokenBucket(burst: linesMax, perSecond: linesPerSecondMax)
        var omittedCount = 0
    }

    private let logger: Logger
    private let state = Mutex(State())

    init(_ logger: Logger) { self.logger = logger }

    func write(remote: String, reason: TransportError, nowMilliseconds: Int64) {
        let omitted: Int? = state.withLock { state in
            guard state.bucket.take(nowMilliseconds: nowMilliseconds) else {
                state.omittedCount += 1
                return nil
            }
            defer { state.omittedCount = 0 }
            return state.omittedCount
        }
        guard let omitted else { return }
        var metadata: Logger.Metadata = ["remote": "\(remote)", "reason": "\(reason)"]
        if omitted > 0 { metadata["omitted"] = "\(omitted)" }
        logger.warning("connection refused", metadata: metadata)
    }
}
