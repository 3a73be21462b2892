internal import Node
internal import Replication
internal import Store

/// What a store throws when its disk does not do what it is told.
enum DiskFailure {
    /// As the error that stands for it says.
    static let flush = "the flush failed"
    private static let full = "database or disk is full"

    static func isOne(_ error: any Error) -> Bool {
        if case StoreError.diskAlmostFull? = error as? StoreError { return true }
        let text = "\(error)"
        return text.contains(flush) || text.contains(full)
    }
}

private struct FlushFailure: Error, CustomStringConvertible {
    var description: String { DiskFailure.flush }
}

// Disks that fail while their node goes on: a commit that throws, no room, a row that changes by itself.
extension World {
    // MARK: Flush

    /// The transaction is undone at its end, after everything else in it was done; the node goes on.
    func failing(_ office: Office, _ replica: Replica, _ body: (Replica) throws -> Void) throws {
        office.isFlushFailing = false
        replica.writer.failureForTests = FlushFailure()
        defer { replica.writer.failureForTests = nil }
        let held = office.log.hashes.count
        do {
            try body(replica)
        } catch  where DiskFailure.isOne(error) {
            counts.diskFailures += 1
        }
        readLog(of: office)
        if office.log.hashes.count != held {
            fail(.acknowledgedIsDurable, office, "a transaction that threw has left operations")
        }
    }

    // MARK: Room

    /// - Returns: false if there is nobody whose disk it could be.
    func fill(_ office: Office, _ random: inout SimulationRandom) throws -> Bool {
        guard let replica = office.replica, !office.isDiskFull, !office.isDiskLow else { return false }
        // Mostly the node sees it coming.
        if random.chance(percent: 50) {
            office.isDiskLow = true
        } else {
            office.isDiskFull = true
            try replica.writer.boundForTests(pageCountMax: 1)
        }
        plan(after: random.within(500...20_000), .fault, office) { [self] in emptied(office) }
        return true
    }

    func emptied(_ office: Office) {
        office.isDiskLow = false
        guard office.isDiskFull, let replica = office.replica else { return }
        office.isDiskFull = false
        do {
            try replica.writer.boundForTests(pageCountMax: Int(Int32.max - 1))
        } catch {
            fail(.unexpected, office, "the disk has room and the database does not grow: \(error)")
        }
    }

    // MARK: Bit rot

    /// - Returns: false if there is no row of which somebody else has a copy.
    func rot(_ office: Office, _ random: inout SimulationRandom) throws -> Bool {
        guard let replica = office.replica else { return false }
        readLog(of: office)
        let copies = neighbours(of: office)
        guard let row = random.pick(office.log.rows),
            let dot = try replica.reader.operations(after: row.arrival - 1, limit: 1).first?.operation.dot,
            !office.everDamaged.contains(dot), copies.contains(where: { hasSound(dot, of: office, $0) })
        else { return false }
        office.everDamaged.insert(dot)
        office.damaged.insert(dot)
        try replica.writer.damageForTests(arrival: row.arrival)
        say(office, "the row of \(dot) is damaged")
        planScrub(office, after: random.within(100...20_000))
        return true
    }

    func planScrub(_ office: Office, after delay: Int64) {
        plan(after: delay, .scrub, office) { [self] in try scrub(office) }
    }

    /// A whole pass: rows against their hashes, then entities against their operations.
    private func scrub(_ office: Office) throws {
        guard let replica = office.replica else { return }
        let writer = replica.writer
        try writer.recheckDamaged()
        var next: Int64? = 0
        while let arrival = next {
            let step = try replica.reader.scrubOperations(after: arrival, limit: 2_000)
            try writer.noteDamaged(step.damaged, now: wall(of: office))
            next = step.next
        }
        try refreshDamaged(office)
        let known = Set(try replica.reader.damaged().map(\.dot))
        if let dot = office.damaged.subtracting(known).min() {
            fail(.rowMatchesHash, office, "\(dot) has changed on the disk, and reading everything does not find it")
        }
        try writer.catchUpProjection()
        for id in try replica.reader.scrubEntities(after: 0, limit: Self.sampleCount).wrong {
            _ = try writer.refold(id, now: wall(of: office))
        }
    }

    /// What a feed had to leave out because its row was damaged comes with the audit of the day.
    func auditOmitted() throws {
        guard offices.contains(where: { !$0.everDamaged.isEmpty }) else { return }
        for end in offices.flatMap({ $0.dialers.compactMap(\.end) }) { try end.audit() }
    }

    /// Rows that a sound copy has healed are sound.
    func refreshDamaged(_ office: Office) throws {
        guard !office.damaged.isEmpty, let replica = office.replica else { return }
        for dot in office.damaged {
            guard let operation = try replica.reader.operation(dot) else {
                // It was issued again under another dot.
                office.damaged.remove(dot)
                continue
            }
            if hasher.hash(operation) == office.log.hashes[dot] { office.damaged.remove(dot) }
        }
    }

    /// Whom an office has sessions with.
    private func neighbours(of office: Office) -> [Office] {
        let above = office.dialers.flatMap(\.targets)
        let below = offices.filter { other in other.dialers.contains { $0.targets.contains { $0 === office } } }
        return above + below
    }

    /// Whether another one has what stood in the row: where one dot has two contents, the other content heals nothing.
    private func hasSound(_ dot: Dot, of office: Office, _ other: Office) -> Bool {
        office.log.hashes[dot] != nil && other.log.hashes[dot] == office.log.hashes[dot]
            && !other.damaged.contains(dot)
    }

    /// - Returns: what is still to be healed; what nobody has a sound copy of is lost.
    func damage(of office: Office) -> String? {
        do {
            try refreshDamaged(office)
        } catch {
            return "\(office.name) cannot read its log: \(error)"
        }
        guard !office.damaged.isEmpty else { return nil }
        let copies = neighbours(of: office)
        for dot in office.damaged.sorted() {
            guard !copies.contains(where: { hasSound(dot, of: office, $0) }) else {
                return "\(office.name) has a damaged row \(dot)"
            }
            lost.insert(dot)
        }
        return nil
    }
}
