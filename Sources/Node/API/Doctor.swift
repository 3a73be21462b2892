internal import Foundation
internal import Replication
internal import Store
internal import Tickets
internal import Transport

/// Looks a node over. Every finding says what to do next.
struct Doctor: Sendable {
    /// Entities that are folded again from their operations.
    static let sampleCount = 200

    let services: APIServices
    let language: Language

    func report() async throws -> DoctorReport {
        let findings =
            try await database() + projection() + search() + parked() + peers() + certificates() + disk()
        return DoctorReport(
            site: services.node.identity.site.rawValue, now: Instant(services.node.clock.now()),
            checks: ["database", "projection", "search", "parked", "peers", "certificates", "disk"],
            findings: findings)
    }

    private func finding(_ check: String, _ message: Phrase, next: Phrase) -> DoctorReport.Finding {
        DoctorReport.Finding(check: check, message: message(language), next: next(language))
    }

    private func database() async throws -> [DoctorReport.Finding] {
        try await services.read { try services.reader.quickCheck() }.map { fault in
            finding(
                "database", Phrase("数据库检查：\(fault)", "The database's own check: \(fault)"),
                next: Phrase(
                    "停止节点，用 banjie backup verify 检查最近的备份并恢复。",
                    "Stop the node, check the latest backup with `banjie backup verify`, and restore it."))
        }
    }

    private func projection() async throws -> [DoctorReport.Finding] {
        try await services.node.administer { try $0.differencesFromLog(sampleCount: Self.sampleCount) }.map { id in
            finding(
                "projection", Phrase("\(id) 的状态与其操作不符", "The state of \(id) is not what its operations give"),
                next: Phrase("运行 banjie rebuild。", "Run `banjie rebuild`."))
        }
    }

    private func search() async throws -> [DoctorReport.Finding] {
        let backlog = try await services.read { try services.reader.counts().searchBacklog }
        guard backlog > Alarms.searchBacklogMax else { return [] }
        return [
            finding(
                "search", Phrase("全文检索落后 \(backlog) 条操作", "The search index is \(backlog) operations behind"),
                next: Phrase(
                    "稍候；若不减少，运行 banjie rebuild。", "Wait; if it does not shrink, run `banjie rebuild`."))
        ]
    }

    private func parked() async throws -> [DoctorReport.Finding] {
        let parked = try await services.read { try services.reader.parked() }
        guard let first = parked.first else { return [] }
        return [
            finding(
                "parked",
                Phrase(
                    "\(parked.count) 条操作暂存待证（首条 \(first.dot)，来自 \(first.source)：\(first.reason)）",
                    "\(parked.count) operations are parked (first \(first.dot) from \(first.source): \(first.reason))"),
                next: Phrase(
                    "让来源办公点完成同步；一天后仍在，请联系省级节点。",
                    "Let the office they come from finish its sync; if they are still here after a day, ask the province."
                ))
        ]
    }

    private func peers() async throws -> [DoctorReport.Finding] {
        var findings: [DoctorReport.Finding] = []
        for peer in try await services.peers() {
            if services.runtime != nil, !peer.isConnected, !peer.isPaused {
                let reason = peer.lastFailure.map { ": \($0)" } ?? ""
                findings.append(
                    finding(
                        "peers", Phrase("与 \(peer.site) 未连接\(reason)", "\(peer.site) is not connected\(reason)"),
                        next: Phrase(
                            "检查线路和对端，再运行 banjie sync now \(peer.site)。",
                            "Check the line and the other node, then run `banjie sync now \(peer.site)`.")))
            }
            if peer.isPaused {
                findings.append(
                    finding(
                        "peers", Phrase("与 \(peer.site) 的同步已暂停", "Sync with \(peer.site) is paused"),
                        next: Phrase(
                            "运行 banjie sync resume \(peer.site)。", "Run `banjie sync resume \(peer.site)`.")))
            }
            if let offset = peer.clockOffsetMilliseconds, abs(offset) > Alarms.clockOffsetMillisecondsMax {
                findings.append(
                    finding(
                        "peers",
                        Phrase(
                            "与 \(peer.site) 的时钟相差 \(offset) 毫秒",
                            "The clock differs by \(offset) ms from that of \(peer.site)"),
                        next: Phrase("在偏差的一端启用 NTP。", "Turn NTP on at the side that is off.")))
            }
        }
        return findings
    }

    private func certificates() -> [DoctorReport.Finding] {
        let keys = KeyFolder(services.reader.folder)
        var files: [KeyFolder.File] = [.node, .root]
        if keys.exists(.authorityKey) { files.append(.authority) }
        return files.compactMap { file in
            guard let text = try? keys.read(file), let certificate = try? PeerCertificate(pem: text) else {
                return finding(
                    "certificates",
                    Phrase("证书 \(file.rawValue) 缺失或无法读取", "\(file.rawValue) is missing or cannot be read"),
                    next: Phrase("从备份恢复，或重新入网。", "Restore it from a backup, or enrol this node anew."))
            }
            let days = (certificate.notAfterMilliseconds - NodeClock.system()) / CivilTime.dayMilliseconds
            guard days < Alarms.certificateDaysMin else { return nil }
            let until = Instant(certificate.notAfterMilliseconds).text
            return finding(
                "certificates",
                Phrase("证书 \(file.rawValue) 于 \(until) 到期", "\(file.rawValue) expires at \(until)"),
                next: Phrase(
                    "让节点连上上级自动续期；若已过期，重新入网。",
                    "Let the node reach its parent, which renews it; if it has expired, enrol anew."))
        }
    }

    private func disk() -> [DoctorReport.Finding] {
        var status = statvfs()
        guard statvfs(services.reader.folder.path, &status) == 0, status.f_blocks > 0 else { return [] }
        let percent = Double(status.f_bavail) * 100 / Double(status.f_blocks)
        guard percent < Alarms.diskFreePercentMin else { return [] }
        let text = String(format: "%.1f", percent)
        return [
            finding(
                "disk", Phrase("磁盘剩余 \(text) %", "\(text) % of the disk is free"),
                next: Phrase(
                    "删除旧备份或扩大磁盘；不足时节点停止写入。",
                    "Delete old backups or enlarge the disk; below the limit the node stops writing."))
        ]
    }
}
