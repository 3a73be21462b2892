internal import Replication
package import Store
internal import Tickets

/// What `POST /api/v1/peers/revoke` takes.
package struct RevocationRequest: Codable, Sendable, Hashable {
    package var site: String
    /// Which of the site's replicas; nil for all.
    package var replica: String?
    /// The last sequence that counts; nil for what is here without a hole.
    package var after: UInt64?
    package var reason: String
    /// Who says so; nil for the node itself.
    package var name: String?

    package init(site: String, replica: String? = nil, after: UInt64? = nil, reason: String, name: String? = nil) {
        self.site = site
        self.replica = replica
        self.after = after
        self.reason = reason
        self.name = name
    }
}

/// What `GET /api/v1/revocations` and `POST /api/v1/peers/revoke` answer.
package struct RevocationList: Codable, Sendable, Hashable {
    package struct Entry: Codable, Sendable, Hashable {
        package var dot: String
        package var site: String
        package var replica: String
        /// The last sequence that counts.
        package var last: UInt64
        package var reason: String
        package var by: String
        package var at: Instant
        /// Certificates of the site from before this open nothing; nil if only a replica is revoked.
        package var certificatesBefore: Instant?
        package var isInForce: Bool
        /// Operations that are here and do not count.
        package var voidCount: Int
        /// Another operation than the one meant stands here at `last`.
        package var differs: Bool
    }

    package var revocations: [Entry]

    package init(_ records: [RevocationRecord]) {
        revocations = records.map(Entry.init)
    }
}

extension RevocationList.Entry {
    init(_ record: RevocationRecord) {
        let body = record.body
        self.init(
            dot: "\(record.dot)", site: body.site.rawValue, replica: body.replica.description, last: body.lastSequence,
            reason: body.reason, by: "\(record.author.name)@\(record.author.site)", at: Instant(record.time),
            certificatesBefore: Instant(nonzero: body.certificatesBefore), isInForce: record.isInForce,
            voidCount: record.voidCount, differs: record.differs)
    }
}

/// What `GET /api/v1/peers/{site}/replicas` answers.
package struct ReplicaList: Codable, Sendable, Hashable {
    package struct Entry: Codable, Sendable, Hashable {
        package var replica: String
        /// Every operation up to this one is here.
        package var contiguous: UInt64
        package var highest: UInt64
        package var lastTime: Instant?
        package var isRevoked: Bool
    }

    package var site: String
    package var replicas: [Entry]
}

/// What `GET /api/v1/enrolment/tokens` answers.
package struct TokenList: Codable, Sendable, Hashable {
    package struct Entry: Codable, Sendable, Hashable {
        /// The beginning of the hash of its secret, by which it can be revoked.
        package var id: String
        package var site: String
        package var expires: Instant
        /// open, used, revoked or expired.
        package var state: String
        package var used: Instant?
        /// Fingerprint of the certificate that was signed for it.
        package var usedBy: String?
    }

    package var tokens: [Entry]
}

package struct TokenRevocation: Codable, Sendable, Hashable {
    /// As `GET /api/v1/enrolment/tokens` gives it; nil for all open ones of `site`.
    package var id: String?
    package var site: String?

    package init(id: String?, site: String?) {
        self.id = id
        self.site = site
    }
}

extension TokenList {
    /// Hexadecimal digits of an id.
    static let idDigits = 12

    static func id(of record: EnrolmentRecord) -> String { String("\(record.token)".prefix(idDigits)) }

    init(_ records: [EnrolmentRecord], now: Int64) {
        tokens = records.map { record in
            Entry(
                id: Self.id(of: record), site: record.site.rawValue, expires: Instant(record.expires),
                state: record.used != nil
                    ? "used" : record.revoked != nil ? "revoked" : record.isOpen(now: now) ? "open" : "expired",
                used: record.used.map(Instant.init), usedBy: record.usedBy)
        }
    }
}
