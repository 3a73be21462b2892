internal import Tickets

/// Words about the audit view.
enum JournalTexts {
    static let time = Phrase("时间", "Time")
    static let actor = Phrase("操作人", "Who")
    static let site = Phrase("办公点", "Site")
    static let origin = Phrase("来源", "From")
    static let action = Phrase("操作", "What")
    static let subject = Phrase("对象", "To")
    static let detail = Phrase("说明", "Detail")
    static let nothing = Phrase("没有记录。", "There is nothing.")
    static let more = Phrase("还有更多：--after", "There is more: --after")
    static let intact = Phrase("审计日志完整", "The journal is whole")
    static let entries = Phrase("记录", "Entries")
    static let end = Phrase("末尾", "End")
    static let anchors = Phrase("一致的锚点", "Anchors that agree")
    static let lost = Phrase("恢复备份时丢失的锚点", "Anchors lost with a restored backup")
    static let field = Phrase("字段", "Field")
    static let value = Phrase("号码", "Number")
    static let other = Phrase("（另一并发值）", "(another of several values)")
    static let exported = Phrase("已导出", "Exported")
    static let fileSound = Phrase("文件完整", "The file is whole")
    static let made = Phrase("导出时间", "Made")

    /// What of the journal is not what it was.
    static func describe(_ finding: JournalReport.Finding) -> Phrase {
        let (from, to, anchor) = (finding.from, finding.to, finding.anchor ?? "")
        return switch finding.code {
        case .beginning:
            Phrase("第 \(from)–\(to) 条缺失，且没有清理记录", "Entries \(from)–\(to) are gone, and no pruning tells of it")
        case .missing: Phrase("第 \(from)–\(to) 条缺失", "Entries \(from)–\(to) are missing")
        case .changed: Phrase("第 \(from) 或 \(to) 条被改动", "Entry \(from) or \(to) was changed")
        case .cutOff:
            Phrase(
                "第 \(from)–\(to) 条被截去：日志中的锚点 \(anchor) 证明它们存在过",
                "Entries \(from)–\(to) were cut off: the anchor \(anchor) in the log shows that they were there")
        case .rewritten:
            Phrase(
                "第 \(from)–\(to) 条之中有改写：与日志中的锚点 \(anchor) 不符",
                "Something in \(from)–\(to) was written anew: the anchor \(anchor) in the log is another")
        case .prunedEarly:
            Phrase(
                "第 \(to) 条未满 13 个月即被清理（锚点 \(anchor)）",
                "Entry \(to) was taken away before its 13 months (anchor \(anchor))")
        }
    }

    static func describe(_ problem: AuditFileReport.Problem) -> Phrase {
        switch problem {
        case .noHeader: Phrase("不是审计导出文件", "This is no export of an audit")
        case .noTrailer: Phrase("文件末尾缺失：未写完或被截断", "The end is missing: cut off, or never finished")
        case .changed: Phrase("内容与其摘要不符：文件被改动", "The contents are not those of the digest: it was changed")
        case .chainBroken: Phrase("审计日志的链在此断开", "The journal's chain breaks here")
        }
    }
}

extension AuditPage {
    package func text(_ presentation: Presentation) -> String {
        func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }
        guard !entries.isEmpty else { return say(JournalTexts.nothing) + "\n" }
        var table = TextTable([
            .init(say(JournalTexts.time)), .init(say(JournalTexts.actor), widthMax: 20),
            .init(say(JournalTexts.site), widthMax: 24), .init(say(JournalTexts.origin), widthMax: 30),
            .init(say(JournalTexts.action)), .init(say(JournalTexts.subject), widthMax: 40),
            .init(say(JournalTexts.detail), widthMax: 80),
        ])
        for entry in entries {
            let actor = entry.role.map { "\(entry.actor) (\($0))" } ?? entry.actor
            table.add([
                presentation.exactTime(entry.at), actor, entry.site, entry.origin, entry.action, entry.subject,
                entry.detail,
            ])
        }
        let end = next.map { "\(say(JournalTexts.more)) \($0)\n" } ?? ""
        return table.lines.joined(separator: "\n") + "\n" + end
    }
}

extension JournalReport {
    package func text(_ presentation: Presentation) -> String {
        var lines = findings.map { presentation.phrase(JournalTexts.describe($0)) }
        if isIntact { lines.append(presentation.phrase(JournalTexts.intact)) }
        lines.append(presentation.pair(JournalTexts.entries, "\(count) (\(first)–\(last))"))
        lines.append(presentation.pair(JournalTexts.end, hash))
        lines.append(presentation.pair(JournalTexts.anchors, anchors))
        if lost > 0 { lines.append(presentation.pair(JournalTexts.lost, lost)) }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension AuditFileReport {
    package func text(_ presentation: Presentation) -> String {
        var lines: [String] = []
        if let problem {
            lines.append(presentation.phrase(JournalTexts.describe(problem)) + (line.map { " (\(path):\($0))" } ?? ""))
        } else {
            lines.append(presentation.phrase(JournalTexts.fileSound))
        }
        if let site { lines.append(presentation.pair(JournalTexts.site, site)) }
        if let made { lines.append(presentation.pair(JournalTexts.made, presentation.exactTime(made))) }
        if let first, let last, let hash {
            lines.append(presentation.pair(JournalTexts.entries, "\(first)–\(last)"))
            lines.append(presentation.pair(JournalTexts.end, hash))
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension RevealedNumbers {
    package func text(_ presentation: Presentation) -> String {
        var table = TextTable([
            .init(presentation.phrase(JournalTexts.field)), .init(presentation.phrase(JournalTexts.value)), .init(""),
        ])
        for value in values {
            table.add([value.field, value.value, value.isDisplayed ? "" : presentation.phrase(JournalTexts.other)])
        }
        return table.lines.joined(separator: "\n") + "\n"
    }
}

extension JobState {
    /// Of a finished export.
    package func auditText(_ presentation: Presentation) -> String {
        presentation.pair(JournalTexts.exported, "\(result?["path"] ?? "") (\(result?["entries"] ?? "0"))") + "\n"
    }
}
