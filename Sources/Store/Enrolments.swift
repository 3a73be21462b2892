internal import GRDB
package import Replication

/// A token that was made here. Its secret is not known to the store.
package struct EnrolmentRecord: Hashable, Sendable {
    /// SHA-256 of the secret.
    package var token: ContentHash
    package var site: SiteCode
    /// UTC milliseconds, as the others.
    package var expires: Int64
    package var used: Int64?
    /// Fingerprint of the certificate that was signed for it.
    package var usedBy: String?
    package var revoked: Int64?

    package func isOpen(now: Int64) -> Bool { used == nil && revoked == nil && expires > now }
}

extension StoreReader {
    /// Every token that was made here, the latest to expire first.
    package func enrolments() throws -> [EnrolmentRecord] {
        try read { db in
            let rows = try BoundStatement(
                db, "SELECT token, site, expires, used, used_by, revoked FROM enrolment ORDER BY expires DESC, token")
            var result: [EnrolmentRecord] = []
            while try rows.step() {
                result.append(
                    EnrolmentRecord(
                        token: ContentHash(rows.blob(0)) ?? .zero, site: SiteCode(validated: rows.text(1)),
                        expires: rows.integer(2), used: rows.isNull(3) ? nil : rows.integer(3),
                        usedBy: rows.isNull(4) ? nil : rows.text(4), revoked: rows.isNull(5) ? nil : rows.integer(5)))
            }
            return result
        }
    }
}

extension StoreWriter {
    /// Keeps which certificate was signed for a token.
    package func noteEnrolled(token: ContentHash, fingerprint: String) throws {
        try write { db in
            try db.execute(
                sql: "UPDATE enrolment SET used_by = ? WHERE token = ?", arguments: [fingerprint, token.data])
        }
    }

    /// Makes open tokens worthless.
    /// - Returns: how many of them were open.
    package func revokeEnrolments(_ tokens: [ContentHash], now: Int64) throws -> Int {
        try write { db in
            var count = 0
            for token in tokens {
                try db.execute(
                    sql: """
                        UPDATE enrolment SET revoked = ?1
                        WHERE token = ?2 AND used IS NULL AND revoked IS NULL AND expires > ?1
                        """, arguments: [now, token.data])
                count += db.changesCount
            }
            return count
        }
    }
}
