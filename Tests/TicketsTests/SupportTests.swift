import Replication
import TestSupport
import Tickets

/// Three offices and one ticket that all of them have: opened at the branch, nothing else done.
struct Scene {
    var province = Office("zj", replica: 0x30)
    var region = Office("hz.zj", replica: 0x20)
    var branch = Office("xihu.hz.zj", replica: 0x10)
    /// A second node of the same branch.
    var desk = Office("xihu.hz.zj", replica: 0x11)
    var other = Office("binjiang.hz.zj", replica: 0x12)
    let id: EntityID
    let root: Dot
    static let customer = EntityID(type: .customer, high: 7, low: 9)

    init() throws {
        let opened = try branch.perform(
            .open(OpenBody(title: "彩信不能收", category: "NETWORK.MMS", urgency: .high, customer: Self.customer)),
            on: nil, as: "SVC", minute: 0)
        id = opened[0].entity
        root = opened[0].dot
        sync()
    }

    /// Everybody has everything.
    mutating func sync() {
        let all = [province, region, branch, desk, other].flatMap(\.log)
        province.receive(all)
        region.receive(all)
        branch.receive(all)
        desk.receive(all)
        other.receive(all)
    }

    var operations: [Operation] {
        var seen: Set<Dot> = []
        return [province, region, branch, desk, other].flatMap(\.log).filter { seen.insert($0.dot).inserted }
    }

    /// The ticket from all operations of all offices, in the given order.
    func joined(reversed: Bool) -> TicketSummary {
        var ticket = Ticket(id: id)
        for operation in reversed ? operations.reversed() : operations where operation.entity == id {
            ticket.apply(operation)
        }
        return ticket.summary()
    }

    static func transfer(_ variant: TransferBody.Variant, _ site: String, _ department: String) -> TicketCommand.Action
    {
        .transfer(variant, site: SiteCode(validated: site), department: department, reason: "r", note: "")
    }
}
