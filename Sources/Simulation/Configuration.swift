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

    package static let nodesMax = 31

    package init(
        seed: UInt64, nodes: Int, steps: Int, faults: [Fault], hasTwoProvinces: Bool = false,
        hasTwoAtSite: Bool = false
    ) {
        self.seed = seed
        self.nodes = max(2, min(nodes, Self.nodesMax))
        self.steps = steps
        self.faults = faults
        self.hasTwoProvinces = hasTwoProvinces
        self.hasTwoAtSite = hasTwoAtSite
    }

    /// What the seed makes of it: each fault is in about a third of the runs, and a tenth of them have none.
    /// - Parameter allowed: the faults to draw from.
    package static func drawn(
        seed: UInt64, nodes: Int? = nil, steps: Int, allowed: [Fault] = Fault.allCases
    ) -> SimulationConfiguration {
        var random = SimulationRandom(seed: seed, stream: 1)
        let isCalm = random.chance(percent: 10)
        let faults = Fault.allCases.filter { random.chance(percent: 35) && allowed.contains($0) }
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
        return parts.joined(separator: " ")
    }
}
