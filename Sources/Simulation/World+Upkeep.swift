internal import Node
internal import Replication
internal import Store
internal import Tickets

// What administrators do: revocations, enrolling anew, upgrades.
extension World {
    /// Revocations of one run.
    static let revocationsMax = 3

    // MARK: Revocation

    /// - Returns: false if there is nobody below whom the office knows.
    func revoke(by office: Office, _ random: inout SimulationRandom) throws -> Bool {
        guard revocationCount < Self.revocationsMax, office.replica != nil else { return false }
        readLog(of: office)
        let below = office.log.announced.filter { replica, site in
            site != office.site && site.isWithin(office.site) && !office.log.revokes(replica)
                && offices.contains { $0.writtenUnder.contains(replica) }
        }
        guard let victim = random.pick(below.keys.sorted { $0.rawValue < $1.rawValue }), let site = below[victim] else {
            return false
        }
        revocationCount += 1
        try committing(office) { replica in
            let held = try replica.reader.prefix(of: victim)
            // At times somebody knows from when on it was in other hands.
            let last = held > 1 && random.chance(percent: 40) ? 1 + UInt64(random.below(Int(held))) : held
            let hash = last == 0 ? .zero : office.log.hashes[Dot(victim, last)] ?? .zero
            let body = RevokeBody(
                site: site, replica: victim, lastSequence: last, lastHash: hash, reason: "被盗", certificatesBefore: 0)
            let author = replica.systemAuthor
            let effects = try replica.appending(now: wall(of: office)) { transaction in
                try transaction.append(.revoke(body), to: EntityID(announcementOf: victim), author: author)
            }
            say(office, "revokes \(victim) of \(site) beyond \(last)")
            follow(effects, office, isLocal: true)
        }
        return true
    }

    /// Sessions with whom this node has just heard to be revoked.
    func endRevoked(at office: Office) {
        readLog(of: office)
        for end in office.ends {
            guard let peer = end.peerReplica, office.log.revokes(peer) else { continue }
            plan(after: 0, .feedAdvanced, office) { try end.stop(.revoked, "this replica has been revoked") }
        }
    }

    /// Somebody enrols the node anew with a token of its parent.
    func planEnrolment(_ office: Office) {
        guard !office.isEnrolling else { return }
        office.isEnrolling = true
        plan(after: disks.within(1_000...20_000), .boot, office) { [self] in
            office.isEnrolling = false
            guard let replica = office.replica, try replica.reader.pendingRecovery() == nil else { return }
            say(office, "is enrolled anew")
            try replica.writer.setPendingRecovery(PendingRecovery(reason: .requested))
            restart(office, after: disks.within(10...500))
        }
    }

    // MARK: Versions

    /// - Returns: false if the node speaks it already.
    func age(_ office: Office, _ random: inout SimulationRandom) -> Bool {
        guard !office.speaksFormerVersion else { return false }
        office.speaksFormerVersion = true
        // So that its sessions begin under it.
        if office.replica != nil { restart(office, after: random.within(10...500)) }
        planUpgrade(office, after: random.within(5_000...40_000))
        return true
    }

    func planUpgrade(_ office: Office, after delay: Int64) {
        plan(after: delay, .boot, nil) { [self] in
            guard office.speaksFormerVersion else { return }
            guard let replica = office.replica, try replica.reader.pendingRecovery() == nil else {
                return planUpgrade(office, after: 1_000)
            }
            office.speaksFormerVersion = false
            try forget(office.log.kinds.filter { $0 != Kind.announce.operationKind }, at: replica)
            restart(office, after: disks.within(10...500))
        }
    }

    /// The store is left as a program would leave it that does not know one of the kinds which are in its log: what it
    /// has folded is of no use to the next.
    private func forget(_ kinds: Set<OperationKind>, at replica: Replica) throws {
        let known = Kind.allCases.map(\.rawValue)
        let candidates = kinds.map(\.rawValue).filter(known.contains).sorted()
        guard !candidates.isEmpty else { return }
        let forgotten = candidates[disks.below(candidates.count)]
        let rest = known.filter { $0 != forgotten }.map { "\($0)" }.joined(separator: ",")
        try replica.writer.catchUpProjection()
        try replica.writer.executeForTests("UPDATE meta SET value = '\(rest)' WHERE key = 'kinds'")
        try replica.writer.damageStatesForTests()
    }
}
