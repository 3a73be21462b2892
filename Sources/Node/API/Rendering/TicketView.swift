// A ticket as a page for reading.
extension TicketDetail {
    /// Cells of a clock's bar.
    private static let barCells = 20

    package func text(_ presentation: Presentation) -> String {
        TicketView(ticket: self, presentation: presentation).lines.joined(separator: "\n") + "\n"
    }

    private struct TicketView {
        let ticket: TicketDetail
        let presentation: Presentation

        var lines: [String] {
            var sections = [header]
            for section in [custody, clocks, limits, fields, conflicts, contests, chases, timeline]
            where !section.isEmpty {
                sections.append(section)
            }
            sections.append([footer])
            return Array(sections.joined(separator: [""]))
        }

        private func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }

        private func place(_ site: String, _ department: String) -> String {
            department.isEmpty ? site : "\(department)@\(site)"
        }

        private var header: [String] {
            var lines = [TextLayout.plain("\(ticket.number)  \(ticket.title)"), ticket.id]
            var state = [say(TicketTexts.status(ticket.status))]
            if let verdict = ticket.verdict { state.append(say(TicketTexts.verdict(verdict))) }
            if let next = ticket.nextDeadline {
                state.append(presentation.pair(TicketTexts.due, presentation.time(next)))
            }
            lines.append(state.joined(separator: " · "))
            if let opening = ticket.opening {
                lines.append(
                    presentation.pair(
                        TicketTexts.openedBy,
                        "\(place(opening.site, opening.department)) · \(opening.author) · \(presentation.time(opening.at))"
                    ))
            }
            if let custody = ticket.custody {
                lines.append(presentation.pair(TicketTexts.holder, place(custody.site, custody.department)))
            }
            if !ticket.tags.isEmpty {
                lines.append(presentation.pair(TicketTexts.tags, ticket.tags.joined(separator: ", ")))
            }
            if !ticket.watchers.isEmpty {
                lines.append(
                    presentation.pair(TicketTexts.watchers, ticket.watchers.map(\.name).joined(separator: ", ")))
            }
            for twin in ticket.twins {
                lines.append(
                    presentation.pair(TicketTexts.twins, "\(twin.number.isEmpty ? twin.id : twin.number) \(twin.title)")
                )
            }
            if ticket.isPending {
                let isVoid = ticket.timeline.contains { $0.kind == "open" && $0.isVoid == true }
                lines.append("! " + say(isVoid ? RevocationTexts.voidOpening : TicketTexts.pending))
            }
            if let dot = ticket.freezingDamage {
                lines.append("! \(dot): " + say(TicketTexts.frozenByDamage))
            } else if ticket.isFrozen {
                lines.append("! " + say(TicketTexts.frozen))
            }
            if let arbiter = ticket.lockedToArbiter { lines.append("! \(arbiter): " + say(TicketTexts.locked)) }
            return lines.map(TextLayout.plain)
        }

        private func titled(_ title: Phrase, _ lines: [String]) -> [String] {
            lines.isEmpty ? [] : ["── " + say(title)] + lines
        }

        private var custody: [String] {
            titled(
                TicketTexts.custody,
                ticket.path.map { entry in
                    var parts = [
                        presentation.time(entry.since), say(TicketTexts.variant(entry.variant)),
                        place(entry.site, entry.department),
                    ]
                    if entry.delivered == nil { parts.append("(\(say(TicketTexts.underway)))") }
                    if let accepted = entry.accepted {
                        parts.append(
                            "\(say(TicketTexts.accepted)) \(presentation.time(accepted)) \(entry.person ?? "")")
                    }
                    if let replied = entry.replied {
                        parts.append("\(say(TicketTexts.replied)) \(presentation.time(replied))")
                    }
                    if let left = entry.left { parts.append("\(say(TicketTexts.left)) \(presentation.time(left))") }
                    if entry.isContested { parts.append("(\(say(TicketTexts.contestedFlag)))") }
                    return "  " + TextLayout.plain(parts.joined(separator: "  "))
                })
        }

        private var clocks: [String] {
            let clocks = ticket.clocks
            var rows = [
                (say(TicketTexts.customerClock), clocks.customerMilliseconds),
                (say(TicketTexts.ticketClock), clocks.ticketMilliseconds),
                (say(TicketTexts.linkClock), clocks.linkMilliseconds),
            ]
            rows += clocks.departments.map { (place($0.site, $0.department), $0.milliseconds) }
            let longest = max(1, rows.map(\.1).max() ?? 1)
            let width = rows.map { TextLayout.width($0.0) }.max() ?? 0
            return titled(
                TicketTexts.clocks,
                rows.map { name, milliseconds in
                    let bar = TextLayout.bar(Double(milliseconds) / Double(longest), cells: TicketDetail.barCells)
                    return "  \(TextLayout.padded(name, to: width))  \(bar)  \(presentation.duration(milliseconds))"
                })
        }

