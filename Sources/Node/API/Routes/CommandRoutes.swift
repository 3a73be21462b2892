internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import Replication
internal import Store
internal import Tickets

// Commands on tickets: one route for each.
extension APIServices {
    func addCommandRoutes(to routes: Routes) {
        routes.post("tickets") { request, context in
            let body = try await body(of: request, context)
            let envelope = try decode(RequestEnvelope.self, body)
            let open = try decode(OpenRequest.self, body)
            return try reply(try await self.open(open, envelope), status: .created)
        }
        add("set", SetRequest.self, to: routes)
        add("transfer", TransferRequest.self, to: routes)
        add("accept", AcceptRequest.self, to: routes)
        add("reply", ReplyRequest.self, to: routes)
        add("feedback", FeedbackRequest.self, to: routes)
        add("close", CloseRequest.self, to: routes)
        add("reopen", ReopenRequest.self, to: routes)
        add("chase", ChaseRequest.self, to: routes)
        add("acknowledge", AcknowledgeRequest.self, to: routes)
        add("answer", AnswerRequest.self, to: routes)
        add("note", NoteRequest.self, to: routes)
        add("settle", SettleRequest.self, to: routes)
        add("join", JoinRequest.self, to: routes)
        add("separate", SeparateRequest.self, to: routes)
        add("tag", AddTagRequest.self, to: routes)
        add("untag", RemoveTagRequest.self, to: routes)
        add("resolve", ResolveRequest.self, to: routes)
        add("undo", UndoRequest.self, to: routes)
    }

    private func add<R: TicketRequest>(_ name: String, _ type: R.Type, to routes: Routes) {
        routes.post("tickets/:ticket/\(name)") { request, context in
            let reference = try parameter("ticket", context)
            let body = try await body(of: request, context)
            let envelope = try decode(RequestEnvelope.self, body)
            let decoded = try decode(type, body)
            let command: TicketCommand = try await read { try self.command(decoded, on: reference, envelope) }
            return try reply(try await carryOut(command, by: try author(envelope.actor)))
        }
    }

    private func command(
        _ request: some TicketRequest, on reference: String, _ envelope: RequestEnvelope
    ) throws -> TicketCommand {
        let id = try resolve(reference)
        guard let ticket = try reader.state(of: id) else { throw APIFailure.noSuchTicket(reference) }
        let reading = RequestReading(
            summary: ticket.summary(bounceLimit: node.catalog.bounceLimit), site: node.identity.site, resolve: resolve,
            body: { dot in try reader.operation(dot).flatMap { try? Body(decoding: $0) } })
        let version = try envelope.seen.map { VersionVector(try $0.map { try readDot($0, "seen") }) } ?? ticket.version
        return TicketCommand(ticket: id, version: version, action: try request.action(reading))
    }

    private func open(_ request: OpenRequest, _ envelope: RequestEnvelope) async throws -> TicketReceipt {
        let author = try author(envelope.actor)
        // Before anything is written: what is refused leaves no ticket behind.
        for tag in request.tags ?? [] { try TagBody(tag: tag).validate() }
        let opening = TicketCommand(ticket: nil, version: VersionVector(), action: .open(try request.openBody()))
        var receipt = try await carryOut(opening, by: author)
        guard let id = EntityID(receipt.ticket.id) else { preconditionFailure("an id in its own written form") }
        for tag in request.tags ?? [] {
            let version = try await read { try reader.state(of: id)?.version ?? VersionVector() }
            let tagged = try await carryOut(TicketCommand(ticket: id, version: version, action: .tag(tag)), by: author)
            receipt.operations += tagged.operations
            receipt.version = tagged.version
        }
        return receipt
    }

    private func carryOut(_ command: TicketCommand, by author: Author) async throws -> TicketReceipt {
        let executed = try await node.execute(command, by: author)
        return try await read {
            guard let record = try reader.record(of: executed.ticket) else {
                throw StoreError.corruptState(entity: executed.ticket, reason: "missing after its commit")
            }
            return TicketReceipt(
                ticket: TicketBrief(record), operations: executed.dots.map(\.description),
                version: record.ticket.version.texts)
        }
    }
}
