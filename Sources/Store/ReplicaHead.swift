internal import GRDB
internal import Replication

/// How far the log goes of one incarnation.
///
/// The row of the node's own is not written with every command, which would cost each a page: what is behind it are the
/// next operations in line, fewer than `unwrittenMax`, and the log has them. Source: Protocols/operations.md §6.
struct ReplicaHead {
    /// Operations of this node's own incarnation with which its row is written.
    static let unwrittenMax = 64

    /// Of its row.
    let id: Int64
    let site: SiteCode?
    /// Up to where there is no hole.
    private(set) var prefix: UInt64
    /// Of the hashes up to `prefix`.
    private(set) var chain: ContentHash
    private(set) var highest: UInt64
    /// Operations in the log.
    private(set) var stored: UInt64
    /// Those that the row does not know of.
    private(set) var unwritten = 0

    static let columns = "id, site, prefix, chain, highest, stored"

    /// - Parameter row: of a statement that selects `columns` first.
    init(_ row: BoundStatement) {
        id = row.integer(0)
        site = row.isNull(1) ? nil : SiteCode(validated: row.text(1))
        prefix = row.unsigned(2)
        chain = ContentHash(row.blob(3)) ?? .zero
        highest = row.unsigned(4)
        stored = row.unsigned(5)
    }

    /// - Returns: nil for an incarnation that nothing was heard of.
    static func find(_ replica: ReplicaID, _ db: Database) throws -> ReplicaHead? {
        let row = try BoundStatement(db, "SELECT \(columns) FROM replica WHERE replica = ?1", isHeld: true)
        row.bind(1, replica.rawValue)
        guard try row.step() else { return nil }
        var head = ReplicaHead(row)
        row.reset()
        try head.catchUp(db)
        return head
    }

    /// Takes in what the log has behind the row. A row of the log that has lost its place leaves a hole.
    mutating func catchUp(_ db: Database) throws {
        let rows = try BoundStatement(
            db,
            """
            SELECT sequence, hash FROM operation WHERE replica = ?1 AND sequence > ?2 AND sequence < ?3
            ORDER BY sequence
            """, isHeld: true)
        rows.bind(1, id)
        rows.bind(2, highest)
        rows.bind(3, highest.addingReportingOverflow(UInt64(Self.unwrittenMax)).partialValue)
        var hasher = ContentHasher()
        while try rows.step() {
            highest = rows.unsigned(0)
            stored += 1
            unwritten += 1
            guard highest == prefix + 1 else { continue }
            prefix = highest
            chain = hasher.link(previous: chain, hash: ContentHash(rows.blob(1)) ?? .zero)
        }
    }
}
