extension Schema {
    static let revocation = """
        -- Operations of the log that revoke a replica, by arrival.
        CREATE TABLE revocation (arrival INTEGER PRIMARY KEY) STRICT;

        -- What follows from those that are in force: of a replica (by its local number) everything beyond `last` is
        -- void, and what stands at `last` with another hash.
        CREATE TABLE void (
            replica INTEGER NOT NULL,
            last INTEGER NOT NULL,
            hash BLOB NOT NULL,
            PRIMARY KEY (replica, last, hash)
        ) STRICT, WITHOUT ROWID;

        -- Parked operations that an administrator has thrown away: they are not parked again.
        CREATE TABLE discarded (
            replica INTEGER NOT NULL,
            sequence INTEGER NOT NULL,
            hash BLOB NOT NULL,
            since INTEGER NOT NULL,
            PRIMARY KEY (replica, sequence, hash)
        ) STRICT, WITHOUT ROWID;

        -- When a token was revoked, and the fingerprint of the certificate that was signed for it.
        ALTER TABLE enrolment ADD COLUMN used_by TEXT;
        ALTER TABLE enrolment ADD COLUMN revoked INTEGER;
        """
}
