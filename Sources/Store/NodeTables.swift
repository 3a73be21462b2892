internal import GRDB
package import Replication

/// A person who logs in to the console of this site.
package struct Account: Hashable, Sendable {
    package var name: String
    package var role: Role
    package var department: String
    /// scrypt with its parameters and salt.
    package var verifier: String
    package var created: Int64

    package init(name: String, role: Role, department: String, verifier: String, created: Int64) {
        self.name = name
        self.role = role
        self.department = department
        self.verifier = verifier
        self.created = created
    }
}

extension StoreReader {
    package func accounts() throws -> [Account] {
        try read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM account ORDER BY name").map { row in
                Account(
                    name: row["name"], role: Role(rawValue: UInt8(clamping: row["role"] as Int64)) ?? .agent,
                    department: row["department"], verifier: row["verifier"], created: row["created"])
            }
        }
    }

    /// A fact about this node that survives restarts, by its key.
    package func fact(_ key: String) throws -> String? {
        try read { try Meta.text("fact." + key, $0) }
    }
}

extension StoreWriter {
    /// Adds an account or replaces the one of that name.
    package func save(_ account: Account) throws {
        try write { db in
            try db.execute(
                sql: """
                    INSERT INTO account (name, role, department, verifier, created) VALUES (?, ?, ?, ?, ?)
                    ON CONFLICT (name) DO UPDATE SET
                        role = excluded.role, department = excluded.department, verifier = excluded.verifier
                    """,
                arguments: [
                    account.name, Int(account.role.rawValue), account.department, account.verifier, account.created,
                ])
        }
    }

    /// - Returns: false if there was none of that name.
    package func removeAccount(_ name: String) throws -> Bool {
        try write { db in
            try db.execute(sql: "DELETE FROM account WHERE name = ?", arguments: [name])
            return db.changesCount > 0
        }
    }

    package func setFact(_ key: String, _ value: String?) throws {
        try write { try Meta.set("fact." + key, value, $0) }
    }

    /// Remembers a token by the hash of its secret.
    package func saveEnrolment(token: ContentHash, site: SiteCode, expires: Int64) throws {
        try write { db in
            try db.execute(
                sql: "INSERT INTO enrolment (token, site, expires) VALUES (?, ?, ?)",
                arguments: [token.data, site.rawValue, expires])
        }
    }

    /// Uses a token up.
    /// - Returns: the site it is for; nil if it is unknown, used, revoked or too old.
    package func redeemEnrolment(token: ContentHash, now: Int64) throws -> SiteCode? {
        try write { db in
            let site = try String.fetchOne(
                db,
                sql: "SELECT site FROM enrolment WHERE token = ? AND used IS NULL AND revoked IS NULL AND expires > ?",
                arguments: [token.data, now])
            guard let site else { return nil }
            try db.execute(
                sql: "UPDATE enrolment SET used = ? WHERE token = ?", arguments: [now, token.data])
            return SiteCode(site)
        }
    }
}

/// What a backup file holds, read from the file itself.
package struct BackupContent: Hashable, Sendable {
    package var header: BackupHeader
    package var operations: Int
    package var tickets: Int
    package var digest: SetDigest
    /// What is wrong with it; empty for a sound one.
    package var findings: [String]
    /// Rows that were damaged in the store already when it was made, and that the store knows of.
    package var known: [String] = []

    /// Opens a backup and verifies every operation against its hash and every digest against the operations.
    /// - Throws: `StoreError.file` for a file that is no store.
    package static func read(_ path: String, progress: (Int, Int) -> Void) throws -> BackupContent {
        try BackupFile.read(path) { db in
            try read(db, BackupHeader.read(db, path: path), progress: progress)
        }
    }

    private static func read(
        _ db: Database, _ header: BackupHeader, progress: (Int, Int) -> Void
    ) throws -> BackupContent {
        var findings = try String.fetchAll(db, sql: "PRAGMA quick_check(20)").filter { $0 != "ok" }
        let total = try Int.fetchOne(db, sql: "SELECT count(*) FROM operation") ?? 0
        var computed: [EntityID: SetDigest] = [:]
        let cursor = try Meta.integer(Meta.projectionCursor, db) ?? .max
        var behind: Set<EntityID> = []
        let damaged = Set(try Int64.fetchAll(db, sql: "SELECT arrival FROM damaged"))
        var known: [String] = []
        var hasher = ContentHasher()
        let table = try InternTable(db)
        let rows = try BoundStatement(db, "SELECT \(OperationRow.columns) FROM operation o ORDER BY o.arrival")
        var done = 0
        while try rows.step() {
            func note(_ finding: String) {
                if damaged.contains(rows.integer(0)) { known.append(finding) } else { findings.append(finding) }
            }
            guard let stored = try OperationRow.readable(rows, table) else {
                note("row \(rows.integer(0)) of the log cannot be read")
                continue
            }
            if hasher.hash(stored.operation) != stored.hash {
                note("operation \(stored.operation.dot) does not match its hash")
            }
            computed[stored.operation.entity, default: .empty].insert(stored.hash)
            // Behind the cursor entities need not show their operations yet; whoever opens the store folds them.
            if stored.arrival > cursor { behind.insert(stored.operation.entity) }
            done += 1
            if done % 5_000 == 0 { progress(done, total) }
        }
        var digest = SetDigest.empty
        var tickets = 0
        let entities = try BoundStatement(db, "SELECT type, high, low, operations, digest FROM entity")
        while try entities.step() {
            guard let type = EntityType(rawValue: UInt8(clamping: entities.integer(0))) else { continue }
            let id = EntityID(type: type, high: entities.unsigned(1), low: entities.unsigned(2))
            let stored = SetDigest(count: entities.unsigned(3), sum: ContentHash(entities.blob(4)) ?? .zero)
            if stored != computed[id, default: .empty], !behind.contains(id), damaged.isEmpty {
                findings.append("the digest of \(id) is not that of its operations")
            }
            guard type == .ticket else { continue }
            tickets += 1
            digest.merge(disjoint: stored)
        }
        progress(done, total)
        return BackupContent(
            header: header, operations: done, tickets: tickets, digest: digest, findings: findings, known: known)
    }
}
