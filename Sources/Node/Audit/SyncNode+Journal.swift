internal import Logging
package import Replication
package import Store
internal import Tickets
internal import Transport

// What is done or read here and is no operation. Source: Protocols/audit.md.
extension SyncNode {
    /// - Parameter keys: with the new certificate.
    func journalOwnRenewal(_ keys: KeyFolder) throws {
        try journal(
            JournalDraft(
                .ownCertificateRenewed, by: .node, on: "\(identity.site)",
                "fingerprint=\(keys.certificate().fingerprint)"))
    }

    /// - Throws: what the database throws; whatever was to be told of must not happen then.
    package func journal(_ drafts: JournalDraft...) throws {
        let now = clock.now()
        try administer { try $0.journal(drafts, now: now) }
    }

    /// A change of the store, and the entries that tell of it, in one transaction.
    package func recording<Value: Sendable>(
        _ drafts: @escaping @Sendable (Value) -> [JournalDraft], _ body: @Sendable (StoreWriter) throws -> Value
    ) throws -> Value {
        let now = clock.now()
        return try administer { try $0.recording(now: now, drafts, body) }
    }

    /// An entry that strangers can cause: beyond `JournalLimits.entriesPerMinuteMax` it is only counted. That such an
    /// entry cannot be written stops nobody, since what it tells of was refused.
    package func journalBounded(_ draft: JournalDraft) {
        let now = clock.now()
        flushJournalFlood()
        guard journalFlood.admit(draft.action, now: now) else {
            flushJournalFloodLater()
            return
        }
        do {
            try journal(draft)
        } catch {
            logger.error("the journal cannot be written", metadata: ["error": "\(error)"])
        }
    }

    /// - Parameter all: also of the minute that is not over, before the end.
    package func flushJournalFlood(all: Bool = false) {
        do {
            for (action, count) in journalFlood.takeDue(now: clock.now(), all: all) {
                try journal(JournalDraft(action, by: .node, "more=\(count)"))
            }
        } catch {
            logger.error("the journal cannot be written", metadata: ["error": "\(error)"])
        }
    }

    private func flushJournalFloodLater() {
        guard !isJournalFlushPlanned else { return }
        isJournalFlushPlanned = true
        Task { [weak self] in
            try? await Task.sleep(for: .milliseconds(JournalFlood.windowMilliseconds))
            await self?.flushPlannedJournalFlood()
        }
    }

    private func flushPlannedJournalFlood() {
        isJournalFlushPlanned = false
        flushJournalFlood()
    }

    // MARK: Anchors

    static let anchoredFact = "journal.anchored"

    /// Puts the journal's end into the log, if there is news and the last anchor is a day old or an earlier incarnation's.
    /// - Returns: whether it did.
    @discardableResult
    package func anchorJournal() throws -> Bool {
        let now = clock.now()
        let end = try reader.journalEnd()
        guard end.sequence > 0 else { return false }
        if let last = try reader.journalAnchors().first?.anchors.last {
            let written = try reader.fact(Self.anchoredFact).flatMap { Int64($0) } ?? 0
            let isDue = now - written >= JournalLimits.anchorMilliseconds || now < written
            guard last.hash != end.hash, isDue else { return false }
        }
        let body = JournalAnchorBody(sequence: end.sequence, hash: end.hash, time: end.time)
        let author = systemAuthor
        _ = try append { [identity] transaction in
            try transaction.append(.journalAnchor(body), to: EntityID(journalOf: identity.replica), author: author)
        }
        try administer { try $0.setFact(Self.anchoredFact, "\(now)") }
        return true
    }

    // MARK: Reading what is hidden

    /// Telephone numbers of a ticket in full. The journal has it before anybody sees them.
    /// - Parameter reason: why; telephone numbers in it are hidden in the journal.
    /// - Returns: by field, what is shown of it elsewhere with its middle hidden.
    /// - Throws: `APIFailure`, `Refusal`; what the database throws if the entry cannot be written.
    package func reveal(
        _ id: EntityID, reason: String, by author: Author, from origin: String
    ) throws -> [RevealedNumbers.Value] {
        guard ConsolePermission.actOnTickets.isGranted(to: author.role) else {
            throw APIFailure.mayNotReveal(role: author.role.apiName)
        }
        guard !reason.allSatisfy(\.isWhitespace) else { throw Refusal.missing(.reason) }
        guard let record = try reader.record(of: id) else { throw APIFailure.noSuchTicket("\(id)") }
        guard author.site == identity.site, record.ticket.isLetIn(within: identity.site) else {
            throw APIFailure.outOfScope("\(id)")
        }
        let values = RevealedNumbers.values(of: record)
        guard !values.isEmpty else { throw APIFailure.nothingToReveal("\(id)") }
        let customer = record.ticket.customer.map { "\($0)" } ?? "-"
        let fields = Set(values.map(\.field)).sorted().joined(separator: ",")
        try journal(
            JournalDraft(
                .numberRevealed, by: JournalActor(name: author.name, origin: origin), on: "\(id)",
                "role=\(author.role.apiName) customer=\(customer) fields=\(fields) reason=\(Masking.mask(reason))"))
        return values
    }
}

/// What `POST /api/v1/tickets/{ticket}/reveal` answers.
package struct RevealedNumbers: Codable, Sendable, Hashable {
    package struct Value: Codable, Sendable, Hashable {
        package var field: String
        package var value: String
        /// The one of several concurrent values that is shown.
        package var isDisplayed: Bool
    }

    package var ticket: String
    package var number: String
    package var values: [Value]

    static func values(of record: TicketRecord) -> [Value] {
        record.ticket.summary().fields.filter { Masking.maskedFields.contains($0.field) }.flatMap { state in
            state.writes.compactMap { dot -> Value? in
                guard let operation = record.operation(dot), let body = record.body(of: operation),
                    case .text(let text)? = body.value(of: state.field), !text.isEmpty
                else { return nil }
                return Value(field: state.field.apiName, value: text, isDisplayed: dot == state.displayed)
            }
        }
    }
}
