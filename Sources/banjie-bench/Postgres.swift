internal import Foundation

/// The same operations through PostgreSQL's logical replication: two servers on this machine, both durable
/// (`synchronous_commit` on at both and in the subscription), the publisher writing log, ticket and register as the
/// reference does, 500 operations a transaction, the subscriber applying them as they stream. The clock runs until the
/// subscriber has confirmed the last of them as flushed.
///
/// A second figure is for a backlog, as our rounds have it: the publisher has everything before the subscription is
/// enabled, and the clock runs from there.
struct Postgres {
    struct Outcome: Encodable {
        /// Our operations a second to PostgreSQL's, both durable, within a round.
        var ratio: Double
        var spread: Spread
        var operationsPerSecond: Spread
        var ratioBacklog: Double
        var spreadBacklog: Spread
        var backlogOperationsPerSecond: Spread
        /// What the publisher's connection carried while operations streamed; nil where `ss` is missing.
        var wireBytesPerOperation: Double?
        /// The subscriber's tables with their indexes.
        var diskBytesPerOperation: Double
        var version: String
    }

    struct Round {
        var seconds: Double
        var backlogSeconds: Double
        var wireBytes: Int?
        var diskBytes: Int
    }

    static let perTransaction = 500
    static let waitSecondsMax = 1_800

    private let publisher: PostgresCluster
    private let subscriber: PostgresCluster
    private let count: Int
    private var rounds: [(ours: Double, round: Round)] = []

