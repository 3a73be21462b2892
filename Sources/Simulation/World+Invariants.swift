internal import Foundation
internal import Node
internal import Replication
internal import Store
internal import Tickets

// What is looked at now and then, and at the end.
extension World {
    /// Entities whose states are folded anew in one look.
    static let sampleCount = 100_000

    /// The invariants that hold at any time.
    func look(at office: Office, rebuilding: Bool) {
        guard let replica = office.replica, violation == nil else { return }
        do {
            readLog(of: office)
            try refreshDamaged(office)
            guard office.damaged.isEmpty else { return }
            let differing = try replica.writer.differencesFromLog(sampleCount: Self.sampleCount)
            if let entity = differing.first {
                fail(.projection, office, "\(entity) is not what its operations give (and \(differing.count - 1) more)")
            }
            if let fault = try replica.reader.feedFaults().first {
                fail(.bounds, office, "the feed to \(fault.site): \(fault.kind)")
            }
            try checkPrefixes(office, replica)
            if rebuilding { try compareWithRebuilt(office, replica) }
        } catch  where office.isDiskFull && DiskFailure.isOne(error) {
            // What is behind cannot be written before it is looked at: the next look sees it.
            counts.diskFailures += 1
        } catch {
            fail(.unexpected, office, "a look at the store: \(error)")
        }
    }

    /// A prefix goes up to the first hole and no further.
    private func checkPrefixes(_ office: Office, _ replica: Replica) throws {
        for id in Set(office.log.hashes.keys.map(\.replica)) {
            let held = try replica.reader.prefix(of: id)
            let isWhole = held == 0 || office.log.hashes[Dot(id, held)] != nil
            let goesOn = office.log.hashes[Dot(id, held + 1)] != nil
            let hole = (1..<max(1, held)).first { office.log.hashes[Dot(id, $0)] == nil }
            guard !isWhole || goesOn || hole != nil else { continue }
            fail(.bounds, office, "the prefix of \(id) is \(held), which is not where its first hole is")
        }
    }

    private func compareWithRebuilt(_ office: Office, _ replica: Replica) throws {
        try replica.writer.catchUpProjection()
        let before = try replica.reader.projectionBytesForTests()
        let path = office.newPath("rebuild", in: root)
        defer { Disk.remove(path) }
        try Disk.copy(office.folder, to: path)
        let machine = ContentHash([UInt8](repeating: UInt8(truncatingIfNeeded: office.machine), count: 32))
        let (writer, reader) = try Store.open(
            DataFolder(path: path),
            context: StoreContext(now: wall(of: office), machine: machine, nextReplica: ReplicaID(1)))
        try writer.rebuild(now: wall(of: office))
        guard try reader.projectionBytesForTests() != before else { return }
        let (grown, rebuilt) = (try replica.reader.projectionForTests(), try reader.projectionForTests())
        let pair = zip(grown.split(separator: "\n"), rebuilt.split(separator: "\n")).first { $0 != $1 }
        fail(
            .projection, office,
            "a rebuild gives other rows: \(pair.map { "\($0.0.prefix(300)) … \($0.1.prefix(300))" } ?? "more or fewer")"
        )
    }

    /// What a node that was put back has lost comes from below, where nobody may speak for it: it lies parked until an
    /// administrator has looked at it.
    func releaseParked() {
        isReleasing = true
        defer { isReleasing = false }
        for office in offices {
            do {
                guard let replica = office.replica, try replica.reader.parkedCount() > 0 else { continue }
                let effects = try replica.releaseParked(nil, now: wall(of: office))
                counts.released += effects.insertedCount
                say(office, "\(effects.insertedCount) parked operations are taken in")
                follow(effects, office, isLocal: true)
                readLog(of: office)
            } catch {
                fail(.unexpected, office, "parked operations cannot be taken in: \(error)")
            }
        }
    }

    // MARK: Convergence

