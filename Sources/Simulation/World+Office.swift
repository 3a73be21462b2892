internal import Foundation
internal import Node
internal import Replication
internal import Store
internal import Tickets

// An office's process: start, end, transactions.
extension World {
    /// Of the write-ahead log, behind which the database is brought up to it: every kept disk and every crash copies both.
    private static let checkpointPages = 250

    /// - Parameter creating: for an empty disk.
    func start(_ office: Office, creating: Bool = false) throws {
        precondition(office.replica == nil, "one process at a time")
        office.process += 1
        office.isBooting = false
        office.run = identities.next() | 1
        office.queue = ApplyQueue()
        office.applier = Applier()
        office.runs = KnownRuns()
        (office.runsMet, office.conflicts) = ([:], [:])
        (office.isDrainPlanned, office.isProjectionPlanned, office.isEpochPlanned) = (false, false, false)
        office.areReceiptsPlanned = false
        office.isCaughtUp = office.isProvince
        (office.crash, office.isFlushFailing) = (nil, false)
        (office.isDiskLow, office.isDiskFull, office.isEnrolling) = (false, false, false)
        let wall = wall(of: office)
        let context = StoreContext(
            now: wall, machine: ContentHash([UInt8](repeating: UInt8(truncatingIfNeeded: office.machine), count: 32)),
            nextReplica: ReplicaID(identities.next() | 1))
        let identity = NodeIdentity(site: office.site, replica: context.nextReplica, parent: office.parent)
        var creation = context
        creation.nextReplica = ReplicaID(identities.next() | 1)
        let (writer, _) = try Store.open(
            DataFolder(path: office.folder), creating: creating ? identity : nil,
            context: creating ? creation : context)
        try Disk.boundLog(of: writer, pages: Self.checkpointPages)
        // The file has room behind its last frame; from here on its length tells how far a crash has got.
        try writer.checkpoint()
        writer.monotonic = { [unowned self] in instant(now) }
        let random = office.random
        let replica = try Replica(writer: writer, provinceKey: provinceKey) { random.random.bytes($0) }
        office.replica = replica
        try replica.announceIfNew(certificateFingerprint: [], now: wall)
        _ = try replica.reissuePending(now: wall)
        try writer.catchUpProjection()
        if office.isProvince { _ = try replica.writeWaitingReceipts(now: wall) }
        let former = office.log
        readLog(of: office, isFresh: true)
        noteTakenOut(of: former, at: office, replica)
        try checkStart(of: office, replica)
        if !office.everDamaged.isEmpty { planScrub(office, after: 5_000) }
        office.writtenUnder.insert(replica.identity.replica)
        say(
            office,
            "starts as \(replica.identity.replica), which follows \(replica.identity.follows.map { "\($0.replica):\($0.sequence)" } ?? "nothing"), with \(office.log.hashes.count) operations"
        )
        trace.mix(replica.identity.replica.rawValue)
        for dialer in office.dialers {
            (dialer.end, dialer.isDialling) = (nil, false)
            dialer.backoff = Backoff()
            planDial(office, dialer, after: disks.within(0...500))
        }
        planAct(office)
    }

    /// The process is gone. Its disk stays as it is.
    /// - Parameter isClean: it has saved its epoch and closed its file.
    func end(_ office: Office) {
        office.process += 1
        for end in office.ends { end.die() }
        office.ends = []
        office.replica = nil
    }

    func restart(_ office: Office, after delay: Int64) {
        end(office)
        boot(office, after: delay)
    }

    func boot(_ office: Office, after delay: Int64) {
        office.isBooting = true
        plan(after: delay, .boot, office) { [self] in
            guard office.replica == nil else { return }
            try start(office)
        }
    }

    // MARK: Transactions

    func planDrain(_ office: Office) {
        guard !office.isDrainPlanned else { return }
        office.isDrainPlanned = true
        plan(after: disks.within(1...12), .drain, office) { [self] in
            office.isDrainPlanned = false
            try drain(office)
        }
    }

    private func drain(_ office: Office) throws {
        let bound = ApplyQueue.bytesMax + 2 * SyncLimits.messageBytesMax * max(1, office.ends.count)
        if office.queue.bytes > bound { fail(.bounds, office, "\(office.queue.bytes) bytes wait for the disk") }
        try committing(office) { replica in
            let isMoreComing = office.applier.drain(
                office.queue, into: replica, now: wall(of: office), logger
            ) { follow($0, office, isLocal: false) }
            guard let isMoreComing else { return }
            counts.commits += 1
            try checkParked(at: office, replica)
            if replica.writer.isProjectionBehind {
                if isMoreComing { planProjection(office) } else { writeProjection(office) }
            }
            if !office.queue.finishedDraining() { planDrain(office) }
        }
    }

