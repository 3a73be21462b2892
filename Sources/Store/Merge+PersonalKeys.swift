internal import GRDB
internal import Replication
internal import Tickets

// Keys on their way into the store, in the transaction of the operations that need them. Source:
// Protocols/personal-data.md §4, §6.
extension Merge {
    /// A sealed value has come into the log: its key is held from now on, or wanted.
    mutating func noteUse(of key: PersonalKeyID, in work: Work, source: WriterCache.PeerEntry?) throws {
        let offer = offered.removeValue(forKey: key)
        guard offer != nil || !work.sealedUnder.contains(key) else { return }
        work.sealedUnder.insert(key)
        let isErased = try cache.personalKeys.use(key, in: work.id, offer: offer, isMadeHere: source == nil)
        if isErased { try noteErased() }
    }

    /// Keys that came and that none of the batch's new operations needed: of those that are in the log already.
    mutating func takeRemainingKeys(from source: WriterCache.PeerEntry?) throws {
        for entry in offered.values.sorted(by: { $0.id < $1.id }) {
            try save(entry, isFromAbove: source?.role != .child, site: source?.site)
        }
        offered.removeAll()
    }

    /// Joins what a peer says of a key with what is known here. A key that nothing here is sealed under is not kept, an
    /// erasure is, so that the key is not taken later. A child's word erases what its subtree takes part in.
    mutating func save(_ entry: PersonalKeyEntry, isFromAbove: Bool, site: SiteCode?) throws {
        guard let row = try cache.personalKeys.row(entry.id) else {
            if isFromAbove, entry.isErased { try cache.personalKeys.insert(entry) }
            return
        }
        if entry.isErased, !isFromAbove {
            guard let site, try takesPart(site, in: row.id) else { return }
        }
        if try cache.personalKeys.join(entry, into: row) { try noteErased() }
    }

    private func takesPart(_ site: SiteCode, in key: Int64) throws -> Bool {
        let find = try BoundStatement(
            db, "SELECT 1 FROM sealing_use u JOIN member m ON m.entity = u.entity WHERE u.key = ?1 AND m.site = ?2")
        find.bind(1, key)
        find.bind(2, site.rawValue)
        defer { find.reset() }
        return try find.step()
    }

    private mutating func noteErased() throws {
        result.erasedCount += 1
        try Meta.set(Meta.erasedPending, 1, db)
    }

    /// An operation that asks for an erasure, or agrees to one, has come: looks at all of the entity's.
    mutating func judgeErasures(on work: Work) throws {
        let entity = work.ticket.id
        let rows = try DotReader(db)
        var operations: [Operation] = []
        for dot in work.ticket.dots(of: [.proposeErasure, .confirmErasure]) {
            if let operation = try rows.read(dot)?.operation { operations.append(operation) }
        }
        for erasure in Erasure.all(of: operations) {
            let isNews = try record(erasure, on: work.id)
            guard let confirmation = erasure.confirmation else { continue }
            var keys = erasure.keys
            // Only who has made a key knows whether it was before he heard of the erasure.
            if isNews { keys += try keysMadeHere(for: entity) }
            for key in keys { try erase(key, of: entity, by: confirmation) }
        }
    }

    /// - Returns: whether the erasure is confirmed and was not before.
    private func record(_ erasure: Erasure, on entity: Int64) throws -> Bool {
        let arguments: StatementArguments = [
            Int64(bitPattern: erasure.proposal.replica.rawValue), Int64(bitPattern: erasure.proposal.sequence),
        ]
        let former = try Int64.fetchOne(
            db, sql: "SELECT confirmed FROM erasure WHERE replica = ? AND sequence = ?", arguments: arguments)
        try db.execute(
            sql: """
                INSERT INTO erasure (replica, sequence, entity, confirmed) VALUES (?, ?, ?, ?)
                ON CONFLICT (replica, sequence) DO UPDATE SET confirmed = max(confirmed, excluded.confirmed)
                """,
            arguments: arguments + [entity, erasure.isConfirmed ? 1 : 0])
        return erasure.isConfirmed && former != 1
    }

    private func keysMadeHere(for subject: EntityID) throws -> [PersonalKeyID] {
        let rows = try BoundStatement(
            db,
            """
            SELECT name FROM sealing_key WHERE type = ?1 AND high = ?2 AND low = ?3 AND made_here = 1 AND state <> 2
            """)
        rows.bind(subject)
        var result: [PersonalKeyID] = []
        while try rows.step() { if let id = PersonalKeyID(rows.bytes(0)) { result.append(id) } }
        return result
    }

    /// Nobody's word on one entity erases another's key.
    private mutating func erase(_ key: PersonalKeyID, of subject: EntityID, by erasure: KeyErasure) throws {
        let entry = PersonalKeyEntry(id: key, subject: subject, state: .erased(erasure))
        guard let row = try cache.personalKeys.row(key) else {
            try cache.personalKeys.insert(entry)
            return
        }
        if row.isKnownWhose {
            let find = try BoundStatement(
                db, "SELECT 1 FROM sealing_key WHERE type = ?1 AND high = ?2 AND low = ?3 AND id = ?4")
            find.bind(subject)
            find.bind(4, row.id)
            defer { find.reset() }
            guard try find.step() else { return }
        }
        if try cache.personalKeys.join(entry, into: row) { try noteErased() }
    }
}
