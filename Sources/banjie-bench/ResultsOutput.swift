extension Results {
    /// The JSON object: a part that was not measured is absent.
    struct Output: Encodable {
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
            /// If every batch stood alone.
            var wireBytesPerOperationAlone: Double
            var diskBytesPerOperation: Double
            var senderCpuMicrosecondsPerOperation: Double
            var receiverCpuMicrosecondsPerOperation: Double
        }
        struct Memory: Encodable {
            var peakMiB: Double?
            var senderPeakMiB: Double?
            var receiverAtStartMiB: Double?
            /// Of backlogs of exactly these sizes.
            var peakMiBAtOneMillion: Double?
            var peakMiBAtTwoMillion: Double?
            /// Of the largest backlog.
            var liveMilliseconds: Double?
            var backlogs: [Backlog.Outcome]?
        }
        struct Facts: Encodable {
            var operations: Int
            var tickets: Int
            var payloadBytesMean: Double
            var seed: UInt64
            var rounds: Int
        }

        var reference: Reference?
        var singleCommit: Ratio?
        var batchImport: Ratio?
        var sync: Sync?
        var memory: Memory?
        var catchUp: CatchUp.Outcome?
        var idleConnection: IdleConnections.Outcome?
        var hostile: Hostile.Outcome?
        var sealing: Sealing.Outcome?
        var postgres: Postgres.Outcome?
        var workload: Facts?
        var settings: [String: String]
        var versions: [String: String]
    }
}
