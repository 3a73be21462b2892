import Synchronization

/// A listener's live connections, and the bounds on their number.
final class ConnectionRegistry: Sendable {
    /// Certificates under a penalty that are remembered; beyond, the one that is over first is forgotten.
    static let penaltiesMax = 4_096

    private struct State {
        var connections: [ObjectIdentifier: ServerConnection] = [:]
        var waiting = WaitingHandshakes<ObjectIdentifier>()
        /// Those that have lost their place among the waiting, and not yet their socket.
        var parked = WaitingHandshakes<ObjectIdentifier>()
        var perCertificate: [String: Int] = [:]
        /// Until when a certificate is refused.
        var penalties: [String: Int64] = [:]
        var isClosed = false
    }

    private let limits: TransportLimits
    private let state = Mutex(State())

    init(limits: TransportLimits) { self.limits = limits }

    var count: Int { state.withLock { $0.connections.count } }

    /// Those whose handshake or preface is not complete.
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    func all() -> [ServerConnection] { state.withLock { Array($0.connections.values) } }

    /// What a new connection means for it and for others.
    struct Arrival {
        /// Why it is not taken.
        var refusal: TransportError?
        /// Has waited too long for others to wait as well: parked from now on.
        var displaced: ServerConnection?
        /// Was parked for too long.
        var closed: ServerConnection?
    }

    func add(_ connection: ServerConnection) -> Arrival {
        state.withLock { state in
            if state.isClosed { return Arrival(refusal: .refused(reason: "shutting down")) }
            guard state.connections.count - state.parked.count < limits.connectionsMax else {
                return Arrival(refusal: .refused(reason: "\(limits.connectionsMax) connections are open"))
            }
            let id = ObjectIdentifier(connection)
            state.connections[id] = connection
            guard let displacedID = state.waiting.add(id, from: connection.host, countMax: limits.handshakesMax),
                let displaced = state.connections[displacedID]
            else { return Arrival() }
            let closed = state.parked.add(displacedID, from: displaced.host, countMax: limits.parkedMax)
            return Arrival(displaced: displaced, closed: closed.flatMap { state.connections[$0] })
        }
    }

    /// The peer has shown who it is and what it speaks.
    func established(_ connection: ServerConnection) {
        state.withLock { state in
            state.waiting.remove(ObjectIdentifier(connection), from: connection.host)
            state.parked.remove(ObjectIdentifier(connection), from: connection.host)
        }
    }

    /// Counts a connection under its certificate.
    func admit(fingerprint: String, nowMilliseconds now: Int64) -> Admission {
        state.withLock { state in
            if let end = state.penalties[fingerprint] {
                if now < end {
                    return .refused(
                        .refused(reason: "a connection with this certificate was a flood"),
                        delayMilliseconds: limits.refusalDelayMilliseconds)
                }
                state.penalties[fingerprint] = nil
            }
            guard state.perCertificate[fingerprint, default: 0] < limits.connectionsPerCertificateMax else {
                return .refused(
                    .refused(
                        reason: "\(limits.connectionsPerCertificateMax) connections with this certificate are open"))
            }
            state.perCertificate[fingerprint, default: 0] += 1
            return .admitted
        }
    }

    /// A connection with this certificate was a flood: for a while there will be no other.
    func punish(fingerprint: String, nowMilliseconds now: Int64) {
        guard limits.floodPenaltyMilliseconds > 0 else { return }
        state.withLock { state in
            if state.penalties.count >= Self.penaltiesMax {
                state.penalties = state.penalties.filter { now < $0.value }
                if state.penalties.count >= Self.penaltiesMax,
                    let first = state.penalties.min(by: { $0.value < $1.value })
                {
                    state.penalties[first.key] = nil
                }
            }
            state.penalties[fingerprint] = now + limits.floodPenaltyMilliseconds
        }
    }

    func release(fingerprint: String) {
        state.withLock { state in
            guard let count = state.perCertificate[fingerprint] else { return }
            state.perCertificate[fingerprint] = count > 1 ? count - 1 : nil
        }
    }

    func remove(_ connection: ServerConnection) {
        state.withLock { state in
            state.connections.removeValue(forKey: ObjectIdentifier(connection))
            state.waiting.remove(ObjectIdentifier(connection), from: connection.host)
            state.parked.remove(ObjectIdentifier(connection), from: connection.host)
        }
    }

    /// Takes no more.
    func close() { state.withLock { $0.isClosed = true } }
}
