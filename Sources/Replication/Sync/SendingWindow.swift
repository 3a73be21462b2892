/// How much of a backlog, and as much again of what is news, may be on its way: as much as the peer makes durable in a
/// second or two, so that a live operation never waits longer than that behind either. Source: Protocols/sync.md §6.
struct SendingWindow: Sendable, Hashable {
    private(set) var bytes: Int
    private let bytesMax: Int

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
        // A slow line would take long for more, and on a fast one it grows in a few round trips.
        bytes = min(2 * SyncLimits.backlogWindowBytesMin, bytesMax)
    }

    /// - Parameter milliseconds: from the batch's reading to its acknowledgement.
    mutating func acknowledged(afterMilliseconds milliseconds: Int64) {
        if milliseconds < SyncLimits.backlogAckMillisecondsMax / 4 {
            bytes = min(bytes * 2, bytesMax)
        } else if milliseconds > SyncLimits.backlogAckMillisecondsMax {
            bytes = max(bytes / 2, min(SyncLimits.backlogWindowBytesMin, bytesMax))
        }
    }
}