    /// Who has to hold what of whom.
    private var pairs: [(child: Office, parent: Office, isSibling: Bool)] {
        offices.flatMap { office in
            office.dialers.flatMap { dialer in dialer.targets.map { (office, $0, dialer.role == .sibling) } }
        }
    }

    /// What still keeps the province from being at rest; nil if nothing does.
    func unrest() -> String? {
        for office in offices {
            guard office.replica != nil else { return "\(office.name) is down" }
            guard office.queue.isEmpty else { return "\(office.name) has batches that wait" }
            readLog(of: office)
            if let text = damage(of: office) { return text }
            for dialer in office.dialers {
                guard let end = dialer.end, !end.isOver, end.isEstablished,
                    let other = end.connection.other(of: end), other.isEstablished
                else { return "\(office.name) has no session with its \(dialer.role)" }
            }
        }
        for (child, parent, isSibling) in pairs {
            if let difference = difference(child, parent, isSibling: isSibling) { return difference }
        }
        return nil
    }

    /// The first thing that one of the two lacks.
    private func difference(_ child: Office, _ parent: Office, isSibling: Bool) -> String? {
        for (dot, hash) in child.log.hashes where parent.log.hashes[dot] != hash && !lost.contains(dot) {
            if isTwofold(dot, child, parent) || isUnjustified(dot, at: parent) { continue }
            let found = parent.log.hashes[dot] == nil ? "lacks" : "has another"
            return "\(parent.name) \(found) \(dot) of \(child.name)"
        }
        for (id, entity) in parent.log.entities {
            guard (id.type != .ticket && !id.isJournal) || isSibling || entity.sites.includesAny(within: child.site)
            else {
                // What let it in may have been lost with a disk, when the history before it had been sent.
                let wasLetIn = !shortened.isEmpty && sites[id]?.includesAny(within: child.site) == true
                if let held = child.log.entities[id], !wasLetIn,
                    !held.dots.contains(where: { isTwofold($0, child, parent) })
                {
                    return "\(child.name) has \(id), which is not in its scope"
                }
                continue
            }
            for dot in entity.dots where child.log.hashes[dot] == nil && !lost.contains(dot) {
                if isUnjustified(dot, at: child) || isHeldBack(dot, on: id, from: child, parent) { continue }
                return "\(child.name) lacks \(dot) of \(parent.name)"
            }
        }
        return nil
    }

    /// Of an incarnation whose announcement nobody has a sound copy of: nobody vouches for the site of what it wrote, and a
    /// node that has not taken it in before keeps it parked. Source: Protocols/operations.md §7, §9.
    private func isUnjustified(_ dot: Dot, at office: Office) -> Bool {
        guard lost.contains(Dot(dot.replica, 1)), office.log.announced[dot.replica] == nil else { return false }
        return (try? office.replica?.reader.isParked(dot)) == true
    }

    /// Two histories that have reached two nodes stay two: each keeps what it had first, and who takes part by it.
    private func isTwofold(_ dot: Dot, _ left: Office, _ right: Office) -> Bool {
        guard forked.contains(dot.replica), let hash = left.log.hashes[dot] else { return false }
        return right.log.hashes[dot].map { $0 != hash } ?? false
    }

    /// A child hears from one of its parents. Where that one has the other content of a dot, it cannot pass on what its
    /// sibling has, and the other content may be on an entity that is none of the child's. Nor does it pass on anything of
    /// an entity which only that content lets the child's subtree in.
    private func isHeldBack(_ dot: Dot, on id: EntityID, from child: Office, _ parent: Office) -> Bool {
        let heard = child.dialers.compactMap { $0.end?.connection.acceptor }
        return heard.contains { other in
            guard other !== parent else { return false }
            if isTwofold(dot, other, parent) { return true }
            let isLetIn = other.log.entities[id]?.sites.includesAny(within: child.site) ?? false
            return !isLetIn && (parent.log.entities[id]?.dots.contains { isTwofold($0, other, parent) } ?? false)
        }
    }

    // MARK: End