    /// Runs something that commits, and ends the process around it if that is due. What a process that ends has done and
    /// told nobody of may be there or not.
    func committing(_ office: Office, _ body: (Replica) throws -> Void) throws {
        guard let replica = office.replica else { return }
        guard let crash = office.crash else {
            if office.isFlushFailing { return try failing(office, replica, body) }
            try body(replica)
            readLog(of: office)
            return
        }
        office.crash = nil
        for end in office.ends { end.die() }
        office.ends = []
        // Nobody hears of anything more.
        office.process += 1
        // What has gone into the database is whole in the log: a part of the log alone would not be any crash.
        if crash == .duringCommit { try Disk.boundLog(of: replica.writer, pages: 0) }
        let before = Disk.logBytes(office.folder)
        if crash != .beforeCommit {
            office.isUntold = true
            defer { office.isUntold = false }
            do {
                try body(replica)
            } catch is Refusal {
            } catch  where DiskFailure.isOne(error) {
            }
        }
        let path = office.newPath("disk", in: root)
        let after = Disk.logBytes(office.folder)
        let kept = crash == .duringCommit && after > before ? before + disks.below(after - before) : after
        try Disk.copy(office.folder, to: path, logBytes: kept)
        let held = office.log.hashes
        office.replica = nil
        Disk.remove(office.folder)
        office.folder = path
        try start(office)
        for (dot, hash) in held.sorted(by: { $0.key < $1.key })
        where office.log.hashes[dot] != hash && !forked.contains(dot.replica) {
            return fail(.acknowledgedIsDurable, office, "\(dot) was acknowledged and is gone after a crash")
        }
    }

    /// What follows a commit.
    func follow(_ effects: ReplicaEffects, _ office: Office, isLocal: Bool) {
        guard office.replica != nil else { return }
        if effects.hasRevocations { endRevoked(at: office) }
        if isLocal || office.isCaughtUp { writeReceipts(office, for: effects.owingReceipts) }
        publish(effects.advancedPeers, office)
        if isLocal { planEpoch(office) }
    }

    private func publish(_ peers: [PeerID], _ office: Office) {
        for end in office.ends {
            guard let id = end.id, peers.contains(id) else { continue }
            plan(after: 0, .feedAdvanced, office) { try end.feedAdvanced() }
        }
    }

    private func writeReceipts(_ office: Office, for tickets: [EntityID]) {
        guard let replica = office.replica, !tickets.isEmpty || !replica.owedReceipts.isEmpty else { return }
        writeReceipts(office) { try replica.writeReceipts(for: tickets, now: wall(of: office)) }
    }

    private func writeReceipts(_ office: Office, _ body: () throws -> ReplicaEffects) {
        do {
            published(try body(), office)
        } catch  where DiskFailure.isOne(error) {
            counts.diskFailures += 1
            planOwedReceipts(office)
        } catch {
            fail(.unexpected, office, "receipts: \(error)")
        }
    }

    private func planOwedReceipts(_ office: Office) {
        guard !office.areReceiptsPlanned else { return }
        office.areReceiptsPlanned = true
        plan(after: Int64(SyncNode.receiptDelayMilliseconds), .job, office) { [self] in
            office.areReceiptsPlanned = false
            guard office.isCaughtUp else { return }
            try committing(office) { _ in writeReceipts(office, for: []) }
        }
    }

    private func published(_ effects: ReplicaEffects, _ office: Office) {
        guard effects.insertedCount > 0 else { return }
        publish(effects.advancedPeers, office)
        planEpoch(office)
    }

    func setCaughtUp(_ office: Office) {
        guard let replica = office.replica, !office.isCaughtUp else { return }
        office.isCaughtUp = true
        writeProjection(office)
        writeReceipts(office) { try replica.writeWaitingReceipts(now: wall(of: office)) }
    }

    func writeProjection(_ office: Office) {
        guard let replica = office.replica, replica.writer.isProjectionBehind else { return }
        do {
            follow(try replica.writeProjection(), office, isLocal: false)
        } catch  where DiskFailure.isOne(error) {
            counts.diskFailures += 1
        } catch {
            fail(.unexpected, office, "projection: \(error)")
        }
    }

    private func planProjection(_ office: Office) {
        guard !office.isProjectionPlanned else { return }
        office.isProjectionPlanned = true
        plan(after: 200, .projection, office) { [self] in
            office.isProjectionPlanned = false
            try committing(office) { _ in
                if office.queue.isEmpty { writeProjection(office) } else { planProjection(office) }
            }
        }
    }

    private func planEpoch(_ office: Office) {
        guard !office.isEpochPlanned else { return }
        office.isEpochPlanned = true
        plan(after: 1_000, .epoch, office) {
            office.isEpochPlanned = false
            try office.replica?.writer.saveEpoch()
        }
    }

    /// A peer has proved that this store does not hold the end of its history.
    func recover(_ office: Office, _ reason: IncarnationReason, common: UInt64?, onWordOf role: PeerRole) throws {
        guard let replica = office.replica else { return }
        let id = replica.identity.replica
        guard forked.contains(id) || shortened.contains(id) || replayed.contains(id) else {
            return fail(.unexpected, office, "a sound store is told that it is not: \(reason.rawValue)")
        }
        let wait = try replica.prepareRecovery(reason, common: common, onWordOf: role, now: wall(of: office))
        say(
            office,
            "is told of another history: \(reason.rawValue), common \(common.map { "\($0)" } ?? "-"), waits \(wait ?? 0) ms"
        )
        if let wait {
            office.believesAt = now + wait
            return
        }
        counts.recoveries += 1
        let process = office.process
        plan(after: 10, .boot, office) { [self] in
            guard office.process == process else { return }
            restart(office, after: disks.within(10...500))
        }
    }
}
