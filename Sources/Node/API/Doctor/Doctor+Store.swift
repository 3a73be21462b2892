internal import Replication
internal import Store

// What is on the disk, against what it should be.
extension Doctor {
    /// Entities that are folded again from their operations.
    static let sampleCount = 200

    func database() async throws -> [Finding] {
        try await services.read { try reader.quickCheck() }.map { fault in
            finding(
                .databaseDamaged, Phrase("数据库检查：\(fault)", "The database's own check: \(fault)"),
                next: Phrase(
                    "运行 banjie scrub；若仍有此项，停止节点，运行 banjie backup list --verify，再用 banjie backup restore 恢复最近的完好备份。",
                    "Run `banjie scrub`. If this stays, stop the node, run `banjie backup list --verify`, and put the latest sound one back with `banjie backup restore`."
                ))
        }
    }

    func projection() async throws -> [Finding] {
        try await services.node.administer { try $0.differencesFromLog(sampleCount: Self.sampleCount) }.map { id in
            finding(
                .stateWrong, about: "\(id)",
                Phrase("\(id) 的状态与其操作不符", "The state of \(id) is not what its operations give"),
                next: Phrase(
                    "运行 banjie scrub；若仍不符，运行 banjie rebuild。", "Run `banjie scrub`; if it stays, `banjie rebuild`."))
        }
    }

    func log() async throws -> [Finding] {
        let damaged = try await services.read { try reader.damaged() }
        guard let first = damaged.first else { return [] }
        return [
            finding(
                .rowsDamaged, about: "\(first.dot)",
                Phrase(
                    "\(damaged.count) 行操作与其哈希不符（首条 \(first.dot)，自 \(Instant(first.since).text)）",
                    "\(damaged.count) rows of the log do not match their hash (first \(first.dot), since \(Instant(first.since).text))"
                ),
                next: Phrase(
                    "让节点与对端同步以取回完好副本；一天后仍在，请检查磁盘并恢复备份。",
                    "Let the node sync, which brings sound copies; if they are still here after a day, check the disk and restore a backup."
                ))
        ]
    }

    func search() async throws -> [Finding] {
        let counts = try await services.read { try reader.counts() }
        var findings: [Finding] = []
        if counts.searchBacklog > Alarms.searchBacklogMax {
            findings.append(
                finding(
                    .searchBehind,
                    Phrase(
                        "全文检索落后 \(counts.searchBacklog) 条操作",
                        "The search index is \(counts.searchBacklog) operations behind"),
                    next: Phrase("稍候；若不减少，运行 banjie rebuild。", "Wait; if it does not shrink, run `banjie rebuild`.")))
        }
        if let fault = try await StoreAccess().run({ [reader] in try reader.search.fault() }) {
            findings.append(
                finding(
                    .searchDamaged, Phrase("全文索引已损坏：\(fault)", "The search index is damaged: \(fault)"),
                    next: Phrase("运行 banjie rebuild。", "Run `banjie rebuild`, which builds it anew.")))
        }
        return findings
    }

    func feeds() async throws -> [Finding] {
        let next = Phrase(
            "停止节点，用 banjie backup restore 恢复最近的备份；之后的操作会从对端取回。",
            "Stop the node and put the latest backup back with `banjie backup restore`; peers bring what came after.")
        return try await services.read { try reader.feedFaults() }.map { fault in
            switch fault.kind {
            case .length(let stated, let found):
                finding(
                    .feedLengthWrong, about: fault.site.rawValue,
                    Phrase(
                        "发往 \(fault.site) 的队列应到第 \(stated) 位，实到第 \(found) 位",
                        "The feed to \(fault.site) should end at position \(stated) and ends at \(found)"), next: next)
            case .hole(let last, let found):
                finding(
                    .feedHole, about: fault.site.rawValue,
                    Phrase(
                        "发往 \(fault.site) 的队列有缺口：末位 \(last)，实有 \(found) 条",
                        "The feed to \(fault.site) has a hole: its last position is \(last), it has \(found) entries"),
                    next: next)
            }
        }
    }

    func incarnation() async throws -> [Finding] {
        let record = try await services.read { try reader.incarnation() }
        let pending = try await services.read { try reader.pendingRecovery() }
        let epoch = EpochFile(reader.folder).read()
        var findings: [Finding] = []
        if record.wasEpochMissing {
            findings.append(
                finding(
                    .epochMissing, about: reader.folder.epoch,
                    Phrase("上次启动时没有 epoch 文件，已重建", "The epoch file was missing at the last start and was made anew"),
                    next: Phrase(
                        "若数据库是手工放回的，请改用 banjie backup restore 恢复；否则下次启动后此项消失。",
                        "If somebody put the database back by hand, do it with `banjie backup restore`; otherwise this goes with the next start."
                    )))
        }
        if epoch?.replica != record.replica {
            findings.append(
                finding(
                    .epochOther, about: reader.folder.epoch,
                    Phrase(
                        "epoch 文件不属于当前身份（\(epoch.map { "\($0.replica)" } ?? "无法读取")）",
                        "The epoch file is not this incarnation's (\(epoch.map { "\($0.replica)" } ?? "it cannot be read"))"
                    ),
                    next: Phrase(
                        "检查数据目录的权限与磁盘空间，再重启节点。",
                        "Check the data folder's permissions and free space, then restart the node.")
                ))
        }
        if let pending {
            findings.append(
                finding(
                    .recoveryPending,
                    Phrase(
                        "下次启动将改用新身份：\(NodeTexts.incarnation(pending.reason.rawValue).chinese)",
                        "A new incarnation begins at the next start: \(NodeTexts.incarnation(pending.reason.rawValue).english)"
                    ), next: Phrase("重启节点。", "Restart the node.")))
        }
        if record.waitingCount > 0 {
            findings.append(
                finding(
                    .reissueWaiting,
                    Phrase(
                        "\(record.waitingCount) 条操作待以新身份重新写入",
                        "\(record.waitingCount) operations wait to be issued again"),
                    next: Phrase("重启节点。", "Restart the node.")))
        }
        if record.lostCount > 0, now - record.since <= Alarms.lostOperationDaysMax * CivilTime.dayMilliseconds {
            findings.append(
                finding(
                    .operationsLost,
                    Phrase(
                        "本节点有 \(record.lostCount) 条操作已损坏，自 \(Instant(record.since).text) 起不再存在",
                        "\(record.lostCount) operations of this node were damaged, and are gone since \(Instant(record.since).text)"
                    ),
                    next: Phrase(
                        "运行 banjie audit list --action operationLost 查看是哪些，重新录入其内容，并检查磁盘。",
                        "See which they are with `banjie audit list --action operationLost`, enter anew what they said, and check the disk."
                    )))
        }
        return findings
    }
}
