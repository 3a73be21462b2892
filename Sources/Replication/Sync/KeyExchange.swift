/// What one session knows of the keys that go beside its operations: which the peer has been sent, and which have come
/// and wait for their batch.
///
/// Source: Protocols/personal-data.md §4.
struct KeyExchange: Sendable {
    /// Keys remembered as sent; then they may be sent again, which changes nothing.
    static let rememberedKeysMax = 65_536

    private var sent: [PersonalKeyID: Bool] = [:]
    private var pending: [PersonalKeyEntry] = []
    /// What came before the store knew the peer.
    private var early: [PersonalKeyEntry] = []
    /// A question of the peer's is being looked up.
    var isAnswering = false

    /// Messages for what the peer has not been sent in this session.
    mutating func messages(for entries: [PersonalKeyEntry], beforeBatch: Bool) -> [SyncMessage] {
        var fresh: [PersonalKeyEntry] = []
        for entry in entries where sent[entry.id] != entry.isErased {
            if sent.count >= Self.rememberedKeysMax { sent.removeAll(keepingCapacity: true) }
            sent[entry.id] = entry.isErased
            fresh.append(entry)
        }
        return SyncMessage.keys(of: fresh, beforeBatch: beforeBatch)
    }

    /// - Returns: false if more wait for a batch than any batch needs.
    mutating func hold(_ entries: [PersonalKeyEntry]) -> Bool {
        pending += entries
        return pending.count <= SyncLimits.keysPendingMax
    }

    mutating func holdEarly(_ entries: [PersonalKeyEntry]) -> Bool {
        early += entries
        return early.count <= SyncLimits.keysPendingMax
    }

    mutating func takeEarly() -> [PersonalKeyEntry] {
        defer { early = [] }
        return early
    }

    /// Those for the batch that has come.
    mutating func takePending() -> [PersonalKeyEntry] {
        defer { pending = [] }
        return pending
    }
}

extension SyncMessage {
    /// As many messages as it takes.
    package static func keys(of entries: [PersonalKeyEntry], beforeBatch: Bool = false) -> [SyncMessage] {
        entries.portions(of: SyncLimits.keysMax).map { .keys($0, beforeBatch: beforeBatch) }
    }
}
