/// Lets `burst` events through at once and `perSecond` after that. Time is an argument.
struct TokenBucket {
    private let burst: Double
    private let perMillisecond: Double
    private var tokens: Double
    private var lastMilliseconds: Int64?

    init(burst: Int, perSecond: Int) {
        self.burst = Double(burst)
        perMillisecond = Double(perSecond) / 1000
        tokens = Double(burst)
    }

    /// - Parameter nowMilliseconds: of a clock that does not go back; if it does, no tokens are added.
    /// - Returns: whether the event is within the allowance.
    mutating func take(nowMilliseconds: Int64) -> Bool {
        if let lastMilliseconds, nowMilliseconds > lastMilliseconds {
            tokens = min(burst, tokens + Double(nowMilliseconds - lastMilliseconds) * perMillisecond)
        }
        lastMilliseconds = max(nowMilliseconds, lastMilliseconds ?? nowMilliseconds)
        if tokens < 1 { return false }
        tokens -= 1
        return true
    }
}

/// The cheap-to-send, dear-to-answer things that nghttp2 lets pass without limit, each with its own allowance.
struct FloodCounters {
    enum Kind: Int, CaseIterable { case ping, settings, emptyData, forcedReset }

    private var buckets: [TokenBucket]

    init(limits: TransportLimits) {
        buckets = Kind.allCases.map { _ in TokenBucket(burst: limits.floodBurst, perSecond: limits.floodPerSecond) }
    }

    mutating func allows(_ kind: Kind, nowMilliseconds: Int64) -> Bool {
        buckets[kind.rawValue].take(nowMilliseconds: nowMilliseconds)
    }
}
