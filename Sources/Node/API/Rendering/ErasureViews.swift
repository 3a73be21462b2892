/// Words about erasing a person.
enum ErasureTexts {
    static let proposal = Phrase("申请", "Proposal")
    static let entity = Phrase("对象", "Whose")
    static let keys = Phrase("密钥", "Keys")
    static let reason = Phrase("理由", "Reason")
    static let proposer = Phrase("申请人", "Proposed by")
    static let confirmer = Phrase("确认人", "Confirmed by")
    static let waiting = Phrase("待另一位管理员确认", "waits for another admin")
    static let none = Phrase("没有删除申请。", "There are no proposals.")
    static let confirm = Phrase(
        "请另一位管理员运行 banjie customer erase confirm", "Another admin runs banjie customer erase confirm")
    static let erased = Phrase(
        "密钥已删除，个人信息不可再读；其他节点收到后同样删除。",
        "The keys are gone and nothing can be read any more; other nodes follow as they hear of it.")
}

extension ErasureReport {
    package func text(_ presentation: Presentation) -> String {
        func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }
        func person(_ author: AuthorFacts, _ instant: Instant?) -> String {
            (["\(author.name)@\(author.site)"] + (instant.map { [presentation.time($0)] } ?? [])).joined(
                separator: " · ")
        }
        let facts: [(Phrase, String)] = [
            (ErasureTexts.proposal, id), (ErasureTexts.entity, entity), (ErasureTexts.keys, "\(keys.count)"),
            (ErasureTexts.reason, TextLayout.plain(reason)), (ErasureTexts.proposer, person(proposer, proposed)),
            (ErasureTexts.confirmer, confirmer.map { person($0, confirmed) } ?? say(ErasureTexts.waiting)),
        ]
        let width = facts.map { TextLayout.width(say($0.0)) }.max() ?? 0
        var lines = facts.filter { !$0.1.isEmpty }.map { "\(TextLayout.padded(say($0.0), to: width))  \($0.1)" }
        lines.append(
            confirmed == nil
                ? presentation.pair(NodeTexts.next, "\(say(ErasureTexts.confirm)) \(id)") : say(ErasureTexts.erased))
        return lines.joined(separator: "\n") + "\n"
    }
}

extension ErasureList {
    package func text(_ presentation: Presentation) -> String {
        func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }
        guard !items.isEmpty else { return say(ErasureTexts.none) + "\n" }
        var table = TextTable([
            .init(say(ErasureTexts.proposal), widthMax: 60), .init(say(ErasureTexts.proposer)),
            .init(say(ErasureTexts.confirmer)), .init(say(ErasureTexts.keys), isRight: true),
            .init(say(ErasureTexts.reason)),
        ])
        for item in items {
            table.add([
                item.id, "\(item.proposer.name)@\(item.proposer.site)",
                item.confirmer.map { "\($0.name)@\($0.site)" } ?? say(ErasureTexts.waiting), "\(item.keys.count)",
                TextLayout.plain(item.reason),
            ])
        }
        return table.lines.joined(separator: "\n") + "\n"
    }
}
