internal import Replication

/// One stream between two offices: bytes in order in each direction, until it is cut. A cut loses a suffix.
final class Connection {
    struct Direction {
        /// Nothing overtakes: the instant when what was sent last arrives.
        var lastArrival: Int64 = 0
        /// Sent and not yet arrived.
        var underWay: [[UInt8]] = []
        /// It loses everything, and nobody is told.
        var isSilent = false
    }

    let dialer: Office
    let acceptor: Office
    var dialed: SessionEnd?
    var accepted: SessionEnd?
    /// By whether bytes go to who accepted.
    var up = Direction()
    var down = Direction()
    var isCut = false
    /// Virtual milliseconds one way.
    var latency: Int64
    /// Bytes a millisecond.
    var rate: Int64 = 10_000

    init(dialer: Office, acceptor: Office, latency: Int64) {
        self.dialer = dialer
        self.acceptor = acceptor
        self.latency = latency
    }

    /// The office at the other end.
    func peer(of end: SessionEnd) -> Office { end.isDialer ? acceptor : dialer }

    func other(of end: SessionEnd) -> SessionEnd? {
        end === dialed ? accepted : dialed
    }

    subscript(fromDialer fromDialer: Bool) -> Direction {
        get { fromDialer ? up : down }
        set { if fromDialer { up = newValue } else { down = newValue } }
    }
}

extension World {
    /// Puts bytes on their way.
    func send(_ frame: [UInt8], from end: SessionEnd) {
        let connection = end.connection
        guard !connection.isCut, let other = connection.other(of: end) else { return }
        let fromDialer = end.isDialer
        var direction = connection[fromDialer: fromDialer]
        guard !direction.isSilent else { return }
        let travel = connection.latency + network.within(0...connection.latency) + Int64(frame.count) / connection.rate
        direction.lastArrival = max(direction.lastArrival, now + travel)
        direction.underWay.append(frame)
        connection[fromDialer: fromDialer] = direction
        plan(at: direction.lastArrival, .arrive, other.office) {
            guard !connection.isCut, !connection[fromDialer: fromDialer].underWay.isEmpty else { return }
            let frame = connection[fromDialer: fromDialer].underWay.removeFirst()
            try other.take(frame)
        }
    }

    /// An end has said its last word: the other hears of it behind what is on its way.
    func hangUp(_ end: SessionEnd) {
        let connection = end.connection
        guard !connection.isCut, let other = connection.other(of: end) else { return }
        let at = max(now + connection.latency, connection[fromDialer: end.isDialer].lastArrival)
        plan(at: at, .streamEnded, other.office) { other.streamEnded("the peer ended the stream") }
    }

    /// What is under way is lost; of one message perhaps a part arrives. Each end learns of it in its own time.
    func cut(_ connection: Connection) {
        guard !connection.isCut else { return }
        for end in [connection.dialed, connection.accepted] {
            guard let end, !end.isOver else { continue }
            let part = connection[fromDialer: !end.isDialer].underWay.first
            if let part, network.chance(percent: 40) {
                let bytes = Array(part.prefix(network.below(part.count)))
                plan(at: now, .arrive, end.office) { try end.take(bytes) }
            }
            let delay = network.chance(percent: 70) ? network.within(0...200) : network.within(0...30_000)
            plan(at: now + delay, .streamEnded, end.office) {
                end.streamEnded("the connection was cut")
            }
        }
        connection.isCut = true
        connections.removeAll { $0 === connection }
    }
}
