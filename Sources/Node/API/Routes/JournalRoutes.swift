internal import HTTPTypes
internal import Hummingbird
internal import Replication
internal import Store
internal import Tickets

// Who did or read what. Source: Protocols/audit.md.
extension APIServices {
    func addJournalRoutes(to routes: Routes) {
        routes.get("audit") { request, _ in
            var query: [String: String] = [:]
            for (key, value) in request.uri.queryParameters { query[String(key)] = String(value) }
            let limit = try query.removeValue(forKey: "limit").map { text in
                guard let limit = Int(text), (1...AuditPage.limitMax).contains(limit) else {
                    throw APIFailure.malformed(field: "limit", expected: "1–\(AuditPage.limitMax)")
                }
                return limit
            }
            let place = try query.removeValue(forKey: "after").map { text in
                guard let place = AuditView.Place(text) else {
                    throw APIFailure.malformed(field: "after", expected: "`next` of the page before")
                }
                return place
            }
            let wanted = query
            // A thread of its own: what restricts much reads much, and others do not wait for it.
            let page = try await StoreAccess().run {
                try AuditView(reader: reader).page(
                    try AuditFilter(wanted, resolve: resolve), behind: place ?? AuditView.Place(),
                    limit: limit ?? AuditPage.limitStandard)
            }
            return try reply(AuditPage(entries: page.entries, next: page.hasMore ? page.next.text : nil))
        }
        routes.get("audit/verify") { _, _ in
            let now = node.clock.now()
            return try reply(JournalReport(try await StoreAccess().run { try reader.checkJournal(now: now) }))
        }
        routes.post("jobs/audit-export") { request, context in
            let wish = try decode(AuditExportRequest.self, try await body(of: request, context))
            guard wish.path.hasPrefix("/") else { throw APIFailure.malformed(field: "path", expected: "/…") }
            let filter = try await read { try AuditFilter(wish.filter, resolve: resolve) }
            let actor = context.actor
            let job = try jobs.start("audit-export", language: language(request)) { progress in
                let now = node.clock.now()
                // Told before anything is read, so that an export has its own entry too.
                let named = wish.filter.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
                try await node.journal(
                    JournalDraft(.auditExported, by: actor, on: wish.path, named.joined(separator: " ")))
                let count = try await StoreAccess().run {
                    try AuditExport(reader: reader).run(
                        to: wish.path, wish.format, filter, named: wish.filter, now: now, progress: progress)
                }
                return ["path": wish.path, "entries": "\(count)"]
            }
            return try reply(job, status: .accepted)
        }
        routes.post("tickets/:ticket/reveal") { request, context in
            let reference = try parameter("ticket", context)
            let body = try await body(of: request, context)
            let author = try author(try decode(RequestEnvelope.self, body).actor)
            let wish = try decode(RevealRequest.self, body)
            let id = try await read { try resolve(reference) }
            let origin = "\(context.actor.origin) (\(context.actor.name))"
            let values = try await node.reveal(id, reason: wish.reason, by: author, from: origin)
            let number = try await read { try reader.record(of: id)?.number }
            return try reply(RevealedNumbers(ticket: "\(id)", number: number ?? "", values: values))
        }
    }
}
