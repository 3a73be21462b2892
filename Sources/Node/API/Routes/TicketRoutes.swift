internal import HTTPTypes
internal import Hummingbird
internal import Replication
internal import ServiceLevels
internal import Store
internal import Tickets

// Reading tickets.
extension APIServices {
    func addTicketRoutes(to routes: Routes) {
        routes.get("tickets") { request, _ in
            let filter: TicketFilter = try await read { try self.filter(request) }
            let now = node.clock.now()
            return try reply(try await read { try page(filter, now: now) })
        }
        routes.get("tickets/:ticket") { _, context in
            let reference = try parameter("ticket", context)
            let now = node.clock.now()
            return try reply(try await read { try detail(of: try resolve(reference), now: now) })
        }
        routes.get("tickets/:ticket/history") { _, context in
            let reference = try parameter("ticket", context)
            return try reply(
                try await read {
                    guard let record = try reader.record(of: try resolve(reference)) else {
                        throw APIFailure.noSuchTicket(reference)
                    }
                    return TicketHistory(
                        id: "\(record.ticket.id)", number: record.number, digest: "\(record.digest)",
                        operations: record.operations.map { HistoryEntry($0, in: record) })
                })
        }
    }

    func detail(of id: EntityID, now: Int64) throws -> TicketDetail {
        guard let record = try reader.record(of: id) else { throw APIFailure.noSuchTicket("\(id)") }
        return TicketDetail(record, catalog: node.catalog, now: now) { other in
            (try? brief(other)) ?? TicketBrief(unknown: other)
        }
    }

    private func page(_ filter: TicketFilter, now: Int64) throws -> TicketPage {
        // One more than asked for tells whether there are more.
        var wider = filter
        wider.limit = filter.limit + 1
        let listings = try reader.list(wider)
        let items = try listings.prefix(filter.limit).map { listing in
            let summary = try reader.state(of: listing.id)?.summary(bounceLimit: node.catalog.bounceLimit)
            let levels = summary.flatMap { $0.isPending ? nil : ticketStatus($0, node.catalog, now: now) }
            return TicketListEntry(listing, levels: levels)
        }
        return TicketPage(
            items: items, limit: filter.limit, offset: filter.offset, hasMore: listings.count > filter.limit,
            searchBacklog: filter.text == nil ? nil : try reader.counts().searchBacklog)
    }

    private func filter(_ request: Request) throws -> TicketFilter {
        var filter = TicketFilter()
        filter.limit = TicketPage.limitStandard
        for (key, value) in request.uri.queryParameters {
            let value = String(value)
            switch key {
            case "status":
                filter.statuses = try value.split(separator: ",").map {
                    try named(String($0), "status", TicketStatus.self)
                }
            case "holderSite": filter.holderSite = try readSite(value, "holderSite").rawValue
            case "holderDepartment": filter.holderDepartment = value
            case "openedSite": filter.openedSite = try readSite(value, "openedSite").rawValue
            case "text": filter.text = value
            case "customer":
                let customer = try customer(value, field: "customer")
                filter.ids = try reader.tickets(of: customer, limit: TicketFilter.limitMax)
            case "attention": filter.needsAttention = value == "true"
            case "limit":
                guard let limit = Int(value), (1...TicketPage.limitMax).contains(limit) else {
                    throw APIFailure.malformed(field: "limit", expected: "1–\(TicketPage.limitMax)")
                }
                filter.limit = limit
            case "offset":
                guard let offset = Int(value), offset >= 0 else {
                    throw APIFailure.malformed(field: "offset", expected: "≥ 0")
                }
                filter.offset = offset
            default:
                throw APIFailure.malformed(
                    field: String(key),
                    expected: "status|holderSite|holderDepartment|openedSite|text|customer|attention|limit|offset")
            }
        }
        return filter
    }
}

extension TicketPage {
    /// One less than the store's, so that one more row can be asked for.
    package static let limitMax = TicketFilter.limitMax - 1
    package static let limitStandard = 50
}
