import Simulation

/// When a worker is killed.
struct KillMoment {
    /// Notes that it gives before; 0 counts from its start, so that it may still be opening the store.
    var notes: Int
    /// Microseconds after that.
    var delay: Int

    static func drawn(using random: inout SimulationRandom) -> KillMoment {
        random.chance(percent: 30)
            ? KillMoment(notes: 0, delay: random.below(25_000))
            : KillMoment(notes: 1 + random.below(24), delay: random.below(3_000))
    }
}
