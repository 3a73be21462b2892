internal import Node
internal import Replication
internal import Store

// Who dials whom, and what becomes of a session that has ended.
extension World {
    /// Sessions of one dialer that end after everything is healed.
    static let endedMax = 10

    func planDial(_ office: Office, _ dialer: Dialer, after delay: Int64) {
        guard !dialer.isDialling, dialer.end == nil else { return }
        dialer.isDialling = true
        plan(after: delay, .dial, office) { [self] in
            dialer.isDialling = false
            try dial(office, dialer)
        }
    }

    func reaches(_ left: Office, _ right: Office) -> Bool {
        !partitions.contains {
            $0.until > now
                && (($0.left == left.index && $0.right == right.index)
                    || ($0.left == right.index && $0.right == left.index))
        }
    }

    private func dial(_ office: Office, _ dialer: Dialer) throws {
        guard dialer.end == nil else { return }
        for target in dialer.targets {
            guard target.replica != nil, target.asleepUntil <= now, reaches(office, target) else { continue }
            dialer.end = try connect(office, target, role: dialer.role)
            return
        }
        redial(office, dialer)
    }

    private func redial(_ office: Office, _ dialer: Dialer) {
        if dialer.role == .parent { office.isCaughtUp = office.isProvince }
        planDial(office, dialer, after: dialer.backoff.nextDelayMilliseconds(using: &network))
    }

    /// Makes a connection and starts both sessions.
    @discardableResult
    func connect(_ office: Office, _ target: Office, role: PeerRole) throws -> SessionEnd {
        counts.sessions += 1
        let connection = Connection(dialer: office, acceptor: target, latency: network.within(1...40))
        if !isHealed, let slow = faultStreams[.slowLine], configuration.faults.contains(.slowLine),
            slow.random.chance(percent: 20)
        {
            counts.faults[Fault.slowLine.rawValue, default: 0] += 1
            connection.latency = slow.random.within(300...2_500)
            connection.rate = slow.random.within(1...50)
        }
        connections.append(connection)
        let dialed = SessionEnd(self, office, to: target, over: connection, role: role)
        let accepted = SessionEnd(
            self, target, to: office, over: connection, role: role == .parent ? .child : .sibling)
        connection.dialed = dialed
        connection.accepted = accepted
        office.ends.append(dialed)
        target.ends.append(accepted)
        // Before the first bytes of who dialled arrive.
        plan(after: connection.latency, .dial, target) { if !accepted.isOver { try accepted.start() } }
        try dialed.start()
        return dialed
    }

    /// An end is over: whoever dialled does so again.
    func ended(_ end: SessionEnd, _ reason: String) {
        let office = end.office
        say(office, "session with \(end.peerSite) (\(end.peerReplica.map { "\($0)" } ?? "?")) ends: \(reason)")
        office.ends.removeAll { $0 === end }
        if end.connection.other(of: end)?.isOver ?? true {
            connections.removeAll { $0 === end.connection }
        }
        guard let dialer = office.dialers.first(where: { $0.end === end }) else { return }
        dialer.end = nil
        if end.isEstablished { dialer.backoff.sessionEnded(with: end.code, lasted: now - end.began) }
        if isHealed, end.connection.peer(of: end).believesAt < now {
            dialer.endedCount += 1
            if dialer.endedCount > Self.endedMax {
                fail(.convergence, office, "its sessions with the \(dialer.role) end again and again: \(reason)")
            }
        }
        redial(office, dialer)
    }
}
