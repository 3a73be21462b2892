/// What may break in a row of the log, and how: assignments of an UPDATE.
package enum RowDamage {
    package static let all = [
        "body = CAST(substr(body, 1, 3) || x'FF' || substr(body, 5) AS BLOB)", "body = x''",
        "envelope = CAST(envelope || x'00' AS BLOB)", "envelope = x''", "envelope = x'010101'",
        "hash = CAST(x'00' || substr(hash, 2) AS BLOB)", "time = time + 65536", "kind = kind + 1", "author = 99",
        "entity = entity + 1", "entity = 99", "replica = 99", "sequence = sequence + 100",
    ]
}
