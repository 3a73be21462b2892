internal import Replication
internal import Tickets

/// The body of `POST /api/v1/customers/erasures`: one of the three says who.
package struct ErasureRequest: Codable, Sendable, Hashable {
    /// A whole telephone number.
    package var number: String?
    /// 32 hexadecimal digits.
    package var key: String?
    /// Id or number of a ticket.
    package var ticket: String?
    package var reason: String?

    package init(number: String? = nil, key: String? = nil, ticket: String? = nil, reason: String? = nil) {
        self.number = number
        self.key = key
        self.ticket = ticket
        self.reason = reason
    }
}

/// The body of `POST /api/v1/customers/erasures/{proposal}/confirm`.
package struct ErasureConfirmation: Codable, Sendable, Hashable {
    package init() {}
}

/// A proposal to erase somebody, and what has become of it.
package struct ErasureReport: Codable, Sendable, Hashable {
    /// By which it is confirmed.
    package var id: String
    /// The customer, or the ticket that names none.
    package var entity: String
    package var keys: [String]
    package var reason: String
    package var proposer: AuthorFacts
    package var proposed: Instant
    package var confirmer: AuthorFacts?
    package var confirmed: Instant?

    init(_ erasure: Erasure) {
        id = "\(erasure.proposal)"
        entity = "\(erasure.entity)"
        keys = erasure.keys.map(\.description)
        reason = erasure.reason
        proposer = AuthorFacts(erasure.proposer)
        proposed = Instant(erasure.proposed)
        confirmer = erasure.confirmer.map(AuthorFacts.init)
        confirmed = erasure.confirmation.map { Instant($0.milliseconds) }
    }
}

/// What `GET /api/v1/customers/erasures` answers, the earliest first.
package struct ErasureList: Codable, Sendable, Hashable {
    package var items: [ErasureReport]
}
