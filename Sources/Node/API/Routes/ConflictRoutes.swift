internal import Hummingbird
internal import Replication
internal import Store
internal import Tickets

extension APIServices {
    func addConflictRoutes(to routes: Routes) {
        routes.get("conflicts") { _, _ in try reply(try await read { try conflicts() }) }
    }

    /// Tickets with concurrent values or transfers that nobody has settled.
    func conflicts() throws -> ConflictList {
        var waiting: [EntityID] = []
        try reader.forEachNeedingAttention { waiting.append($0.id) }
        return ConflictList(
            items: try waiting.compactMap { id in
                guard let record = try reader.record(of: id) else { return nil }
                let summary = record.ticket.summary(bounceLimit: node.catalog.bounceLimit)
                return ConflictList.Item(
                    ticket: TicketBrief(record),
                    fields: summary.conflicts.map { TicketDetail.FieldEntry($0, in: record) },
                    contested: summary.contested.filter { !$0.isSettled }.map(TicketDetail.Contest.init))
            })
    }
}
