/// What somebody did or read here that is no operation. Source: Protocols/audit.md §2.
enum JournalSchema {
    static let tables = """
        -- A chain: `hash` is SHA-256 over the hash before it and the entry's bytes. Rows are only appended; what is old goes
        -- from the beginning, and an entry says so. `time`: UTC milliseconds. `action`: a name of `JournalAction`.
        CREATE TABLE journal (
            sequence INTEGER PRIMARY KEY,
            time INTEGER NOT NULL,
            actor TEXT NOT NULL,
            origin TEXT NOT NULL,
            action TEXT NOT NULL,
            subject TEXT NOT NULL,
            detail TEXT NOT NULL,
            hash BLOB NOT NULL
        ) STRICT;
        """
}
