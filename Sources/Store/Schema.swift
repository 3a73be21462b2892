internal import GRDB

/// Tables of one node's replica. The log is the truth; everything marked *projection* is rebuilt from it.
///
/// Times are UTC milliseconds unless a column says otherwise. 64-bit identities (`replica`, `high`, `low`, `time`) are
/// stored as SQLite's signed integers with the same bits. Hashes are 32-byte blobs.
enum Schema {
    static let migrator: DatabaseMigrator = {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { db in
            try db.execute(sql: log)
            try db.execute(sql: projection)
            try db.execute(sql: feeds)
            try db.execute(sql: node)
            try db.execute(sql: revocation)
            try db.execute(sql: PersonalKeySchema.tables)
            try db.execute(sql: JournalSchema.tables)
        }
        return migrator
    }()

    private static let log = """
        -- One row per incarnation this node has heard of. `prefix`: every sequence up to it is in the log, and `chain`
        -- is the chain's hash there. `site` is null until the incarnation's announcement has arrived.
        CREATE TABLE replica (
            id INTEGER PRIMARY KEY,
            replica INTEGER NOT NULL UNIQUE,
            site TEXT,
            prefix INTEGER NOT NULL DEFAULT 0,
            chain BLOB NOT NULL DEFAULT (zeroblob(32)),
            highest INTEGER NOT NULL DEFAULT 0,
            stored INTEGER NOT NULL DEFAULT 0
        ) STRICT;

        -- Authors as operations carry them, each once.
        CREATE TABLE author (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL, role INTEGER NOT NULL, level INTEGER NOT NULL,
            site TEXT NOT NULL, department TEXT NOT NULL, catalog INTEGER NOT NULL,
            UNIQUE (name, role, level, site, department, catalog)
        ) STRICT;

        -- Every operation, in order of local arrival. `envelope` packs previous, seen, scope, critical, extensions.
        -- `source` is the peer it came from, 0 for this node's own and for what was parked.
        CREATE TABLE operation (
            arrival INTEGER PRIMARY KEY,
            replica INTEGER NOT NULL,
            sequence INTEGER NOT NULL,
            entity INTEGER NOT NULL,
            kind INTEGER NOT NULL,
            time INTEGER NOT NULL,
            author INTEGER NOT NULL,
            source INTEGER NOT NULL,
            hash BLOB NOT NULL,
            envelope BLOB NOT NULL,
            body BLOB NOT NULL
        ) STRICT;
        CREATE UNIQUE INDEX operation_dot ON operation (replica, sequence);

        -- Operations whose origin cannot be justified yet: visible, not applied, looked at again when an
        -- announcement arrives. `columns` is the operation in its wire form.
        CREATE TABLE parked (
            id INTEGER PRIMARY KEY,
            replica INTEGER NOT NULL,
            sequence INTEGER NOT NULL,
            source INTEGER NOT NULL,
            reason TEXT NOT NULL,
            since INTEGER NOT NULL,
            hash BLOB NOT NULL,
            columns BLOB NOT NULL,
            UNIQUE (replica, sequence, hash)
        ) STRICT;

        -- Rows of `operation` that do not match their hash, until a peer's copy has healed them. `hash` is what the row
        -- says, `found` when it was noticed.
        CREATE TABLE damaged (
            arrival INTEGER PRIMARY KEY,
            replica INTEGER NOT NULL,
            sequence INTEGER NOT NULL,
            hash BLOB NOT NULL,
            found INTEGER NOT NULL
        ) STRICT;

        -- This node's own operations of a branch that its peers do not go on with, until the present incarnation has
        -- written them again, in order of `position`. `common` is up to where their incarnation's history stands,
        -- `moves` says that the ticket which the operation opened gets a new name with it.
        CREATE TABLE reissue (
            position INTEGER PRIMARY KEY,
            replica INTEGER NOT NULL,
            sequence INTEGER NOT NULL,
            common INTEGER NOT NULL,
            moves INTEGER NOT NULL,
            hash BLOB NOT NULL,
            columns BLOB NOT NULL
        ) STRICT;

        -- What became of them: the dots under which they have been written again. With a `to_sequence` of 0 those that were
        -- damaged, and are not; `moves` then says that what remains of the ticket they may have opened gets a new name.
        CREATE TABLE reissued (
            replica INTEGER NOT NULL,
            sequence INTEGER NOT NULL,
            to_replica INTEGER NOT NULL,
            to_sequence INTEGER NOT NULL,
            moves INTEGER NOT NULL,
            PRIMARY KEY (replica, sequence)
        ) STRICT, WITHOUT ROWID;
        """