    /// - Throws: `BenchError`, also where the servers' user does not exist.
    init(bin: String, root: String, rows: [ReferenceStore.Row]) throws {
        let owner = "postgres"
        if geteuid() == 0, getpwnam(owner) == nil { throw BenchError("there is no user \(owner) to run PostgreSQL") }
        // The servers' user has to come through it.
        try FileManager.default.createDirectory(
            atPath: root, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        publisher = try PostgresCluster(bin: bin, folder: root + "/publisher", owner: owner)
        do {
            subscriber = try PostgresCluster(bin: bin, folder: root + "/subscriber", owner: owner)
        } catch {
            publisher.end()
            throw error
        }
        count = rows.count
        do {
            try prepare(rows, root: root)
        } catch {
            end()
            throw error
        }
    }

    func end() {
        subscriber.end()
        publisher.end()
    }

    private func prepare(_ rows: [ReferenceStore.Row], root: String) throws {
        for server in [publisher, subscriber] { try server.execute(Self.tables) }
        try publisher.execute(Self.procedures)
        let file = URL(fileURLWithPath: root + "/rows.tsv")
        try ReferenceStore.text(rows).write(to: file)
        try publisher.execute("", rows: (file, "staging (origin, seq, hlc, ticket, kind, field, payload)"))
        try FileManager.default.removeItem(at: file)
        try publisher.execute(
            "CREATE INDEX ON staging (n); ANALYZE staging; CREATE PUBLICATION p FOR TABLE oplog, ticket, reg;")
        try subscriber.execute(
            """
            CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=\(publisher.port) user=postgres dbname=postgres'
                PUBLICATION p WITH (synchronous_commit = 'on');
            """)
        try subscriber.execute(Self.waiting("EXISTS (SELECT FROM pg_subscription_rel WHERE srsubstate <> 'r')"))
    }

    /// Both ways once, each from empty tables.
    mutating func run(ourSeconds: Double) throws {
        try empty()
        let apply = "CALL apply(\(count), \(Self.perTransaction));"
        let sent = publisher.sentBytes()
        let streamed = try seconds(publisher.execute(Self.clock + apply + Self.flushed + Self.clock))
        let wire = sent.flatMap { sent in publisher.sentBytes().map { $0 - sent } }
        try check()
        let disk = try diskBytes()
        try empty()
        try subscriber.execute("ALTER SUBSCRIPTION s DISABLE;")
        try publisher.execute(
            Self.waiting("EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = 's' AND active)") + apply
                + "CHECKPOINT;")
        let start = Instant.now()
        try subscriber.execute("ALTER SUBSCRIPTION s ENABLE;")
        try publisher.execute(Self.flushed)
        let backlog = start.elapsed().seconds
        try check()
        rounds.append(
            (ourSeconds, Round(seconds: streamed, backlogSeconds: backlog, wireBytes: wire, diskBytes: disk)))
    }

    private func empty() throws {
        try publisher.execute("TRUNCATE oplog, ticket, reg;" + Self.flushed + "CHECKPOINT;")
        try subscriber.execute("CHECKPOINT;")
    }

    private func check() throws {
        let arrived = try subscriber.execute("SELECT count(*) FROM oplog;")
        guard arrived == ["\(count)"] else { throw BenchError("PostgreSQL's subscriber has \(arrived) of \(count)") }
    }

    private func diskBytes() throws -> Int {
        let tables = ["oplog", "ticket", "reg"].map { "pg_total_relation_size('\($0)')" }.joined(separator: " + ")
        let lines = try subscriber.execute("SELECT \(tables);")
        guard let bytes = lines.first.flatMap({ Int($0) }) else { throw BenchError("PostgreSQL said \(lines)") }
        return bytes
    }

    private func seconds(_ lines: [String]) throws -> Double {
        guard lines.count == 2, let start = Double(lines[0]), let end = Double(lines[1]) else {
            throw BenchError("PostgreSQL said \(lines)")
        }
        return end - start
    }

    func outcome() throws -> Outcome {
        let ratios = Spread(rounds.map { $0.round.seconds / $0.ours })
        let backlog = Spread(rounds.map { $0.round.backlogSeconds / $0.ours })
        let wire = rounds.compactMap(\.round.wireBytes).map { Double($0) / Double(count) }
        return Outcome(
            ratio: ratios.median, spread: ratios,
            operationsPerSecond: Spread(rounds.map { Double(count) / $0.round.seconds }),
            ratioBacklog: backlog.median, spreadBacklog: backlog,
            backlogOperationsPerSecond: Spread(rounds.map { Double(count) / $0.round.backlogSeconds }),
            wireBytesPerOperation: wire.isEmpty ? nil : Spread(wire).median,
            diskBytesPerOperation: Spread(rounds.map { Double($0.round.diskBytes) / Double(count) }).median,
            version: try publisher.execute("SHOW server_version;").first ?? "")
    }

    // MARK: Statements

    private static let clock = "SELECT extract(epoch FROM clock_timestamp());\n"

    /// Until the condition is false; fails after `waitSecondsMax`.
    private static func waiting(_ condition: String) -> String {
        """
        DO $$ DECLARE since timestamptz := clock_timestamp(); BEGIN
            WHILE \(condition) LOOP
                IF clock_timestamp() > since + interval '\(waitSecondsMax) s' THEN RAISE 'waited too long'; END IF;
                PERFORM pg_sleep(0.005);
            END LOOP;
        END $$;

        """
    }

    /// Until the subscriber has all that was written before on its disk.
    private static let flushed = """
        DO $$ DECLARE since timestamptz := clock_timestamp(); target pg_lsn := pg_current_wal_lsn(); BEGIN
            WHILE (SELECT bool_and(flush_lsn >= target) FROM pg_stat_replication) IS NOT TRUE LOOP
                IF clock_timestamp() > since + interval '\(waitSecondsMax) s' THEN RAISE 'waited too long'; END IF;
                PERFORM pg_sleep(0.005);
            END LOOP;
        END $$;

        """

    private static let tables = """
        CREATE TABLE oplog (origin smallint, seq int, hlc bigint, ticket bigint, kind smallint, field smallint,
            payload text, PRIMARY KEY (origin, seq));
        CREATE INDEX ON oplog (ticket, hlc);
        CREATE TABLE ticket (id bigint PRIMARY KEY, site int, status int, status_hlc bigint, opened bigint,
            closed bigint, chases int, ops int, last_hlc bigint);
        CREATE TABLE reg (ticket bigint, field int, hlc bigint, origin smallint, value text,
            PRIMARY KEY (ticket, field));
        """

    private static let procedures = """
        CREATE UNLOGGED TABLE staging (n serial, origin smallint, seq int, hlc bigint, ticket bigint, kind smallint,
            field smallint, payload text);
        CREATE PROCEDURE apply(total int, per int) LANGUAGE plpgsql AS $$
        DECLARE r staging; k int := 0; st int; BEGIN
            FOR r IN SELECT * FROM staging WHERE n <= total ORDER BY n LOOP
                INSERT INTO oplog VALUES (r.origin, r.seq, r.hlc, r.ticket, r.kind, r.field, r.payload);
                st := CASE r.field WHEN 100 THEN 1 WHEN 101 THEN 2 WHEN 102 THEN 3 ELSE 0 END;
                INSERT INTO ticket AS t VALUES (r.ticket, r.ticket >> 32, st, r.hlc,
                    CASE WHEN r.field = 100 THEN r.hlc >> 16 END, CASE WHEN r.field = 102 THEN r.hlc >> 16 END,
                    (r.kind = 10)::int, 1, r.hlc)
                ON CONFLICT (id) DO UPDATE SET
                    status = CASE WHEN excluded.status <> 0 AND excluded.status_hlc > t.status_hlc
                        THEN excluded.status ELSE t.status END,
                    status_hlc = CASE WHEN excluded.status <> 0
                        THEN greatest(t.status_hlc, excluded.status_hlc) ELSE t.status_hlc END,
                    opened = coalesce(t.opened, excluded.opened), closed = coalesce(excluded.closed, t.closed),
                    chases = t.chases + excluded.chases, ops = t.ops + 1,
                    last_hlc = greatest(t.last_hlc, excluded.last_hlc);
                IF r.field >= 0 THEN
                    INSERT INTO reg AS g VALUES (r.ticket, r.field, r.hlc, r.origin, r.payload)
                    ON CONFLICT (ticket, field) DO UPDATE SET
                        hlc = excluded.hlc, origin = excluded.origin, value = excluded.value
                        WHERE (excluded.hlc, excluded.origin) > (g.hlc, g.origin);
                END IF;
                k := k + 1;
                IF k % per = 0 THEN COMMIT; END IF;
            END LOOP;
            COMMIT;
        END $$;
        """
}
