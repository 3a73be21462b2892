internal import GRDB
internal import Replication
internal import Tickets

/// What a program that knows more kinds of operation than the last one has to do: operations of a kind that nobody knew
/// were stored and passed on, and are now to be folded. No operation is written for it.
///
/// Source: Protocols/operations.md §5.
struct Upgrade {
    static let kinds = "kinds"

    /// Numbers of the kinds by which the projection was last folded.
    let known: Set<UInt16>

    init() {
        known = Set(Kind.allCases.map(\.rawValue))
    }

    /// - Returns: whether the log holds operations that have not been folded by their kind.
    /// - Throws: `StoreError.newerSchema` for a store that a later program has folded.
    func isDue(_ db: Database, path: String) throws -> Bool {
        guard let text = try Meta.text(Self.kinds, db) else { return false }
        let folded = Set(text.split(separator: ",").compactMap { UInt16($0) })
        guard folded.isSubset(of: known) else {
            throw StoreError.newerSchema(path: path, found: Store.schemaVersion + 1, known: Store.schemaVersion)
        }
        let fresh = known.subtracting(folded).sorted().map { "\($0)" }.joined(separator: ",")
        guard !fresh.isEmpty else { return false }
        return try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM operation WHERE kind IN (\(fresh)))") ?? false
    }

    func done(_ db: Database) throws {
        let text = known.sorted().map { "\($0)" }.joined(separator: ",")
        guard try Meta.text(Self.kinds, db) != text else { return }
        try Meta.set(Self.kinds, text, db)
    }
}

extension StoreWriter {
    /// Folds the log anew if this program knows kinds that are in it and that the last one did not know. A cut leaves
    /// everything as it was, and the next start does it. O(operations in the log), where there is something to do.
    func upgrade(now: Int64, progress: (Int, Int) -> Void) throws {
        let upgrade = Upgrade()
        let path = reader.folder.database
        // A malformed row may be of any kind.
        let isDue = try reader.readPastDamage { db in
            do {
                return try upgrade.isDue(db, path: path)
            } catch let error where StoreError.isMalformed(error) {
                return true
            }
        }
        if isDue { try rebuild(now: now, progress: progress) }
        try reader.pool.write { try upgrade.done($0) }
    }
}