        private var limits: [String] {
            let rows = ticket.limits.map { limit in
                (
                    say(TicketTexts.subject(limit.subject)), place(limit.site, limit.department), limit,
                    limit.limitMilliseconds > 0
                        ? Double(limit.elapsedMilliseconds) / Double(limit.limitMilliseconds) : 0
                )
            }
            let widths = (
                rows.map { TextLayout.width($0.0) }.max() ?? 0, rows.map { TextLayout.width($0.1) }.max() ?? 0
            )
            return titled(
                TicketTexts.limits,
                rows.map { name, place, limit, share in
                    let amount =
                        "\(presentation.duration(limit.elapsedMilliseconds)) / \(presentation.duration(limit.limitMilliseconds))"
                    return "  \(TextLayout.padded(name, to: widths.0))  \(TextLayout.padded(place, to: widths.1))  "
                        + "\(TextLayout.bar(share, cells: 10))  \(amount)  \(say(TicketTexts.verdict(limit.state)))"
                })
        }

        private var fields: [String] {
            let skipped: Set<String> = ["title", "body"]
            var lines = ticket.fields.filter { !skipped.contains($0.field) && !$0.isConflict }.compactMap { field in
                field.values.first.map { value in
                    "  "
                        + TextLayout.plain(
                            presentation.pair(TicketTexts.field(field.field), shown(value, field.field)))
                }
            }
            if let body = ticket.fields.first(where: { $0.field == "body" && !$0.isConflict })?.values.first {
                lines += TextLayout.plain(body.value).split(separator: "\n").map { "  │ \($0)" }
            }
            return titled(TicketTexts.fields, lines)
        }

        private func shown(_ entry: TicketDetail.FieldValue, _ field: String) -> String {
            if let withheld = entry.withheld { return say(TicketTexts.withheld(withheld)) }
            let value = entry.value
            return switch field {
            case "urgency": say(TicketTexts.urgency(value))
            case "occurrenceTime", "expectedResolutionTime", "promisedTime":
                Instant(value).map { presentation.time($0) } ?? value
            default: value
            }
        }

        private var conflicts: [String] {
            titled(
                TicketTexts.conflicts,
                ConflictView(presentation: presentation).lines(
                    of: ticket.fields.filter(\.isConflict), ticket: ticket.number))
        }

        private var contests: [String] {
            let view = ConflictView(presentation: presentation)
            let open = ticket.contested.filter { !$0.isSettled }
            let settled = ticket.contested.filter(\.isSettled)
            let lines = titled(TicketTexts.contested, open.flatMap { view.lines(of: $0, ticket: ticket.number) })
            let past = titled(TicketTexts.settled, settled.flatMap { view.lines(of: $0, ticket: ticket.number) })
            return lines + past
        }

        private var chases: [String] {
            titled(
                TicketTexts.chases,
                ticket.chases.map { chase in
                    var parts = [presentation.time(chase.at), "\(chase.author)@\(chase.site)"]
                    parts.append(
                        say(
                            chase.isAnswered
                                ? TicketTexts.answered
                                : chase.isAcknowledged
                                    ? TicketTexts.acknowledged
                                    : chase.isDelivered ? TicketTexts.unanswered : TicketTexts.undelivered))
                    if let promised = chase.promised {
                        parts.append(presentation.pair(TicketTexts.promised, presentation.time(promised)))
                    }
                    parts += chase.notes.map { "「\($0)」" }
                    parts.append("[\(chase.dot)]")
                    return "  " + TextLayout.plain(parts.joined(separator: "  "))
                })
        }

        private var timeline: [String] {
            titled(
                TicketTexts.timeline,
                ticket.timeline.map { entry in
                    "  " + presentation.time(entry.at) + "  "
                        + TextLayout.plain("\(entry.author.name)@\(entry.author.site)  \(entry.sentence(presentation))")
                })
        }

        private var footer: String {
            "\(ticket.operationCount) \(say(TicketTexts.operations)) · \(ticket.digest.split(separator: ":").last?.prefix(12) ?? "") · "
                + presentation.pair(TicketTexts.version, ticket.version.joined(separator: ","))
        }
    }
}

extension HistoryEntry {
    /// What happened, in one line.
    func sentence(_ presentation: Presentation) -> String {
        func detail(_ name: String) -> String { details[name] ?? "" }
        var verb = presentation.phrase(TicketTexts.kind(kind))
        var parts: [String] = []
        switch kind {
        case "open": parts = [detail("title"), detail("department")]
        case "setField":
            parts = [
                "\(presentation.phrase(TicketTexts.field(detail("field")))) = \(withheld.map { presentation.phrase(TicketTexts.withheld($0)) } ?? detail("value"))"
            ]
        case "transfer":
            verb = presentation.phrase(TicketTexts.variant(details["variant"]))
            parts = ["→ \(detail("department"))@\(detail("site"))", detail("reason"), detail("note")]
        case "settle": parts = ["→ \(detail("winner"))", detail("reason")]
        case "joinTwins", "separateTwins": parts = [detail("other"), detail("reason")]
        case "feedback", "close": parts = [detail("text"), detail("reason"), details["score"].map { "★\($0)" } ?? ""]
        default: parts = ["text", "note", "reason", "tag", "name"].map(detail)
        }
        let mark = isVoid == true ? ["✗ " + presentation.phrase(RevocationTexts.void)] : []
        return (mark + [verb] + parts.filter { !$0.isEmpty }).joined(separator: "  ")
    }
}
