/// Words and tables about audits and where operations are.
enum AuditTexts {
    static let missingHere = Phrase("此处缺", "Missing here")
    static let missingThere = Phrase("对端缺", "Missing there")
    static let conflicting = Phrase("冲突", "Conflicting")
    static let unresolved = Phrase("未修复", "Unresolved")
    static let result = Phrase("结果", "Result")
    static let same = Phrase("一致", "same")
    static let repaired = Phrase("已修复", "repaired")
    static let differs = Phrase("不一致：运行 banjie sync repair", "differs: run `banjie sync repair`")
    static let remains = Phrase(
        "两次核对后仍不一致：用 banjie sync explain 查看工单", "differs after two passes: look with `banjie sync explain`")
    static let conflict = Phrase("同一操作内容不同：联系省级节点", "one operation with two contents: ask the province")
    static let notReached = Phrase("未连接，未核对", "not connected, not compared")
    static let nothingParked = Phrase("没有暂存的操作。", "Nothing is parked.")
    static let damaged = Phrase("本地行已损坏", "damaged here")
    static let arrival = Phrase("序", "No.")
    static let operation = Phrase("操作", "Operation")
    static let kind = Phrase("类型", "Kind")
    static let author = Phrase("操作人", "Author")
    static let source = Phrase("来源", "From")
    static let reason = Phrase("原因", "Reason")
    static let since = Phrase("自", "Since")
    static let here = Phrase("本地", "Here")
    static let legend = Phrase(
        "来源 = 由其发来 · 已确认 = 对端已落盘 · 已核对 = 核对时对端已有 · 待发 = 尚未确认 · 另路 = 由另一上级转发 · 范围外 = 对端不参与此单",
        "origin = came from it · held = durable there · audited = found there by an audit · waiting = not acknowledged yet · elsewhere = another parent passes it on · outside = takes no part in the ticket"
    )

    static func state(_ state: String) -> Phrase {
        switch state {
        case "origin": Phrase("来源", "origin")
        case "held": Phrase("已确认", "held")
        case "audited": Phrase("已核对", "audited")
        case "waiting": Phrase("待发", "waiting")
        case "elsewhere": Phrase("另路", "elsewhere")
        default: Phrase("范围外", "outside")
        }
    }

    static func admitted(_ tickets: Int, _ transfers: Int) -> Phrase {
        Phrase(
            "\(tickets) 张工单已对新办公点开放，其中 \(transfers) 张改由其承办",
            "\(tickets) tickets opened to the new site, \(transfers) of them handed over")
    }

    static func moved(_ former: String, _ site: String, _ parent: String) -> Phrase {
        Phrase(
            "\(former) 现为 \(site)，上级 \(parent)。请启动节点：banjie run",
            "\(former) is now \(site) below \(parent). Start the node: banjie run")
    }

    static func released(_ released: Int, _ left: Int) -> Phrase {
        Phrase("已采纳 \(released) 条，仍暂存 \(left) 条", "\(released) taken in, \(left) still parked")
    }
}

extension AuditReport {
    package func text(_ presentation: Presentation) -> String {
        func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }
        guard !peers.isEmpty else { return say(NodeTexts.noPeers) + "\n" }
        var table = TextTable([
            .init(say(NodeTexts.peer)), .init(say(AuditTexts.missingHere), isRight: true),
            .init(say(AuditTexts.missingThere), isRight: true), .init(say(AuditTexts.conflicting), isRight: true),
            .init(say(AuditTexts.unresolved), isRight: true), .init(say(AuditTexts.result)),
        ])
        for entry in peers {
            let found = entry.missingHere + entry.missingThere
            let result: Phrase =
                !entry.isConnected
                ? AuditTexts.notReached
                : entry.conflicting > 0
                    ? AuditTexts.conflict
                    : entry.unresolved > 0
                        ? AuditTexts.remains
                        : found == 0 ? AuditTexts.same : isRepair ? AuditTexts.repaired : AuditTexts.differs
            table.add([
                entry.peer, "\(entry.missingHere)", "\(entry.missingThere)", "\(entry.conflicting)",
                "\(entry.unresolved)", say(result),
            ])
        }
        return table.lines.joined(separator: "\n") + "\n"
    }
}

extension WhereaboutsReport {
    package func text(_ presentation: Presentation) -> String {
        func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }
        var table = TextTable(
            [
                .init(say(AuditTexts.arrival), isRight: true), .init(say(AuditTexts.operation)),
                .init(say(AuditTexts.kind)), .init(say(AuditTexts.author)), .init(say(AuditTexts.here)),
            ] + peers.map { .init($0.site) })
        for entry in operations {
            table.add(
                [
                    "\(entry.arrival)", entry.dot, entry.kind, "\(entry.author)@\(entry.site)",
                    entry.isDamaged ? "✗ " + say(AuditTexts.damaged) : "✓",
                ] + entry.states.map { say(AuditTexts.state($0)) })
        }
        var lines = table.lines + ["", say(AuditTexts.legend)]
        if !parked.isEmpty { lines += ["", "── " + say(NodeTexts.parked)] + parked.lines(presentation) }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension [WhereaboutsReport.Parked] {
    func lines(_ presentation: Presentation) -> [String] {
        func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }
        var table = TextTable([
            .init(say(AuditTexts.operation)), .init(say(AuditTexts.source)), .init(say(AuditTexts.since)),
            .init(say(AuditTexts.reason)),
        ])
        for entry in self {
            table.add([entry.dot, entry.source, presentation.time(entry.since), TextLayout.plain(entry.reason)])
        }
        return table.lines
    }
}

extension ParkedList {
    package func text(_ presentation: Presentation) -> String {
        guard !parked.isEmpty else { return presentation.phrase(AuditTexts.nothingParked) + "\n" }
        return parked.lines(presentation).joined(separator: "\n") + "\n"
    }
}

extension AdmissionReport {
    package init(_ job: JobState) {
        self.init(tickets: Int(job.result?["tickets"] ?? "") ?? 0, transfers: Int(job.result?["transfers"] ?? "") ?? 0)
    }

    package func text(_ presentation: Presentation) -> String {
        presentation.phrase(AuditTexts.admitted(tickets, transfers)) + "\n"
    }
}

extension MoveReport {
    package func text(_ presentation: Presentation) -> String {
        presentation.phrase(AuditTexts.moved(formerSite, site, parent)) + "\n"
    }
}

extension ReleaseReport {
    package func text(_ presentation: Presentation) -> String {
        presentation.phrase(AuditTexts.released(released, left)) + "\n"
    }
}
