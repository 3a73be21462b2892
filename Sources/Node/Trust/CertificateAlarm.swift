internal import Logging
internal import Store
internal import Transport

/// When somebody should look at a certificate before it ends. Source: Protocols/trust.md §5.
enum CertificateAlarm {
    /// Days before the end at which there is an alarm, once each.
    static let days: [Int64] = [14, 7, 1]
    private static let dayMilliseconds: Int64 = 86_400_000

    /// - Returns: the least of `days` that is not less than what is left, 0 once it has ended, nil before the first. A
    ///   node's own certificate is renewed by itself: the first counts when that is a day overdue.
    static func stage(_ certificate: PeerCertificate, now: Int64) -> Int64? {
        let left = certificate.notAfterMilliseconds - now
        guard left > 0 else { return 0 }
        guard let stage = days.filter({ left <= $0 * dayMilliseconds }).min() else { return nil }
        guard stage == days.first, !certificate.isAuthority else { return stage }
        return Renewal.isDue(certificate, now: now - dayMilliseconds) ? stage : nil
    }

    /// Those that judge or are judged here: this node's own, the root, and what it signs with.
    static func files(_ keys: KeyFolder) -> [KeyFolder.File] {
        keys.exists(.authorityKey) ? [.node, .root, .authority] : [.node, .root]
    }

    /// Files with an alarm that was not logged yet, with its stage; they count as logged then.
    /// - Parameter now: UTC milliseconds by the clock that certificates go by.
    static func news(
        _ keys: KeyFolder, node: SyncNode, now: Int64
    ) async throws -> [(file: KeyFolder.File, stage: Int64, notAfter: Int64)] {
        var result: [(KeyFolder.File, Int64, Int64)] = []
        for file in files(keys) {
            guard let certificate = try? PeerCertificate(pem: keys.read(file)),
                let stage = stage(certificate, now: now)
            else { continue }
            let (fact, value) = ("certificate.\(file.rawValue)", "\(certificate.notAfterMilliseconds) \(stage)")
            guard try node.reader.fact(fact) != value else { continue }
            try await node.administer { try $0.setFact(fact, value) }
            result.append((file, stage, certificate.notAfterMilliseconds))
        }
        return result
    }

    static func log(_ keys: KeyFolder, node: SyncNode, logger: Logger, now: Int64) async throws {
        for (file, stage, notAfter) in try await news(keys, node: node, now: now) {
            let metadata: Logger.Metadata = ["file": "\(file.rawValue)", "until": "\(Instant(notAfter).text)"]
            if stage == 0 {
                logger.error("a certificate has expired: run `banjie doctor`", metadata: metadata)
            } else {
                logger.warning(
                    "a certificate expires within \(stage) days: run `banjie doctor`", metadata: metadata)
            }
        }
    }
}
