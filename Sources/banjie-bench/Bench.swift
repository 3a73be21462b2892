internal import ArgumentParser
internal import Foundation

/// Measures what a node costs beside SQLite itself.
///
/// The same generated operations (see `Workload`) go through
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
///   the moment when the province's search index has caught up; and on to the end of a checkpoint that empties its WAL.
///
/// Each is interleaved with the reference, round by round; ratios are taken within a round, and what is printed is
/// their median, with the smallest and largest. Absolute times on a shared machine move threefold, ratios hold.
/// A ratio above 1 means that Banjie takes less time than the reference.
///
/// Bytes on the wire are those of the messages with their lengths; HTTP/2 and TLS add about 0.3 %. Memory is the
/// peak of each process's resident set (VmHWM), of the receiver's up to the moment when its search has caught up.
@main
struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "banjie-bench", abstract: "Measures merging and syncing beside SQLite itself.",
        subcommands: [Peer.self])

    enum Part: String, ExpressibleByArgument, CaseIterable {
        case sync, batch, single
    }

    static let perTransaction = 500
    static let singleCount = 1_000

    @Option(help: "Operations of the workload.") var operations = 200_000
    @Option(help: "Tickets of the workload; default: a tenth of the operations.") var tickets: Int?
    @Option(help: "Interleaved rounds.") var rounds = 3
    @Option(help: "Seed of the workload.") var seed: UInt64 = 20_260_101
    @Option(help: "One part alone: sync, batch or single.") var only: Part?
    @Option(help: "Where to make the folder to work in; default: among the temporary ones.") var folder: String?
    @Flag(help: "20,000 operations, for a first look.") var quick = false
    @Flag(help: "Print one JSON object.") var json = false
    @Flag(help: "Leave the databases behind.") var keep = false

    func run() async throws {
        let count = quick ? min(operations, 20_000) : operations
        let root = (folder ?? NSTemporaryDirectory()) + "/banjie-bench-\(getpid())"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        defer { if !keep { try? FileManager.default.removeItem(atPath: root) } }
        note("workload: \(count) operations")
        let workload = Workload(operations: count, tickets: tickets ?? max(1, count / 10), seed: seed)
        var results = Results(workload: workload, seed: seed, rounds: rounds)
        let rows = ReferenceStore.rows(workload.operations)
        var pair: SyncPair?
        if only == nil || only == .sync {
            note("filling the region")
            pair = try await SyncPair(root: root, workload: workload)
        }
        let small = Workload(operations: Self.singleCount, tickets: Self.singleCount / 10, seed: seed)
        let smallRows = ReferenceStore.rows(small.operations)
        for round in 1...max(1, rounds) {
            note("round \(round)")
            let reference = try reference(rows, perTransaction: Self.perTransaction, root: root)
            results.add(reference: reference, operations: rows.count)
            if let pair {
                let measured = try pair.run()
                results.add(sync: measured, beside: reference, operations: Int(pair.operationCount))
                note(results.lastSync)
            }
            if only == nil || only == .batch {
                let local = try await LocalNode(path: root + "/batch")
                let measured = try await local.append(workload.operations)
                results.add(batch: measured, beside: reference)
            }
            if only == nil || only == .single {
                let reference = try self.reference(smallRows, perTransaction: 1, root: root)
                let local = try await LocalNode(path: root + "/single")
                let measured = try await local.execute(small.operations[...])
                results.add(
                    single: measured.measured, count: measured.count, reference: reference,
                    referenceCount: smallRows.count)
            }
        }
        print(try json ? results.json() : results.table())
    }

    private func reference(_ rows: [ReferenceStore.Row], perTransaction: Int, root: String) throws -> Measured {
        let store = try ReferenceStore(path: root + "/reference.db")
        defer { store.close() }
        return try store.write(rows, perTransaction: perTransaction)
    }

    private func note(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data("banjie-bench: \(text)\n".utf8))
    }
}
