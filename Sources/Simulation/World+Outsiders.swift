internal import Node
internal import Replication
internal import Store
internal import Tickets

// Sessions behind which no node stands: old ones that are played again, ones of whoever has a branch's key, ones of a
// program from later. Who is spoken to has a real session; nobody reads its answers.
extension World {
    var isRecording: Bool { configuration.faults.contains(.replay) }

    /// - Parameter mustEnd: whoever is spoken to has to end the session of itself.
    private func play(
        _ frames: [[UInt8]], as office: Office, to target: Office, _ random: inout SimulationRandom, mustEnd: Bool
    ) throws {
        counts.sessions += 1
        let connection = Connection(dialer: office, acceptor: target, latency: 1)
        connections.append(connection)
        let accepted = SessionEnd(self, target, to: office, over: connection, role: .child)
        connection.accepted = accepted
        target.ends.append(accepted)
        try accepted.start()
        var at = now
        for frame in frames {
            // What it says next waits for the other's answer, as far as somebody can guess who does not read it.
            at += random.within(20...400)
            plan(at: at, .arrive, target) { try accepted.take(frame) }
        }
        plan(at: at + 5_000, .arrive, target) { [self] in
            // What is left aside for want of room is not looked at.
            if mustEnd, !accepted.isOver, !accepted.isLeavingAside, !connection.isCut, target.asleepUntil <= at {
                fail(.origin, target, "a session with a hostile child goes on")
            }
            accepted.streamEnded("the outsider has gone")
        }
    }

    // MARK: Old sessions

    /// - Returns: false if nothing was recorded.
    func replay(to office: Office, _ random: inout SimulationRandom) throws -> Bool {
        guard let dialer = office.dialers.first(where: { $0.role == .parent }),
            let frames = random.pick(office.recordings),
            let target = random.pick(dialer.targets), target.replica != nil
        else { return false }
        // What it said of itself, and of the parent, was so at that time.
        for node in [office, target] { replayed.formUnion(node.writtenUnder) }
        try play(frames, as: office, to: target, &random, mustEnd: false)
        return true
    }

    // MARK: A branch's key in other hands

    private enum Attack: CaseIterable {
        /// Operations whose author works elsewhere.
        case foreignAuthor
        /// Operations under another node's incarnation.
        case foreignDot
        /// An operation larger than any may be.
        case oversized
        /// A batch that is not what its digest says.
        case spoiled
        /// One dot with two contents.
        case twoHistories
        /// One dot with two contents, told to two parents.
        case twoParents
        /// The parent is revoked from below.
        case revokesAbove

        var mustEnd: Bool { [.oversized, .spoiled, .twoHistories].contains(self) }
    }

    /// - Returns: false if the office has no key that is worth stealing.
    func pose(at office: Office, _ random: inout SimulationRandom) throws -> Bool {
        guard let target = outside(office, &random), let attack = random.pick(Attack.allCases) else { return false }
        var outsider = Outsider(site: office.site, replica: ReplicaID(random.next() | 1), time: wall(of: target))
        var frames = try outsider.greeting(run: random.next() | 1)
        let own = outsider.opening("真")
        frames.append(try outsider.batch([outsider.announcement, own]))
        switch attack {
        case .foreignAuthor:
            guard let victim = random.pick(offices.filter { !$0.site.isWithin(office.site) }) else { return false }
            var operation = outsider.opening("伪")
            operation.author.site = victim.site
            frames.append(try outsider.batch([operation], forging: self))
        case .foreignDot:
            guard let victim = random.pick(offices.filter { $0.site != office.site && $0.replica != nil }),
                let replica = victim.replica
            else { return false }
            var operation = outsider.opening("伪")
            operation.dot = Dot(replica.identity.replica, replica.writtenSequence + 1_000)
            operation.entity = EntityID(ticketOpenedBy: operation.dot)
            frames.append(try outsider.batch([operation], forging: self))
        case .oversized:
            var operation = outsider.opening("大")
            operation.extensions = [UInt8](repeating: 7, count: OperationLimits.bytesMax)
            frames.append(try outsider.batch([operation], forging: self))
        case .spoiled:
            frames.append(try outsider.batch([outsider.opening("坏")], isSpoiled: true, forging: self))
        case .twoHistories:
            var other = own
            other.time = HybridTimestamp(rawValue: own.time.rawValue + 1)
            frames.append(try outsider.batch([other], forging: self))
        case .twoParents:
            let others = office.dialers.flatMap(\.targets).filter { $0 !== target && $0.replica != nil }
            guard let second = random.pick(others) else { return false }
            var copy = Outsider(site: office.site, replica: outsider.replica, time: wall(of: second) + 1)
            // Whoever holds one of the two keeps it.
            forked.insert(outsider.replica)
            let other =
                try copy.greeting(run: random.next() | 1) + [copy.batch([copy.announcement, copy.opening("另")])]
            try play(other, as: office, to: second, &random, mustEnd: false)
        case .revokesAbove:
            guard let replica = target.replica?.identity.replica else { return false }
            frames.append(try outsider.batch([outsider.revocation(of: replica, at: target.site)], forging: self))
        }
        try play(frames, as: office, to: target, &random, mustEnd: attack.mustEnd)
        return true
    }

