package import Tickets

extension ImportReport {
    /// Refused rows that a person is shown; all are counted.
    static let shownRefusedMax = 20

    /// What the import has done, for a person at a terminal.
    package func text(_ language: Language) -> String {
        var lines = [
            Phrase(
                "\(isDryRun ? "试运行，未写入。" : "")文件共 \(rows) 行、\(tickets) 张工单。",
                "\(isDryRun ? "Dry run, nothing written. " : "")The file has \(rows) rows of \(tickets) tickets."),
            Phrase(
                "  导入 \(taken) 行（\(operations) 条操作）", "  taken          \(taken) rows (\(operations) operations)"),
            Phrase("  已有 \(alreadyThere) 行", "  already there  \(alreadyThere)"),
            Phrase("  属于其他网点 \(elsewhere) 行", "  other offices' \(elsewhere)"),
            Phrase("  拒绝 \(refusedCount) 行", "  refused        \(refusedCount)"),
        ].map { $0(language) }
        for row in refused.prefix(Self.shownRefusedMax) {
            let column = row.column.isEmpty ? "" : " \(row.column):"
            lines.append(
                Phrase(
                    "    第 \(row.line) 行\(column) 应为 \(row.problem)",
                    "    line \(row.line)\(column) expected \(row.problem)")(
                        language))
        }
        if refusedCount > Self.shownRefusedMax {
            lines.append(
                Phrase(
                    "    其余 \(refusedCount - Self.shownRefusedMax) 行见 --refused 写出的文件。",
                    "    \(refusedCount - Self.shownRefusedMax) more; --refused FILE writes them all.")(language))
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
