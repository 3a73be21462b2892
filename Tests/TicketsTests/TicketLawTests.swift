import Replication
import TestSupport
import Testing
import Tickets

/// The laws of the state over random histories. A failure names its seed.
@Suite struct TicketLawTests {
    static let seeds: Range<UInt64> = 0..<60

    /// Operations of four replicas on one ticket, half of them made without a line.
    static func history(seed: UInt64, count: Int = 30) throws -> (EntityID, [Operation]) {
        var generator = SeededGenerator(seed: seed)
        var scene = try Scene()
        let id = scene.id
        let offices: [WritableKeyPath<Scene, Office>] = [\.province, \.region, \.branch, \.desk, \.other]
        for minute in 1...Int64(count) {
            let office = offices.randomElement(using: &generator) ?? \.branch
            let department = ["SVC", "NET", "DATA"].randomElement(using: &generator) ?? "SVC"
            let action = randomAction(scene[keyPath: office].summary(id), &generator)
            do {
                try scene[keyPath: office].perform(action, on: id, as: department, role: .supervisor, minute: minute)
            } catch is Refusal {
                // What is refused leaves no trace; the history goes on.
            }
            if let dot = scene[keyPath: office].summary(id).custody?.id, Int.random(in: 0..<4, using: &generator) == 0 {
                scene[keyPath: office].confirm(dot, on: id, minute: minute)
            }
            if Int.random(in: 0..<5, using: &generator) == 0 {
                let peer = offices.randomElement(using: &generator) ?? \.region
                guard peer != office else { continue }
                let sent = scene[keyPath: office].log
                scene[keyPath: peer].receive(sent)
            }
        }
        var operations = scene.operations.filter { $0.entity == id }
        operations.append(unknown(id, replica: 0x77, generator.next()))
        return (id, operations)
    }

    private static func unknown(_ id: EntityID, replica: UInt64, _ noise: UInt64) -> Operation {
        Operation(
            dot: Dot(ReplicaID(replica), 1), entity: id, previous: 0, seen: VersionVector(),
            time: HybridTimestamp(milliseconds: Office.start), author: Office("nb.zj", replica: 1).author("X"),
            scope: [], kind: OperationKind(rawValue: 900), isCritical: noise & 1 == 0, body: [0xFF, 1, 2])
    }

    private static func randomAction(_ summary: TicketSummary, _ generator: inout SeededGenerator)
        -> TicketCommand.Action
    {
        let site = ["zj", "hz.zj", "xihu.hz.zj", "binjiang.hz.zj"].randomElement(using: &generator) ?? "zj"
        let department = ["SVC", "NET", "DATA"].randomElement(using: &generator) ?? "NET"
        let contest = summary.contested.randomElement(using: &generator)
        let actions: [TicketCommand.Action] = [
            .set(.title, .text("t\(generator.next() % 10)")), .set(.urgency, .number(2)), .set(.category, .text("A")),
            .set(Field(rawValue: 900), .text("later")), Scene.transfer(.dispatch, site, department),
            Scene.transfer(.onward, site, department), .returnBack(reason: "r"), .accept,
            .reply(text: "done", custody: nil), .feedback(text: "told", channel: "", score: 4),
            .close(reason: "r", isConfirmedByCustomer: true, score: 0), .reopen(reason: "again"),
            .chase(customer: nil, promised: nil, note: "n", channel: ""),
            .answerChase(summary.chases.last?.dot ?? Dot(ReplicaID(1), 1), text: "soon", promised: nil), .note("n"),
            .settle(
                custody: contest?.parent ?? Dot(ReplicaID(1), 1),
                winner: contest?.candidates.last?.dot ?? Dot(ReplicaID(1), 1), reason: "r"),
            .tag("a"), .untag("a"), .watch(name: "w", site: nil), .unwatch(name: "w", site: nil),
        ]
        return actions.randomElement(using: &generator) ?? .accept
    }

    @Test("any order and any repetition of arrival give equal states, bytes and summaries", arguments: seeds)
    func order(seed: UInt64) throws {
        let (id, operations) = try Self.history(seed: seed)
        var generator = SeededGenerator(seed: seed ^ 0xABCD)
        var straight = Ticket(id: id)
        for operation in operations { straight.apply(operation) }
        for _ in 0..<4 {
            var shuffled = Ticket(id: id)
            for operation in operations.shuffledWithRepetitions(using: &generator) { shuffled.apply(operation) }
            #expect(shuffled == straight, "seed \(seed)")
            #expect(shuffled.encoded() == straight.encoded(), "seed \(seed)")
            #expect(shuffled.summary() == straight.summary(), "seed \(seed)")
        }
    }

