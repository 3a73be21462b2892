/// Words about revocations and tokens.
enum RevocationTexts {
    static let void = Phrase("无效", "void")
    static let voidOpening = Phrase(
        "建单操作无效：其副本已被吊销。", "The operation that opened it is void: its replica has been revoked.")
    static let site = Phrase("办公点", "Site")
    static let replica = Phrase("副本", "Replica")
    static let last = Phrase("有效至", "Counts up to")
    static let voided = Phrase("无效操作", "Void")
    static let by = Phrase("吊销人", "By")
    static let at = Phrase("时间", "At")
    static let reason = Phrase("原因", "Reason")
    static let state = Phrase("状态", "State")
    static let inForce = Phrase("有效", "in force")
    static let notInForce = Phrase("未生效", "not in force")
    static let differs = Phrase("本地历史不同：联系省级节点", "another history here: ask the province")
    static let nothing = Phrase("没有吊销。", "Nothing is revoked.")
    static let contiguous = Phrase("连续至", "Whole up to")
    static let highest = Phrase("最高", "Highest")
    static let lastTime = Phrase("最后操作", "Last operation")
    static let revoked = Phrase("已吊销", "revoked")
    static let noReplicas = Phrase("没有已知的副本。", "No replica is known.")
    static let token = Phrase("令牌", "Token")
    static let expires = Phrase("到期", "Expires")
    static let used = Phrase("使用时间", "Used")
    static let usedBy = Phrase("证书指纹", "By certificate")
    static let noTokens = Phrase("没有令牌。", "There are no tokens.")

    static func tokenState(_ state: String) -> Phrase {
        switch state {
        case "open": Phrase("可用", "open")
        case "used": Phrase("已用", "used")
        case "revoked": Phrase("已作废", "revoked")
        default: Phrase("已过期", "expired")
        }
    }

    static func thrownAway(_ count: Int, _ left: Int) -> Phrase {
        Phrase("已丢弃 \(count) 条，仍暂存 \(left) 条", "\(count) thrown away, \(left) still parked")
    }
}

extension RevocationList {
    package func text(_ presentation: Presentation) -> String {
        func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }
        guard !revocations.isEmpty else { return say(RevocationTexts.nothing) + "\n" }
        var table = TextTable([
            .init(say(RevocationTexts.site)), .init(say(RevocationTexts.replica)),
            .init(say(RevocationTexts.last), isRight: true), .init(say(RevocationTexts.voided), isRight: true),
            .init(say(RevocationTexts.state)), .init(say(RevocationTexts.at)), .init(say(RevocationTexts.by)),
            .init(say(RevocationTexts.reason)),
        ])
        for entry in revocations {
            let state =
                entry.differs
                ? RevocationTexts.differs : entry.isInForce ? RevocationTexts.inForce : RevocationTexts.notInForce
            table.add([
                entry.site, entry.replica, "\(entry.last)", "\(entry.voidCount)", say(state),
                presentation.time(entry.at), TextLayout.plain(entry.by), TextLayout.plain(entry.reason),
            ])
        }
        return table.lines.joined(separator: "\n") + "\n"
    }
}

extension ReplicaList {
    package func text(_ presentation: Presentation) -> String {
        func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }
        guard !replicas.isEmpty else { return say(RevocationTexts.noReplicas) + "\n" }
        var table = TextTable([
            .init(say(RevocationTexts.replica)), .init(say(RevocationTexts.contiguous), isRight: true),
            .init(say(RevocationTexts.highest), isRight: true), .init(say(RevocationTexts.lastTime)),
            .init(say(RevocationTexts.state)),
        ])
        for entry in replicas {
            table.add([
                entry.replica, "\(entry.contiguous)", "\(entry.highest)",
                entry.lastTime.map(presentation.time) ?? "", entry.isRevoked ? say(RevocationTexts.revoked) : "",
            ])
        }
        return table.lines.joined(separator: "\n") + "\n"
    }
}

extension TokenList {
    package func text(_ presentation: Presentation) -> String {
        func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }
        guard !tokens.isEmpty else { return say(RevocationTexts.noTokens) + "\n" }
        var table = TextTable([
            .init(say(RevocationTexts.token)), .init(say(RevocationTexts.site)), .init(say(RevocationTexts.state)),
            .init(say(RevocationTexts.expires)), .init(say(RevocationTexts.used)), .init(say(RevocationTexts.usedBy)),
        ])
        for entry in tokens {
            table.add([
                entry.id, entry.site, say(RevocationTexts.tokenState(entry.state)), presentation.time(entry.expires),
                entry.used.map(presentation.time) ?? "", String((entry.usedBy ?? "").prefix(16)),
            ])
        }
        return table.lines.joined(separator: "\n") + "\n"
    }
}

extension ReleaseReport {
    /// The same counts for operations that were thrown away.
    package func textOfVoid(_ presentation: Presentation) -> String {
        presentation.phrase(RevocationTexts.thrownAway(released, left)) + "\n"
    }
}