    /// Everything, once the province has come to rest.
    func finalLook() {
        for office in offices { look(at: office, rebuilding: true) }
        for office in offices {
            guard let replica = office.replica, violation == nil else { return }
            guard office.damaged.isEmpty else { continue }
            let void = VoidModel(office.log)
            do {
                for (index, id) in office.log.tickets.enumerated() {
                    guard let ticket = try replica.writer.state(of: id) else {
                        return fail(.projection, office, "\(id) has operations and no state")
                    }
                    if let text = try ModelCheck.difference(ticket, replica.reader, void, forked: forked) {
                        return fail(.model, office, "\(id): \(text)")
                    }
                    // Whoever holds the same operations shows the same.
                    if index % 3 == 0, let text = try compareStates(ticket, office, void) {
                        return fail(.convergence, office, text)
                    }
                }
                try checkStreams(office, replica)
                try checkReceipts(office, replica)
                let waiting = try replica.reader.incarnation().waitingCount
                if waiting > 0 { fail(.acknowledgedIsDurable, office, "\(waiting) operations were not issued again") }
            } catch {
                fail(.unexpected, office, "the last look: \(error)")
            }
        }
    }

    /// - Parameter void: of the office.
    private func compareStates(_ ticket: Ticket, _ office: Office, _ void: VoidModel) throws -> String? {
        for dialer in office.dialers {
            for target in dialer.targets {
                guard target.damaged.isEmpty, let other = try target.replica?.writer.state(of: ticket.id) else {
                    continue
                }
                // The other content of a dot may be on another ticket, or a revocation.
                let theirs = VoidModel(target.log)
                let isTwofold = (ticket.operations + other.operations).contains { dot in
                    office.log.hashes[dot] != target.log.hashes[dot] || void.contains(dot) != theirs.contains(dot)
                }
                if !isTwofold, other.encoded() != ticket.encoded() {
                    return "\(ticket.id) is another at \(target.name)"
                }
            }
        }
        return nil
    }

    /// A node holds the whole stream of whoever works below it, but for what nobody has sound any more, since who sends
    /// leaves a damaged row out, and for what its author has issued again under another name before anybody else had it.
    /// Who plays an old session again can make a node do so.
    private func checkStreams(_ office: Office, _ replica: Replica) throws {
        var highest: [ReplicaID: (sequence: UInt64, count: UInt64)] = [:]
        for dot in office.log.hashes.keys {
            let known = highest[dot.replica] ?? (0, 0)
            highest[dot.replica] = (max(known.sequence, dot.sequence), known.count + 1)
        }
        let excused = lost.union(takenOut)
        for (id, stream) in highest where !shortened.contains(id) && !forked.contains(id) {
            let writers = offices.filter { $0.writtenUnder.contains(id) }
            guard writers.allSatisfy({ $0.site.isWithin(office.site) }), !writers.isEmpty else { continue }
            let gone = excused.filter { dot in
                dot.replica == id && dot.sequence < stream.sequence && office.log.hashes[dot] == nil
            }
            if stream.count + UInt64(gone.count) != stream.sequence {
                fail(.bounds, office, "the stream of \(id) has \(stream.count) of \(stream.sequence) operations")
            }
            let whole = gone.map { $0.sequence - 1 }.min() ?? stream.sequence
            let held = try replica.reader.prefix(of: id)
            if held != whole { fail(.bounds, office, "the prefix of \(id) is \(held) of \(whole)") }
        }
    }

    /// What is visible at a node that has everything has its receipt.
    private func checkReceipts(_ office: Office, _ replica: Replica) throws {
        guard office.isCaughtUp else { return }
        var owed: EntityID?
        try replica.reader.forEachAwaitingReceipt { ticket in
            if ticket.isLetIn(office.site), !ticket.summary().receiptsOwed(by: office.site).isEmpty { owed = ticket.id }
        }
        if let owed { fail(.convergence, office, "a receipt for \(owed) is owed and was not written") }
    }
}
