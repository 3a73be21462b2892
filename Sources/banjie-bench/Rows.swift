internal import ArgumentParser
internal import Foundation

/// The operations of the benchmark for somebody else's program, and the reference by itself, so that what is measured
/// elsewhere can be set beside it (`Deploy/compare.sh`).
struct Rows: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rows", shouldDisplay: false, subcommands: [Write.self, Reference.self])

    static func rows(_ count: Int) -> [ReferenceStore.Row] {
        ReferenceStore.rows(WorkloadStream(operations: count, tickets: max(1, count / 10), seed: Bench.usualSeed))
    }

    /// Writes them as lines of tab-separated columns.
    struct Write: ParsableCommand {
        // Not options: those of the whole program would take them.
        @Argument var operations: Int
        @Argument var file: String

        func run() throws { try ReferenceStore.text(Rows.rows(operations)).write(to: URL(fileURLWithPath: file)) }
    }

    /// Writes them into bare SQLite and says how long that took, in one line of JSON.
    struct Reference: ParsableCommand {
        @Argument var operations: Int
        @Argument(help: "Where to make the database.") var folder: String

        struct Outcome: Encodable {
            var operationsPerSecond: Double
            var cpuMicrosecondsPerOperation: Double
            var diskBytesPerOperation: Double
        }

        func run() throws {
            let path = folder + "/reference.db"
            let rows = Rows.rows(operations)
            sync()
            let measured = try ReferenceStore.measure(rows, perTransaction: Bench.perTransaction, path: path)
            let count = Double(rows.count)
            try PeerSpeech.say(
                Outcome(
                    operationsPerSecond: count / measured.seconds,
                    cpuMicrosecondsPerOperation: measured.processorSeconds * 1e6 / count,
                    diskBytesPerOperation: Double(Machine.fileBytes(path)) / count))
        }
    }
}

extension ReferenceStore {
    /// Into an empty database.
    static func measure(_ rows: [Row], perTransaction: Int, path: String) throws -> Measured {
        let store = try ReferenceStore(path: path)
        defer { store.close() }
        return try store.write(rows, perTransaction: perTransaction)
    }

    /// One line a row, as PostgreSQL's COPY reads it: origin, sequence, time, ticket, kind, register, text.
    static func text(_ rows: [Row]) -> Data {
        var data = Data()
        for row in rows {
            let text = String(decoding: row.text.lazy.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                .replacing("\\", with: "\\\\").replacing("\t", with: "\\t").replacing("\n", with: "\\n")
            data.append(
                contentsOf:
                    "\(row.origin)\t\(row.sequence)\t\(row.time)\t\(row.ticket)\t\(row.kind)\t\(row.register)\t\(text)\n"
                    .utf8)
        }
        return data
    }
}
