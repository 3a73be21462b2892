internal import Foundation
internal import Replication
internal import Store
internal import Transport

// The machine under the node: its clock, its keys, its disk.
extension Doctor {
    func clock() async throws -> [Finding] {
        let last = try await services.node.administer { try $0.lastOwnTime() }.milliseconds
        let behind = last - now
        // What came from elsewhere may have pushed the node's clock ahead by as much.
        guard behind > HybridClock.leadMillisecondsMax else { return [] }
        return [
            finding(
                .clockBehind,
                Phrase(
                    "本机时钟比自己最后一次操作（\(Instant(last).text)）慢 \(behind / 1_000) 秒",
                    "The clock is \(behind / 1_000) s behind this node's last operation (\(Instant(last).text))"),
                next: Phrase(
                    "启用 NTP 并核对日期；在此之前新操作会记为该时间。",
                    "Turn NTP on and check the date; until then new operations are given that time."))
        ]
    }

    func certificates() -> [Finding] {
        let keys = KeyFolder(reader.folder)
        return CertificateAlarm.files(keys).compactMap { certificate($0, keys) } + [pair(keys)].compactMap { $0 }
    }

    private func certificate(_ file: KeyFolder.File, _ keys: KeyFolder) -> Finding? {
        guard let text = try? keys.read(file), let certificate = try? PeerCertificate(pem: text) else {
            return finding(
                .certificateMissing, about: file.rawValue,
                Phrase("证书 \(file.rawValue) 缺失或无法读取", "\(file.rawValue) is missing or cannot be read"),
                next: Phrase("从备份恢复，或重新入网。", "Restore it from a backup of `tls/`, or enrol this node anew."))
        }
        let left = certificate.notAfterMilliseconds - NodeClock.system()
        let until = Instant(certificate.notAfterMilliseconds).text
        guard left > 0 else {
            return finding(
                .certificateExpired, about: file.rawValue,
                Phrase("证书 \(file.rawValue) 已于 \(until) 过期", "\(file.rawValue) has expired at \(until)"),
                next: Phrase(
                    "过期 30 天内让节点连上上级即可续期；之后凭新令牌重新入网（banjie enrol token new）。",
                    "Let the node reach its parent, which renews it within 30 days of its end; later enrol anew with a token of the parent (`banjie enrol token new`)."
                ))
        }
        let days = left / CivilTime.dayMilliseconds
        guard CertificateAlarm.stage(certificate, now: NodeClock.system()) != nil else { return nil }
        return finding(
            .certificateExpiring, about: file.rawValue,
            Phrase(
                "证书 \(file.rawValue) 还有 \(days) 天到期（\(until)）", "\(file.rawValue) expires in \(days) days, at \(until)"),
            next: Phrase("让节点连上上级，会自动续期。", "Let the node reach its parent, which renews it."))
    }

    /// Whether key and certificate belong together.
    private func pair(_ keys: KeyFolder) -> Finding? {
        guard keys.exists(.node), (try? keys.certificate()) != nil else { return nil }
        do {
            _ = try keys.clientContext()
            return nil
        } catch {
            return finding(
                .keyMismatch, about: KeyFolder.File.nodeKey.rawValue,
                Phrase("密钥与证书不配：\(error)", "Key and certificate do not go together: \(error)"),
                next: Phrase(
                    "从备份恢复 tls/ 中的 node.key 与 node.pem，或重新入网。",
                    "Restore node.key and node.pem from a backup of `tls/`, or enrol this node anew."))
        }
    }

    func disk() -> [Finding] {
        [space()].compactMap { $0 } + [reader.folder.path, reader.folder.tls].compactMap(permissions)
    }

    private func space() -> Finding? {
        guard let percent = services.node.disk.measured, percent < DiskGuard.freePercentMin else { return nil }
        let text = String(format: "%.1f", percent)
        return finding(
            .diskLow, about: reader.folder.path,
            Phrase(
                "磁盘剩余 \(text) %，节点只读：不再写入，仍继续发送",
                "\(text) % of the disk is free: the node is read-only, it writes nothing new and goes on sending"),
            next: Phrase(
                "删除旧备份或扩大磁盘；剩余达 \(Int(DiskGuard.freePercentMin)) % 后自动恢复写入。",
                "Remove old backups or enlarge the disk; with \(Int(DiskGuard.freePercentMin)) % free it writes again by itself."
            ))
    }

    private func permissions(_ path: String) -> Finding? {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        guard let bits = (attributes?[.posixPermissions] as? NSNumber)?.intValue, bits & 0o077 != 0 else { return nil }
        let mode = String(bits & 0o777, radix: 8)
        return finding(
            .folderOpen, about: path,
            Phrase("\(path) 可被其他用户访问（权限 \(mode)）", "\(path) is open to other users (mode \(mode))"),
            next: Phrase("运行 chmod 700 \(path)。", "Run `chmod 700 \(path)`."))
    }

    func backups() async throws -> [Finding] {
        let folder = reader.folder
        let inFolder = try BackupList.read(folder, verifying: false, progress: ProgressReporter("", style: .silent))
            .backups.filter { $0.findings.isEmpty }.map(\.made.milliseconds).max()
        let elsewhere = try await services.read { try reader.fact(BackupReport.lastMadeFact) }.flatMap { Int64($0) }
        let last = [inFolder, elsewhere].compactMap { $0 }.max()
        // A node that is younger than that needs none yet.
        let first = try await services.read {
            try reader.operations(after: 0, limit: 1).first?.operation.time.milliseconds
        }
        let age = now - (last ?? first ?? now)
        guard age > Alarms.backupDaysMax * CivilTime.dayMilliseconds else { return [] }
        let days = age / CivilTime.dayMilliseconds
        return [
            finding(
                .backupOld, about: folder.backups,
                last == nil
                    ? Phrase("还没有备份", "There is no backup yet")
                    : Phrase("最近的备份已有 \(days) 天", "The latest backup is \(days) days old"),
                next: Phrase(
                    "运行 banjie backup create，并把文件存到另一处。",
                    "Run `banjie backup create`, and keep the file in another place."))
        ]
    }
}
