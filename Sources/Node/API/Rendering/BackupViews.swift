/// Words about backups.
enum BackupTexts {
    static let backup = Phrase("备份", "Backup")
    static let sound = Phrase("备份完好。", "The backup is sound.")
    static let unsound = Phrase("备份有问题：", "The backup is damaged:")
    static let known = Phrase("制作时节点已知损坏的行：", "Rows that the store knew to be damaged when it was made:")
    static let none = Phrase("没有备份。用 banjie backup create 制作。", "No backups. Make one with `banjie backup create`.")
    static let file = Phrase("文件", "File")
    static let made = Phrase("制作于", "Made")
    static let age = Phrase("距今", "Age")
    static let size = Phrase("大小", "Size")
    static let state = Phrase("状态", "State")
    static let unread = Phrase("未校验", "not verified")
    static let whole = Phrase("完好", "sound")
    static let damaged = Phrase("损坏", "damaged")
    static let restored = Phrase("已恢复", "Restored")
    static let kept = Phrase("原数据库保留于", "Former database kept at")
    static let later = Phrase("下次启动时改用新身份", "begins at the next start")
    static let next = Phrase(
        "运行 banjie run；节点会从对端取回备份之后的操作。",
        "`banjie run`; the node takes back from its peers what it wrote after the backup.")
    static let listNext = Phrase(
        "删除损坏的文件，用 banjie backup create 重做。",
        "Remove what is damaged and make another one with `banjie backup create`.")
}

extension BackupReport {
    package func text(_ presentation: Presentation) -> String {
        func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }
        let facts: [(Phrase, String)] = [
            (BackupTexts.backup, path), (NodeTexts.site, site), (NodeTexts.replica, replica),
            (NodeTexts.operations, "\(operations)"), (NodeTexts.tickets, "\(tickets)"), (NodeTexts.digest, digest),
        ]
        let width = facts.map { TextLayout.width(say($0.0)) }.max() ?? 0
        var lines = facts.map { "\(TextLayout.padded(say($0.0), to: width))  \($0.1)" }
        lines.append(say(findings.isEmpty ? BackupTexts.sound : BackupTexts.unsound))
        lines += findings.map { "  " + TextLayout.plain($0) }
        if !known.isEmpty { lines += [say(BackupTexts.known)] + known.map { "  " + TextLayout.plain($0) } }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension BackupList {
    package func text(_ presentation: Presentation) -> String {
        func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }
        guard !backups.isEmpty else { return say(BackupTexts.none) + "\n" }
        var table = TextTable([
            .init(say(BackupTexts.made)), .init(say(BackupTexts.age), isRight: true), .init(say(NodeTexts.site)),
            .init(say(NodeTexts.replica)), .init(say(NodeTexts.operations), isRight: true),
            .init(say(NodeTexts.tickets), isRight: true), .init(say(BackupTexts.size), isRight: true),
            .init(say(BackupTexts.state)), .init(say(BackupTexts.file), widthMax: 200),
        ])
        for entry in backups {
            let state =
                !entry.findings.isEmpty
                ? BackupTexts.damaged : entry.isVerified ? BackupTexts.whole : BackupTexts.unread
            table.add([
                presentation.time(entry.made), presentation.duration(entry.ageMilliseconds), entry.site ?? "?",
                entry.replica ?? "?", entry.operations.map { "\($0)" } ?? "?", entry.tickets.map { "\($0)" } ?? "?",
                TextLayout.bytes(entry.bytes), say(state), entry.path,
            ])
        }
        var lines = table.lines
        for entry in backups where !entry.findings.isEmpty {
            lines += ["", entry.path] + entry.findings.map { "  " + TextLayout.plain($0) }
        }
        if backups.contains(where: { !$0.findings.isEmpty }) {
            lines += ["", presentation.pair(NodeTexts.next, say(BackupTexts.listNext))]
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension RestoreReport {
    package func text(_ presentation: Presentation) -> String {
        func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }
        let facts: [(Phrase, String)] = [
            (BackupTexts.restored, backup.path), (NodeTexts.folder, folder), (NodeTexts.site, backup.site),
            (NodeTexts.operations, "\(backup.operations)"), (NodeTexts.tickets, "\(backup.tickets)"),
            (BackupTexts.kept, kept ?? "–"), (NodeTexts.replica, replica ?? say(BackupTexts.later)),
            (NodeTexts.follows, follows ?? ""),
        ]
        let width = facts.map { TextLayout.width(say($0.0)) }.max() ?? 0
        let lines = facts.filter { !$0.1.isEmpty }.map { "\(TextLayout.padded(say($0.0), to: width))  \($0.1)" }
        return (lines + [presentation.pair(NodeTexts.next, say(BackupTexts.next))]).joined(separator: "\n") + "\n"
    }
}

extension TextLayout {
    /// `512 B`, `3.4 MiB`.
    static func bytes(_ count: Int) -> String {
        var value = Double(count)
        for unit in ["B", "KiB", "MiB", "GiB"] {
            if value < 1_024 || unit == "GiB" {
                let tenths = Int((value * 10).rounded())
                return unit == "B" ? "\(count) B" : "\(tenths / 10).\(tenths % 10) \(unit)"
            }
            value /= 1_024
        }
        return "\(count) B"
    }
}
