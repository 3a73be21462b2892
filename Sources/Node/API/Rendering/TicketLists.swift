extension TicketPage {
    package func text(_ presentation: Presentation) -> String {
        guard !items.isEmpty else { return presentation.phrase(TicketTexts.none) + "\n" }
        func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }
        var table = TextTable([
            .init(say(TicketTexts.number)), .init(say(TicketTexts.title), widthMax: 40), .init(say(TicketTexts.status)),
            .init(say(TicketTexts.holder)), .init(say(TicketTexts.urgency)), .init(say(TicketTexts.due)),
            .init(say(TicketTexts.flags)),
        ])
        for item in items {
            var flags: [String] = []
            if let verdict = item.verdict, verdict != "running", verdict != "met" {
                flags.append(say(TicketTexts.verdict(verdict)))
            }
            if item.conflicts > 0 { flags.append(say(TicketTexts.conflictFlag)) }
            if item.contested > 0 { flags.append(say(TicketTexts.contestedFlag)) }
            if item.unansweredChases > 0 { flags.append(say(TicketTexts.chaseFlag)) }
            if item.undeliveredTransfers > 0 { flags.append(say(TicketTexts.undeliveredFlag)) }
            table.add([
                item.number.isEmpty ? item.id : item.number, item.title, say(TicketTexts.status(item.status)),
                item.holderSite.isEmpty ? "–" : "\(item.holderDepartment)@\(item.holderSite)",
                say(TicketTexts.urgency(item.urgency)), presentation.time(item.nextDeadline),
                flags.joined(separator: " "),
            ])
        }
        var lines = table.lines
        if hasMore { lines.append(say(TicketTexts.more)) }
        if let backlog = searchBacklog, backlog > 0 { lines.append("! \(backlog) " + say(TicketTexts.searchBehind)) }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension TicketHistory {
    /// Characters of a hash that are shown.
    private static let hashCharacters = 12

    package func text(_ presentation: Presentation) -> String {
        func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }
        var table = TextTable([
            .init("#", isRight: true), .init(say(TicketTexts.time)), .init(say(TicketTexts.who)),
            .init(say(TicketTexts.site)), .init(say(TicketTexts.what), widthMax: 72), .init(say(TicketTexts.dot)),
            .init(say(TicketTexts.hash)),
        ])
        for entry in operations {
            table.add([
                "\(entry.arrival)", presentation.exactTime(entry.at), entry.author.name, entry.author.site,
                entry.sentence(presentation), entry.dot, String(entry.hash.prefix(Self.hashCharacters)),
            ])
        }
        return (["\(number)  \(id)"] + table.lines).joined(separator: "\n") + "\n"
    }
}

extension TicketReceipt {
    package func text(_ presentation: Presentation) -> String {
        let name = ticket.number.isEmpty ? ticket.id : ticket.number
        let holder = ticket.holderSite.isEmpty ? "–" : "\(ticket.holderDepartment)@\(ticket.holderSite)"
        return TextLayout.plain(
            "\(name)  \(presentation.phrase(TicketTexts.status(ticket.status)))  "
                + presentation.pair(TicketTexts.holder, holder) + "  "
                + presentation.pair(TicketTexts.written, operations.joined(separator: ", "))) + "\n"
    }
}

extension APIError {
    /// For standard error.
    package func text(_ presentation: Presentation) -> String {
        var lines = [description]
        for ticket in candidates ?? [] {
            lines.append(
                "  \(ticket.id)  \(presentation.phrase(TicketTexts.status(ticket.status)))  "
                    + "\(ticket.holderDepartment)@\(ticket.holderSite)  \(ticket.title)")
        }
        return TextLayout.plain(lines.joined(separator: "\n")) + "\n"
    }
}
