internal import Store
internal import Replication
internal import Tickets

/// The forms that make sense for this ticket and this person now, the next step first. `decide` has the last word; a
/// form that is shown may still be refused, and says why.
struct TicketForms {
    let builder: TicketModelBuilder

    private var words: ConsoleWords { builder.words }
    private var summary: TicketSummary { builder.summary }
    private var account: ConsoleAccount { builder.account }
    private var author: Author { builder.author }

    private var isOpen: Bool { summary.status != .closed }

    private func holds(_ custody: Custody) -> Bool {
        custody.site == author.site && (custody.department.isEmpty || custody.department == author.department)
    }

    private var mayTransfer: Bool {
        guard isOpen, let custody = summary.custody else { return false }
        if let arbiter = summary.lockedToArbiter { return arbiter.isWithin(author.site) }
        if holds(custody) { return true }
        return account.role != .agent && custody.site.isWithin(author.site)
    }

    /// Whoever talks to customers, or may decide for them.
    private var mayTellCustomer: Bool {
        guard isOpen else { return false }
        if account.role != .agent { return true }
        return words.catalog.department(account.department)?.isAccepting ?? true
            || summary.custody.map(holds) ?? false
    }

    func all() -> [FormModel] {
        var forms: [FormModel] = []
        let custody = summary.custody
        if isOpen, let custody, holds(custody), custody.person == nil { forms.append(accept()) }
        if isOpen, let custody,
            summary.path.contains(where: { $0.cycle == custody.cycle && holds($0) && $0.variant != nil })
                || holds(custody)
        {
            forms.append(reply())
        }
        if mayTellCustomer { forms.append(feedback()) }
        if mayTransfer {
            forms.append(transfer())
            if custody?.parent != nil { forms.append(returning()) }
        }
        if mayTellCustomer { forms.append(close()) }
        if !isOpen { forms.append(reopen()) }
        if isOpen { forms.append(chase()) }
        forms += [note(), set(), tag(), join()]
        let next = nextAction
        return forms.map { form in
            var form = form
            form.isPrimary = form.action == next
            form.isExpanded = builder.draft["action"] == form.action || form.isPrimary
            return form
        }
    }

    /// What is expected next of whoever holds it.
    private var nextAction: String {
        guard let custody = summary.custody, holds(custody) else { return "" }
        switch summary.status {
        case .open: return custody.person == nil ? "accept" : "transfer"
        case .inProgress: return custody.person == nil ? "accept" : "reply"
        case .replied: return "feedback"
        case .fedBack: return "close"
        case .closed: return ""
        }
    }

    private func form(_ action: String, _ inputs: [FormModel.Input] = []) -> FormModel {
        FormModel(
            action: action, heading: words["action_\(action)"], submit: words["submit_\(action)"],
            target: "/tickets/\(builder.record.ticket.id)",
            version: TicketActionReading.text(builder.record.ticket.version), inputs: inputs)
    }

    private func input(
        _ action: String, _ name: String, _ label: String, _ shape: FormModel.Input.Shape = .line, value: String = "",
        required: Bool = false, max: Int = 200, options: [FormModel.Option] = [], proposals: String = "",
        hint: String = ""
    ) -> FormModel.Input {
        let isDraft = builder.draft["action"] == action
        return FormModel.Input(
            name, form: action, label: words[label], value: isDraft ? builder.draft[name] : value, shape: shape,
            required: required, charactersMax: max, options: options, proposals: proposals,
            hint: hint.isEmpty ? "" : words[hint])
    }

    private func area(_ action: String, _ name: String, _ label: String, required: Bool = false) -> FormModel.Input {
        input(action, name, label, .area, required: required, max: 4_000)
    }

    private var departments: [FormModel.Option] {
        [FormModel.Option(value: "", text: words["choose"])]
            + words.catalog.departments.map { FormModel.Option(value: $0.code, text: words.department($0.code)) }
    }

    private func accept() -> FormModel { form("accept") }

    private func reply() -> FormModel { form("reply", [area("reply", "text", "reply_text", required: true)]) }

    private func feedback() -> FormModel {
        form(
            "feedback",
            [
                area("feedback", "text", "feedback_text", required: true),
                input("feedback", "channel", "field_5"),
                input("feedback", "score", "score", .select, options: scores),
            ])
    }

    private var scores: [FormModel.Option] {
        [FormModel.Option(value: "", text: words["score_none"])]
            + (1...ConsoleLimits.scoreMax).map { FormModel.Option(value: String($0), text: String($0)) }
    }

    private func transfer() -> FormModel {
        // A planned dispatch comes first; handing on is what a handling department does.
        let isFirst = summary.custody?.variant == nil
        let category = summary.category.flatMap { words.catalog.category($0) }
        return form(
            "transfer",
            [
                input(
                    "transfer", "variant", "variant", .select, value: isFirst ? "dispatch" : "onward",
                    options: [
                        FormModel.Option(value: "dispatch", text: words["variant_dispatch"]),
                        FormModel.Option(value: "onward", text: words["variant_onward"]),
                    ]),
                input(
                    "transfer", "department", "department", .select, value: isFirst ? category?.department ?? "" : "",
                    required: true, options: departments),
                input(
                    "transfer", "site", "site", value: author.site.rawValue, required: true, proposals: "sites",
                    hint: "hint_site"),
                input("transfer", "reason", "reason"),
                area("transfer", "note", "note"),
            ])
    }

    private func returning() -> FormModel {
        form("return", [area("return", "reason", "return_reason", required: true)])
    }

    private func close() -> FormModel {
        form(
            "close",
            [
                input("close", "confirmed", "confirmed_by_customer", .check),
                area("close", "reason", "close_reason"),
                input("close", "score", "score", .select, options: scores),
            ])
    }

    private func reopen() -> FormModel { form("reopen", [area("reopen", "reason", "reason", required: true)]) }

    private func chase() -> FormModel {
        form(
            "chase",
            [
                area("chase", "note", "chase_note"), input("chase", "channel", "field_5"),
                input("chase", "promised", "chase_promised", .instant),
            ])
    }

    private func note() -> FormModel { form("note", [area("note", "text", "note_text", required: true)]) }

    private func set() -> FormModel {
        let fields: [Field] = [
            .title, .body, .category, .urgency, .contact, .location, .business, .phenomenon, .cause,
            .responsibleDepartment, .responsibleCause, .promisedTime, .occurrenceTime, .expectedResolutionTime,
            .relatedSystem, .region, .extent,
        ]
        return form(
            "set",
            [
                input(
                    "set", "field", "field", .select, required: true,
                    options: fields.map { FormModel.Option(value: String($0.rawValue), text: words.field($0)) }),
                input("set", "value", "value", .area, max: TicketLimits.bodyCharactersMax, hint: "hint_value"),
            ])
    }

    private func tag() -> FormModel { form("tag", [input("tag", "tag", "tag", required: true, max: 40)]) }

    private func join() -> FormModel {
        form(
            "join",
            [
                input("join", "number", "other_number", required: true, max: 60, hint: "hint_number"),
                input("join", "reason", "reason"),
            ])
    }
}
