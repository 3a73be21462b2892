/// Concurrent values and contested transfers, each with what to type to decide.
struct ConflictView {
    let presentation: Presentation

    private func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }

    /// - Parameter ticket: how the ticket is called in the commands that are shown.
    func lines(of fields: [TicketDetail.FieldEntry], ticket: String) -> [String] {
        fields.flatMap { field -> [String] in
            let values = field.values.map { value in
                let mark = value.isDisplayed ? " (\(say(TicketTexts.shown)))" : ""
                return "      \(TextLayout.plain(value.value))\(mark)  \(value.author)@\(value.site)  "
                    + "\(presentation.time(value.at))  [\(value.write)]"
            }
            let command =
                "banjie conflicts resolve \(ticket) \(field.field) --write \(field.values.first?.write ?? "…")"
            return ["  " + say(TicketTexts.field(field.field))] + values
                + ["      " + presentation.pair(TicketTexts.resolveWith, command)]
        }
    }

    func lines(of contest: TicketDetail.Contest, ticket: String) -> [String] {
        var lines = contest.candidates.map { candidate in
            var parts = [
                "  \(candidate.isWinner ? "●" : "○") → \(candidate.department)@\(candidate.site)",
                "\(candidate.author)@\(candidate.authorSite)", presentation.time(candidate.at),
            ]
            if candidate.isAccepted { parts.append(say(TicketTexts.acceptedMark)) }
            if candidate.isWinner, !contest.isSettled { parts.append(say(TicketTexts.counting)) }
            parts.append("[\(candidate.transfer)]")
            return TextLayout.plain(parts.joined(separator: "  "))
        }
        guard !contest.isSettled else { return lines }
        let winner = contest.candidates.first { $0.isWinner }?.transfer ?? "…"
        if let arbiter = contest.arbiter { lines.append("      " + presentation.pair(TicketTexts.arbiter, arbiter)) }
        lines.append(
            "      "
                + presentation.pair(
                    TicketTexts.settleWith, "banjie ticket settle \(ticket) --winner \(winner) --reason …"))
        return lines
    }
}

extension ConflictList {
    package func text(_ presentation: Presentation) -> String {
        guard !items.isEmpty else { return presentation.phrase(TicketTexts.noConflicts) + "\n" }
        let view = ConflictView(presentation: presentation)
        let blocks = items.map { item -> [String] in
            let name = item.ticket.number.isEmpty ? item.ticket.id : item.ticket.number
            return [TextLayout.plain("\(name)  \(item.ticket.title)")] + view.lines(of: item.fields, ticket: name)
                + item.contested.flatMap { view.lines(of: $0, ticket: name) }
        }
        return blocks.joined(separator: [""]).joined(separator: "\n") + "\n"
    }
}
