internal import Hummingbird
internal import Replication
internal import ServiceLevels
internal import Store
internal import Tickets

/// The queue of tickets, and its rows alone for pages that renew themselves.
struct QueuePages: Sendable {
    let state: ConsoleState

    /// What a visitor wants to see, as the address says it.
    struct Choice: Sendable, Equatable {
        var status = ""
        var department = ""
        var site = ""
        var text = ""
        var attention = false
        var page = 0

        /// Without any choice a department's member sees what their department holds here.
        init(_ fields: FormFields, account: ConsoleAccount, ownSite: SiteCode) {
            let names = ["status", "department", "site", "text", "attention", "page"]
            guard names.contains(where: fields.contains) else {
                status = "active"
                department = account.department
                site = account.department.isEmpty ? "" : ownSite.rawValue
                return
            }
            status = Self.bounded(fields["status"])
            department = Self.bounded(fields["department"])
            site = Self.bounded(fields.text("site") ?? "")
            text = String((fields.text("text") ?? "").prefix(ConsoleLimits.searchCharactersMax))
            attention = fields["attention"] == "1"
            page = min(max(0, Int(fields["page"]) ?? 0), ConsoleLimits.queuePagesMax - 1)
        }

        private static func bounded(_ text: String) -> String {
            text.utf8.count <= ConsoleLimits.filterBytesMax ? text : ""
        }

        var filter: TicketFilter {
            var filter = TicketFilter()
            filter.statuses = Self.statuses(status)
            filter.holderDepartment = department.isEmpty ? nil : department
            filter.holderSite = site.isEmpty ? nil : site
            filter.text = text.isEmpty ? nil : text
            filter.needsAttention = attention
            // One more tells whether there is another page.
            filter.limit = ConsoleLimits.queueRowsPerPage + 1
            filter.offset = page * ConsoleLimits.queueRowsPerPage
            return filter
        }

        private static func statuses(_ name: String) -> [TicketStatus] {
            if name == "active" { return TicketStatus.allCases.filter { $0 != .closed } }
            return UInt8(name).flatMap(TicketStatus.init).map { [$0] } ?? []
        }

        func query(page: Int) -> String {
            FormFields.query([
                ("status", status.isEmpty ? "all" : status), ("department", department), ("site", site),
                ("text", text), ("attention", attention ? "1" : ""), ("page", page == 0 ? "" : String(page)),
            ])
        }
    }

    struct Row {
        var href: String
        var number: String
        var title: String
        var status: String
        var statusClass: String
        var holder: String
        var holderSite: String
        var urgency: String
        var urgencyClass: String
        var opened: String
        var hasBar = false
        var stepName = ""
        var bar = Bar(percent: 0, level: "none", text: "")
        var hasConflict: Bool
        var isContested: Bool
        var isChased: Bool
        var isTravelling: Bool
    }

    struct Model {
        var statusOptions: [FormModel.Option] = []
        var departmentOptions: [FormModel.Option] = []
        var sites: [String] = []
        var siteValue = ""
        var textValue = ""
        var isAttention = false
        var refresh = ""
        var rows: [Row] = []
        var pageText = ""
        var previous: String?
        var following: String?
        var mayOpen = false
        var renewed = ""
    }

    func add(to router: Router<NodeRequestContext>) {
        router.get("queue") { request, context in
            try await answer(request, context) { model in
                state.views.page("queue", model, title: "nav_queue", state: state, visit: context.visit)
            }
        }
        router.get("queue/rows") { request, context in
            try await answer(request, context) { model in
                state.views.fragment("queuerows", model, state: state, visit: context.visit)
            }
        }
    }

    private func answer(
        _ request: Request, _ context: NodeRequestContext, _ render: (Model) -> Response
    ) async throws -> Response {
        let session = try context.session(.readTickets)
        let choice = Choice(
            FormFields(queryOf: request), account: session.account, ownSite: state.node.identity.site)
        let words = state.views.words(state, context.visit)
        var model = try await model(choice, words)
        model.mayOpen = ConsolePermission.actOnTickets.isGranted(to: session.account.role)
        return render(model)
    }

