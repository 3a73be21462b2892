internal import Foundation
internal import Replication
internal import Store

/// What the rounds have given, as one JSON object or as a table.
struct Results {
    private struct Output: Encodable {
        struct Reference: Encodable {
            var operationsPerSecond: Double
            var cpuMicrosecondsPerOperation: Double
            var spread: Spread
        }
        struct Ratio: Encodable {
            var ratio: Double
            var spread: Spread
            var cpuMicrosecondsPerOperation: Double
        }
        struct Sync: Encodable {
            var ratio: Double
            var spread: Spread
            var ratioSearchable: Double
            var spreadSearchable: Spread
            var ratioCheckpointed: Double
            var spreadCheckpointed: Spread
            var wireBytesPerOperation: Double
            var diskBytesPerOperation: Double
            var senderCpuMicrosecondsPerOperation: Double
            var receiverCpuMicrosecondsPerOperation: Double
        }
        struct Memory: Encodable {
            var peakMiB: Double
            var senderPeakMiB: Double
            var receiverAtStartMiB: Double
        }
        struct Facts: Encodable {
            var operations: Int
            var tickets: Int
            var payloadBytesMean: Double
            var seed: UInt64
            var rounds: Int
        }

        var reference: Reference
        var singleCommit: Ratio?
        var batchImport: Ratio?
        var sync: Sync?
        var memory: Memory?
        var workload: Facts
        var settings: [String: String]
        var versions: [String: String]
    }

    private let facts: Output.Facts
    private var referenceRate: [Double] = []
    private var referenceProcessor: [Double] = []
    private var single: [Double] = []
    private var singleProcessor: [Double] = []
    private var batch: [Double] = []
    private var batchProcessor: [Double] = []
    private var durable: [Double] = []
    private var searchable: [Double] = []
    private var checkpointed: [Double] = []
    private var wire: [Double] = []
    private var disk: [Double] = []
    private var senderProcessor: [Double] = []
    private var receiverProcessor: [Double] = []
    private var receiverPeak: [Double] = []
    private var senderPeak: [Double] = []
    private var receiverStart: [Double] = []
    private(set) var lastSync = ""

    init(workload: Workload, seed: UInt64, rounds: Int) {
        facts = Output.Facts(
            operations: workload.operations.count, tickets: Set(workload.operations.map(\.operation.entity)).count,
            payloadBytesMean: Double(workload.payloadBytes) / Double(workload.operations.count), seed: seed,
            rounds: rounds)
    }

    mutating func add(reference: Measured, operations: Int) {
        referenceRate.append(Double(operations) / reference.seconds)
        referenceProcessor.append(reference.processorSeconds * 1e6 / Double(operations))
    }

    mutating func add(sync round: SyncPair.Round, beside reference: Measured, operations: Int) {
        durable.append(reference.seconds / round.durableSeconds)
        searchable.append(reference.seconds / round.searchableSeconds)
        checkpointed.append(reference.seconds / round.checkpointedSeconds)
        wire.append(Double(round.sender.wireBytes) / Double(operations))
        disk.append(Double(round.receiver.databaseBytes) / Double(operations))
        senderProcessor.append(round.sender.processorSecondsToDurable * 1e6 / Double(operations))
        receiverProcessor.append(round.receiver.processorSecondsToDurable * 1e6 / Double(operations))
        receiverPeak.append(round.receiver.peakMebibytes)
        senderPeak.append(round.sender.peakMebibytes)
        receiverStart.append(round.receiver.startPeakMebibytes)
        lastSync = String(
            format:
                "reference %.2f s (cpu %.2f), durable %.2f s, searchable %.2f s, checkpointed %.2f s, cpu sender %.2f s, receiver %.2f s of %.2f s, peak %.0f MiB",
            reference.seconds, reference.processorSeconds, round.durableSeconds, round.searchableSeconds,
            round.checkpointedSeconds,
            round.sender.processorSecondsToDurable, round.receiver.processorSecondsToDurable,
            round.receiver.processorSeconds, round.receiver.peakMebibytes)
    }

    mutating func add(batch measured: Measured, beside reference: Measured) {
        batch.append(reference.seconds / measured.seconds)
        batchProcessor.append(measured.processorSeconds * 1e6 / Double(facts.operations))
    }

    mutating func add(single measured: Measured, count: Int, reference: Measured, referenceCount: Int) {
        single.append((reference.seconds / Double(referenceCount)) / (measured.seconds / Double(count)))
        singleProcessor.append(measured.processorSeconds * 1e6 / Double(count))
    }

