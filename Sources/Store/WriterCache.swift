internal import GRDB
internal import Replication
internal import Tickets

/// What the writer keeps in memory of its tables between transactions, and its prepared statements. Thrown away when a
/// transaction fails, and read again from what is really committed.
final class WriterCache {
    final class ReplicaEntry {
        let id: Int64
        let replica: ReplicaID
        var site: SiteCode?
        var prefix: UInt64
        var chain: ContentHash
        var highest: UInt64
        var stored: UInt64
        var isChanged = false
        /// What its row says.
        private(set) var row: (site: SiteCode?, prefix: UInt64, highest: UInt64)
        /// The lowest sequence stored above the first gap behind `prefix`; 0: none, nil: not looked up.
        var aboveGap: UInt64?
        /// Up to where its operations count; empty for one that is not revoked.
        var voidRules: Set<VoidRule> = []

        /// False if the sequence is certainly not in the log.
        func mayHold(_ sequence: UInt64) -> Bool {
            guard sequence <= highest else { return false }
            guard sequence > prefix, let aboveGap else { return true }
            return aboveGap != 0 && sequence >= aboveGap
        }

        init(
            id: Int64, replica: ReplicaID, site: SiteCode?, prefix: UInt64, chain: ContentHash, highest: UInt64,
            stored: UInt64
        ) {
            self.id = id
            self.replica = replica
            self.site = site
            self.prefix = prefix
            self.chain = chain
            self.highest = highest
            self.stored = stored
            row = (site, prefix, highest)
            aboveGap = highest == prefix ? 0 : nil
        }

        /// One of its operations is in the log that its row does not count yet.
        /// - Parameter hash: nil for one that does not match it: the chain ends there, as at a gap.
        func count(_ sequence: UInt64, hash: ContentHash?, _ hasher: inout ContentHasher) {
            stored += 1
            highest = sequence
            isChanged = true
            if let hash, sequence == prefix + 1 {
                lengthen(by: hash, &hasher)
            } else if aboveGap == .some(0) {
                aboveGap = sequence
            }
        }

        /// Prefix and chain are computed from the first operation on.
        func beginAnew() {
            (prefix, chain) = (0, .zero)
            isChanged = true
        }

        /// Prefix and chain go on with the next operation.
        func lengthen(by hash: ContentHash, _ hasher: inout ContentHasher) {
            prefix += 1
            chain = hasher.link(previous: chain, hash: hash)
            isChanged = true
        }

        /// Its row is as it is here.
        func noteWritten() {
            row = (site, prefix, highest)
            isChanged = false
        }

        /// Whether whoever reads its row finds what it does not say yet in the few operations that follow in the log.
        var mayLag: Bool {
            row.site == site && row.prefix == row.highest && prefix == highest && highest >= row.highest
                && highest - row.highest < ReplicaLag.operationsMax
        }
    }

    final class PeerEntry {
        let id: Int64
        let site: SiteCode
        /// Its present incarnation; nil for one that was never met.
        let node: ReplicaID?
        let role: PeerRole
        var feedLength: UInt64
        var stored: UInt64
        var isChanged = false
        /// This transaction appended to what the peer has to get.
        var hasNews = false

        init(id: Int64, site: SiteCode, node: ReplicaID?, role: PeerRole, feedLength: UInt64, stored: UInt64) {
            self.id = id
            self.site = site
            self.node = node
            self.role = role
            self.feedLength = feedLength
            self.stored = stored
        }
    }

    static let authorCountMax = 65_536

    var replicas: [ReplicaID: ReplicaEntry] = [:]
    var replicasByID: [Int64: ReplicaEntry] = [:]
    var authors: [Author: Int64] = [:]
    var peers: [Int64: PeerEntry] = [:]
    var children: [PeerEntry] = []
    var parents: [PeerEntry] = []
    var siblings: [PeerEntry] = []
    /// Something may be parked.
    var hasParked: Bool
    var parkedTally = ParkedTally()
    let parkedLimits: ParkedLimits
    /// Something may have been thrown away that was parked.
    var hasDiscarded: Bool
    /// The log may have operations that revoke a replica.
    var hasRevocations: Bool
    var lastArrival: Int64
    var lastEntity: Int64
    var lastAuthor: Int64
    /// For the chains; looking SHA-256 up costs as much as a dozen links.
    var hasher = ContentHasher()
    /// Memory that states are encoded in.
    var scratch: [UInt8] = []
    var works = WorkingSet()
    /// The projection holds the operations up to this arrival; nil if it holds all.
    var projectionCursor: Int64?
    let statements: WriterStatements
    let personalKeys: PersonalKeyTable

