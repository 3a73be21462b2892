package import Replication

/// Kind 1: a ticket is submitted 提单. Its initial values are writes of the fields by this operation's dot; the root
/// custody is the accepting department's.
package struct OpenBody: Hashable, Sendable {
    package var title: String
    package var body: String
    package var category: String
    package var urgency: Urgency
    package var customer: EntityID?
    /// The customer's number, before it is sealed.
    package var customerLabel: String
    /// The customer's number as it is written; then `customerLabel` is empty.
    package var sealedCustomerLabel: SealedValue?
    package var channel: String
    /// What is read out over the telephone, see `TicketNumber`.
    package var number: String
    /// UTC milliseconds.
    package var promised: Int64?
    /// The accepting department's code.
    package var department: String
    /// The accepting site, where it is not the author's (imports).
    package var site: SiteCode?
    /// UTC milliseconds; the customer's first contact where it lies before the form.
    package var firstContact: Int64?
    package var occurrence: Occurrence?

    package init(
        title: String, body: String = "", category: String = "", urgency: Urgency = .unknown,
        customer: EntityID? = nil, customerLabel: String = "", sealedCustomerLabel: SealedValue? = nil,
        channel: String = "", number: String = "",
        promised: Int64? = nil, department: String = "", site: SiteCode? = nil, firstContact: Int64? = nil,
        occurrence: Occurrence? = nil
    ) {
        self.title = title
        self.body = body
        self.category = category
        self.urgency = urgency
        self.customer = customer
        self.customerLabel = customerLabel
        self.sealedCustomerLabel = sealedCustomerLabel
        self.channel = channel
        self.number = number
        self.promised = promised
        self.department = department
        self.site = site
        self.firstContact = firstContact
        self.occurrence = occurrence
    }
}

extension OpenBody: KindBody {
    static let kind = Kind.open

    init(_ wire: WireOpen) throws(BodyFailure) {
        guard let urgency = UInt8(exactly: wire.urgency).flatMap(Urgency.init) else {
            throw .invalid(.open, field: "urgency")
        }
        let site = SiteCode(wire.site)
        guard site != nil || wire.site.isEmpty else { throw .invalid(.open, field: "site") }
        let customer = wire.hasCustomer ? EntityID(wire.customer) : nil
        guard customer != nil || !wire.hasCustomer else { throw .invalid(.open, field: "customer") }
        let sealed = SealedValue(Array(wire.sealedCustomerLabel))
        guard sealed != nil || wire.sealedCustomerLabel.isEmpty else {
            throw .invalid(.open, field: "sealed_customer_label")
        }
        self.init(
            title: wire.title, body: wire.body, category: wire.category, urgency: urgency, customer: customer,
            customerLabel: wire.customerLabel, sealedCustomerLabel: sealed, channel: wire.channel, number: wire.number,
            promised: instant(wire.promisedMilliseconds), department: wire.department, site: site,
            firstContact: instant(wire.firstContactMilliseconds),
            occurrence: wire.hasOccurred ? Occurrence(wire.occurred) : nil)
    }

    var wire: WireOpen {
        var wire = WireOpen()
        wire.title = title
        wire.body = body
        wire.category = category
        wire.urgency = UInt32(urgency.rawValue)
        if let customer { wire.customer = customer.wire }
        wire.customerLabel = customerLabel
        if let sealedCustomerLabel { wire.sealedCustomerLabel.append(contentsOf: sealedCustomerLabel.bytes) }
        wire.channel = channel
        wire.number = number
        wire.promisedMilliseconds = promised ?? 0
        wire.department = department
        wire.site = site?.rawValue ?? ""
        wire.firstContactMilliseconds = firstContact ?? 0
        if let occurrence { wire.occurred = occurrence.wire }
        return wire
    }

    func record(in draft: inout EventDraft) {
        draft.site = site
        draft.department = department
        draft.text = code(category)
        draft.variant = urgency.rawValue
        draft.number = promised
        draft.secondNumber = firstContact
        draft.entity = customer
        draft.label = number
        draft.sealedUnder = sealedCustomerLabel?.key
        for (field, isGiven) in [
            (Field.title, !title.isEmpty), (.body, !body.isEmpty), (.category, !category.isEmpty),
            (.urgency, urgency != .unknown), (.channel, !channel.isEmpty), (.promisedTime, promised != nil),
            (.customer, customer != nil), (.customerLabel, !customerLabel.isEmpty || sealedCustomerLabel != nil),
        ] where isGiven {
            draft.fields |= 1 << UInt64(field.rawValue)
        }
    }

    func validate() throws(Refusal) {
        guard !title.allSatisfy(\.isWhitespace) else { throw .missing(.title) }
        try Refusal.check(title, .title)
        try Refusal.check(body, .body)
        for text in [category, customerLabel, channel, number, department] { try Refusal.check(text, nil) }
        guard !department.isEmpty else { throw .missing(.department) }
    }
}