    private var output: Output {
        let rate = Spread(referenceRate)
        func ratio(_ values: [Double], _ processor: [Double]) -> Output.Ratio? {
            guard !values.isEmpty else { return nil }
            let spread = Spread(values)
            return Output.Ratio(
                ratio: spread.median, spread: spread, cpuMicrosecondsPerOperation: Spread(processor).median)
        }
        return Output(
            reference: Output.Reference(
                operationsPerSecond: rate.median, cpuMicrosecondsPerOperation: Spread(referenceProcessor).median,
                spread: rate),
            singleCommit: ratio(single, singleProcessor), batchImport: ratio(batch, batchProcessor),
            sync: durable.isEmpty
                ? nil
                : Output.Sync(
                    ratio: Spread(durable).median, spread: Spread(durable), ratioSearchable: Spread(searchable).median,
                    spreadSearchable: Spread(searchable), ratioCheckpointed: Spread(checkpointed).median,
                    spreadCheckpointed: Spread(checkpointed), wireBytesPerOperation: Spread(wire).median,
                    diskBytesPerOperation: Spread(disk).median,
                    senderCpuMicrosecondsPerOperation: Spread(senderProcessor).median,
                    receiverCpuMicrosecondsPerOperation: Spread(receiverProcessor).median),
            memory: durable.isEmpty
                ? nil
                : Output.Memory(
                    peakMiB: Spread(receiverPeak).max, senderPeakMiB: Spread(senderPeak).max,
                    receiverAtStartMiB: Spread(receiverStart).median),
            workload: facts, settings: Self.settings, versions: Self.versions)
    }

    private static let settings = [
        "reference.cacheKiB": "\(ReferenceStore.cacheKibibytes)",
        "reference.walAutocheckpointPages": "\(ReferenceStore.checkpointPages)",
        "reference.synchronous": "FULL",
        "reference.operationsPerTransaction": "\(Bench.perTransaction)",
        "node.cacheKiB": "\(Store.cacheKibibytes)",
        "node.walAutocheckpointPages": "\(Store.checkpointPages)",
        "node.synchronous": "FULL",
        "node.operationsPerTransactionMax": "\(StoreWriter.transactionOperationsMax)",
    ]

    private static var versions: [String: String] {
        #if compiler(>=6.3)
            let swift = "6.3 or later"
        #else
            let swift = "6.2"
        #endif
        return [
            "sqlite": ReferenceStore.version, "swift": swift,
            "system": ProcessInfo.processInfo.operatingSystemVersionString,
            "processors": "\(ProcessInfo.processInfo.activeProcessorCount)",
        ]
    }

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        return String(decoding: try encoder.encode(output), as: UTF8.self)
    }

    func table() -> String {
        let output = output
        var lines = [
            "\(facts.operations) operations on \(facts.tickets) tickets, payload "
                + String(format: "%.1f bytes, seed \(facts.seed), %d rounds", facts.payloadBytesMean, facts.rounds),
            String(
                format: "reference         %8.0f operations/s [%.0f..%.0f], %.1f µs of processor",
                output.reference.operationsPerSecond,
                output.reference.spread.min, output.reference.spread.max,
                output.reference.cpuMicrosecondsPerOperation),
        ]
        func row(_ name: String, _ spread: Spread, _ rest: String) {
            let padded = name.padding(toLength: 18, withPad: " ", startingAt: 0)
            lines.append(padded + String(format: "× %.2f [%.2f..%.2f] ", spread.median, spread.min, spread.max) + rest)
        }
        if let sync = output.sync, let memory = output.memory {
            row(
                "sync, durable", sync.spread,
                String(
                    format: "%.1f + %.1f µs of processor at sender and receiver",
                    sync.senderCpuMicrosecondsPerOperation,
                    sync.receiverCpuMicrosecondsPerOperation))
            row("sync, searchable", sync.spreadSearchable, "")
            row("sync, checkpointed", sync.spreadCheckpointed, "")
            lines.append(
                String(
                    format:
                        "                  %.1f bytes on the wire, %.0f on disk an operation; peak %.1f MiB (sender %.1f, before %.1f)",
                    sync.wireBytesPerOperation, sync.diskBytesPerOperation, memory.peakMiB, memory.senderPeakMiB,
                    memory.receiverAtStartMiB))
        }
        if let batch = output.batchImport {
            row("batch", batch.spread, String(format: "%.1f µs of processor", batch.cpuMicrosecondsPerOperation))
        }
        if let single = output.singleCommit {
            row("single", single.spread, String(format: "%.1f µs of processor", single.cpuMicrosecondsPerOperation))
        }
        return lines.joined(separator: "\n")
    }
}
