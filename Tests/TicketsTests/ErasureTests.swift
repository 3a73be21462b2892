import Replication
import TestSupport
import Testing
import Tickets

/// Source: Protocols/personal-data.md §6.
@Suite struct ErasureTests {
    private static let customer = EntityID(type: .customer, high: 1, low: 2)
    private static let key = PersonalKey(subject: customer, secret: [UInt8](repeating: 1, count: 32))

    private static func admin(_ name: String, role: Role = .admin, site: String = "hz.zj") -> Author {
        let site = SiteCode(validated: site)
        return Author(name: name, role: role, level: AuthorityLevel(of: site), site: site, department: "")
    }

    private static func operation(_ body: Body, _ replica: UInt64, _ sequence: UInt64, by author: Author) -> Operation {
        Operation(
            dot: Dot(ReplicaID(replica), sequence), entity: customer, previous: 0, seen: VersionVector(),
            time: HybridTimestamp(milliseconds: 1_000 + Int64(sequence)), author: author, scope: [],
            kind: body.kind.operationKind, body: body.encoded())
    }

    private static func proposal(by author: Author) -> Operation {
        operation(.proposeErasure(ProposeErasureBody(keys: [key.id])), 1, 2, by: author)
    }

    private static func confirmation(_ sequence: UInt64 = 2, by author: Author) -> Operation {
        operation(.confirmErasure(ConfirmErasureBody(proposal: Dot(ReplicaID(1), 2))), 2, sequence, by: author)
    }

    @Test("two admins erase, in whatever order their words arrive")
    func twoAdmins() {
        let operations = [Self.proposal(by: Self.admin("李")), Self.confirmation(by: Self.admin("王"))]
        for order in [operations, operations.reversed()] {
            let all = Erasure.all(of: order)
            #expect(all.count == 1 && all[0].keys == [Self.key.id])
            #expect(all[0].confirmation == KeyErasure(confirmation: Dot(ReplicaID(2), 2), milliseconds: 1_002))
        }
        let twice = operations + [Self.confirmation(1, by: Self.admin("赵"))]
        #expect(Erasure.all(of: twice.reversed())[0].confirmer?.name == "赵")
    }

    @Test("proposals are listed by their time, whatever their dots and the order of their arrival")
    func listed() {
        let early = Self.operation(.proposeErasure(ProposeErasureBody(keys: [Self.key.id])), 9, 1, by: Self.admin("李"))
        let late = Self.operation(.proposeErasure(ProposeErasureBody(keys: [])), 1, 3, by: Self.admin("王"))
        let same = Self.operation(.proposeErasure(ProposeErasureBody(keys: [])), 2, 3, by: Self.admin("王"))
        for order in [[early, late, same], [same, late, early]] {
            #expect(Erasure.all(of: order).map(\.proposal) == [early.dot, late.dot, same.dot])
        }
    }

    @Test("a proposal names its keys in their order, and a reason that fits")
    func proposing() throws {
        let other = PersonalKey(subject: Self.customer, secret: [UInt8](repeating: 2, count: 32))
        let keys = [Self.key.id, other.id]
        let body = try Erasure.propose(keys.sorted().reversed(), reason: "客户要求", by: Self.admin("李"))
        #expect(body.keys == keys.sorted() && body.reason == "客户要求")
        let long = String(repeating: "a", count: TicketLimits.stringBytesMax + 1)
        let tooLong = Refusal.tooLong(nil, count: long.utf8.count, countMax: TicketLimits.stringBytesMax)
        #expect(throws: tooLong) { try Erasure.propose(keys, reason: long, by: Self.admin("李")) }
    }

    @Test("one person twice erases nothing, nor does anybody below admin, whoever wrote the operations")
    func refusedByEveryone() {
        let proposal = Self.proposal(by: Self.admin("李"))
        #expect(Erasure.all(of: [proposal])[0].confirmation == nil)
        #expect(Erasure.all(of: [proposal, Self.confirmation(by: Self.admin("李"))])[0].confirmation == nil)
        for role in Role.allCases where role != .admin {
            #expect(
                Erasure.all(of: [proposal, Self.confirmation(by: Self.admin("王", role: role))])[0].confirmation == nil)
            #expect(Erasure.all(of: [Self.proposal(by: Self.admin("李", role: role))]).isEmpty)
        }
        // The same name at another site is somebody else.
        let elsewhere = Self.confirmation(by: Self.admin("李", site: "zj"))
        #expect(Erasure.all(of: [proposal, elsewhere])[0].isConfirmed)
    }

    @Test("who asks is told what is missing")
    func decisions() throws {
        let proposal = Self.proposal(by: Self.admin("李"))
        let dot = proposal.dot
        #expect(throws: Refusal.adminOnly) {
            try Erasure.propose([Self.key.id], reason: "", by: Self.admin("李", role: .supervisor))
        }
        #expect(throws: Refusal.nothingToErase) { try Erasure.propose([], reason: "", by: Self.admin("李")) }
        #expect(throws: Refusal.samePerson(name: "李")) {
            try Erasure.confirm(dot, among: [proposal], by: Self.admin("李"))
        }
        #expect(throws: Refusal.noSuchProposal) { try Erasure.confirm(dot, among: [], by: Self.admin("王")) }
        #expect(throws: Refusal.adminOnly) {
            try Erasure.confirm(dot, among: [proposal], by: Self.admin("王", role: .agent))
        }
        #expect(try Erasure.confirm(dot, among: [proposal], by: Self.admin("王")).proposal == dot)
        #expect(throws: Refusal.alreadyErased) {
            try Erasure.confirm(
                dot, among: [proposal, Self.confirmation(by: Self.admin("王"))], by: Self.admin("赵"))
        }
    }

    @Test(
        "a customer is one however the number is written",
        arguments: [
            "13800138000", "138 0013 8000", "+8613800138000", "+86 138-0013-8000", "008613800138000", "8613800138000",
        ])
    func numbers(text: String) {
        #expect(CustomerNumber(text).map { "\($0)" } == "+8613800138000")
    }

    @Test("what is no whole number names nobody")
    func noNumbers() {
        for text in ["", "138****8000", "87654321", "张三", "+", "12", "138001380001380001", "+0123456789"] {
            #expect(CustomerNumber(text) == nil, "\(text)")
        }
        #expect(CustomerNumber("0571-87654321")?.e164 == "+8657187654321")
        #expect(CustomerNumber("+44 20 7946 0958")?.e164 == "+442079460958")
    }
}
