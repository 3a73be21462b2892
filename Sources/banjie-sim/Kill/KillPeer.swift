import Replication
import Tickets

/// What the region below has written: its n-th operation follows from n alone.
enum KillPeer {
    static let replica = ReplicaID(0xB1)
    static let site = SiteCode(validated: "hz.zj")
    /// Of a ticket: its opening, then the others.
    private static let operationsPerTicket: UInt64 = 5
    private static let start: Int64 = 1_700_000_000_000

    static func operation(_ sequence: UInt64) -> Operation {
        guard sequence > 1 else { return announcement }
        let (ticket, step) = (sequence - 2).quotientAndRemainder(dividingBy: operationsPerTicket)
        let body = body(step, sequence)
        return Operation(
            dot: Dot(replica, sequence),
            entity: EntityID(ticketOpenedBy: Dot(replica, 2 + ticket * operationsPerTicket)),
            previous: step == 0 ? 0 : sequence - 1,
            seen: step == 0 ? VersionVector() : VersionVector([Dot(replica, sequence - 1)]),
            time: HybridTimestamp(milliseconds: start + Int64(sequence) * 1_000), author: author("clerk", .dispatcher),
            scope: [], kind: body.kind.operationKind, isCritical: body.kind.isCritical, body: body.encoded())
    }

    private static func body(_ step: UInt64, _ sequence: UInt64) -> Body {
        switch step {
        case 0: .open(OpenBody(title: "单 \(sequence)", body: "说明", category: "net", channel: "phone"))
        case 1: .setField(SetFieldBody(field: .title, value: .text("值 \(sequence)")))
        case 2: .tag(TagBody(tag: sequence % 2 == 0 ? "vip" : "媒体"))
        // Of many lengths, so that transactions end anywhere in a page.
        default: .note(NoteBody(text: String(repeating: "备注", count: 1 + Int(sequence * 37 % 500))))
        }
    }

    private static var announcement: Operation {
        let body = Body.announce(
            AnnounceBody(site: site, certificateFingerprint: [], level: AuthorityLevel(of: site)))
        return Operation(
            dot: Dot(replica, 1), entity: EntityID(announcementOf: replica), previous: 0, seen: VersionVector(),
            time: HybridTimestamp(milliseconds: start), author: author("node", .system), scope: [],
            kind: body.kind.operationKind, isCritical: body.kind.isCritical, body: body.encoded())
    }

    private static func author(_ name: String, _ role: Role) -> Author {
        Author(name: name, role: role, level: AuthorityLevel(of: site), site: site, department: "A")
    }
}
