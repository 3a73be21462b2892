internal import Hummingbird
internal import Replication
internal import Store
internal import Tickets

/// Who did or read what at this node, for auditors and admins. Source: Protocols/audit.md.
struct AuditPages: Sendable {
    let state: ConsoleState

    struct Row {
        var time: String
        var actor: String
        var role: String
        var site: String
        var origin: String
        var action: String
        var subject: String
        var href: String?
        var detail: String
    }

    struct Model {
        var message: String?
        var from: String
        var to: String
        var actor: String
        var action: String
        var subject: String
        var actions: [String]
        var rows: [Row] = []
        var isEmpty = false
        var more: String?
    }

    func add(to router: Router<NodeRequestContext>) {
        router.get("audit") { request, context in
            _ = try context.session(.readAudit)
            return try await page(FormFields(queryOf: request), context)
        }
    }

    private func page(_ fields: FormFields, _ context: NodeRequestContext) async throws -> Response {
        let words = state.views.words(state, context.visit)
        var model = Model(
            from: fields["from"], to: fields["to"], actor: fields["actor"], action: fields["action"],
            subject: fields["subject"],
            actions: JournalAction.allCases.map(\.rawValue) + Kind.allCases.map(\.apiName))
        let reader = state.node.reader
        do {
            let filter = try Self.filter(fields)
            let place = fields.text("after").flatMap { AuditView.Place($0) } ?? AuditView.Place()
            // A thread of its own: what restricts much reads much.
            let page = try await StoreAccess().run {
                try AuditView(reader: reader).page(
                    filter, behind: place, limit: ConsoleLimits.queueRowsPerPage)
            }
            model.rows = page.entries.map { Self.row($0, words) }
            if page.hasMore {
                let names = ["from", "to", "actor", "action", "subject"]
                let pairs = names.filter { !fields[$0].isEmpty }.map { ($0, fields[$0]) }
                model.more = "/audit?" + FormFields.query(pairs + [("after", page.next.text)])
            }
        } catch is APIFailure {
            model.message = words["audit_bad"]
        } catch is ConsoleInputFailure {
            model.message = words["audit_bad"]
        }
        model.isEmpty = model.rows.isEmpty
        return state.views.page(
            "audit", model, title: "nav_audit", status: model.message == nil ? .ok : .badRequest, state: state,
            visit: context.visit)
    }

    private static func filter(_ fields: FormFields) throws -> AuditFilter {
        var query: [String: String] = [:]
        for name in ["actor", "action", "subject"] { query[name] = fields.text(name) }
        var filter = try AuditFilter(query) { _ in throw APIFailure.noSuchTicket("") }
        filter.from = try TicketActionReading.instant(fields["from"])
        filter.to = try TicketActionReading.instant(fields["to"])
        return filter
    }

    /// A kind or action that this version does not know keeps its name.
    private static func action(_ entry: AuditEntry, _ words: ConsoleWords) -> String {
        switch entry.source {
        case .log: Kind(apiName: entry.action).map { words.kind($0) } ?? entry.action
        case .journal: JournalAction(rawValue: entry.action).map { words["act_\($0.rawValue)"] } ?? entry.action
        }
    }

    private static func row(_ entry: AuditEntry, _ words: ConsoleWords) -> Row {
        let role = entry.role.flatMap { Role(apiName: $0) }
        let entity = EntityID(entry.subject)
        return Row(
            time: words.time(entry.at.milliseconds), actor: entry.actor, role: role.map { words.role($0) } ?? "",
            site: entry.site, origin: entry.origin,
            action: Self.action(entry, words), subject: entry.subject,
            href: entity?.type == .ticket ? "/tickets/\(entry.subject)" : nil, detail: entry.detail)
    }
}