    private static let projection = """
        -- Projections hold every operation up to `projection_cursor` in `meta`, or all of the log if there is none: while
        -- a backlog comes in, entities are written less often than operations. An entity without operations has been
        -- named by the log and is to be folded.

        -- Projection. The CRDT state of every entity as bytes, and the digest of its operations.
        -- `facts` hashes what the entity's row in `ticket` was written from, so that it is only written when it changes.
        CREATE TABLE entity (
            id INTEGER PRIMARY KEY,
            type INTEGER NOT NULL,
            high INTEGER NOT NULL,
            low INTEGER NOT NULL,
            operations INTEGER NOT NULL,
            digest BLOB NOT NULL,
            facts INTEGER NOT NULL,
            state BLOB NOT NULL,
            UNIQUE (type, high, low)
        ) STRICT;

        -- Projection. What queues and lists filter on. The title is a pointer into the log (replica and sequence of the
        -- operation that wrote it). `contributions`: what this ticket has put into `rollup`.
        CREATE TABLE ticket (
            entity INTEGER PRIMARY KEY,
            number TEXT NOT NULL,
            status INTEGER NOT NULL,
            opened INTEGER NOT NULL,
            opened_site TEXT NOT NULL,
            accepting_department TEXT NOT NULL,
            holder_site TEXT NOT NULL,
            holder_department TEXT NOT NULL,
            holder_since INTEGER NOT NULL,
            category TEXT NOT NULL,
            urgency INTEGER NOT NULL,
            title_replica INTEGER NOT NULL,
            title_sequence INTEGER NOT NULL,
            conflicts INTEGER NOT NULL,
            contested INTEGER NOT NULL,
            chases INTEGER NOT NULL,
            undelivered INTEGER NOT NULL,
            contributions BLOB NOT NULL
        ) STRICT;
        CREATE INDEX ticket_queue ON ticket (status, holder_site, holder_department, opened);
        CREATE INDEX ticket_number ON ticket (number);
        CREATE INDEX ticket_attention ON ticket (entity) WHERE conflicts > 0 OR contested > 0;
        CREATE INDEX ticket_undelivered ON ticket (entity) WHERE undelivered > 0;

        -- Projection. Twins: edges between tickets that are joined now.
        CREATE TABLE twin (
            entity INTEGER NOT NULL,
            other BLOB NOT NULL,
            PRIMARY KEY (entity, other)
        ) STRICT, WITHOUT ROWID;

        -- Projection. Additive measures of steps that have ended. `day` counts days since 1970 of the deadline.
        CREATE TABLE rollup (
            day INTEGER NOT NULL,
            site TEXT NOT NULL,
            department TEXT NOT NULL,
            category TEXT NOT NULL,
            step INTEGER NOT NULL,
            met INTEGER NOT NULL,
            late INTEGER NOT NULL,
            uncertain INTEGER NOT NULL,
            elapsed_milliseconds INTEGER NOT NULL,
            PRIMARY KEY (day, site, department, category, step)
        ) STRICT, WITHOUT ROWID;
        """

    private static let feeds = """
        -- Nodes that this one speaks to; a site may have several. `node` is the incarnation that the peer last ran
        -- under, 0 until it has said so. `role`: 0 child, 1 parent, 2 sibling. `received_*`: what is durable here of
        -- the peer's feed, contiguous; `received_known`: the intervals behind that. `acknowledged_*`: what the peer has
        -- said it holds of ours. `stored`: arrival numbers that are not for this peer, because what stands there came
        -- from it, or has left the log. `audit_*`: when the last audit with it ended, what it found, and what it could
        -- not repair.
        CREATE TABLE peer (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            site TEXT NOT NULL,
            node INTEGER NOT NULL DEFAULT 0,
            role INTEGER NOT NULL,
            received_position INTEGER NOT NULL DEFAULT 0,
            received_count INTEGER NOT NULL DEFAULT 0,
            received_sum BLOB NOT NULL DEFAULT (zeroblob(32)),
            received_known BLOB NOT NULL DEFAULT (zeroblob(0)),
            acknowledged_position INTEGER NOT NULL DEFAULT 0,
            acknowledged_count INTEGER NOT NULL DEFAULT 0,
            acknowledged_sum BLOB NOT NULL DEFAULT (zeroblob(32)),
            feed_length INTEGER NOT NULL DEFAULT 0,
            stored INTEGER NOT NULL DEFAULT 0,
            last_contact INTEGER NOT NULL DEFAULT 0,
            audit_time INTEGER NOT NULL DEFAULT 0,
            audit_found INTEGER NOT NULL DEFAULT 0,
            audit_unresolved INTEGER NOT NULL DEFAULT 0,
            UNIQUE (site, node)
        ) STRICT;

        -- What a child has to get, in order; positions of one child run without a gap, those before its first row
        -- were found to be there by an audit.
        CREATE TABLE feed (
            child INTEGER NOT NULL,
            position INTEGER NOT NULL,
            arrival INTEGER NOT NULL,
            PRIMARY KEY (child, position)
        ) STRICT, WITHOUT ROWID;

        -- Entities that a child's subtree takes part in; only grows.
        CREATE TABLE member (
            site TEXT NOT NULL,
            entity INTEGER NOT NULL,
            PRIMARY KEY (site, entity)
        ) STRICT, WITHOUT ROWID;
        """

    private static let node = """
        -- Facts about this node itself: site, replica, clock, cursors.
        CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;

        -- People who log in to the console of this site. `verifier` is scrypt with its parameters and salt.
        CREATE TABLE account (
            name TEXT PRIMARY KEY,
            role INTEGER NOT NULL,
            department TEXT NOT NULL,
            verifier TEXT NOT NULL,
            created INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        -- What nodes have signed of their own histories, the latest of each incarnation, this one's among them. `key` is the
        -- public key that all of an incarnation's heads have to be signed with. `checked_*`: up to where the log here was
        -- found to agree. `change` counts up with every row that is written, for whoever passes heads on.
        CREATE TABLE head (
            replica INTEGER PRIMARY KEY,
            site TEXT NOT NULL,
            sequence INTEGER NOT NULL,
            chain BLOB NOT NULL,
            time INTEGER NOT NULL,
            key BLOB NOT NULL,
            certificate TEXT NOT NULL,
            signature BLOB NOT NULL,
            checked_sequence INTEGER NOT NULL DEFAULT 0,
            checked_chain BLOB NOT NULL DEFAULT (zeroblob(32)),
            state INTEGER NOT NULL DEFAULT 0,
            since INTEGER NOT NULL,
            change INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX head_change ON head (change);

        -- Codes that let an office join, by the hash of their secret; used once.
        CREATE TABLE enrolment (
            token BLOB PRIMARY KEY,
            site TEXT NOT NULL,
            expires INTEGER NOT NULL,
            used INTEGER
        ) STRICT, WITHOUT ROWID;
        """
}
