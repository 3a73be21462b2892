/// Who has connected and not yet shown that he may: in order of arrival, by host.
///
/// When there are too many, the host with most of them loses its oldest: whoever opens connections and leaves them
/// displaces his own, and a handshake of another host, or a quick one of the same, gets through.
struct WaitingHandshakes<ID: Hashable> {
    private var byHost: [String: [(id: ID, arrival: UInt64)]] = [:]
    private var arrivals: UInt64 = 0
    private(set) var count = 0

    /// - Returns: who has to go for it. O(hosts), and only when there are more than `countMax`.
    mutating func add(_ id: ID, from host: String, countMax: Int) -> ID? {
        arrivals += 1
        byHost[host, default: []].append((id, arrivals))
        count += 1
        guard count > countMax, let heaviest = heaviestHost else { return nil }
        let oldest = byHost[heaviest]![0].id
        remove(oldest, from: heaviest)
        return oldest
    }

    /// O(waiting of that host).
    mutating func remove(_ id: ID, from host: String) {
        guard let index = byHost[host]?.firstIndex(where: { $0.id == id }) else { return }
        byHost[host]!.remove(at: index)
        if byHost[host]!.isEmpty { byHost[host] = nil }
        count -= 1
    }

    /// Of several that have the same number, the one that has waited longest.
    private var heaviestHost: String? {
        byHost.max { one, other in
            let (first, second) = (one.value, other.value)
            return first.count == second.count ? first[0].arrival > second[0].arrival : first.count < second.count
        }?.key
    }
}