    /// A parent of a branch, to be spoken to in the branch's name.
    private func outside(_ office: Office, _ random: inout SimulationRandom) -> Office? {
        guard !offices.contains(where: { $0.parent == office.site }),
            let dialer = office.dialers.first(where: { $0.role == .parent }), let target = random.pick(dialer.targets),
            target.replica != nil
        else { return nil }
        return target
    }

    // MARK: A program from later

    /// - Returns: false if the office has nobody above it.
    func writeNewKind(at office: Office, _ random: inout SimulationRandom) throws -> Bool {
        guard let target = outside(office, &random) else { return false }
        var later = Outsider(site: office.site, replica: ReplicaID(random.next() | 1), time: wall(of: target))
        var frames = try later.greeting(run: random.next() | 1)
        let opening = later.opening("新")
        var operations = [later.announcement, opening]
        for _ in 0..<1 + random.below(3) {
            operations.append(later.unknown(on: opening.entity, body: random.bytes(40), random.chance(percent: 50)))
        }
        let known = office.log.tickets.suffix(Self.recentTickets).filter { target.log.entities[$0] != nil }
        if let ticket = random.pick(Array(known)) {
            operations.append(later.unknown(on: ticket, body: random.bytes(40), random.chance(percent: 30)))
        }
        frames.append(try later.batch(operations))
        try play(frames, as: office, to: target, &random, mustEnd: false)
        return true
    }
}

/// Speaks the protocol by hand, as a child of that site.
private struct Outsider: ~Copyable {
    let site: SiteCode
    let replica: ReplicaID
    private var time: HybridTimestamp
    private var sequence: UInt64 = 1
    private var cursor: FeedCursor
    private var hasher = ContentHasher()
    /// A number that no version gives to a kind.
    private static let unknownKind = OperationKind(rawValue: 60_001)

    init(site: SiteCode, replica: ReplicaID, time: Int64) {
        self.site = site
        self.replica = replica
        self.time = HybridTimestamp(milliseconds: time)
        cursor = FeedCursor(feed: replica)
    }

    func greeting(run: UInt64) throws -> [[UInt8]] {
        let hello = SyncMessage.Hello(
            version: SyncSession.versionMax, site: site, replica: replica, wallMilliseconds: time.milliseconds,
            run: run)
        let resume = SyncMessage.Resume(received: nil, held: nil, isEmpty: false)
        return try [SyncCodec.encode(.hello(hello)), SyncCodec.encode(.resume(resume))]
    }

    private func author(_ role: Role) -> Author {
        Author(name: "x", role: role, level: AuthorityLevel(of: site), site: site, department: "A")
    }

    private func operation(_ dot: Dot, on entity: EntityID, _ body: Body, _ role: Role) -> Operation {
        Operation(
            dot: dot, entity: entity, previous: 0, seen: VersionVector(), time: time, author: author(role), scope: [],
            kind: body.kind.operationKind, isCritical: body.kind.isCritical, body: body.encoded())
    }

    private mutating func next() -> Dot {
        sequence += 1
        return Dot(replica, sequence)
    }

    var announcement: Operation {
        operation(
            Dot(replica, 1), on: EntityID(announcementOf: replica),
            .announce(AnnounceBody(site: site, certificateFingerprint: [], level: AuthorityLevel(of: site))), .system)
    }

    mutating func opening(_ title: String) -> Operation {
        let dot = next()
        return operation(
            dot, on: EntityID(ticketOpenedBy: dot), .open(OpenBody(title: title, category: "net")), .dispatcher)
    }

    mutating func unknown(on entity: EntityID, body: [UInt8], _ isCritical: Bool) -> Operation {
        Operation(
            dot: next(), entity: entity, previous: 0, seen: VersionVector(), time: time, author: author(.dispatcher),
            scope: [], kind: Self.unknownKind, isCritical: isCritical, body: body)
    }

    mutating func revocation(of other: ReplicaID, at site: SiteCode) -> Operation {
        operation(
            next(), on: EntityID(announcementOf: other),
            .revoke(
                RevokeBody(
                    site: site, replica: other, lastSequence: 0, lastHash: .zero, reason: "x", certificatesBefore: 0)),
            .admin)
    }

    /// - Parameter world: remembers that nobody may take these in.
    mutating func batch(_ operations: [Operation], isSpoiled: Bool = false, forging world: World? = nil) throws
        -> [UInt8]
    {
        let start = cursor
        cursor.position += UInt64(operations.count)
        for operation in operations {
            let hash = hasher.hash(operation)
            cursor.digest.insert(hash)
            world?.forged.insert(hash)
        }
        if isSpoiled { cursor.digest.insert(.zero) }
        return try SyncCodec.encode(
            OutgoingBatch(start: start, end: cursor, operations: operations, remaining: 0), coding: .zstd)
    }
}
