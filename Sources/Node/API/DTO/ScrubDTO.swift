internal import Store

/// What `GET /api/v1/damaged` answers.
package struct DamageList: Codable, Sendable, Hashable {
    package var damaged: [DamageEntry]
}

/// A row of the log that does not match its hash, and waits for a sound copy.
package struct DamageEntry: Codable, Sendable, Hashable {
    package var arrival: Int64
    /// As the row has it.
    package var dot: String
    package var hash: String
    package var since: Instant
}

extension DamageEntry {
    init(_ damaged: DamagedOperation) {
        self.init(
            arrival: damaged.arrival, dot: "\(damaged.dot)", hash: "\(damaged.hash)", since: Instant(damaged.since))
    }
}

/// What a pass over the whole store has found; put together by the command.
package struct ScrubReport: Codable, Sendable, Hashable {
    package var operations: Int
    package var entities: Int
    /// Entities that were not what their operations give, and have been folded again.
    package var cured: [String]
    /// Those that wait for a damaged row to be healed.
    package var waiting: [String]
    /// Every row that is damaged now.
    package var damaged: [DamageEntry]

    package init(_ job: JobState, damaged: [DamageEntry]) {
        func names(_ key: String) -> [String] {
            (job.result?[key] ?? "").split(separator: " ").map(String.init)
        }
        operations = job.result?["operations"].flatMap { Int($0) } ?? job.done
        entities = job.result?["entities"].flatMap { Int($0) } ?? 0
        cured = names("cured")
        waiting = names("waiting")
        self.damaged = damaged
    }
}
