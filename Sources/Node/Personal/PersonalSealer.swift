internal import Replication
internal import Store
internal import Tickets
internal import Transport

/// Seals what tells who a customer is, before an operation is made of it. One for each transaction: keys that it has to
/// make become durable with the operations that need them.
///
/// Source: Protocols/personal-data.md §1, §2.
struct PersonalSealer {
    private let writer: StoreWriter
    /// The province's, which customers are named by; nil at a node that has none.
    private let provinceKey: [UInt8]?
    private let random: (Int) -> [UInt8]
    private var bySubject: [EntityID: PersonalKey] = [:]
    /// Drawn by this sealer.
    private(set) var made: [PersonalKeyEntry] = []

    /// - Parameter random: gives as many octets as it is asked for.
    init(writer: StoreWriter, provinceKey: [UInt8]?, random: @escaping (Int) -> [UInt8]) {
        self.random = random
        self.writer = writer
        self.provinceKey = provinceKey
    }

    /// - Parameter entity: the ticket that the body is written to.
    /// - Parameter customer: whom the ticket names as it stands; nil for none.
    /// - Returns: the body with ciphertext in place of personal texts, and the customer that a whole number names.
    mutating func seal(_ body: Body, on entity: EntityID, customer: EntityID?) throws -> Body {
        switch body {
        case .open(var open):
            if open.customer == nil, let provinceKey, let number = CustomerNumber(open.customerLabel) {
                open.customer = EntityID(customer: number, provinceKey: provinceKey)
            }
            guard !open.customerLabel.isEmpty else { return .open(open) }
            open.sealedCustomerLabel = try seal(
                open.customerLabel, .customerLabel, on: entity, subject: open.customer ?? customer ?? entity)
            open.customerLabel = ""
            return .open(open)
        case .setField(var set):
            guard set.field.isPersonal, case .text(let text) = set.value, !text.isEmpty else { return body }
            set.value = .sealed(try seal(text, set.field, on: entity, subject: customer ?? entity))
            return .setField(set)
        case .transfer, .delivered, .accept, .reply, .feedback, .close, .reopen, .chase, .acknowledgeChase,
            .answerChase, .note, .settle, .joinTwins, .separateTwins, .tag, .untag, .watch, .announce,
            .catalogDocument, .revoke, .proposeErasure, .confirmErasure, .journalAnchor, .introduceRoot, .retireRoot:
            return body
        }
    }

    /// A value that was sealed for a ticket which has another name now. What cannot be opened stays as it is.
    mutating func reseal(_ body: Body, from former: EntityID, to entity: EntityID) throws -> Body {
        func text(_ sealed: SealedValue, _ field: Field) throws -> String? {
            guard let secret = try writer.secret(of: sealed.key) else { return nil }
            return sealed.open(with: secret, at: SealedPlace(entity: former, field: field.rawValue))
        }
        switch body {
        case .open(var open):
            guard let sealed = open.sealedCustomerLabel, let label = try text(sealed, .customerLabel) else {
                return body
            }
            open.customerLabel = label
            open.sealedCustomerLabel = nil
            return try seal(.open(open), on: entity, customer: nil)
        case .setField(var set):
            guard case .sealed(let sealed) = set.value, let value = try text(sealed, set.field) else { return body }
            set.value = .text(value)
            let customer = try writer.subject(of: sealed.key).flatMap { $0.type == .customer ? $0 : nil }
            return try seal(.setField(set), on: entity, customer: customer)
        default: return body
        }
    }

    private mutating func seal(
        _ text: String, _ field: Field, on entity: EntityID, subject: EntityID
    ) throws -> SealedValue {
        SealedValue(
            text, under: try key(of: subject), at: SealedPlace(entity: entity, field: field.rawValue),
            nonce: random(SealedValue.nonceBytes))
    }

    private mutating func key(of subject: EntityID) throws -> PersonalKey {
        if let known = bySubject[subject] { return known }
        let key: PersonalKey
        if let stored = try writer.personalKey(of: subject) {
            key = stored
        } else {
            key = PersonalKey(subject: subject, secret: random(PersonalKey.secretBytes))
            made.append(PersonalKeyEntry(key))
        }
        bySubject[subject] = key
        return key
    }
}

extension EntityID {
    /// A customer by the telephone number: who has the province's key finds them, nobody reads the number in it.
    init(customer number: CustomerNumber, provinceKey: [UInt8]) {
        let code = hmacSHA256(key: provinceKey, message: Array("banjie customer 1".utf8) + Array(number.e164.utf8))
        func integer(_ offset: Int) -> UInt64 { code[offset..<offset + 8].reduce(0) { $0 << 8 | UInt64($1) } }
        self.init(type: .customer, high: integer(0), low: integer(8))
    }
}
