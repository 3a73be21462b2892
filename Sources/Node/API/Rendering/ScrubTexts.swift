/// Words about reading the store again.
enum ScrubTexts {
    static func read(_ operations: Int, _ entities: Int) -> Phrase {
        Phrase(
            "已校验 \(operations) 条操作、\(entities) 个实体。", "Verified \(operations) operations and \(entities) entities.")
    }
    static let sound = Phrase("全部完好。", "All are sound.")
    static let damaged = Phrase("损坏的操作行", "Damaged rows of the log")
    static let cured = Phrase("状态有误，已由操作重建", "Wrong states, folded again from their operations")
    static let waiting = Phrase("状态有误，等待损坏行修复", "Wrong states that wait for a damaged row")
    static let arrival = Phrase("行", "Row")
    static let operation = Phrase("操作", "Operation")
    static let since = Phrase("发现于", "Found")
    static let next = Phrase(
        "让节点与对端同步，完好的副本会取代损坏行；若一直不消失，从备份恢复（banjie backup list）。",
        "Let the node sync with its peers: a sound copy replaces a damaged row. If it stays, restore a backup (`banjie backup list`)."
    )
}

extension ScrubReport {
    package func text(_ presentation: Presentation) -> String {
        func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }
        var lines = [say(ScrubTexts.read(operations, entities))]
        if damaged.isEmpty, cured.isEmpty, waiting.isEmpty { lines.append(say(ScrubTexts.sound)) }
        if !damaged.isEmpty {
            var table = TextTable([
                .init(say(ScrubTexts.arrival), isRight: true), .init(say(ScrubTexts.operation)),
                .init(say(ScrubTexts.since)),
            ])
            for entry in damaged { table.add(["\(entry.arrival)", entry.dot, presentation.time(entry.since)]) }
            lines += ["", "── " + say(ScrubTexts.damaged)] + table.lines
        }
        for (title, names) in [(ScrubTexts.cured, cured), (ScrubTexts.waiting, waiting)] where !names.isEmpty {
            lines += ["", "── " + say(title)] + names
        }
        if !damaged.isEmpty { lines += ["", presentation.pair(NodeTexts.next, say(ScrubTexts.next))] }
        return lines.joined(separator: "\n") + "\n"
    }
}
