internal import GRDB
package import Replication
package import Tickets

/// A revocation that the log holds. Source: Protocols/operations.md §10.
package struct RevocationRecord: Hashable, Sendable {
    package var dot: Dot
    package var author: Author
    /// UTC milliseconds.
    package var time: Int64
    package var body: RevokeBody
    /// It counts: its author stands above, and was not revoked before it.
    package var isInForce: Bool
    /// This store holds another operation at the place of the last good one: two histories of that replica.
    package var differs: Bool
    /// Operations of the replica that are here and do not count.
    package var voidCount: Int
}

/// A replica that could be revoked.
package struct RevocableReplica: Hashable, Sendable {
    package var replica: ReplicaID
    package var site: SiteCode
    /// Every operation up to this one is here.
    package var contiguous: UInt64
    package var highest: UInt64
    /// Of the last operation that is here, UTC milliseconds; 0 if there is none.
    package var lastTime: Int64
    package var isRevoked: Bool
}

extension StoreReader {
    /// Every revocation of the log, in order of arrival. O(operations of the replicas that they are about).
    package func revocations() throws -> [RevocationRecord] {
        try read { db in
            let stated = try StatedRevocation.all(db)
            guard !stated.isEmpty else { return [] }
            let sites = try Self.sites(db)
            let inForce = Set(StatedRevocation.judge(stated) { sites[$0] }.inForce.map(\.dot))
            let rules = try VoidRules.read(db)
            return try stated.map { revocation in
                let body = revocation.body
                // A row that is damaged contradicts nobody.
                let held = try Self.soundHeld(of: body.replica, upTo: body.lastSequence, db)
                return RevocationRecord(
                    dot: revocation.dot, author: revocation.author, time: revocation.time.milliseconds, body: body,
                    isInForce: inForce.contains(revocation.dot),
                    differs: held?.sequence == body.lastSequence && held?.hash != body.lastHash,
                    voidCount: rules.of(body.replica).isEmpty ? 0 : try Self.voidCount(body.replica, db))
            }
        }
    }

    /// The replicas of a site, in the order in which they became known.
    package func replicas(of site: SiteCode) throws -> [RevocableReplica] {
        try read { db in
            let rows = try BoundStatement(
                db,
                """
                SELECT r.replica, r.prefix, r.highest,
                    coalesce((SELECT o.time FROM operation o WHERE o.replica = r.id AND o.sequence = r.highest), 0),
                    EXISTS (SELECT 1 FROM void v WHERE v.replica = r.id)
                FROM (SELECT id, replica, site, \(ReplicaLag.prefix) AS prefix, \(ReplicaLag.highest) AS highest
                    FROM replica r) r
                WHERE r.site = ?1 ORDER BY r.id
                """)
            rows.bind(1, site.rawValue)
            var result: [RevocableReplica] = []
            while try rows.step() {
                result.append(
                    RevocableReplica(
                        replica: ReplicaID(rows.unsigned(0)), site: site, contiguous: rows.unsigned(1),
                        highest: rows.unsigned(2), lastTime: HybridTimestamp(rawValue: rows.unsigned(3)).milliseconds,
                        isRevoked: rows.integer(4) != 0))
            }
            return result
        }
    }

    private static func sites(_ db: Database) throws -> [ReplicaID: SiteCode] {
        let rows = try BoundStatement(db, "SELECT replica, site FROM replica WHERE site IS NOT NULL")
        var result: [ReplicaID: SiteCode] = [:]
        while try rows.step() { result[ReplicaID(rows.unsigned(0))] = SiteCode(validated: rows.text(1)) }
        return result
    }

    private static func voidCount(_ replica: ReplicaID, _ db: Database) throws -> Int {
        try Int.fetchOne(
            db,
            sql: """
                SELECT count(*) FROM operation o JOIN replica r ON r.id = o.replica
                WHERE r.replica = ? AND \(VoidRules.condition("o"))
                """, arguments: [Int64(bitPattern: replica.rawValue)]) ?? 0
    }
}
