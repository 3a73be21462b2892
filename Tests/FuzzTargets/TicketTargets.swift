import Node
import Replication
import Store
import Tickets

extension FuzzTarget {
    private static let replica = ReplicaID(0xA1)
    private static let entity = EntityID(ticketOpenedBy: Dot(replica, 1))

    static func runBody(_ bytes: [UInt8]) throws {
        guard bytes.count >= 2 else { return }
        let kind = OperationKind(rawValue: UInt16(bytes[0]) << 8 | UInt16(bytes[1]))
        let operation = operation(kind, Array(bytes.dropFirst(2)))
        if let body = try? Body(decoding: operation) {
            let again = try? Body(kind: kind, bytes: body.encoded())
            guard again == body else { throw Violation(description: "\(body) is another one after a round trip") }
        }
        var ticket = Ticket(id: entity)
        ticket.apply(operation)
        _ = ticket.summary()
        // What the ticket's history shows of it.
        _ = HistoryEntry(StoredOperation(arrival: 1, source: 0, operation: operation, hash: .zero), in: nil)
        try runState(ticket.encoded(), isOwn: true)
    }

    static func runState(_ bytes: [UInt8]) throws {
        try runState(bytes, isOwn: false)
    }

    private static func runState(_ bytes: [UInt8], isOwn: Bool) throws {
        guard let ticket = try? Ticket(decoding: bytes, id: entity) else {
            if isOwn { throw Violation(description: "a state that was just encoded cannot be read") }
            return
        }
        let encoded = ticket.encoded()
        guard !isOwn || encoded == bytes else { throw Violation(description: "a state changes by being read") }
        guard let again = try? Ticket(decoding: encoded, id: entity), again.encoded() == encoded else {
            throw Violation(description: "a state that was read is not read again")
        }
        _ = again.summary()
    }

    private static func operation(_ kind: OperationKind, _ body: [UInt8]) -> Operation {
        let site = SiteCode(validated: "hz.zj")
        return Operation(
            dot: Dot(replica, 1), entity: entity, previous: 0, seen: VersionVector(),
            time: HybridTimestamp(milliseconds: 1_800_000_000_000),
            author: Author(
                name: "clerk", role: .dispatcher, level: AuthorityLevel(of: site), site: site, department: "service"),
            scope: [], kind: kind, isCritical: false, body: body)
    }
}
