/// What may go wrong. Each has a stream of random numbers of its own.
package enum Fault: String, Codable, CaseIterable, Sendable {
    /// A connection ends; what is under way is lost, at times from within a message on.
    case cut
    /// Two nodes do not reach each other for a while.
    case partition
    /// One direction of a connection goes silent.
    case oneWay
    /// A line becomes slow and narrow.
    case slowLine
    /// A child dials again while its session still stands.
    case repeatedSession
    /// A process ends before, during or after a commit.
    case crash
    /// A process is ended and started.
    case restart
    /// A backup is put back.
    case restore
    /// A disk is put back to an earlier state without the node's knowledge.
    case rollback
    /// A node is started a second time from a copy of its disk.
    case clone
    /// A disk is lost and the node begins anew.
    case lostDisk
    /// A wall clock steps by up to thirty days.
    case clockStep
    /// A machine sleeps: time goes on without it.
    case sleep
    /// A bit of an operation flips on its way, where TLS does not see it.
    case badMemory
    /// A commit cannot be flushed: it throws and is undone, or the process ends and its outcome is unknown.
    case flushFails
    /// A disk has no room for a while.
    case diskFull
    /// A row of the log changes on its disk.
    case bitRot
    /// What a child has sent in an old session is played to its parent once more.
    case replay
    /// A node above revokes one below, which goes on under a new incarnation later.
    case revocation
    /// Whoever has a branch's key speaks to its parent: forged, spoiled, oversized, with two histories.
    case hostile
    /// A program from later writes a kind that nobody else knows.
    case newKind
    /// A node speaks the former version of the protocol, and learns a kind with its upgrade.
    case oldVersion

    var isLater: Bool {
        switch self {
        case .cut, .partition, .oneWay, .slowLine, .repeatedSession, .crash, .restart, .restore, .rollback, .clone,
            .lostDisk, .clockStep, .sleep, .badMemory:
            false
        case .flushFails, .diskFull, .bitRot, .replay, .revocation, .hostile, .newKind, .oldVersion: true
        }
    }

    /// Virtual milliseconds between two of them, on the average.
    var intervalMilliseconds: Int64 {
        switch self {
        case .cut: 4_000
        case .partition: 12_000
        case .oneWay: 20_000
        case .slowLine: 60_000
        case .repeatedSession: 8_000
        case .crash: 5_000
        case .restart: 8_000
        case .restore: 25_000
        case .rollback: 25_000
        case .clone: 40_000
        case .lostDisk: 30_000
        case .clockStep: 8_000
        case .sleep: 10_000
        case .badMemory: 8_000
        case .flushFails: 8_000
        case .diskFull: 25_000
        case .bitRot: 12_000
        case .replay: 15_000
        case .revocation: 40_000
        case .hostile: 20_000
        case .newKind: 20_000
        case .oldVersion: 30_000
        }
    }
}

/// Everything that a run follows from: two runs of one configuration have the same trace.
package struct SimulationConfiguration: Codable, Hashable, Sendable {
    package var seed: UInt64
    /// Nodes of the province, 2 … 31.
    package var nodes: Int
    /// Events until everything is healed and has to come to rest.
    package var steps: Int
    package var faults: [Fault]
    /// Two nodes at the province, each a sibling of the other.
    package var hasTwoProvinces: Bool
    /// Two nodes at one of the branches.
    package var hasTwoAtSite: Bool
    /// Faults come so many times as often.
    package var pace = 1

    package static let nodesMax = 31

    package init(
        seed: UInt64, nodes: Int, steps: Int, faults: [Fault], hasTwoProvinces: Bool = false,
        hasTwoAtSite: Bool = false, pace: Int = 1
    ) {
        self.seed = seed
        self.nodes = max(2, min(nodes, Self.nodesMax))
        self.steps = steps
        self.faults = faults
        self.hasTwoProvinces = hasTwoProvinces
        self.hasTwoAtSite = hasTwoAtSite
        self.pace = max(1, pace)
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        seed = try values.decode(UInt64.self, forKey: .seed)
        nodes = try values.decode(Int.self, forKey: .nodes)
        steps = try values.decode(Int.self, forKey: .steps)
        faults = try values.decode([Fault].self, forKey: .faults)
        hasTwoProvinces = try values.decode(Bool.self, forKey: .hasTwoProvinces)
        hasTwoAtSite = try values.decode(Bool.self, forKey: .hasTwoAtSite)
        pace = try values.decodeIfPresent(Int.self, forKey: .pace) ?? 1
    }

    /// What the seed makes of it: each fault is in about a third of the runs, and a tenth of them have none.
    /// - Parameter allowed: the faults to draw from.
    package static func drawn(
        seed: UInt64, nodes: Int? = nil, steps: Int, allowed: [Fault] = Fault.allCases
    ) -> SimulationConfiguration {
        var random = SimulationRandom(seed: seed, stream: 1)
        let isCalm = random.chance(percent: 10)
        // Those that came later have a stream of their own: a seed keeps what it had.
        var later = SimulationRandom(seed: seed, stream: 8)
        let faults = Fault.allCases.filter { fault in
            let isDrawn = fault.isLater ? later.chance(percent: 30) : random.chance(percent: 35)
            return isDrawn && allowed.contains(fault)
        }
        let drawnNodes = random.chance(percent: 15) ? 8 + random.below(nodesMax - 7) : 2 + random.below(7)
        return SimulationConfiguration(
            seed: seed, nodes: nodes ?? drawnNodes, steps: steps, faults: isCalm ? [] : faults,
            hasTwoProvinces: random.chance(percent: 25), hasTwoAtSite: random.chance(percent: 15))
    }

    /// Arguments of `banjie-sim run` that repeat it.
    package var arguments: String {
        var parts = ["run", "--seed \(seed)", "--steps \(steps)", "--nodes \(nodes)"]
        parts.append("--faults " + (faults.isEmpty ? "none" : faults.map(\.rawValue).joined(separator: ",")))
        parts.append(hasTwoProvinces ? "--two-provinces" : "--no-two-provinces")
        parts.append(hasTwoAtSite ? "--two-at-site" : "--no-two-at-site")
        if pace > 1 { parts.append("--pace \(pace)") }
        return parts.joined(separator: " ")
    }
}
