/// Words about bundles.
enum BundleTexts {
    static let bundle = Phrase("同步包", "Bundle")
    static let receiver = Phrase("收件方", "Receiver")
    static let sender = Phrase("发送方", "Sender")
    static let number = Phrase("序号", "Number")
    static let positions = Phrase("位置", "Positions")
    static let made = Phrase("制作于", "Made")
    static let applied = Phrase("写入", "Applied")
    static let held = Phrase("本已有", "Held already")
    static let parked = Phrase("暂存待证", "Parked")
    static let acknowledges = Phrase("确认收到对端位置", "Acknowledges position")
    static let acknowledged = Phrase("对端已收到位置", "Peer holds position")
    static let size = Phrase("大小", "Size")
    static let remaining = Phrase(
        "条操作没有装入：用更大的 --operations-max 重新制作。", "operations did not fit: make it again with a larger --operations-max.")
    static let carry = Phrase(
        "把文件带到收件方，按序号运行 banjie sync bundle apply。",
        "Carry them to the receiver and run `banjie sync bundle apply` there, in the order of their numbers.")
    static let empty = Phrase("没有新的操作；文件只带回确认。", "There is nothing new; the file only carries the acknowledgement.")
    static let expired = Phrase(
        "本节点证书已过期：收件方须用 --allow-expired。",
        "This node's certificate has expired: the receiver has to use --allow-expired.")
    static let wasExpired = Phrase("发送方证书已过期，按要求仍予应用。", "The sender's certificate had expired; applied as you wished.")
    static let more = Phrase("同一批还有后续同步包。", "More bundles of the same series follow.")
}

extension BundleReport {
    package func text(_ presentation: Presentation) -> String {
        func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }
        var lines = [presentation.pair(BundleTexts.receiver, [peer, node].compactMap { $0 }.joined(separator: " · "))]
        if let acknowledges { lines.append(presentation.pair(BundleTexts.acknowledges, "\(acknowledges)")) }
        var table = TextTable([
            .init(say(BundleTexts.number), isRight: true), .init(say(NodeTexts.operations), isRight: true),
            .init(say(BundleTexts.positions)), .init(say(BundleTexts.size), isRight: true),
            .init(say(BundleTexts.bundle), widthMax: 200),
        ])
        for file in bundles {
            table.add([
                "\(file.number)", "\(file.operations)", "\(file.start)–\(file.end)", TextLayout.bytes(file.bytes),
                file.path,
            ])
        }
        lines += table.lines
        if operations == 0 { lines.append(say(BundleTexts.empty)) }
        if remaining > 0 { lines.append("! \(remaining) " + say(BundleTexts.remaining)) }
        if certificateNotAfter < Instant(NodeClock.system()) { lines.append("! " + say(BundleTexts.expired)) }
        return (lines + [presentation.pair(NodeTexts.next, say(BundleTexts.carry))]).joined(separator: "\n") + "\n"
    }
}

extension BundleAppliedReport {
    package func text(_ presentation: Presentation) -> String {
        func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }
        let facts: [(Phrase, String)] = [
            (BundleTexts.bundle, path), (BundleTexts.sender, "\(sender) · \(node)"),
            (BundleTexts.made, presentation.time(created)), (BundleTexts.number, "\(number)"),
            (BundleTexts.positions, "\(start)–\(end) / \(head)"), (NodeTexts.operations, "\(operations)"),
            (BundleTexts.applied, "\(applied)"), (BundleTexts.held, "\(held)"),
            (BundleTexts.parked, parked == 0 ? "" : "\(parked)"),
            (BundleTexts.acknowledged, acknowledged.map { "\($0)" } ?? ""),
        ]
        let width = facts.map { TextLayout.width(say($0.0)) }.max() ?? 0
        var lines = facts.filter { !$0.1.isEmpty }.map { "\(TextLayout.padded(say($0.0), to: width))  \($0.1)" }
        if isExpired { lines.append("! " + say(BundleTexts.wasExpired)) }
        if end < head { lines.append(presentation.pair(NodeTexts.next, say(BundleTexts.more))) }
        return lines.joined(separator: "\n") + "\n"
    }
}
