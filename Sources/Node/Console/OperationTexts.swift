internal import Replication
internal import Store
internal import Tickets

/// One operation in a ticket's history.
struct HistoryRow {
    var time: String
    var kind: String
    var kindClass: String
    var author: String
    var place: String
    var text: String
    var hasText: Bool
}

/// What was done to a ticket, the latest first, in words.
struct OperationTexts {
    let record: TicketRecord
    let words: ConsoleWords

    func rows() -> [HistoryRow] {
        let sorted = record.operations.sorted { left, right in
            let (a, b) = (instant(left.operation), instant(right.operation))
            return a == b ? left.arrival > right.arrival : a > b
        }
        return sorted.prefix(ConsoleLimits.historyRowsMax).map { row($0.operation) }
    }

    /// When it happened: an import tells, else the operation's own time.
    private func instant(_ operation: Operation) -> Int64 {
        record.body(of: operation)?.occurrence?.milliseconds ?? operation.time.milliseconds
    }

    private func row(_ operation: Operation) -> HistoryRow {
        let author = operation.author
        let place =
            author.department.isEmpty
            ? author.site.rawValue : "\(words.department(author.department)) · \(author.site.rawValue)"
        var row = HistoryRow(
            time: words.time(operation.time.milliseconds), kind: "", kindClass: "unknown",
            author: author.role == .system ? words["role_system"] : author.name, place: place, text: "",
            hasText: false)
        guard let body = record.body(of: operation) else {
            row.kind = words.filled("kind_unknown", String(operation.kind.rawValue))
            return row
        }
        row.time = words.time(instant(operation))
        row.kind = words.kind(body.kind)
        row.kindClass = "\(body.kind)"
        if record.ticket.isVoid(operation.dot) {
            row.kind += " · " + words["void"]
            row.kindClass += " void"
        }
        row.text = text(body)
        row.hasText = !row.text.isEmpty
        return row
    }

    private func text(_ body: Body) -> String {
        switch body {
        case .open(let open): joined([open.title, open.body])
        case .setField(let set): "\(words.field(set.field)) → \(words.value(set.value, of: set.field, in: record))"
        case .transfer(let transfer):
            joined([
                "\(words.variant(transfer.variant)) → \(words.department(transfer.department)) · \(transfer.site)",
                transfer.reason, transfer.note,
            ])
        case .reply(let reply): reply.text
        case .feedback(let feedback): joined([feedback.text, feedback.channel, score(feedback.score)])
        case .close(let close):
            joined([
                close.reason, close.isConfirmedByCustomer ? words["confirmed_by_customer"] : "", score(close.score),
            ])
        case .reopen(let reopen): reopen.reason
        case .chase(let chase): joined([chase.note, chase.channel, promise(chase.promised)])
        case .answerChase(let answer): joined([answer.text, promise(answer.promised)])
        case .note(let note): note.text
        case .settle(let settle): settle.reason
        case .joinTwins(let join): join.reason
        case .separateTwins(let separate): separate.reason
        case .tag(let tag): tag.tag
        case .untag(let untag): untag.tag
        case .watch(let watch): watch.name
        case .announce(let announce): announce.site.rawValue
        case .catalogDocument(let document): document.name
        case .revoke(let revoke): revoke.reason
        case .proposeErasure(let proposal): proposal.reason
        case .delivered, .accept, .acknowledgeChase, .confirmErasure, .journalAnchor, .introduceRoot, .retireRoot: ""
        }
    }

    private func joined(_ parts: [String]) -> String {
        parts.filter { !$0.isEmpty }.joined(separator: "\n")
    }

    private func score(_ score: UInt8) -> String {
        score == 0 ? "" : words.filled("score_given", String(score))
    }

    private func promise(_ promised: Int64?) -> String {
        promised.map { words.filled("promised_until", words.time($0)) } ?? ""
    }
}
