internal import Replication
internal import Store
internal import Tickets

/// Who did or read what: journal and log as one sequence. Nothing is copied. Source: Protocols/audit.md §1.
struct AuditView: Sendable {
    let reader: StoreReader

    /// Where a page ends: everything before it in both sources has been shown.
    struct Place: Sendable, Hashable {
        /// Nil before anything of the source was shown.
        var arrival: Int64?
        var sequence: UInt64?

        init(arrival: Int64? = nil, sequence: UInt64? = nil) {
            self.arrival = arrival
            self.sequence = sequence
        }

        /// `ARRIVAL.SEQUENCE`, with `_` for a source of which nothing was shown.
        init?(_ text: String) {
            let parts = text.split(separator: ".", omittingEmptySubsequences: false)
            guard parts.count == 2 else { return nil }
            if parts[0] != "_" {
                guard let value = Int64(parts[0]), value >= 0 else { return nil }
                arrival = value
            }
            if parts[1] != "_" {
                guard let value = UInt64(parts[1]) else { return nil }
                sequence = value
            }
        }

        var text: String { "\(arrival.map { "\($0)" } ?? "_").\(sequence.map { "\($0)" } ?? "_")" }
    }

    /// - Returns: at most so many, in the order that is asked for; each source keeps its own order, and of the two heads
    ///   the one comes first whose time does.
    func page(
        _ filter: AuditFilter, _ order: AuditOrder = .latestFirst, behind place: Place = Place(), limit: Int
    ) throws -> (entries: [AuditEntry], next: Place, hasMore: Bool) {
        // One more of each tells whether there is more.
        var operations = try reader.operations(filter, order, behind: place.arrival, limit: limit + 1)[...]
        var journal = try reader.journal(filter, order, behind: place.sequence, limit: limit + 1)[...]
        var entries: [AuditEntry] = []
        var next = place
        while entries.count < limit {
            let takesOperation: Bool
            switch (operations.first, journal.first) {
            case (nil, nil): return (entries, next, false)
            case (_?, nil): takesOperation = true
            case (nil, _?): takesOperation = false
            case (let operation?, let entry?):
                let time = operation.operation.time.milliseconds
                takesOperation = order == .latestFirst ? time >= entry.time : time <= entry.time
            }
            if takesOperation {
                let stored = operations.removeFirst()
                next.arrival = stored.arrival
                entries.append(AuditEntry(stored))
            } else {
                let entry = journal.removeFirst()
                next.sequence = entry.sequence
                entries.append(AuditEntry(entry, site: reader.identity.site))
            }
        }
        return (entries, next, !operations.isEmpty || !journal.isEmpty)
    }
}

extension AuditEntry {
    init(_ entry: JournalEntry, site: SiteCode) {
        self.init(
            source: .journal, place: Int64(clamping: entry.sequence), dot: nil, at: Instant(entry.time),
            actor: entry.actor, role: nil, site: site.rawValue, origin: entry.origin, action: entry.action,
            subject: entry.subject, detail: entry.detail, hash: "\(entry.hash)")
    }

    init(_ stored: StoredOperation) {
        let operation = stored.operation
        let body = try? Body(decoding: operation)
        self.init(
            source: .log, place: stored.arrival, dot: "\(operation.dot)", at: Instant(operation.time.milliseconds),
            actor: operation.author.name, role: operation.author.role.apiName, site: operation.author.site.rawValue,
            origin: "\(operation.dot.replica)",
            action: Kind(operation.kind)?.apiName ?? "kind\(operation.kind.rawValue)",
            subject: "\(operation.entity)", detail: body?.auditDetail ?? "", hash: "\(stored.hash)")
    }
}

extension Body {
    /// Names of what `details` has that says nothing of a customer and is no free text.
    private static let auditedDetails: Set<String> = [
        "variant", "site", "department", "field", "undoes", "custody", "target", "winner", "other", "chase", "replica",
        "last", "keys", "proposal", "sequence", "number", "confirmed",
    ]

    var auditDetail: String {
        details.filter { Self.auditedDetails.contains($0.key) }.sorted { $0.key < $1.key }
            .map { "\($0.key)=\($0.value)" }.joined(separator: " ")
    }
}

extension AuditFilter {
    static let names = ["from", "to", "actor", "action", "subject", "ticket"]

    /// From the names of a query; what is nil or empty does not restrict.
    /// - Parameter resolve: a ticket's number or id.
    /// - Throws: `APIFailure.malformed` naming the field.
    init(_ query: [String: String], resolve: (String) throws -> EntityID) throws {
        self.init()
        for (name, value) in query where !value.isEmpty {
            switch name {
            case "from", "to":
                guard let instant = Instant(value) else {
                    throw APIFailure.malformed(field: name, expected: "2026-11-21T08:15:00.000Z")
                }
                if name == "from" { from = instant.milliseconds } else { to = instant.milliseconds }
            case "actor": actor = value
            case "action":
                if let action = JournalAction(rawValue: value) {
                    journalAction = action.rawValue
                } else if let known = Kind(apiName: value) {
                    kind = known.rawValue
                } else {
                    let all = JournalAction.allCases.map(\.rawValue).joined(separator: "|") + "|" + Kind.apiNames
                    throw APIFailure.malformed(field: name, expected: all)
                }
            case "subject": subject = value
            case "ticket": subject = "\(try resolve(value))"
            default:
                throw APIFailure.malformed(field: name, expected: Self.names.joined(separator: "|"))
            }
        }
    }
}
