internal import Foundation
internal import Replication
internal import Store

/// What the rounds have given, as one JSON object or as a table.
struct Results {
    var catchUp: CatchUp.Outcome?
    var sealing: Sealing.Outcome?
    var backlogs: [Backlog.Outcome] = []
    var idle: IdleConnections.Outcome?
    var hostile: Hostile.Outcome?
    var postgres: Postgres.Outcome?
    /// Why a part that was asked for has not been measured.
    var remarks: [String] = []

    private(set) var facts: Output.Facts?
    private var alone: Double?
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

    mutating func begin(_ workload: Workload, seed: UInt64, rounds: Int) {
        facts = Output.Facts(
            operations: workload.operations.count, tickets: Set(workload.operations.map(\.operation.entity)).count,
            payloadBytesMean: Double(workload.payloadBytes) / Double(workload.operations.count), seed: seed,
            rounds: rounds)
    }

    mutating func add(reference: Measured, operations: Int) {
        referenceRate.append(Double(operations) / reference.seconds)
        referenceProcessor.append(reference.processorSeconds * 1e6 / Double(operations))
    }

    mutating func add(sync round: SyncPair.Round, beside reference: Measured, of content: SyncPair.Content) {
        let operations = Double(content.operationCount)
        alone = Double(content.aloneBytes) / operations
        durable.append(reference.seconds / round.durableSeconds)
        searchable.append(reference.seconds / round.searchableSeconds)
        checkpointed.append(reference.seconds / round.checkpointedSeconds)
        wire.append(Double(round.sender.wireBytes) / operations)
        disk.append(Double(round.receiver.databaseBytes) / operations)
        senderProcessor.append(round.sender.processorSecondsToDurable * 1e6 / operations)
        receiverProcessor.append(round.receiver.processorSecondsToDurable * 1e6 / operations)
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
        batchProcessor.append(measured.processorSeconds * 1e6 / Double(facts?.operations ?? 1))
    }

    mutating func add(_ commits: SingleCommits) {
        let count = Double(commits.operations)
        single.append((commits.reference.seconds / Double(commits.rows)) / (commits.node.seconds / count))
        singleProcessor.append(commits.node.processorSeconds * 1e6 / count)
    }

    var output: Output {
        func ratio(_ values: [Double], _ processor: [Double]) -> Output.Ratio? {
            guard !values.isEmpty else { return nil }
            let spread = Spread(values)
            return Output.Ratio(
                ratio: spread.median, spread: spread, cpuMicrosecondsPerOperation: Spread(processor).median)
        }
        return Output(
            reference: reference, singleCommit: ratio(single, singleProcessor),
            batchImport: ratio(batch, batchProcessor), sync: sync, memory: memory, catchUp: catchUp,
            idleConnection: idle, hostile: hostile, sealing: sealing,
            postgres: postgres, workload: facts, settings: Self.settings,
            versions: Self.versions)
    }

    private var reference: Output.Reference? {
        guard !referenceRate.isEmpty else { return nil }
        let rate = Spread(referenceRate)
        return Output.Reference(
            operationsPerSecond: rate.median, cpuMicrosecondsPerOperation: Spread(referenceProcessor).median,
            spread: rate)
    }

    private var sync: Output.Sync? {
        guard !durable.isEmpty else { return nil }
        return Output.Sync(
            ratio: Spread(durable).median, spread: Spread(durable), ratioSearchable: Spread(searchable).median,
            spreadSearchable: Spread(searchable), ratioCheckpointed: Spread(checkpointed).median,
            spreadCheckpointed: Spread(checkpointed), wireBytesPerOperation: Spread(wire).median,
            wireBytesPerOperationAlone: alone ?? 0, diskBytesPerOperation: Spread(disk).median,
            senderCpuMicrosecondsPerOperation: Spread(senderProcessor).median,
            receiverCpuMicrosecondsPerOperation: Spread(receiverProcessor).median)
    }

    private var memory: Output.Memory? {
        guard !durable.isEmpty || !backlogs.isEmpty else { return nil }
        var memory = Output.Memory()
        if !durable.isEmpty {
            memory.peakMiB = Spread(receiverPeak).max
            memory.senderPeakMiB = Spread(senderPeak).max
            memory.receiverAtStartMiB = Spread(receiverStart).median
        }
        if let largest = backlogs.max(by: { $0.operations < $1.operations }) {
            memory.peakMiBAtOneMillion = backlogs.first { $0.operations == 1_000_000 }?.peakMiB
            memory.peakMiBAtTwoMillion = backlogs.first { $0.operations == 2_000_000 }?.peakMiB
            memory.liveMilliseconds = largest.liveMilliseconds.median
            memory.backlogs = backlogs
        }
        return memory
    }

    private static let settings = [
        "reference.cacheKiB": "\(ReferenceStore.cacheKibibytes)",
        "reference.walAutocheckpointPages": "\(ReferenceStore.checkpointPages)",
        "reference.synchronous": "FULL",
        "reference.operationsPerTransaction": "\(Bench.perTransaction)",
        "node.cacheKiB": "\(Store.cacheKibibytes)",
        "node.pageBytes": "\(Store.pageBytes)",
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
}
