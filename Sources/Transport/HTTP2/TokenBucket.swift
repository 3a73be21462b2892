/// Lets `burst` events through at once and `perSecond` after that. Time is an argument.
struct TokenBucket {
    private let burst: Double
    private let perMillisecond: Double
    private var tokens: Double
    private var granted = 0
    private var lastMilliseconds: Int64?

    init(burst: Int, perSecond: Int) {
        self.burst = Double(burst)
        perMillisecond = Double(perSecond) / 1000
        tokens = Double(burst)
    }

    /// Lets further events through, whenever they come.
    mutating func grant(_ count: Int) { granted += count }

    /// - Parameter nowMilliseconds: of a clock that does not go back; if it does, no tokens are added.
    /// - Returns: whether the event is within the allowance.
    mutating func take(nowMilliseconds: Int64) -> Bool {
        if let lastMilliseconds, nowMilliseconds > lastMilliseconds {
            tokens = min(burst, tokens + Double(nowMilliseconds - lastMilliseconds) * perMillisecond)
        }
        lastMilliseconds = max(nowMilliseconds, lastMilliseconds ?? nowMilliseconds)
        if granted > 0 {
            granted -= 1
            return true
        }
        if tokens < 1 { return false }
        tokens -= 1
        return true
    }
}
