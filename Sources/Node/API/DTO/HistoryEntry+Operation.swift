internal import Replication
package import Store
internal import Tickets

extension HistoryEntry {
    /// - Parameter record: of its ticket, which has the keys and knows what counts; nil leaves personal values out.
    package init(_ stored: StoredOperation, in record: TicketRecord?) {
        let operation = stored.operation
        let body = record.map { $0.body(of: operation) } ?? (try? Body(decoding: operation))
        let written = Instant(operation.time.milliseconds)
        let happened = body?.occurrence.map { Instant($0.milliseconds) }
        dot = "\(operation.dot)"
        at = happened ?? written
        recorded = happened == nil ? nil : written
        arrival = stored.arrival
        kind = Kind(operation.kind)?.apiName ?? "kind\(operation.kind.rawValue)"
        author = AuthorFacts(operation.author)
        details = body?.details ?? [:]
        withheld = body?.sealed.flatMap { record?.withheld($0) }?.rawValue
        hash = "\(stored.hash)"
        scope = operation.scope.map(\.rawValue)
        seen = operation.seen.texts
        isVoid = record?.ticket.isVoid(operation.dot) == true ? true : nil
    }
}

extension AuthorFacts {
    init(_ author: Author) {
        self.init(
            name: author.name, role: author.role.apiName, level: author.level.apiName, site: author.site.rawValue,
            department: author.department)
    }
}

extension Body {
    /// What the operation says, by name, without what is empty.
    var details: [String: String] {
        let pairs: [(String, String?)] =
            switch self {
            case .open(let body):
                [
                    ("title", body.title), ("body", body.body), ("category", body.category),
                    ("urgency", body.urgency == .unknown ? nil : body.urgency.apiName),
                    ("customer", Masking.mask(body.customerLabel)), ("channel", body.channel), ("number", body.number),
                    ("department", body.department), ("site", body.site?.rawValue),
                    ("promised", instant(body.promised)),
                    ("firstContact", instant(body.firstContact)),
                ]
            case .setField(let body):
                [
                    ("field", body.field.apiName), ("value", body.value.text(for: body.field)),
                    ("undoes", body.undoes?.description),
                ]
            case .transfer(let body):
                [
                    ("variant", body.variant.apiName), ("site", body.site.rawValue), ("department", body.department),
                    ("reason", body.reason), ("note", body.note), ("custody", body.custody.description),
                ]
            case .delivered(let body): [("target", body.target.description)]
            case .accept(let body): [("custody", body.custody.description)]
            case .reply(let body): [("text", body.text), ("custody", body.custody.description)]
            case .feedback(let body):
                [("text", body.text), ("channel", body.channel), ("score", score(body.score))]
            case .close(let body):
                [
                    ("reason", body.reason), ("confirmed", body.isConfirmedByCustomer ? "true" : nil),
                    ("score", score(body.score)),
                ]
            case .reopen(let body):
                [("reason", body.reason), ("site", body.site?.rawValue), ("department", body.department)]
            case .chase(let body):
                [("note", body.note), ("channel", body.channel), ("promised", instant(body.promised))]
            case .acknowledgeChase(let body): [("chase", body.chase.description)]
            case .answerChase(let body):
                [("chase", body.chase.description), ("text", body.text), ("promised", instant(body.promised))]
            case .note(let body): [("text", body.text)]
            case .settle(let body):
                [("winner", body.winner.description), ("custody", body.custody.description), ("reason", body.reason)]
            case .joinTwins(let body): [("other", body.other.description), ("reason", body.reason)]
            case .separateTwins(let body): [("other", body.other.description), ("reason", body.reason)]
            case .tag(let body): [("tag", body.tag)]
            case .untag(let body): [("tag", body.tag)]
            case .watch(let body):
                [("name", body.name), ("site", body.site?.rawValue), ("ends", body.ends ? "true" : nil)]
            case .announce(let body): [("site", body.site.rawValue)]
            case .catalogDocument: []
            case .revoke(let body):
                [
                    ("site", body.site.rawValue), ("replica", body.replica.description),
                    ("last", "\(body.lastSequence)"), ("reason", body.reason),
                ]
            case .proposeErasure(let body):
                [("reason", body.reason), ("keys", body.keys.map(\.description).joined(separator: ","))]
            case .confirmErasure(let body): [("proposal", body.proposal.description)]
            case .journalAnchor(let body): [("sequence", "\(body.sequence)"), ("hash", body.hash.description)]
            case .introduceRoot(let body): [("hurries", body.hurries ? "true" : nil)]
            case .retireRoot(let body): [("fingerprint", RootFingerprint.text(body.fingerprint))]
            }
        var result: [String: String] = [:]
        for case (let key, let value?) in pairs where !value.isEmpty { result[key] = value }
        if let occurrence { result["source"] = occurrence.source.isEmpty ? nil : occurrence.source }
        return result
    }

    /// The value of a field that this operation wrote; nil if it wrote none of it.
    func value(of field: Field) -> SetFieldBody.Value? {
        switch self {
        case .setField(let body): return body.field == field ? body.value : nil
        case .open(let body):
            switch field {
            case .title: return .text(body.title)
            case .body: return .text(body.body)
            case .category: return .text(body.category)
            case .urgency: return .number(Int64(body.urgency.rawValue))
            case .channel: return .text(body.channel)
            case .promisedTime: return body.promised.map { .number($0) }
            case .customer: return body.customer.map { .text($0.description) }
            case .customerLabel: return body.sealedCustomerLabel.map { .sealed($0) } ?? .text(body.customerLabel)
            default: return nil
            }
        case .transfer, .delivered, .accept, .reply, .feedback, .close, .reopen, .chase, .acknowledgeChase,
            .answerChase, .note, .settle, .joinTwins, .separateTwins, .tag, .untag, .watch, .announce,
            .catalogDocument, .revoke, .proposeErasure, .confirmErasure, .journalAnchor, .introduceRoot, .retireRoot:
            return nil
        }
    }
}

extension Body {
    /// The value in it that is sealed, also after it went by the keys that are here.
    var sealed: SealedValue? {
        switch self {
        case .open(let body): return body.sealedCustomerLabel
        case .setField(let body):
            if case .sealed(let sealed) = body.value { return sealed }
            return nil
        default: return nil
        }
    }
}

extension SetFieldBody.Value {
    /// Nil for a value that can be read.
    var sealed: SealedValue? { if case .sealed(let sealed) = self { sealed } else { nil } }

    /// As people read and write it: instants in ISO-8601, urgency by name; of telephone numbers the middle is hidden.
    func text(for field: Field) -> String {
        switch self {
        case .text(let text): return Masking.maskedFields.contains(field) ? Masking.mask(text) : text
        case .sealed: return ""
        case .number(let number):
            if field == .urgency {
                return UInt8(exactly: number).flatMap(Urgency.init)?.apiName ?? "\(number)"
            }
            return field.isInstant ? Instant(number).text : "\(number)"
        }
    }
}

private func instant(_ milliseconds: Int64?) -> String? { milliseconds.map { Instant($0).text } }
private func score(_ score: UInt8) -> String? { score == 0 ? nil : "\(score)" }