    private func model(_ choice: Choice, _ words: ConsoleWords) async throws -> Model {
        let (reader, catalog, now) = (state.node.reader, state.node.catalog, state.node.clock.now())
        let (found, verdicts, peers) = try await state.pages.run {
            let found = try reader.list(choice.filter)
            let verdicts = try found.prefix(ConsoleLimits.queueRowsPerPage).map { listing -> StepVerdict? in
                guard let ticket = try reader.state(of: listing.id) else { return nil }
                return urgentVerdict(deadlines(ticket.summary(bounceLimit: catalog.bounceLimit), catalog, now: now))
            }
            return (found, verdicts, try reader.peers().map(\.site.rawValue))
        }
        var model = Model()
        for (listing, verdict) in zip(found, verdicts) {
            model.rows.append(Self.row(listing, verdict, words, now: now))
        }
        model.statusOptions = Self.statusOptions(choice.status, words)
        model.departmentOptions =
            [FormModel.Option(value: "", text: words["filter_any"], isSelected: choice.department.isEmpty)]
            + state.node.catalog.departments.map {
                FormModel.Option(
                    value: $0.code, text: words.department($0.code), isSelected: $0.code == choice.department)
            }
        model.sites = [state.node.identity.site.rawValue] + peers.prefix(ConsoleLimits.peersMax)
        model.siteValue = choice.site
        model.textValue = choice.text
        model.isAttention = choice.attention
        model.refresh = "/queue/rows?" + choice.query(page: choice.page)
        model.pageText = words.filled("page_number", String(choice.page + 1))
        if choice.page > 0 { model.previous = "/queue?" + choice.query(page: choice.page - 1) }
        if found.count > ConsoleLimits.queueRowsPerPage, choice.page + 1 < ConsoleLimits.queuePagesMax {
            model.following = "/queue?" + choice.query(page: choice.page + 1)
        }
        model.renewed = words.filled("renewed_at", words.time(now))
        return model
    }

    private static func statusOptions(_ chosen: String, _ words: ConsoleWords) -> [FormModel.Option] {
        let fixed = [("active", words["filter_active"]), ("all", words["filter_any"])]
        return (fixed + TicketStatus.allCases.map { (String($0.rawValue), words.status($0)) }).map {
            FormModel.Option(value: $0.0, text: $0.1, isSelected: $0.0 == (chosen.isEmpty ? "all" : chosen))
        }
    }

    static func row(_ listing: TicketListing, _ verdict: StepVerdict?, _ words: ConsoleWords, now: Int64) -> Row {
        var row = Row(
            href: "/tickets/\(listing.id)", number: listing.number.isEmpty ? words["number_pending"] : listing.number,
            title: listing.title.isEmpty ? words["title_pending"] : listing.title,
            status: words.status(listing.status), statusClass: "s\(listing.status.rawValue)",
            holder: words.department(listing.holderDepartment), holderSite: listing.holderSite,
            urgency: words.urgency(listing.urgency), urgencyClass: "u\(listing.urgency.rawValue)",
            opened: words.time(listing.opened), hasConflict: listing.conflicts > 0, isContested: listing.contested > 0,
            isChased: listing.unansweredChases > 0, isTravelling: listing.undeliveredTransfers > 0)
        if let verdict {
            row.hasBar = true
            row.stepName = words.subject(verdict.subject)
            row.bar = words.bar(verdict, now: now)
        }
        return row
    }
}

/// The running step that is due first.
func urgentVerdict(_ verdicts: [StepVerdict]) -> StepVerdict? {
    let running = verdicts.filter { verdict in
        guard case .step = verdict.subject else { return false }
        return verdict.state.isRunning
    }
    return running.min { ($0.due ?? .max) < ($1.due ?? .max) }
}
