extension NodeStatus {
    package func text(_ presentation: Presentation) -> String {
        func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }
        let facts: [(Phrase, String)] = [
            (NodeTexts.site, "\(site) · \(say(isRunning ? NodeTexts.running : NodeTexts.stopped))"),
            (NodeTexts.replica, replica), (NodeTexts.follows, incarnation.text(presentation)),
            (NodeTexts.parent, parent ?? "–"),
            (
                NodeTexts.listeners,
                [("sync", addresses.sync), ("enrol", addresses.enrolment), ("console", addresses.console)]
                    .compactMap { name, address in address.map { "\(name) \($0)" } }.joined(separator: " · ")
            ),
            (NodeTexts.tickets, "\(tickets)"), (NodeTexts.overdue, "\(overdue)"), (NodeTexts.warning, "\(warning)"),
            (NodeTexts.operations, "\(operations)"), (NodeTexts.parked, "\(parked)"),
            (NodeTexts.damaged, damaged == 0 ? "" : "\(damaged)"),
            (NodeTexts.conflicts, "\(conflicts)"), (NodeTexts.contested, "\(contested)"),
            (NodeTexts.searchBacklog, "\(searchBacklog)"), (NodeTexts.digest, digest),
        ]
        let width = facts.map { TextLayout.width(say($0.0)) }.max() ?? 0
        var lines = facts.filter { !$0.1.isEmpty }.map { "\(TextLayout.padded(say($0.0), to: width))  \($0.1)" }
        lines += ["", "── " + say(NodeTexts.peers)] + peers.lines(presentation)
        if !degraded.isEmpty {
            lines += ["", "── " + say(NodeTexts.attention)]
            lines += degraded.map { reason in
                let parts = [reason.peer, reason.count.map { "\($0)" }, say(NodeTexts.reason(reason.reason))]
                return "! " + parts.compactMap { $0 }.joined(separator: " ")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension IncarnationStatus {
    /// Empty for a node's first incarnation.
    func text(_ presentation: Presentation) -> String {
        guard let follows else { return "" }
        var parts = [follows]
        if let reason { parts.append(presentation.phrase(NodeTexts.incarnation(reason))) }
        if let since { parts.append(presentation.time(since)) }
        if waiting > 0 { parts.append("\(waiting) " + presentation.phrase(NodeTexts.waiting)) }
        return parts.joined(separator: " · ")
    }
}

extension SyncStatus {
    package func text(_ presentation: Presentation) -> String {
        let state = presentation.phrase(isRunning ? NodeTexts.running : NodeTexts.stopped)
        let head = "\(site) · \(state) · \(presentation.exactTime(now))"
        let alarms = (degraded ?? []).map { "! \($0.count ?? 0) " + presentation.phrase(NodeTexts.reason($0.reason)) }
        return ([head, ""] + alarms + peers.lines(presentation)).joined(separator: "\n") + "\n"
    }
}

extension [PeerStatus] {
    func lines(_ presentation: Presentation) -> [String] {
        func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }
        guard !isEmpty else { return [say(NodeTexts.noPeers)] }
        var table = TextTable([
            .init(say(NodeTexts.peer)), .init(say(NodeTexts.link)), .init(say(NodeTexts.toSend), isRight: true),
            .init(say(NodeTexts.toGet), isRight: true), .init(say(NodeTexts.asOf)),
            .init(say(NodeTexts.clock), isRight: true), .init(say(NodeTexts.roundTrip), isRight: true),
            .init(say(NodeTexts.audit)), .init(say(NodeTexts.failure)),
        ])
        for peer in self {
            let link: String
            if peer.isPaused {
                link = say(NodeTexts.paused)
            } else if let since = peer.since ?? peer.lastContact {
                link =
                    say(peer.isConnected ? NodeTexts.connected : NodeTexts.disconnected)
                    + " \(say(NodeTexts.since)) \(presentation.time(since))"
            } else {
                link = say(peer.isConnected ? NodeTexts.connected : NodeTexts.neverConnected)
            }
            table.add([
                "\(peer.site) (\(say(NodeTexts.role(peer.role))))", link,
                Self.amount(peer.toSend, peer.toSendSeconds, presentation),
                peer.toGet.map { Self.amount($0, peer.toGetSeconds, presentation) } ?? "?",
                presentation.time(peer.toGetKnownAt),
                peer.clockOffsetMilliseconds.map { "\($0) ms" } ?? "–",
                peer.roundTripMilliseconds.map { "\($0) ms" } ?? "–",
                Self.audit(peer, presentation), peer.isConnected ? "" : peer.lastFailure ?? "",
            ])
        }
        return table.lines
    }

    /// How many operations, and how long they will take.
    private static func amount(_ count: UInt64, _ seconds: Double?, _ presentation: Presentation) -> String {
        guard let seconds else { return "\(count)" }
        return "\(count) · \(presentation.duration(Int64(seconds * 1_000)))"
    }

    private static func audit(_ peer: PeerStatus, _ presentation: Presentation) -> String {
        if peer.isAuditing { return presentation.phrase(NodeTexts.auditing) }
        guard let audit = peer.audit else { return "–" }
        let mark = audit.unresolved > 0 ? "✗ \(audit.unresolved)" : "✓"
        return "\(mark) \(presentation.time(audit.at))"
    }
}

extension AssessmentTable {
    private static let barCells = 20

    package func text(_ presentation: Presentation) -> String {
        func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }
        guard !rows.isEmpty else { return say(AssessmentTexts.empty) + "\n" }
        var table = TextTable(
            groupings.map { TextTable.Column(say(AssessmentTexts.grouping($0))) } + [
                .init(say(AssessmentTexts.onTime), isRight: true), .init(""),
                .init(say(AssessmentTexts.met), isRight: true), .init(say(AssessmentTexts.late), isRight: true),
                .init(say(AssessmentTexts.overdue), isRight: true),
                .init(say(AssessmentTexts.uncertain), isRight: true),
                .init(say(AssessmentTexts.contested), isRight: true), .init(say(AssessmentTexts.mean), isRight: true),
            ])
        func add(_ keys: [String], _ counts: Counts) {
            let measured = counts.due + counts.uncertain
            table.add(
                keys + [
                    presentation.percent(counts.onTimeRate),
                    counts.onTimeRate.map { TextLayout.bar($0, cells: Self.barCells) } ?? "",
                    "\(counts.met)", "\(counts.late)", "\(counts.overdue)", "\(counts.uncertain)",
                    "\(counts.contested)",
                    measured == 0 ? "–" : presentation.duration(counts.elapsedMilliseconds / Int64(measured)),
                ])
        }
        for row in rows {
            let keys = zip(groupings, row.keys).map { grouping, key in
                grouping == "step" ? say(TicketTexts.subject(key)) : key.isEmpty ? "–" : key
            }
            add(keys, row.counts)
        }
        add([say(AssessmentTexts.total)] + groupings.dropFirst().map { _ in "" }, total)
        var head: [String] = []
        if from != nil || to != nil { head.append("\(from ?? "…") – \(to ?? "…")") }
        if let site { head.append(site) }
        let lines = (head.isEmpty ? [] : [head.joined(separator: " · "), ""]) + table.lines
        return (lines + [say(AssessmentTexts.note)]).joined(separator: "\n") + "\n"
    }
}

extension AccountList {
    package func text(_ presentation: Presentation) -> String {
        func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }
        guard !accounts.isEmpty else { return say(NodeTexts.noAccounts) + "\n" }
        var table = TextTable([
            .init(say(NodeTexts.name)), .init(say(NodeTexts.role)), .init(say(NodeTexts.department)),
            .init(say(NodeTexts.created)),
        ])
        for account in accounts {
            table.add([account.name, account.role, account.department, presentation.time(account.created)])
        }
        return table.lines.joined(separator: "\n") + "\n"
    }
}