    @Test("merging two states is applying the operations of both", arguments: seeds)
    func merge(seed: UInt64) throws {
        let (id, operations) = try Self.history(seed: seed)
        var generator = SeededGenerator(seed: seed ^ 0x1234)
        var parts = [Ticket(id: id), Ticket(id: id), Ticket(id: id)]
        var all = Ticket(id: id)
        for operation in operations {
            all.apply(operation)
            parts[Int.random(in: 0..<3, using: &generator)].apply(operation)
            parts[Int.random(in: 0..<3, using: &generator)].apply(operation)
        }
        var left = parts[0]
        left.merge(parts[1])
        left.merge(parts[2])
        var tail = parts[2]
        tail.merge(parts[1])
        var right = tail
        right.merge(parts[0])
        #expect(left == all && right == all, "seed \(seed): commutative and associative")
        #expect(left.encoded() == all.encoded())
        left.merge(right)
        #expect(left == all, "seed \(seed): idempotent")
    }

    @Test("the surviving writes of a field are those of a multi-value register", arguments: seeds)
    func fields(seed: UInt64) throws {
        let (id, operations) = try Self.history(seed: seed)
        var ticket = Ticket(id: id)
        var register = MultiValueRegister<String>()
        for operation in operations {
            ticket.apply(operation)
            guard let value = try? Body(decoding: operation).value(of: .title), let text = value.text else { continue }
            register.write(text, dot: operation.dot, time: operation.time, seen: operation.seen)
        }
        let state = ticket.summary().state(of: .title)
        #expect(state?.writes == register.writes.map(\.dot), "seed \(seed)")
        #expect(state?.displayed == register.displayed?.dot, "seed \(seed)")
    }

    @Test("the tags of a ticket are those of an add-wins set", arguments: seeds)
    func tags(seed: UInt64) throws {
        let (id, operations) = try Self.history(seed: seed)
        var ticket = Ticket(id: id)
        var set = AddWinsSet<String>()
        for operation in operations {
            ticket.apply(operation)
            switch try? Body(decoding: operation) {
            case .tag(let body): set.add(body.tag, dot: operation.dot)
            case .untag(let body): set.remove(body.tag, seen: operation.seen)
            default: continue
            }
        }
        #expect(ticket.summary().tags == set.elements, "seed \(seed)")
    }

    @Test("a state reads back from its bytes", arguments: seeds)
    func roundTrip(seed: UInt64) throws {
        let (id, operations) = try Self.history(seed: seed)
        var ticket = Ticket(id: id)
        for operation in operations { ticket.apply(operation) }
        let bytes = ticket.encoded()
        let read = try Ticket(decoding: bytes, id: id)
        #expect(read == ticket && read.encoded() == bytes && read.summary() == ticket.summary())
        #expect(read.seen() == ticket.seen() && read.sites == ticket.sites)
        #expect(bytes.count <= 45 * operations.count, "\(bytes.count) bytes for \(operations.count) operations")
    }

    @Test("truncated and altered bytes are refused or read, and never trap", arguments: 0..<12 as Range<UInt64>)
    func damaged(seed: UInt64) throws {
        let (id, operations) = try Self.history(seed: seed, count: 12)
        var ticket = Ticket(id: id)
        for operation in operations { ticket.apply(operation) }
        let bytes = ticket.encoded()
        for count in bytes.indices {
            #expect(throws: DecodingFailure.self) { try Ticket(decoding: Array(bytes[..<count]), id: id) }
        }
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<400 {
            var altered = bytes
            for _ in 0...Int.random(in: 0..<3, using: &generator) {
                altered[Int.random(in: altered.indices, using: &generator)] = UInt8.random(
                    in: 0...255, using: &generator)
            }
            guard var read = try? Ticket(decoding: altered, id: id) else { continue }
            _ = read.summary()
            _ = read.seen()
            read.merge(ticket)
            _ = read.encoded()
        }
    }

    @Test("a body of any bytes is taken in as an opaque event at worst", arguments: 0..<20 as Range<UInt64>)
    func arbitraryBodies(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let id = EntityID(type: .ticket, high: 1, low: 1)
        var ticket = Ticket(id: id)
        for sequence in 1...40 as ClosedRange<UInt64> {
            let body = (0..<Int.random(in: 0..<40, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            ticket.apply(
                Operation(
                    dot: Dot(ReplicaID(sequence % 3), sequence), entity: id, previous: 0, seen: VersionVector(),
                    time: HybridTimestamp(rawValue: generator.next()), author: Office("zj", replica: 1).author("X"),
                    scope: [], kind: OperationKind(rawValue: UInt16.random(in: 0...33, using: &generator)), body: body))
        }
        #expect(ticket.operationCount == 40 && ticket.summary().operationCount == 40)
    }
}
