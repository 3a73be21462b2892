/// Keys of personal fields, beside the log: what erasing takes away, so no projection. Source: Protocols/personal-data.md §5.
enum PersonalKeySchema {
    static let tables = """
        -- Every key that a sealed value names. `state`: 0 wanted, 1 held, 2 erased. `type`, `high`, `low`: whose it is, null
        -- until the key has come. `made_here`: drawn by this store. `erased_*`: the operation that confirmed the erasure
        -- and its time.
        CREATE TABLE sealing_key (
            id INTEGER PRIMARY KEY,
            name BLOB NOT NULL UNIQUE,
            state INTEGER NOT NULL,
            type INTEGER,
            high INTEGER,
            low INTEGER,
            made_here INTEGER NOT NULL DEFAULT 0,
            erased_at INTEGER,
            erased_replica INTEGER,
            erased_sequence INTEGER
        ) STRICT;
        CREATE INDEX sealing_key_subject ON sealing_key (high, low, type) WHERE type IS NOT NULL;
        CREATE INDEX sealing_key_wanted ON sealing_key (id) WHERE state = 0;
        CREATE INDEX sealing_key_erased ON sealing_key (id) WHERE state = 2;

        -- The keys' octets, wrapped; zeros for a key that is not held. Rows are appended and all of one length: SQLite never
        -- moves them, and writes zeros over the very place where a secret was.
        CREATE TABLE sealing_secret (
            id INTEGER PRIMARY KEY,
            wrapped BLOB NOT NULL
        ) STRICT;

        -- Which entities have something sealed under which key.
        CREATE TABLE sealing_use (
            entity INTEGER NOT NULL,
            key INTEGER NOT NULL,
            PRIMARY KEY (entity, key)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX sealing_use_key ON sealing_use (key);

        -- Proposals to erase a person, by their dots.
        CREATE TABLE erasure (
            replica INTEGER NOT NULL,
            sequence INTEGER NOT NULL,
            entity INTEGER NOT NULL,
            confirmed INTEGER NOT NULL,
            PRIMARY KEY (replica, sequence)
        ) STRICT, WITHOUT ROWID;
        """
}
