internal import Foundation
internal import Replication
internal import Store
internal import Tickets

/// What sealing costs whoever merges: the same history with personal fields in clear and sealed, decoded, hashed and
/// merged into an empty province's store, in turn. Merging opens nothing: what it pays for are longer bodies, the messages
/// with keys, and the keys' rows. Every opening has a telephone number and every ticket a key of its own, the most that
/// there can be.
///
/// The clock is the processor's, of this process, from the first message to the last row of the projection.
struct Sealing {
    struct Outcome: Encodable {
        /// How much more processor time it takes sealed: 0.1 is a tenth more. The median of rounds.
        var mergeShare: Double
        var spread: Spread
        var clearMicrosecondsPerOperation: Double
        var sealedMicrosecondsPerOperation: Double
        var clearBytesPerOperation: Double
        var sealedBytesPerOperation: Double
        /// Of the operations, those with a personal value.
        var personalShare: Double
    }

    private let root: String
    private let operationCount: Int
    private let personalCount: Int
    private let clear: [[UInt8]]
    private let sealed: [[UInt8]]
    private static let feed = ReplicaID(0xB0)

    init(root: String, workload: Workload, seed: UInt64) throws {
        self.root = root
        var random = Random(seed: seed)
        var keys: [EntityID: PersonalKey] = [:]
        var clear = workload.announcements
        var sealed = clear
        var made: [EntityID: PersonalKeyEntry] = [:]
        var personal = 0
        for entry in workload.operations {
            var operation = entry.operation
            guard let body = Self.personal(entry.body, &random) else {
                clear.append(operation)
                sealed.append(operation)
                continue
            }
            personal += 1
            operation.body = body.encoded()
            clear.append(operation)
            let key =
                keys[operation.entity]
                ?? PersonalKey(subject: operation.entity, secret: Self.octets(PersonalKey.secretBytes, &random))
            keys[operation.entity] = key
            made[operation.entity] = PersonalKeyEntry(key)
            operation.body = Self.sealed(body, under: key, on: operation.entity, &random).encoded()
            sealed.append(operation)
        }
        operationCount = clear.count
        personalCount = personal
        self.clear = try Self.frames(clear, keys: [:])
        self.sealed = try Self.frames(sealed, keys: made)
    }

    /// The body as a node would get it from a form; nil for one without a personal value.
    private static func personal(_ body: Body, _ random: inout Random) -> Body? {
        switch body {
        case .open(var open):
            open.customerLabel = "138" + (0..<8).map { _ in String(random.below(10)) }.joined()
            return .open(open)
        case .setField(let set): return set.field.isPersonal && set.value.text != nil ? body : nil
        default: return nil
        }
    }

    private static func sealed(
        _ body: Body, under key: PersonalKey, on entity: EntityID, _ random: inout Random
    ) -> Body {
        func seal(_ text: String, _ field: Field) -> SealedValue {
            SealedValue(
                text, under: key, at: SealedPlace(entity: entity, field: field.rawValue),
                nonce: octets(SealedValue.nonceBytes, &random))
        }
        switch body {
        case .open(var open):
            open.sealedCustomerLabel = seal(open.customerLabel, .customerLabel)
            open.customerLabel = ""
            return .open(open)
        case .setField(var set):
            set.value = .sealed(seal(set.value.text ?? "", set.field))
            return .setField(set)
        default: return body
        }
    }

