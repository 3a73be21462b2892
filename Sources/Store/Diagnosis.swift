internal import GRDB
package import Replication

/// What is wrong with the feed to a child.
package struct FeedFault: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// The peer's row states another last position than the feed has.
        case length(stated: Int, found: Int)
        /// Positions do not run to the last one without a hole.
        case hole(last: Int, found: Int)
    }

    package var site: SiteCode
    package var kind: Kind
}

extension StoreReader {
    /// Runs SQLite's own check of the file.
    /// - Returns: what it found wrong; empty if nothing.
    package func quickCheck() throws -> [String] {
        try readPastDamage { db in
            try String.fetchAll(db, sql: "PRAGMA quick_check(20)").filter { $0 != "ok" }
        }
    }

    /// Positions of a child's feed run from its first row to the feed's length without a hole; what lies before the first
    /// was found to be there by an audit. One pass over the feeds.
    package func feedFaults() throws -> [FeedFault] {
        try read { db in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT p.site, p.feed_length, count(*) AS found, min(f.position) AS first, max(f.position) AS last
                    FROM peer p JOIN feed f ON f.child = p.id WHERE p.role = 0 GROUP BY p.id ORDER BY p.site
                    """)
            return rows.compactMap { row in
                let (stated, found, first, last): (Int, Int, Int, Int) = (
                    row["feed_length"], row["found"], row["first"], row["last"]
                )
                let site = SiteCode(validated: row["site"])
                if last - first + 1 != found { return FeedFault(site: site, kind: .hole(last: last, found: found)) }
                guard stated != last else { return nil }
                return FeedFault(site: site, kind: .length(stated: stated, found: last))
            }
        }
    }
}