    init(_ db: Database, disk: DiskKey, parked: ParkedLimits) throws {
        parkedLimits = parked
        personalKeys = try PersonalKeyTable(db, disk: disk)
        statements = try WriterStatements(db)
        hasParked = try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM parked)") ?? false
        hasDiscarded = try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM discarded)") ?? false
        hasRevocations = try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM revocation)") ?? false
        lastArrival = try OperationRow.lastArrival(db)
        lastEntity = try Int64.fetchOne(db, sql: "SELECT max(id) FROM entity") ?? 0
        projectionCursor = try Meta.integer(Meta.projectionCursor, db)
        lastAuthor = try Int64.fetchOne(db, sql: "SELECT max(id) FROM author") ?? 0
        let rows = try BoundStatement(
            db, "SELECT id, replica, site, prefix, chain, highest, stored FROM replica")
        while try rows.step() {
            add(
                ReplicaEntry(
                    id: rows.integer(0), replica: ReplicaID(rows.unsigned(1)),
                    site: rows.isNull(2) ? nil : SiteCode(validated: rows.text(2)), prefix: rows.unsigned(3),
                    chain: ContentHash(rows.blob(4)) ?? .zero, highest: rows.unsigned(5), stored: rows.unsigned(6)))
        }
        try ReplicaLag.catchUp(replicas.values, &hasher, db)
        if hasRevocations { try readVoidRules(db) }
        let peerRows = try BoundStatement(
            db, "SELECT id, site, role, feed_length, stored, node FROM peer ORDER BY id")
        while try peerRows.step() {
            add(
                PeerEntry(
                    id: peerRows.integer(0), site: SiteCode(validated: peerRows.text(1)),
                    node: peerRows.unsigned(5) == 0 ? nil : ReplicaID(peerRows.unsigned(5)),
                    role: PeerRole(rawValue: Int(peerRows.integer(2))) ?? .child, feedLength: peerRows.unsigned(3),
                    stored: peerRows.unsigned(4)))
        }
    }

    private func add(_ entry: ReplicaEntry) {
        replicas[entry.replica] = entry
        replicasByID[entry.id] = entry
    }

    private func add(_ entry: PeerEntry) {
        peers[entry.id] = entry
        switch entry.role {
        case .parent: parents.append(entry)
        case .sibling: siblings.append(entry)
        case .child: children.append(entry)
        }
    }

    /// Before all entities are folded anew.
    func forgetWorks() {
        works = WorkingSet()
    }

    func replica(_ replica: ReplicaID) throws -> ReplicaEntry {
        if let known = replicas[replica] { return known }
        let id = Int64(replicas.count + 1)
        statements.insertReplica.bind(1, id)
        statements.insertReplica.bind(2, replica.rawValue)
        try statements.insertReplica.run()
        let entry = ReplicaEntry(
            id: id, replica: replica, site: nil, prefix: 0, chain: .zero, highest: 0, stored: 0)
        add(entry)
        return entry
    }

    func write(_ replica: ReplicaEntry) throws {
        let update = statements.updateReplica
        update.bind(1, replica.id)
        update.bind(2, replica.site?.rawValue)
        update.bind(3, replica.prefix)
        replica.chain.withBytes { update.bind(4, $0) }
        update.bind(5, replica.highest)
        update.bind(6, replica.stored)
        try update.run()
        replica.noteWritten()
    }

    func author(_ author: Author) throws -> Int64 {
        if let known = authors[author] { return known }
        let statements = statements
        func bind(_ statement: BoundStatement, from index: Int32) {
            statement.bind(index, author.name)
            statement.bind(index + 1, Int(author.role.rawValue))
            statement.bind(index + 2, Int(author.level.rawValue))
            statement.bind(index + 3, author.site.rawValue)
            statement.bind(index + 4, author.department)
            statement.bind(index + 5, Int(author.catalogVersion))
        }
        bind(statements.findAuthor, from: 1)
        var id: Int64
        if try statements.findAuthor.step() {
            id = statements.findAuthor.integer(0)
            statements.findAuthor.reset()
        } else {
            lastAuthor += 1
            id = lastAuthor
            statements.insertAuthor.bind(1, id)
            bind(statements.insertAuthor, from: 2)
            try statements.insertAuthor.run()
        }
        if authors.count >= Self.authorCountMax { authors.removeAll(keepingCapacity: true) }
        authors[author] = id
        return id
    }
}

