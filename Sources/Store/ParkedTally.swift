internal import GRDB
internal import Replication

/// What the nodes of one site may have parked here: beyond that nothing of it is taken until an administrator has looked
/// into it.
package struct ParkedLimits: Sendable {
    package static let operationsMax = 100_000
    package static let bytesMax = 256 * 1024 * 1024

    package var operations = operationsMax
    /// Of the operations in their wire form.
    package var bytes = bytesMax

    package init() {}
}

/// How much is parked, by the site that brought it: a node may give itself another incarnation, and with it another row in
/// `peer`. Read from the table when it is first asked for, and kept up to date.
struct ParkedTally {
    private var bySite: [SiteCode?: (operations: Int, bytes: Int)]?

    /// What is parked has changed by other ways than `add` and `remove`.
    mutating func forget() {
        bySite = nil
    }

    /// A row has been added.
    /// - Parameter site: the sender's; nil if nobody is known to have brought it.
    /// - Returns: what the site has parked with it.
    mutating func add(
        from site: SiteCode?, bytes: Int, _ db: Database
    ) throws -> (operations: Int, bytes: Int) {
        guard let entry = bySite?[site] else {
            // The row is part of what is read.
            let read = try bySite ?? Self.read(db)
            let first = bySite == nil ? read[site] ?? (1, bytes) : (1, bytes)
            bySite = read
            bySite?[site] = first
            return first
        }
        let grown = (entry.operations + 1, entry.bytes + bytes)
        bySite?[site] = grown
        return grown
    }

    mutating func remove(from site: SiteCode?, bytes: Int) {
        guard let entry = bySite?[site] else { return }
        bySite?[site] = (entry.operations - 1, entry.bytes - bytes)
    }

    private static func read(_ db: Database) throws -> [SiteCode?: (operations: Int, bytes: Int)] {
        let rows = try BoundStatement(
            db,
            """
            SELECT s.site, count(*), sum(length(p.columns)) FROM parked p LEFT JOIN peer s ON s.id = p.source
            GROUP BY s.site
            """)
        var result: [SiteCode?: (operations: Int, bytes: Int)] = [:]
        while try rows.step() {
            let site = rows.isNull(0) ? nil : SiteCode(validated: rows.text(0))
            result[site] = (Int(rows.integer(1)), Int(rows.integer(2)))
        }
        return result
    }
}
