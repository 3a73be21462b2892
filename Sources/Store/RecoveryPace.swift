internal import GRDB

/// How soon a store believes its children when they say that it does not hold the end of its own history.
///
/// No child can prove that, since operations are not signed, and each time costs a new incarnation and an audit with
/// everybody. So the first is believed at once and each further one after twice the time, until none has come for a day:
/// a node that was put back again and again is whole within hours, and a hostile child gets about one an hour.
/// Source: Protocols/sync.md §7.
package struct RecoveryPace: Hashable, Sendable {
    package static let waitMillisecondsMin: Int64 = 60_000
    package static let waitMillisecondsMax: Int64 = 3_600_000
    package static let quietMilliseconds: Int64 = 86_400_000

    /// Times that a child was believed, none of them more than `quietMilliseconds` after the one before.
    package private(set) var count: Int64
    /// The last of them, UTC milliseconds.
    package private(set) var latest: Int64

    package init(count: Int64 = 0, latest: Int64 = 0) {
        (self.count, self.latest) = (count, latest)
    }

    /// - Parameter now: UTC milliseconds. A clock that was set back does not prolong the wait.
    /// - Returns: milliseconds until a child is believed again; nil if it is now, which counts.
    package mutating func believe(now: Int64) -> Int64? {
        let passed = now - latest
        guard passed >= 0, passed < Self.quietMilliseconds, count > 0 else {
            // Of a clock that was set back nothing follows about the pace.
            (count, latest) = (passed < 0 ? count + 1 : 1, now)
            return nil
        }
        // Sixteen doublings are beyond the maximum.
        let wait = min(Self.waitMillisecondsMin << min(count - 1, 16), Self.waitMillisecondsMax)
        guard passed >= wait else { return wait - passed }
        (count, latest) = (count + 1, now)
        return nil
    }
}

extension RecoveryPace {
    static func read(_ db: Database) throws -> RecoveryPace {
        RecoveryPace(
            count: try Meta.integer(Meta.childRecoveries, db) ?? 0,
            latest: try Meta.integer(Meta.childRecovered, db) ?? 0)
    }

    func save(_ db: Database) throws {
        try Meta.set(Meta.childRecoveries, count, db)
        try Meta.set(Meta.childRecovered, latest, db)
    }
}

extension StoreWriter {
    /// The same as `setPendingRecovery` on the word of a child.
    /// - Returns: milliseconds until a child is believed; nil if it was.
    package func setPendingRecovery(_ recovery: PendingRecovery, onWordOfChildAt now: Int64) throws -> Int64? {
        try write { db in
            var pace = try RecoveryPace.read(db)
            if let wait = pace.believe(now: now) { return wait }
            try pace.save(db)
            try Incarnation.setPending(recovery, db)
            return nil
        }
    }
}
