internal import HTTPTypes
internal import Hummingbird
internal import Replication
internal import Store
internal import Tickets

/// One ticket: what is known of it, and everything that can be done.
struct TicketPages: Sendable {
    let state: ConsoleState

    /// Texts that a page may greet with after an action; nothing else of the address is shown.
    private static let announced: Set<String> = [
        "open", "accept", "transfer", "return", "reply", "feedback", "close", "reopen", "chase", "acknowledge",
        "answer", "note", "set", "resolve", "settle", "tag", "untag", "join", "separate",
    ]

    func add(to router: Router<NodeRequestContext>) {
        router.get("tickets/:id") { request, context in
            let session = try context.session(.readTickets)
            let done = FormFields(queryOf: request)["done"]
            return try await page(
                context, session, try id(context), draft: FormFields(), refusal: nil,
                done: Self.announced.contains(done) ? done : nil)
        }
        router.get("tickets/:id/changes") { request, context in
            _ = try context.session(.readTickets)
            return try await changes(request, context)
        }
        router.post("tickets/:id") { request, context in
            let (session, fields) = try await context.form(request, .actOnTickets)
            return try await act(context, session, try id(context), fields)
        }
        router.post("tickets/:id/reveal") { request, context in
            let (session, fields) = try await context.form(request, .actOnTickets)
            return try await reveal(context, session, try id(context), fields)
        }
    }

    private func id(_ context: NodeRequestContext) throws -> EntityID {
        guard let text = context.parameters.get("id"), let id = EntityID(text), id.type == .ticket else {
            throw ConsoleFailure.noSuchTicket
        }
        return id
    }

    private func act(
        _ context: NodeRequestContext, _ session: ConsoleSession, _ id: EntityID, _ fields: FormFields
    ) async throws -> Response {
        let words = state.views.words(state, context.visit)
        let reader = state.node.reader
        do {
            let version = try TicketActionReading.version(fields["version"])
            let action = try await state.pages.run { try TicketActionReading.action(fields, reader: reader) }
            _ = try await state.node.execute(
                TicketCommand(ticket: id, version: version, action: action), by: state.author(session.account))
            return Response.seeOther("/tickets/\(id)?done=\(fields["action"])")
        } catch let refusal as Refusal {
            return try await page(
                context, session, id, draft: fields, refusal: refusal.text(context.visit.language), done: nil)
        } catch let failure as ConsoleInputFailure {
            return try await page(context, session, id, draft: fields, refusal: words[failure.text], done: nil)
        }
    }

    /// The page with its telephone numbers in full, once: another look needs another reason.
    private func reveal(
        _ context: NodeRequestContext, _ session: ConsoleSession, _ id: EntityID, _ fields: FormFields
    ) async throws -> Response {
        do {
            let values = try await state.node.reveal(
                id, reason: fields.text("reason") ?? "", by: state.author(session.account),
                from: context.actor.origin)
            return try await page(
                context, session, id, draft: FormFields(), refusal: nil, done: nil, revealed: values)
        } catch let refusal as Refusal {
            return try await page(
                context, session, id, draft: fields, refusal: refusal.text(context.visit.language), done: nil)
        } catch let failure as APIFailure {
            if case .noSuchTicket = failure { throw ConsoleFailure.noSuchTicket }
            return try await page(
                context, session, id, draft: fields, refusal: failure.phrase(context.visit.language), done: nil)
        }
    }

    private func page(
        _ context: NodeRequestContext, _ session: ConsoleSession, _ id: EntityID, draft: FormFields,
        refusal: String?, done: String?, revealed: [RevealedNumbers.Value] = []
    ) async throws -> Response {
        let words = state.views.words(state, context.visit)
        let (reader, now, author) = (state.node.reader, state.node.clock.now(), state.author(session.account))
        let ownSite = state.node.identity.site.rawValue
        let found = try await state.pages.run { () -> (TicketRecord, [String], [EntityID: String])? in
            guard let record = try reader.record(of: id) else { return nil }
            let peers = try reader.peers().prefix(ConsoleLimits.peersMax).map(\.site.rawValue)
            var numbers: [EntityID: String] = [:]
            for twin in record.ticket.summary().twins.prefix(10) { numbers[twin] = try reader.record(of: twin)?.number }
            let sites = Set([ownSite] + peers + record.ticket.sites.map(\.rawValue))
            return (record, sites.sorted(), numbers)
        }
        guard let (record, sites, numbers) = found else { throw ConsoleFailure.noSuchTicket }
        var model = TicketModelBuilder(
            record: record, account: session.account, author: author, words: words, now: now, knownSites: sites,
            twinNumbers: numbers, draft: draft
        ).model()
        model.refusal = refusal
        model.done = done.map { words["done_\($0)"] }
        model.revealed = revealed.compactMap { value in
            Field(apiName: value.field).map { .init(label: words["field_\($0.rawValue)"], value: value.value) }
        }
        model.isRevealed = !revealed.isEmpty
        model.mayReveal =
            !model.isRevealed && ConsolePermission.actOnTickets.isGranted(to: session.account.role)
            && !RevealedNumbers.values(of: record).isEmpty
        return state.views.page(
            "ticket", model, title: "ticket_title", titleText: "\(model.number) · \(model.title)",
            status: refusal == nil ? .ok : .unprocessableContent, state: state, visit: context.visit)
    }

    /// Whether there is more than the page shows; empty if not.
    private func changes(_ request: Request, _ context: NodeRequestContext) async throws -> Response {
        struct Model {
            var message: String?
            var href: String
        }
        let id = try id(context)
        let known = max(0, Int(FormFields(queryOf: request)["count"]) ?? 0)
        let reader = state.node.reader
        let count = try await state.pages.run { try reader.state(of: id)?.operationCount ?? 0 }
        let words = state.views.words(state, context.visit)
        let model = Model(
            message: count > known ? words.filled("changes_here", String(count - known)) : nil, href: "/tickets/\(id)")
        return state.views.fragment("changes", model, state: state, visit: context.visit)
    }
}
