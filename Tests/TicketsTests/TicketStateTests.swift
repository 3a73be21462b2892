import Replication
import TestSupport
import Testing
import Tickets

/// The bytes of a ticket's state, and states of unusual tickets. Source: Protocols/tickets.md §3.
@Suite struct TicketStateTests {
    private static let id = EntityID(type: .ticket, high: 1, low: 1)
    private static let row = Occurrence(milliseconds: Office.start - 1_000, source: "旧系统", row: 7)

    /// Something of everything that a state keeps: an import, two dots in one entry, instants, a customer, a void entry.
    private static func operations() -> [Operation] {
        let bodies: [(UInt64, Body)] = [
            (
                9,
                .open(
                    OpenBody(
                        title: "断网", customer: Scene.customer, promised: 5, department: "SVC", firstContact: 9,
                        occurrence: row))
            ),
            (8, .chase(ChaseBody(customer: Scene.customer, window: 3, promised: 77))),
            (7, .settle(SettleBody(custody: Dot(ReplicaID(9), 1), winner: Dot(ReplicaID(8), 5), reason: "r"))),
            (6, .confirmErasure(ConfirmErasureBody(proposal: Dot(ReplicaID(5), 2)))),
            (3, .tag(TagBody(tag: "vip"))), (2, .note(NoteBody(text: "n", occurrence: row))),
        ]
        return bodies.map { replica, body in
            Operation(
                dot: Dot(ReplicaID(replica), 1), entity: id, previous: 0,
                seen: VersionVector([Dot(ReplicaID(9), 1), Dot(ReplicaID(4), 3)]),
                time: HybridTimestamp(milliseconds: Office.start + Int64(replica)),
                author: Office("xihu.hz.zj", replica: replica).author("D\(replica)"), scope: [],
                kind: body.kind.operationKind, body: body.encoded())
        }
    }

    private static func ticket(_ operations: [Operation]) -> Ticket {
        var ticket = Ticket(id: id)
        for operation in operations { ticket.apply(operation) }
        return ticket
    }

