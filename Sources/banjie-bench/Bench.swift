internal import ArgumentParser
internal import Foundation

/// Measures what a node costs beside SQLite itself.
///
/// The same generated operations (see `WorkloadStream`) go through
///
/// - *reference*: SQLite's C API in this program, log, ticket and register as plain rows, WAL, `synchronous=FULL`,
///   64 MiB of cache, 500 operations a transaction, 2.6 statements an operation (see `ReferenceStore`). The clock stops
///   after the last commit and a checkpoint that empties the WAL;
/// - *single*: one command a transaction through the node: the state is read, `decide` runs, the operation is
///   committed with FULL. Its reference is SQLite's C API with one operation a transaction, FULL;
/// - *batch*: the node's appending in large transactions, as an import does, with all bodies encoded, applied, hashed;
/// - *sync*: a region and its province, each in a process of its own on this machine, over TLS 1.3 and HTTP/2, both
///   durable. The region holds the whole history as twelve branches have brought it, the province nothing. The clock
///   runs from before the region dials to the durable acknowledgement of the last operation at the region; and on to
///   the moment when the province's search index has caught up; and on to the end of a checkpoint that empties its WAL;
/// - *postgres*: PostgreSQL's logical replication, where it is installed (see `Postgres`).
///
/// Each is interleaved with the reference, round by round; ratios are taken within a round, and what is printed is
/// their median, with the smallest and largest. Absolute times on a shared machine move threefold, ratios hold.
/// A ratio above 1 means that Banjie takes less time than the other.
///
/// *hostile* is *sync* again, beside a client that means harm (see `Hostile`).
///
/// By themselves stand *sealing* (see `Sealing`), *catchUp* (see `CatchUp`; there a ratio says how many times longer Banjie takes), *memory* (see
/// `Backlog`) and *idle* (see `IdleConnections`).
///
/// Bytes on the wire are those of the messages with their lengths; HTTP/2 and TLS add about 0.3 %. Memory is the
/// peak of each process's resident set (VmHWM), of the receiver's up to the moment when its search has caught up.
@main
struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "banjie-bench", abstract: "Measures merging and syncing beside SQLite itself.",
        discussion: """
            Without --only or --all it measures sync, batch, single and idle: a minute or two. The others are long: \
            catchUp and memory make stores of --base operations first (keep them with --prepared), postgres needs \
            PostgreSQL's server programs. Ratios above 1 mean that Banjie is faster, but for catchUp, where they say \
            how many times longer it takes.
            """,
        subcommands: [Peer.self, Rows.self])

    enum Part: String, CaseIterable {
        case sync, batch, single, idle, hostile, sealing, catchUp, memory, postgres

        static let usual: Set<Part> = [.sync, .batch, .single, .idle]
        /// Those that share the rounds and the workload.
        static let inRounds: Set<Part> = [.sync, .batch, .single, .postgres]

        static func parse(_ text: String) throws -> Set<Part> {
            try Set(
                text.split(separator: ",").map { name in
                    guard let part = Part(rawValue: name.trimmingCharacters(in: .whitespaces)) else {
                        let known = allCases.map(\.rawValue).joined(separator: ", ")
                        throw ValidationError("there is no part \(name): choose among \(known)")
                    }
                    return part
                })
        }
    }

    static let perTransaction = 500
    static let singleCount = 5_000
    static let smallBase = 10_000
    static let usualSeed: UInt64 = 20_260_101

    @Option(help: "Operations of the workload.") var operations = 200_000
    @Option(help: "Tickets of the workload; default: a tenth of the operations.") var tickets: Int?
    @Option(help: "Interleaved rounds.") var rounds = 3
    @Option(help: "Seed of the workload.") var seed = usualSeed
    @Option(
        help:
            "Parts to measure, with commas: sync, batch, single, idle, hostile, sealing, catchUp, memory, postgres (which takes sync along)."
    )
    var only: String?
    @Flag(help: "Every part, the long ones too.") var all = false
    @Option(help: "Operations that are there before catchUp; memory sends as many, and twice as many.")
    var base = 1_000_000
    @Option(help: "Repetitions of catchUp, at least 15 for a figure to quote.") var repetitions = 21
    @Option(help: "Children of idle.") var children = 500
    @Option(
        help: "Folder that keeps the stores of catchUp and memory, for six days; reused for the same base and seed.")
    var prepared: String?
    @Option(help: "Where to make the folder to work in; default: among the temporary ones.") var folder: String?
    @Flag(help: "20,000 operations, for a first look.") var quick = false
    @Flag(help: "Print one JSON object.") var json = false
    @Flag(help: "Leave the databases behind.") var keep = false

    func validate() throws {
        _ = try parts()
        guard operations >= 10, base >= 10, rounds >= 1, repetitions >= 1, children >= 1 else {
            throw ValidationError("operations and base are at least 10, rounds, repetitions and children at least 1")
        }
    }

    private func parts() throws -> Set<Part> {
        if all { return Set(Part.allCases) }
        guard let only else { return Part.usual }
        let parts = try Part.parse(only)
        return parts.contains(.postgres) ? parts.union([.sync]) : parts
    }

    func run() async throws {
        // A peer that has ended is an error that is thrown, not the end of this process.
        signal(SIGPIPE, SIG_IGN)
        let root = (folder ?? NSTemporaryDirectory()) + "/banjie-bench-\(getpid())"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        defer { if !keep { try? FileManager.default.removeItem(atPath: root) } }
        let parts = try parts()
        var results = Results()
        if !parts.isDisjoint(with: Part.inRounds) { try await measureRounds(parts, root: root, &results) }
        if parts.contains(.idle) {
            note("\(children) idle connections")
            var idle = try await IdleConnections(root: root, count: children)
            for _ in 1...rounds { try idle.run() }
            results.idle = idle.outcome
        }
        if parts.contains(.sealing) {
            let count = quick ? min(operations, 20_000) : operations
            let workload = Workload(operations: count, tickets: tickets ?? max(1, count / 10), seed: seed)
            results.sealing = try Sealing(root: root, workload: workload, seed: seed).run(rounds: rounds)
        }
        if parts.contains(.hostile) { results.hostile = try await measureHostile(root: root) }
        try await measureBases(parts, root: root, &results)
        print(try json ? results.json() : results.table())
    }

    private var operationCount: Int { quick ? min(operations, 20_000) : operations }

    private func measureHostile(root: String) async throws -> Hostile.Outcome {
        let count = operationCount
        note("hostile clients beside a sync of \(count) operations")
        let workload = Workload(operations: count, tickets: tickets ?? max(1, count / 10), seed: seed)
        let place = root + "/hostile"
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        var hostile = Hostile(pair: try await SyncPair(root: place, workload: workload))
        for round in 1...rounds {
            note("round \(round)")
            try hostile.run()
        }
        return hostile.outcome
    }

    private func measureRounds(_ parts: Set<Part>, root: String, _ results: inout Results) async throws {
        let count = operationCount
        note("workload: \(count) operations")
        let workload = Workload(operations: count, tickets: tickets ?? max(1, count / 10), seed: seed)
        results.begin(workload, seed: seed, rounds: rounds)
        let rows = ReferenceStore.rows(workload.operations)
        var pair: SyncPair?
        if parts.contains(.sync) {
            note("filling the region")
            pair = try await SyncPair(root: root, workload: workload)
        }
        var postgres: Postgres?
        defer { postgres?.end() }
        if parts.contains(.postgres) {
            if let bin = PostgresCluster.newest {
                note("starting PostgreSQL")
                postgres = try Postgres(bin: bin, root: root + "/postgres", rows: rows)
            } else {
                results.remarks.append("PostgreSQL was not measured: there is none in \(PostgresCluster.binaries)")
            }
        }
        let small = Workload(operations: Self.singleCount, tickets: Self.singleCount / 10, seed: seed)
        for round in 1...rounds {
            note("round \(round)")
            let reference = try reference(rows, perTransaction: Self.perTransaction, root: root)
            results.add(reference: reference, operations: rows.count)
            if let pair {
                let measured = try pair.run()
                results.add(sync: measured, beside: reference, of: pair.content)
                note(results.lastSync)
                try postgres?.run(ourSeconds: measured.durableSeconds)
            }
            if parts.contains(.batch) {
                let local = try await LocalNode(path: root + "/batch")
                let measured = try await local.append(workload.operations)
                results.add(batch: measured, beside: reference)
            }
            if parts.contains(.single) {
                results.add(try await SingleCommits.run(small.operations, root: root))
            }
        }
        results.postgres = try postgres?.outcome()
    }

    private func measureBases(_ parts: Set<Part>, root: String, _ results: inout Results) async throws {
        guard !parts.isDisjoint(with: [.catchUp, .memory]) else { return }
        let place = prepared ?? root + "/prepared"
        let stores = try await BaseStores(in: place, operations: base, seed: seed)
        if parts.contains(.catchUp) {
            let small = try await BaseStores(in: place, operations: min(Self.smallBase, base), seed: seed)
            results.catchUp = try CatchUp.run(
                large: stores, small: small, repetitions: repetitions, seed: seed, root: root)
        }
        if parts.contains(.memory) {
            results.backlogs.append(try Backlog.run(stores, root: root))
            let double = try await BaseStores(in: place, operations: base * 2, seed: seed)
            results.backlogs.append(try Backlog.run(double, root: root))
        }
    }

    private func reference(_ rows: [ReferenceStore.Row], perTransaction: Int, root: String) throws -> Measured {
        try ReferenceStore.measure(rows, perTransaction: perTransaction, path: root + "/reference.db")
    }
}
