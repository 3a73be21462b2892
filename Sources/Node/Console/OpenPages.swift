internal import Hummingbird
internal import Replication
internal import Tickets

/// Opening a ticket.
struct OpenPages: Sendable {
    let state: ConsoleState

    struct Model {
        var message: String?
        var form: FormModel
    }

    func add(to router: Router<NodeRequestContext>) {
        router.get("tickets/new") { _, context in
            let session = try context.session(.actOnTickets)
            return page(context, session, FormFields(), message: nil)
        }
        router.post("tickets") { request, context in
            let (session, fields) = try await context.form(request, .actOnTickets)
            let words = state.views.words(state, context.visit)
            do {
                let command = TicketCommand(ticket: nil, version: VersionVector(), action: .open(try Self.body(fields)))
                let executed = try await state.node.execute(command, by: state.author(session.account))
                return Response.seeOther("/tickets/\(executed.ticket)?done=open")
            } catch let refusal as Refusal {
                return page(context, session, fields, message: refusal.text(context.visit.language))
            } catch let failure as ConsoleInputFailure {
                return page(context, session, fields, message: words[failure.text])
            }
        }
    }

    private static func body(_ fields: FormFields) throws -> OpenBody {
        OpenBody(
            title: fields.text("title") ?? "", body: fields["body"], category: fields["category"],
            urgency: UInt8(fields["urgency"]).flatMap(Urgency.init) ?? .unknown,
            customerLabel: fields.text("customer") ?? "", channel: fields.text("channel") ?? "",
            promised: try TicketActionReading.instant(fields["promised"]),
            department: fields["department"], firstContact: try TicketActionReading.instant(fields["contacted"]))
    }

    private func page(
        _ context: NodeRequestContext, _ session: ConsoleSession, _ fields: FormFields, message: String?
    ) -> Response {
        let words = state.views.words(state, context.visit)
        let model = Model(message: message, form: form(fields, session.account, words))
        return state.views.page(
            "open", model, title: "nav_open", status: message == nil ? .ok : .unprocessableContent, state: state,
            visit: context.visit)
    }

    private func form(_ fields: FormFields, _ account: ConsoleAccount, _ words: ConsoleWords) -> FormModel {
        func input(
            _ name: String, _ label: String, _ shape: FormModel.Input.Shape = .line, value: String? = nil,
            required: Bool = false, max: Int = 200, options: [FormModel.Option] = [], hint: String = ""
        ) -> FormModel.Input {
            FormModel.Input(
                name, form: "open", label: words[label], value: fields.contains(name) ? fields[name] : value ?? "",
                shape: shape, required: required, charactersMax: max, options: options,
                hint: hint.isEmpty ? "" : words[hint])
        }
        let catalog = state.node.catalog
        let categories = catalog.categories.flatMap { category in
            [FormModel.Option(value: category.code, text: words.category(category.code))]
                + (category.children ?? []).map {
                    FormModel.Option(
                        value: $0.code, text: "\(words.category(category.code)) › \(words.category($0.code))")
                }
        }
        let departments = catalog.departments.filter { $0.isAccepting || $0.code == account.department }
        let urgencies: [Urgency] = [.urgent, .high, .middle, .low]
        var form = FormModel(
            action: "", heading: words["nav_open"], submit: words["open_submit"], target: "/tickets")
        form.inputs = [
            input("title", "field_1", required: true, max: TicketLimits.titleCharactersMax),
            input("body", "field_2", .area, max: TicketLimits.bodyCharactersMax),
            input(
                "category", "field_3", .select,
                options: [FormModel.Option(value: "", text: words["choose"])] + categories),
            input(
                "urgency", "field_4", .select, value: "3",
                options: urgencies.map { FormModel.Option(value: String($0.rawValue), text: words.urgency($0)) }),
            input("customer", "field_20"),
            input("channel", "field_5"),
            input(
                "department", "accepting_department", .select, value: account.department, required: true,
                options: departments.map { FormModel.Option(value: $0.code, text: words.department($0.code)) }),
            input("contacted", "first_contact", .instant, hint: "hint_first_contact"),
            input("promised", "field_15", .instant),
        ]
        return form
    }
}