    @Test("everything that a state keeps reads back, also from memory that is used again and again")
    func everything() throws {
        var ticket = Self.ticket(Self.operations())
        ticket.setVoid(Dot(ReplicaID(3), 1), true)
        let bytes = ticket.encoded()
        let read = try Ticket(decoding: bytes, id: Self.id)
        #expect(read == ticket && read.encoded() == bytes && read.isVoid(Dot(ReplicaID(3), 1)))
        #expect(read.customer == Scene.customer && read.containsImported(row: Self.row.row))
        #expect(read.dots(of: [.confirmErasure, .settle]) == [Dot(ReplicaID(6), 1), Dot(ReplicaID(7), 1)])
        #expect(read.previous(of: ReplicaID(9)) == 1 && read.previous(of: ReplicaID(4)) == 0, "only seen")
        var scratch: [UInt8] = []
        for _ in 0..<2 { #expect(ticket.withEncoded(using: &scratch) { Array($0) } == bytes) }
        let size = scratch.count
        #expect(Ticket(id: Self.id).withEncoded(using: &scratch) { Array($0) } == Ticket(id: Self.id).encoded())
        #expect(size >= bytes.count && scratch.count == size, "it is not made anew for less")
    }

    @Test("parts of a ticket give the whole in either order, with what each knows to be void; equal states hash alike")
    func parts() {
        let operations = Self.operations()
        let whole = {
            var ticket = Self.ticket(operations)
            ticket.setVoid(Dot(ReplicaID(9), 1), true)
            return ticket
        }()
        var first = Self.ticket(Array(operations[..<4]))
        first.setVoid(Dot(ReplicaID(9), 1), true)
        let second = Self.ticket(Array(operations[2...]) + [operations[0]])
        var left = first
        left.merge(second)
        var right = second
        right.merge(first)
        #expect(left == whole && right == whole && left.encoded() == whole.encoded())
        #expect(Set([left, right, whole]).count == 1 && Set([first, second, whole]).count == 3)
    }

    @Test("what a state does not keep of a body is read with it: its number, and the key it is sealed under")
    func readings() throws {
        let key = PersonalKey(subject: Scene.customer, secret: [UInt8](repeating: 1, count: 32))
        let sealed = SealedValue(
            "甲", under: key, at: SealedPlace(entity: Self.id, field: Field.contact.rawValue),
            nonce: [UInt8](repeating: 1, count: 12))
        func reading(_ body: Body) -> OperationReading {
            var operation = Self.operations()[0]
            operation.kind = body.kind.operationKind
            operation.body = body.encoded()
            return OperationReading(operation)
        }
        #expect(reading(.open(OpenBody(title: "断网", number: "XIHU-1"))).number == "XIHU-1")
        #expect(reading(.open(OpenBody(title: "断网", sealedCustomerLabel: sealed))).sealedUnder == key.id)
        #expect(reading(.setField(SetFieldBody(field: .contact, value: .sealed(sealed)))).sealedUnder == key.id)
        let plain = reading(.setField(SetFieldBody(field: .cause, value: .text("a"))))
        #expect(plain.sealedUnder == nil && plain.number == nil)
    }

    @Test("whom a ticket was opened for is a customer, and what cannot be read is of no kind")
    func oddities() {
        func operation(_ sequence: UInt64, _ body: Body) -> Operation {
            Operation(
                dot: Dot(ReplicaID(1), sequence), entity: Self.id, previous: sequence - 1, seen: VersionVector(),
                time: .zero, author: Office("xihu.hz.zj", replica: 1).author("SVC"), scope: [],
                kind: body.kind.operationKind, body: body.encoded())
        }
        var unreadable = operation(2, .note(NoteBody(text: "n")))
        unreadable.body = [0xFF]
        var ticket = Self.ticket([operation(1, .open(OpenBody(title: "断网", customer: Self.id))), unreadable])
        #expect(ticket.customer == nil, "a ticket is no customer")
        #expect(ticket.dots(of: [.open, .note]) == [Dot(ReplicaID(1), 1)])
        ticket.apply(operation(3, .open(OpenBody(title: "断网", customer: Scene.customer))))
        #expect(ticket.customer == Scene.customer)
    }

    /// A state of one note, written by hand.
    private static func state(
        catalogVersion: [UInt8] = [0], mask: [UInt8] = [0], kind: [UInt8] = [13], parts: [UInt8] = []
    ) -> [UInt8] {
        let replicas: [UInt8] = [1] + [0, 0, 0, 0, 0, 0, 0, 1] + [1, 1]
        let texts: [UInt8] = [2, 1, 0x61, 2, 0x7A, 0x6A]
        let authors: [UInt8] = [1, 0, 1, 0] + catalogVersion + [Role.agent.rawValue, AuthorityLevel.province.rawValue]
        let event = mask + [0] + kind + [0, 0] + parts + [0]
        return [1] + replicas + texts + authors + [1, 1] + event
    }

    /// As a varint, 2³² and 2⁴⁸ and a number of more than 64 bits.
    private static let beyond32: [UInt8] = [0x80, 0x80, 0x80, 0x80, 0x10]
    private static let beyond48: [UInt8] = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40]
    private static let endless = [UInt8](repeating: 0xFF, count: 9) + [2]

    @Test("a number beyond its range in a state is refused by the field it stands in")
    func ranges() throws {
        let good = try Ticket(decoding: Self.state(), id: Self.id)
        #expect(good.encoded() == Self.state() && good.summary().notes == [Dot(ReplicaID(1), 1)])
        for (field, bytes) in [
            ("catalog version", Self.state(catalogVersion: Self.beyond32)), ("kind", Self.state(kind: Self.beyond32)),
            ("occurred", Self.state(mask: [1 << 3], parts: Self.beyond48)),
            ("field", Self.state(mask: [0x80, 1 << 2], parts: Self.beyond32)),
            ("event", Self.state(mask: Self.beyond32)),
            ("entity", Self.state(mask: [0x80, 1 << 4], parts: [9])),
            ("event", Self.state(mask: [0x80, 1 << 3], parts: Self.endless) + [0]),
        ] {
            #expect(throws: DecodingFailure.invalid(field: field)) { try Ticket(decoding: bytes, id: Self.id) }
        }
    }
}
