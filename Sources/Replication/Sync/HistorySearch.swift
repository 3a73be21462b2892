/// Finds where two histories of one incarnation part, by asking the peer what it holds at or below a sequence.
///
/// Peers may hold only some of the operations: what lies between the highest that is known to agree and the lowest
/// that is known to differ is taken to agree. Source: Protocols/sync.md §7.
struct HistorySearch: Sendable, Hashable {
    /// Everything up to here agrees, as far as the peer can tell.
    private(set) var agreed: UInt64 = 0
    /// The lowest sequence that is known to differ.
    private(set) var differs: UInt64
    private var asked: UInt64 = 0
    private(set) var probeCount = 0

    /// - Parameter bound: a sequence that may differ: one above this store's last, or the peer's highest.
    init(differs bound: UInt64) {
        differs = bound
    }

    /// The next sequence to ask for; nil once the search has ended.
    mutating func next() -> UInt64? {
        guard differs > agreed + 1, probeCount < SyncLimits.probesMax else { return nil }
        asked = agreed + (differs - agreed) / 2
        probeCount += 1
        return asked
    }

    /// - Parameter answer: what the peer holds at or below what was asked.
    /// - Parameter isSame: whether this store has the same operation there; ignored without an answer.
    mutating func take(answer: HeldOperation?, isSame: Bool) {
        guard let answer, answer.sequence > agreed, answer.sequence <= asked else {
            // It holds nothing in between that could differ.
            agreed = asked
            return
        }
        if isSame { agreed = asked } else { differs = answer.sequence }
    }
}
