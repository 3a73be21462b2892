internal import Hummingbird
internal import Replication
internal import Store
internal import Tickets

// Erasing a person, with two signatures. Source: Protocols/personal-data.md §6.
extension APIServices {
    func addCustomerRoutes(to routes: Routes) {
        routes.get("customers/erasures") { _, _ in
            try reply(ErasureList(items: try await read { try reader.erasures().map(ErasureReport.init) }))
        }
        routes.post("customers/erasures") { request, context in
            let body = try await body(of: request, context)
            let author = try author(try decode(RequestEnvelope.self, body).actor)
            let wish = try decode(ErasureRequest.self, body)
            let (entity, keys) = try await read { try subject(of: wish) }
            let proposal = try await node.proposeErasure(
                of: entity, keys: keys, reason: wish.reason ?? "", by: author)
            return try reply(try await report(of: proposal, on: entity), status: .created)
        }
        routes.post("customers/erasures/:proposal/confirm") { request, context in
            let proposal = try readDot(try parameter("proposal", context), "proposal")
            let body = try await body(of: request, context)
            let author = try author(try decode(RequestEnvelope.self, body).actor)
            try await node.confirmErasure(proposal, by: author)
            let entity = try await read { try reader.operation(proposal)?.entity }
            guard let entity else { throw Refusal.noSuchProposal }
            return try reply(try await report(of: proposal, on: entity))
        }
    }

    private func report(of proposal: Dot, on entity: EntityID) async throws -> ErasureReport {
        try await read {
            let all = Erasure.all(of: try reader.erasureOperations(on: entity))
            guard let erasure = all.first(where: { $0.proposal == proposal }) else { throw Refusal.noSuchProposal }
            return ErasureReport(erasure)
        }
    }

    /// Whose keys are to go, and which of them are here and not gone.
    private func subject(of wish: ErasureRequest) throws -> (EntityID, [PersonalKeyID]) {
        let subject: EntityID?
        switch (wish.number, wish.key, wish.ticket) {
        case (let number?, nil, nil): subject = try customer(number, field: "number")
        case (nil, let key?, nil):
            guard let id = PersonalKeyID(hexadecimal: key) else {
                throw APIFailure.malformed(field: "key", expected: "0123456789abcdef0123456789abcdef")
            }
            subject = try reader.key(named: id)?.subject
        case (nil, nil, let ticket?):
            // The customer first, if the ticket names one: what is sealed under the ticket's own key goes with the next
            // proposal.
            let subjects = try reader.keys(usedBy: try resolve(ticket)).filter { !$0.isErased }.compactMap(\.subject)
            subject = subjects.first { $0.type == .customer } ?? subjects.first
        default: throw APIFailure.malformed(field: "number", expected: "number|key|ticket")
        }
        guard let subject else { throw Refusal.nothingToErase }
        let keys = try reader.keys(of: subject).filter { !$0.isErased }.prefix(ErasureLimits.keyCountMax).map(\.id)
        guard !keys.isEmpty else { throw Refusal.nothingToErase }
        return (subject, keys)
    }

    /// The customer of a telephone number.
    func customer(_ text: String, field: String) throws -> EntityID {
        guard let number = CustomerNumber(text) else {
            throw APIFailure.malformed(field: field, expected: "13800138000|+8657187654321")
        }
        return try node.customer(number)
    }
}
