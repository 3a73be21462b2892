internal import Store

/// Words about signed heads.
enum HeadTexts {
    static let empty = Phrase("还没有收到签名的历史。", "No signed history has come in yet.")
    static let site = Phrase("办公点", "Site")
    static let replica = Phrase("副本", "Replica")
    static let sequence = Phrase("签至", "Signed up to")
    static let signed = Phrase("签名时间", "Signed at")
    static let state = Phrase("状态", "State")

    static func isAlarm(_ state: String) -> Bool {
        HeadState.allCases.contains { $0.isAlarm && "\($0)" == state }
    }

    static func describe(_ state: String) -> Phrase {
        switch state {
        case "waiting": Phrase("等待操作到达", "its operations are still to come")
        case "sound": Phrase("✓ 与本地日志一致", "✓ as in the log here")
        case "differs":
            Phrase(
                "✗ 与本地日志不一致：转发方改动、丢弃或调换过操作",
                "✗ not what the log here holds: what passed it on has changed, dropped or reordered operations")
        case "otherKey":
            Phrase("✗ 用另一把密钥签名：证书可能被冒签", "✗ signed with another key: a certificate may have been forged")
        default: Phrase("✗ 与之前的签名矛盾", "✗ contradicts what was signed before")
        }
    }
}

extension HeadList {
    package func text(_ presentation: Presentation) -> String {
        func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }
        guard !heads.isEmpty else { return say(HeadTexts.empty) + "\n" }
        var table = TextTable([
            .init(say(HeadTexts.site)), .init(say(HeadTexts.replica)), .init(say(HeadTexts.sequence), isRight: true),
            .init(say(HeadTexts.signed)), .init(say(HeadTexts.state)),
        ])
        for head in heads {
            table.add([
                head.site, head.replica, "\(head.sequence)", presentation.time(head.signed),
                say(HeadTexts.describe(head.state)),
            ])
        }
        return table.lines.joined(separator: "\n") + "\n"
    }
}
