/// Which numbers a client has used for its streams, as far as it takes to know the last ones that it has not.
///
/// RFC 9113 §5.1.1: a stream that is opened closes all idle ones with lower numbers, and an unexpected number "MUST" end
/// the connection. nghttp2 ignores HEADERS on every number below the highest, since it cannot tell a stream that was left
/// out from one that was reset and whose trailers are still under way; here the two are told apart.
struct ClientStreams {
    /// Gaps that are remembered; honest clients leave few. Beyond, the lowest is forgotten, and nghttp2's word counts.
    static let gapsMax = 16

    private var highest: Int32 = -1
    private var gaps: [ClosedRange<Int32>] = []

    /// - Returns: false for a number that was left out when a higher one was used. O(gaps).
    mutating func mayHaveHeaders(_ id: Int32) -> Bool {
        // Of an even number nghttp2 says what it is.
        guard id > 0, id % 2 == 1 else { return true }
        guard id > highest else { return !gaps.contains { $0.contains(id) } }
        if id > highest + 2 {
            gaps.append(highest + 2...id - 2)
            if gaps.count > Self.gapsMax { gaps.removeFirst() }
        }
        highest = id
        return true
    }
}
