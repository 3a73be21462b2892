package import Replication

/// Kind 10: 催办. The same customer in the same window counts once, wherever it was recorded.
package struct ChaseBody: Hashable, Sendable {
    /// Nil for a chase of the office itself.
    package var customer: EntityID?
    /// Number of the window that the author assigned it to; part of the key.
    package var window: Int64
    /// What the caller was promised, UTC milliseconds.
    package var promised: Int64?
    package var note: String
    package var channel: String
    package var occurrence: Occurrence?

    package init(
        customer: EntityID? = nil, window: Int64 = 0, promised: Int64? = nil, note: String = "", channel: String = "",
        occurrence: Occurrence? = nil
    ) {
        self.customer = customer
        self.window = window
        self.promised = promised
        self.note = note
        self.channel = channel
        self.occurrence = occurrence
    }
}

extension ChaseBody: KindBody {
    static let kind = Kind.chase

    init(_ wire: WireChase) throws(BodyFailure) {
        let customer = wire.hasCustomer ? EntityID(wire.customer) : nil
        guard customer != nil || !wire.hasCustomer else { throw .invalid(.chase, field: "customer") }
        self.init(
            customer: customer, window: wire.window, promised: instant(wire.promisedMilliseconds), note: wire.note,
            channel: wire.channel, occurrence: wire.hasOccurred ? Occurrence(wire.occurred) : nil)
    }

    var wire: WireChase {
        var wire = WireChase()
        if let customer { wire.customer = customer.wire }
        wire.window = window
        wire.promisedMilliseconds = promised ?? 0
        wire.note = note
        wire.channel = channel
        if let occurrence { wire.occurred = occurrence.wire }
        return wire
    }

    func record(in draft: inout EventDraft) {
        draft.entity = customer
        draft.number = window
        draft.secondNumber = promised
    }

    func validate() throws(Refusal) {
        try Refusal.check(note, nil)
        try Refusal.check(channel, nil)
    }
}
