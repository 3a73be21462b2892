import Replication

/// What a worker says of its work, each in one write, which a kill does not cut: before something begins, and once it is
/// durable. As text a line.
enum KillNote: Hashable {
    /// The store is open.
    case opened
    /// These operations of one replica go into one transaction.
    case begins(ReplicaID, ClosedRange<UInt64>)
    /// They are durable; the last has this hash.
    case holds(ReplicaID, ClosedRange<UInt64>, ContentHash)
    /// The journal goes up to here.
    case recorded(UInt64)
    /// There is a backup of this name.
    case backup(String)

    var line: String {
        switch self {
        case .opened: "opened\n"
        case .begins(let replica, let range): "begins \(replica) \(range.lowerBound) \(range.upperBound)\n"
        case .holds(let replica, let range, let hash):
            "holds \(replica) \(range.lowerBound) \(range.upperBound) \(hash)\n"
        case .recorded(let sequence): "recorded \(sequence)\n"
        case .backup(let name): "backup \(name)\n"
        }
    }

    /// - Parameter line: without its end.
    init?(line: some StringProtocol) {
        let words = line.split { $0 == " " }.map { String($0) }
        func range() -> (ReplicaID, ClosedRange<UInt64>)? {
            guard words.count >= 4, let replica = ReplicaID(hexadecimal: words[1]), let first = UInt64(words[2]),
                let last = UInt64(words[3]), first <= last
            else { return nil }
            return (replica, first...last)
        }
        switch (words.first, words.count) {
        case ("opened", 1): self = .opened
        case ("begins", 4):
            guard let (replica, range) = range() else { return nil }
            self = .begins(replica, range)
        case ("holds", 5):
            guard let (replica, range) = range(), let hash = ContentHash(hexadecimal: words[4]) else { return nil }
            self = .holds(replica, range, hash)
        case ("recorded", 2):
            guard let sequence = UInt64(words[1]) else { return nil }
            self = .recorded(sequence)
        case ("backup", 2): self = .backup(words[1])
        default: return nil
        }
    }
}
