internal import Foundation
package import Replication
internal import Store
internal import Transport

/// Makes bundles: what a peer has not acknowledged of this node's feed to it, as files. Making one moves no cursor: it
/// may get lost. Source: Protocols/bundle.md §2.
package struct BundleMaker: Sendable {
    let node: SyncNode
    let keys: KeyFolder

    package init(node: SyncNode, keys: KeyFolder) {
        self.node = node
        self.keys = keys
    }

    /// What all bundles of a series have in common.
    private struct Series {
        var peer: PeerRecord
        var span: FeedSpan
        var held: HeldOperation?
        var created: Int64
        var receiver: VerifyingKey
        var receiverKey: [UInt8]
        var chainPEM: String
        var fingerprint: String
        var signer: SigningKey
        var operationsMax: Int
    }

    /// - Parameter site: of the peer; of its nodes the one that was met last.
    /// - Parameter path: of the first bundle; the next ones have `-2` and so on before the extension.
    /// - Parameter operationsMax: of one bundle.
    /// - Parameter created: UTC milliseconds of this machine.
    /// - Throws: `BundleFailure`; `APIFailure.noSuchPeer`; `StoreError.file`.
    package func make(
        for site: SiteCode, path: String, operationsMax: Int = BundleLimits.operationsMax, created: Int64,
        progress: @escaping @Sendable (Int, Int) -> Void = { _, _ in }
    ) async throws -> BundleReport {
        // A thread of its own: other readers do not wait for it.
        let (report, damaged) = try await StoreAccess().run {
            try write(try series(for: site, operationsMax: operationsMax, created: created), to: path, progress)
        }
        if !damaged.isEmpty { await node.note(damaged: damaged) }
        return report
    }

    private func series(for site: SiteCode, operationsMax: Int, created: Int64) throws -> Series {
        let reader = node.reader
        guard let peer = try reader.peer(site) else {
            throw reader.identity.role(of: site) == nil
                ? APIFailure.noSuchPeer(site.rawValue) : BundleFailure.standing(site, .neverMet)
        }
        guard let certificate = PeerKeys(keys).certificate(of: site, node: peer.node) else {
            throw BundleFailure.standing(site, .neverMet)
        }
        let revoked = node.revocations.peers
        guard peer.node.map(revoked.includes) != true, try !revoked.includes(PeerCertificate(pem: certificate)) else {
            throw BundleFailure.standing(site, .revoked)
        }
        let receiver = try VerifyingKey(certificatePEM: certificate)
        let span = try reader.unacknowledged(by: peer.id)
        guard span.isWhole else { throw BundleFailure.standing(site, .notCompared) }
        let own = try keys.identity()
        return Series(
            peer: peer, span: span,
            held: try peer.node.flatMap { try reader.held(of: $0, upTo: OperationLimits.sequenceMax) },
            created: created, receiver: receiver, receiverKey: try receiver.fingerprint(),
            chainPEM: own.certificateChainPEM, fingerprint: try keys.certificate().fingerprint,
            signer: try SigningKey(privateKeyPEM: own.privateKeyPEM),
            operationsMax: min(max(operationsMax, 1), BundleLimits.operationsMax))
    }

    private func write(
        _ series: Series, to path: String, _ progress: @Sendable (Int, Int) -> Void
    ) throws -> (BundleReport, damaged: [Int64]) {
        var report = BundleReport(
            peer: series.peer.site.rawValue, node: series.peer.node?.description, bundles: [], operations: 0,
            remaining: 0, acknowledges: series.peer.received?.cursor.position,
            certificateNotAfter: Instant(try keys.certificate().notAfterMilliseconds))
        var damaged: [Int64] = []
        var cursor = series.span.start
        let total = Int(clamping: series.span.operationCount)
        repeat {
            let number = report.bundles.count + 1
            let bundle = try writeOne(
                series, number: number, from: &cursor, to: Self.name(path, number: number), damaged: &damaged
            ) { progress(report.operations + $0, total) }
            report.bundles.append(bundle)
            report.operations += bundle.operations
        } while cursor.position < series.span.head && report.bundles.count < BundleLimits.seriesMax
        if cursor.position < series.span.head { report.remaining = max(0, total - report.operations) }
        return (report, damaged)
    }

    private func writeOne(
        _ series: Series, number: Int, from cursor: inout FeedCursor, to path: String, damaged: inout [Int64],
        _ progress: (Int) -> Void
    ) throws -> BundleReport.File {
        let key = randomBytes(SealingKey.keyBytes)
        let binding = BundleFormat.binding(
            senderFingerprint: series.fingerprint, receiverKey: series.receiverKey)
        let identity = node.identity
        var header = BundleHeader(
            number: UInt32(number), created: series.created, sender: identity.site, senderReplica: identity.replica,
            senderFollows: identity.follows?.replica, receiver: series.peer.site, receiverReplica: series.peer.node,
            receiverKey: series.receiverKey, start: cursor, head: series.span.head,
            received: series.peer.received?.cursor, held: series.held,
            wrappedKey: try KeyWrapping.wrap(key, for: series.receiver, binding: binding), chainPEM: series.chainPEM)
        let file = try BundleFileWriter(path: path, headerBytes: header.encoded().count, key: key)
        while cursor.position < header.head {
            let left = series.operationsMax - Int(header.operations)
            guard left > 0, file.contentBytes + 4 * SyncLimits.messageBytesMax <= BundleLimits.contentBytesMax else {
                break
            }
            let part = try node.reader.nextBatch(
                for: series.peer.id, after: cursor, through: header.head,
                operationsMax: min(left, SyncLimits.batchOperationsMax))
            damaged += part.damaged
            guard let batch = part.batch else { break }
            for message in SyncMessage.keys(of: batch.keys, beforeBatch: true) {
                try file.append(SyncCodec.encode(message))
            }
            try file.append(SyncCodec.encode(batch, coding: .zstd))
            cursor = batch.end
            header.end = cursor
            header.operations += UInt64(batch.operations.count)
            header.batches += 1
            progress(Int(header.operations))
        }
        let bytes = try file.finish(header, signer: series.signer)
        return BundleReport.File(
            path: path, number: number, bytes: bytes, operations: Int(header.operations),
            start: header.start.position, end: header.end.position)
    }

    /// `x.bundle`, `x-2.bundle`, …
    static func name(_ path: String, number: Int) -> String {
        guard number > 1 else { return path }
        let url = URL(fileURLWithPath: path)
        let suffix = url.pathExtension.isEmpty ? "" : "." + url.pathExtension
        return String(path.dropLast(suffix.count)) + "-\(number)" + suffix
    }
}
