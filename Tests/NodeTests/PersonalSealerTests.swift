import Foundation
@testable import Node
import Replication
import Store
import Testing
import Tickets

/// Source: Protocols/personal-data.md §1, §2.
@Suite struct PersonalSealerTests {
    private static let provinceKey = [UInt8](repeating: 5, count: 32)
    private static let site = SiteCode(validated: "zj")

    /// A store, and what goes away with it.
    private final class Office {
        let folder = DataFolder(path: NSTemporaryDirectory() + "banjie-sealer-\(UUID().uuidString)")
        let writer: StoreWriter

        init() throws {
            writer = try Store.open(
                folder, creating: NodeIdentity(site: site, replica: ReplicaID(1), parent: nil)
            ).writer
        }

        deinit { try? FileManager.default.removeItem(atPath: folder.path) }
    }

    private static func command(_ action: TicketCommand.Action, on ticket: EntityID? = nil) -> TicketCommand {
        TicketCommand(ticket: ticket, version: VersionVector(), action: action)
    }

    @Test("a whole number names the customer and is sealed; one customer has one key, whichever ticket it is")
    func customers() throws {
        let office = try Office()
        let replica = try Replica(writer: office.writer, provinceKey: Self.provinceKey)
        try replica.announceIfNew(certificateFingerprint: [], now: 1)
        let author = agent(at: Self.site)
        for number in ["13800138000", "+86 138 0013 8000", "138****8000"] {
            let opened = try replica.execute(
                Self.command(.open(OpenBody(title: "断网", customerLabel: number))), by: author, now: 2)
            _ = try replica.execute(
                Self.command(.set(.contact, .text("张三丰")), on: opened.ticket), by: author, now: 3)
        }
        let number = try #require(CustomerNumber("13800138000"))
        let customer = EntityID(customer: number, provinceKey: Self.provinceKey)
        let reader = office.writer.reader
        #expect(try reader.keys(of: customer).count == 1)
        #expect(try reader.tickets(of: customer, limit: 9).count == 2)
        #expect(try reader.secretsForTests().count == 2, "the masked number's ticket has a key of its own")
        let titles = try reader.list(TicketFilter()).map(\.id)
        for id in titles {
            let record = try #require(try reader.record(of: id))
            for stored in record.operations {
                let text = String(decoding: stored.operation.body, as: UTF8.self)
                #expect(!text.contains("张三丰") && !text.contains("8000"))
                let body = record.body(of: stored.operation)
                if case .setField(let set)? = body { #expect(set.value == .text("张三丰")) }
            }
        }
    }

    @Test("a value that is taken back or chosen again is written as it was sealed")
    func undoing() throws {
        let office = try Office()
        let replica = try Replica(writer: office.writer, provinceKey: nil)
        try replica.announceIfNew(certificateFingerprint: [], now: 1)
        let author = agent(at: Self.site)
        let reader = office.writer.reader
        let id = try replica.execute(
            Self.command(.open(OpenBody(title: "断网", customerLabel: "138****8000"))), by: author, now: 2
        ).ticket
        var dots: [Dot] = []
        for name in ["张三丰", "李四光"] {
            let version = try #require(try reader.state(of: id)).version
            dots += try replica.execute(
                TicketCommand(ticket: id, version: version, action: .set(.contact, .text(name))), by: author, now: 3
            ).dots
        }
        let version = try #require(try reader.state(of: id)).version
        _ = try replica.execute(
            TicketCommand(ticket: id, version: version, action: .undo(write: dots[1])), by: author, now: 4)
        let record = try #require(try reader.record(of: id))
        let shown = try #require(record.ticket.summary().displayedWrite(.contact))
        let operation = try #require(record.operation(shown))
        guard case .setField(let set)? = record.body(of: operation) else {
            Issue.record("another kind")
            return
        }
        #expect(set.value == .text("张三丰") && set.undoes == dots[1])
    }

    @Test("a ticket that gets another name keeps what can be read in it, under a key of the new name")
    func renamed() throws {
        let office = try Office()
        let replica = try Replica(writer: office.writer, provinceKey: nil)
        try replica.announceIfNew(certificateFingerprint: [], now: 1)
        let former = try replica.execute(
            Self.command(.open(OpenBody(title: "断网", customerLabel: "138****8000"))), by: agent(at: Self.site), now: 2
        ).ticket
        let operation = try #require(try office.writer.reader.record(of: former)?.operations.first?.operation)
        let renamed = EntityID(type: .ticket, high: 77, low: 78)
        var sealer = replica.sealer()
        let body = try sealer.reseal(try Body(decoding: operation), from: former, to: renamed)
        guard case .open(let open) = body, let sealed = open.sealedCustomerLabel,
            case .held(let secret)? = sealer.made.first?.state
        else {
            Issue.record("it is not sealed")
            return
        }
        let place = SealedPlace(entity: renamed, field: Field.customerLabel.rawValue)
        #expect(sealer.made.map(\.subject) == [renamed] && sealed.key == sealer.made.first?.id)
        #expect(sealed.open(with: secret, at: place) == "138****8000")
    }
}