/// The merge path's statements, prepared once for the writer's connection.
final class WriterStatements {
    let insertReplica: BoundStatement
    let updateReplica: BoundStatement
    let findAuthor: BoundStatement
    let insertAuthor: BoundStatement
    let insertOperation: BoundStatement
    let findOperation: BoundStatement
    let findEntity: BoundStatement
    let insertEntity: BoundStatement
    let updateEntity: BoundStatement
    let findBehind: BoundStatement
    let insertFeed: BoundStatement
    let insertMember: BoundStatement
    let updatePeer: BoundStatement
    let updateReceived: BoundStatement
    let updateKnown: BoundStatement
    let park: BoundStatement
    let forgetParked: BoundStatement
    let insertTicket: BoundStatement
    let updateTicket: BoundStatement
    let updateTicketQueue: BoundStatement
    let updateTicketNumber: BoundStatement
    let findContributions: BoundStatement
    let addRollup: BoundStatement
    let dropEmptyRollup: BoundStatement
    let clearTwins: BoundStatement
    let insertTwin: BoundStatement

    init(_ db: Database) throws {
        func prepare(_ sql: String) throws -> BoundStatement { try BoundStatement(db, sql) }
        insertReplica = try prepare("INSERT INTO replica (id, replica) VALUES (?1, ?2)")
        updateReplica = try prepare(
            "UPDATE replica SET site = ?2, prefix = ?3, chain = ?4, highest = ?5, stored = ?6 WHERE id = ?1")
        findAuthor = try prepare(
            """
            SELECT id FROM author
            WHERE name = ?1 AND role = ?2 AND level = ?3 AND site = ?4 AND department = ?5 AND catalog = ?6
            """)
        insertAuthor = try prepare("INSERT INTO author VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
        insertOperation = try prepare(
            "INSERT INTO operation VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")
        findOperation = try prepare(
            "SELECT arrival, hash, source FROM operation WHERE replica = ?1 AND sequence = ?2")
        findEntity = try prepare(
            "SELECT id, operations, digest, facts, state FROM entity WHERE type = ?1 AND high = ?2 AND low = ?3")
        insertEntity = try prepare("INSERT INTO entity VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
        updateEntity = try prepare(
            "UPDATE entity SET operations = ?2, digest = ?3, facts = ?4, state = ?5 WHERE id = ?1")
        findBehind = try prepare(
            "SELECT sequence, hash FROM operation WHERE replica = ?1 AND sequence > ?2 ORDER BY sequence")
        insertMember = try prepare("INSERT OR IGNORE INTO member (site, entity) VALUES (?1, ?2)")
        insertFeed = try prepare("INSERT INTO feed VALUES (?1, ?2, ?3)")
        updatePeer = try prepare("UPDATE peer SET feed_length = ?2, stored = ?3 WHERE id = ?1")
        updateReceived = try prepare(
            """
            UPDATE peer SET received_position = ?2, received_count = ?3, received_sum = ?4, last_contact = ?5
            WHERE id = ?1
            """)
        updateKnown = try prepare("UPDATE peer SET received_known = ?2, last_contact = ?3 WHERE id = ?1")
        park = try prepare(
            """
            INSERT INTO parked (replica, sequence, source, reason, since, hash, columns)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (replica, sequence, hash) DO NOTHING
            """)
        forgetParked = try prepare(
            "DELETE FROM parked WHERE replica = ?1 AND sequence = ?2 AND hash = ?3 RETURNING source, length(columns)")
        insertTicket = try prepare(
            "INSERT INTO ticket VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)"
        )
        // An update moves the entries of every index that one of its columns is in, changed or not: what an index needs
        // is only set when it has changed.
        updateTicket = try prepare(
            """
            UPDATE ticket SET opened_site = ?5, accepting_department = ?6, holder_since = ?9, category = ?10,
                urgency = ?11, title_replica = ?12, title_sequence = ?13, chases = ?16, contributions = ?18
            WHERE entity = ?1
            """)
        updateTicketQueue = try prepare(
            """
            UPDATE ticket SET status = ?3, opened = ?4, holder_site = ?7, holder_department = ?8, conflicts = ?14,
                contested = ?15, undelivered = ?17
            WHERE entity = ?1
            """)
        updateTicketNumber = try prepare("UPDATE ticket SET number = ?2 WHERE entity = ?1")
        findContributions = try prepare("SELECT contributions FROM ticket WHERE entity = ?1")
        addRollup = try prepare(
            """
            INSERT INTO rollup VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
            ON CONFLICT (day, site, department, category, step) DO UPDATE SET
                met = met + excluded.met, late = late + excluded.late, uncertain = uncertain + excluded.uncertain,
                elapsed_milliseconds = elapsed_milliseconds + excluded.elapsed_milliseconds
            """)
        dropEmptyRollup = try prepare(
            """
            DELETE FROM rollup WHERE day = ?1 AND site = ?2 AND department = ?3 AND category = ?4 AND step = ?5
                AND met = 0 AND late = 0 AND uncertain = 0
            """)
        clearTwins = try prepare("DELETE FROM twin WHERE entity = ?1")
        insertTwin = try prepare("INSERT INTO twin VALUES (?1, ?2)")
    }
}
