/// What `GET /api/v1/assessment` answers: how punctual, by what was asked for.
package struct AssessmentTable: Codable, Sendable, Hashable {
    package var groupings: [String]
    /// Days of the deadlines, both included; nil for no bound.
    package var from: String?
    package var to: String?
    package var site: String?
    package var now: Instant
    package var rows: [Row]
    package var total: Counts

    package struct Row: Codable, Sendable, Hashable {
        /// Values of the groupings, in their order.
        package var keys: [String]
        package var counts: Counts
    }

    package struct Counts: Codable, Sendable, Hashable {
        package var met = 0
        /// Ended too late.
        package var late = 0
        /// Open, and too late already: counted as late.
        package var overdue = 0
        /// Shown, and outside the denominator.
        package var uncertain = 0
        /// Of open tickets: charged to nobody until it is settled.
        package var contested = 0
        package var elapsedMilliseconds: Int64 = 0

        package init() {}

        /// What is in the denominator.
        package var due: Int { met + late + overdue }
        /// Met of due; nil if nothing is due.
        package var onTimeRate: Double? { due == 0 ? nil : Double(met) / Double(due) }

        package mutating func add(_ other: Counts) {
            met += other.met
            late += other.late
            overdue += other.overdue
            uncertain += other.uncertain
            contested += other.contested
            elapsedMilliseconds += other.elapsedMilliseconds
        }

        private enum Key: String, CodingKey {
            case met, late, overdue, uncertain, contested, elapsedMilliseconds, due, onTimeRate
        }

        package init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            met = try container.decode(Int.self, forKey: .met)
            late = try container.decode(Int.self, forKey: .late)
            overdue = try container.decode(Int.self, forKey: .overdue)
            uncertain = try container.decode(Int.self, forKey: .uncertain)
            contested = try container.decode(Int.self, forKey: .contested)
            elapsedMilliseconds = try container.decode(Int64.self, forKey: .elapsedMilliseconds)
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(met, forKey: .met)
            try container.encode(late, forKey: .late)
            try container.encode(overdue, forKey: .overdue)
            try container.encode(uncertain, forKey: .uncertain)
            try container.encode(contested, forKey: .contested)
            try container.encode(elapsedMilliseconds, forKey: .elapsedMilliseconds)
            try container.encode(due, forKey: .due)
            try container.encodeIfPresent(onTimeRate, forKey: .onTimeRate)
        }
    }
}
