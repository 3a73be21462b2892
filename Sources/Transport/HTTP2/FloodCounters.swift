/// Frames that cost their sender nothing and that nghttp2 lets pass, each kind with its own allowance. (It skips types
/// that it does not know, and ends the connection for frames on streams that are gone.)
///
/// What a peer has a reason for is granted on top: credit for the body it was sent, and a few frames for each stream
/// that it opens, since browsers send a priority or a window with every request.
struct FloodCounters {
    enum Kind: Int, CaseIterable {
        /// Answered by us; an answer that nobody asked for counts too.
        case ping
        case settings
        /// DATA without a body that does not end its stream; padding is no body.
        case emptyData
        /// Resets that the peer makes us send: MadeYouReset, CVE-2025-8671.
        case forcedReset
        /// Resets that the peer sends: rapid reset, CVE-2023-44487.
        case reset
        case priority
        case windowUpdate
        /// CVE-2024-28182.
        case continuation
        case goAway
    }

    /// Frames of each of `grantedKinds` for a stream.
    static let streamGrantMax = 2
    private static let grantedKinds: [Kind] = [.priority, .windowUpdate]

    private let creditBytesMin: Int
    private var buckets: [TokenBucket]
    private var sentBytes = 0

    init(limits: TransportLimits) {
        creditBytesMin = limits.creditBytesMin
        buckets = Kind.allCases.map { _ in TokenBucket(burst: limits.floodBurst, perSecond: limits.floodPerSecond) }
    }

    mutating func allows(_ kind: Kind, nowMilliseconds: Int64) -> Bool {
        buckets[kind.rawValue].take(nowMilliseconds: nowMilliseconds)
    }

    mutating func openedStream() {
        for kind in Self.grantedKinds { buckets[kind.rawValue].grant(Self.streamGrantMax) }
    }

    mutating func sent(bytes: Int) {
        sentBytes += bytes
        buckets[Kind.windowUpdate.rawValue].grant(2 * (sentBytes / creditBytesMin))
        sentBytes %= creditBytesMin
    }
}
