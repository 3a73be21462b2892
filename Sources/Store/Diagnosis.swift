internal import GRDB
package import Replication

/// What is wrong with the feed to a child.
package struct FeedFault: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// The peer's row states another number of entries than there are.
        case length(stated: Int, found: Int)
        /// Positions do not run from 1 to the last.
        case hole(last: Int, found: Int)
    }

    package var site: SiteCode
    package var kind: Kind
}

extension StoreReader {
    /// Runs SQLite's own check of the file.
    /// - Returns: what it found wrong; empty if nothing.
    package func quickCheck() throws -> [String] {
        try read { db in
            try String.fetchAll(db, sql: "PRAGMA quick_check(20)").filter { $0 != "ok" }
        }
    }

    /// Positions of a child's feed run from 1 without a hole, and their number is the feed's length. One pass over the
    /// feeds.
    package func feedFaults() throws -> [FeedFault] {
        try read { db in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT p.site, p.feed_length, count(f.position) AS found, coalesce(max(f.position), 0) AS last
                    FROM peer p LEFT JOIN feed f ON f.child = p.id WHERE p.is_parent = 0 GROUP BY p.id ORDER BY p.site
                    """)
            return rows.compactMap { row in
                let (stated, found, last): (Int, Int, Int) = (row["feed_length"], row["found"], row["last"])
                let site = SiteCode(validated: row["site"])
                if last != found { return FeedFault(site: site, kind: .hole(last: last, found: found)) }
                guard stated != found else { return nil }
                return FeedFault(site: site, kind: .length(stated: stated, found: found))
            }
        }
    }
}

extension StoreWriter {
    /// Runs FTS5's own check of the search index. Holds up all writing for as long as it reads the index.
    /// - Returns: what is wrong; nil if nothing.
    package func searchFault() throws -> String? {
        do {
            try write { try $0.execute(sql: "INSERT INTO search (search) VALUES ('integrity-check')") }
            return nil
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CORRUPT {
            return error.message ?? "corrupt"
        }
    }
}