    private static func octets(_ count: Int, _ random: inout Random) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    /// The messages of a backlog, without their lengths: keys before the batch that first needs them.
    private static func frames(
        _ operations: [Replication.Operation], keys: [EntityID: PersonalKeyEntry]
    ) throws -> [[UInt8]] {
        var frames: [[UInt8]] = []
        var sent: Set<EntityID> = []
        var cursor = FeedCursor(feed: feed)
        var hasher = ContentHasher()
        var compressor = StreamCompressor()
        for start in stride(from: 0, to: operations.count, by: SyncLimits.batchOperationsMax) {
            let part = Array(operations[start..<min(start + SyncLimits.batchOperationsMax, operations.count)])
            var end = cursor
            end.position += UInt64(part.count)
            for operation in part { end.digest.insert(hasher.hash(operation)) }
            let fresh = part.map(\.entity).filter { keys[$0] != nil && sent.insert($0).inserted }
            for message in SyncMessage.keys(of: fresh.compactMap { keys[$0] }, beforeBatch: true) {
                frames.append(try SyncCodec.encode(message))
            }
            let batch = OutgoingBatch(
                lane: .backlog, start: cursor, end: end, operations: part,
                remaining: UInt64(operations.count - start - part.count))
            frames.append(try SyncCodec.encode(batch, with: &compressor))
            cursor = end
        }
        return frames.map { Array($0.dropFirst(SyncCodec.prefixBytes)) }
    }

    private func merge(_ frames: [[UInt8]]) throws -> Measured {
        let folder = DataFolder(path: root + "/sealing")
        try? FileManager.default.removeItem(atPath: folder.path)
        let opened = try Store.open(
            folder, creating: NodeIdentity(site: WorkloadStream.province, replica: ReplicaID(0xA0), parent: nil))
        let writer = opened.writer
        let hello = SyncMessage.Hello(
            version: 1, site: WorkloadStream.region, replica: Self.feed,
            wallMilliseconds: WorkloadStream.startMilliseconds, run: 1)
        let peer = try writer.meet(hello, role: .child, now: WorkloadStream.startMilliseconds).id
        let start = Instant.now()
        var decoder = SyncDecoder()
        var waiting: [MergeBatch] = []
        var keys: [PersonalKeyEntry] = []
        func commit() throws {
            while !waiting.isEmpty {
                let result = try writer.commit(
                    waiting, now: WorkloadStream.startMilliseconds, deferringProjection: true)
                waiting.removeFirst(result.batchCount)
            }
        }
        for frame in frames {
            switch try decoder.decode(frame) {
            case .keys(let entries, _): keys += entries
            case .batch(let batch):
                waiting.append(
                    MergeBatch(
                        source: .peer(peer, .backlog(batch.end)), operations: batch.operations, hashes: batch.hashes,
                        keys: keys))
                keys = []
                if waiting.count >= StoreWriter.transactionOperationsMax / SyncLimits.batchOperationsMax {
                    try commit()
                }
            default: throw BenchError("a backlog has batches and keys")
            }
        }
        try commit()
        _ = try writer.writeProjection()
        let measured = start.elapsed()
        let counts = try opened.reader.counts()
        guard counts.parked == 0, counts.operations == operationCount else {
            throw BenchError("\(counts.parked) operations were parked, \(counts.operations) are there")
        }
        return measured
    }

    func run(rounds: Int) throws -> Outcome {
        defer { try? FileManager.default.removeItem(atPath: root + "/sealing") }
        _ = try merge(clear)
        var times: (clear: [Double], sealed: [Double]) = ([], [])
        for round in 1...rounds {
            note("sealing, round \(round)")
            // Who goes first changes from round to round.
            if round % 2 == 0 { times.clear.append(try merge(clear).processorSeconds) }
            times.sealed.append(try merge(sealed).processorSeconds)
            if round % 2 == 1 { times.clear.append(try merge(clear).processorSeconds) }
        }
        let shares = Spread(zip(times.sealed, times.clear).map { $0 / $1 - 1 })
        func perOperation(_ seconds: [Double]) -> Double { Spread(seconds).median * 1e6 / Double(operationCount) }
        func bytes(_ frames: [[UInt8]]) -> Double {
            Double(frames.reduce(0) { $0 + $1.count + SyncCodec.prefixBytes }) / Double(operationCount)
        }
        return Outcome(
            mergeShare: shares.median, spread: shares, clearMicrosecondsPerOperation: perOperation(times.clear),
            sealedMicrosecondsPerOperation: perOperation(times.sealed), clearBytesPerOperation: bytes(clear),
            sealedBytesPerOperation: bytes(sealed),
            personalShare: Double(personalCount) / Double(operationCount))
    }
}