extension AccountEntry {
    package func text(_ presentation: Presentation) -> String {
        AccountList(accounts: [self]).text(presentation)
    }
}

extension DoctorReport {
    package func text(_ presentation: Presentation) -> String {
        var lines = checks.map { check in
            findings.contains { $0.check == check } ? "✗ \(check)" : "✓ \(check)"
        }
        if findings.isEmpty {
            lines += ["", presentation.phrase(NodeTexts.healthy)]
        }
        for finding in findings {
            lines += [
                "", "\(finding.check)  \(finding.message)", "  " + presentation.pair(NodeTexts.next, finding.next),
            ]
        }
        return TextLayout.plain(lines.joined(separator: "\n")) + "\n"
    }
}

extension InitReport {
    package func text(_ presentation: Presentation) -> String {
        let facts: [(Phrase, String)] = [
            (NodeTexts.site, site), (NodeTexts.replica, replica), (NodeTexts.parent, parent ?? "–"),
            (NodeTexts.folder, folder), (NodeTexts.fingerprint, certificateFingerprint),
            (NodeTexts.validUntil, presentation.time(Instant(certificateNotAfterMilliseconds))),
        ]
        let width = facts.map { TextLayout.width(presentation.phrase($0.0)) }.max() ?? 0
        let lines = facts.map { "\(TextLayout.padded(presentation.phrase($0.0), to: width))  \($0.1)" }
        return (lines + [presentation.pair(NodeTexts.next, "banjie run --data \(folder)")]).joined(separator: "\n")
            + "\n"
    }
}
