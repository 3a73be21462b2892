internal import Node
internal import Replication
internal import Store

// What is looked at in the moment in which it happens, because the protocol would mend it before anybody saw it.
extension World {
    /// Sessions that end for one operation of the peer's own until it has to know that there are two of it.
    static let conflictsMax = 3

    /// Sessions of an incarnation after which a node may have forgotten a process: no more processes than it remembers.
    static let meetingsMax = 8

    /// A batch carries everything that the feed has between its two places.
    func checkCoverage(of batch: OutgoingBatch, by end: SessionEnd) throws {
        guard batch.lane != .repair, let id = end.id, let replica = end.office.replica else { return }
        let carried = UInt64(batch.operations.count + batch.omitted.count)
        let (start, through) = (batch.start.position, batch.end.position)
        guard end.role != .child else {
            // Positions of a child's feed have no hole; the first may stand for what was there before.
            let rows = through - start
            guard carried != rows, start > 0 || carried + 1 != rows else { return }
            return fail(
                .coverage, end.office, "a batch to \(end.peerSite) covers \(start)–\(through) and carries \(carried)")
        }
        if end.office.log.lastArrival < Int64(through) { readLog(of: end.office) }
        let rows = end.office.log.rows
        var index = rows.partitioningIndex { $0.arrival > Int64(start) }
        var count: UInt64 = 0
        while index < rows.count, rows[index].arrival <= Int64(through) {
            let source = rows[index].source
            if end.role == .sibling ? source != id.rawValue : try role(of: source, at: end.office, replica) != .parent {
                count += 1
            }
            index += 1
        }
        guard carried != count else { return }
        fail(
            .coverage, end.office,
            "a batch to \(end.peerSite) covers \(start)–\(through), where \(count) operations are, and has \(carried)")
    }

    /// The last position of a feed.
    func head(of replica: Replica, to id: PeerID, as role: PeerRole, at office: Office) throws -> UInt64 {
        if role == .child { return try replica.reader.unacknowledged(by: id).head }
        readLog(of: office)
        let row = try office.log.rows.last { row in
            role == .sibling
                ? row.source != id.rawValue : try self.role(of: row.source, at: office, replica) != .parent
        }
        return UInt64(row?.arrival ?? 0)
    }

    /// - Parameter source: 0 for what was written here.
    private func role(of source: Int64, at office: Office, _ replica: Replica) throws -> PeerRole? {
        guard source != 0 else { return nil }
        if let known = office.log.peers[source] { return known }
        // A child's row goes with its incarnation.
        let role = try replica.reader.peer(PeerID(source))?.role ?? .child
        office.log.peers[source] = role
        return role
    }

    /// Nothing waits for an announcement that is there.
    func checkParked(at office: Office, _ replica: Replica) throws {
        guard try replica.reader.parkedCount() > 0 else { return }
        readLog(of: office)
        for parked in try replica.reader.parked() where parked.reason.hasSuffix("has not announced a site yet") {
            // On the same entity a revocation may stand that came first: it announces nobody.
            guard office.log.announced[parked.dot.replica] != nil else { continue }
            return fail(.parked, office, "\(parked.dot) waits for an announcement that is in the log")
        }
    }

    /// What a process that has ended left half done is done when the next one begins.
    func checkStart(of office: Office, _ replica: Replica) throws {
        let waiting = try replica.reader.incarnation().waitingCount
        if waiting > 0 {
            fail(.acknowledgedIsDurable, office, "\(waiting) operations were not issued again at the start")
        }
        guard office.hasStartedBefore else { return office.hasStartedBefore = true }
        let wrong = try replica.reader.scrubEntities(after: 0, limit: Self.sampleCount).wrong
        guard let entity = wrong.first, office.damaged.isEmpty else { return }
        fail(.projection, office, "\(entity) is not what its operations give after a start")
    }

    /// What a new incarnation has taken out of the log, as its branch of the former history, it has issued again.
    /// Source: Protocols/operations.md §8.
    func noteTakenOut(of former: LogModel, at office: Office, _ replica: Replica) {
        guard let followed = replica.identity.follows, !shortened.contains(followed.replica) else { return }
        let left = former.hashes.keys.filter { dot in
            dot.replica == followed.replica && dot.sequence > followed.sequence && office.log.hashes[dot] == nil
        }
        takenOut.formUnion(left)
        // Announcements and anchors are written anew, what was damaged is lost.
        let own = Set(former.entities.filter { $0.key.isJournal }.flatMap(\.value.dots)).union(office.everDamaged)
        guard let dot = left.filter({ $0.sequence > 1 && !own.contains($0) && !office.log.reissued.contains($0) }).min()
        else { return }
        fail(.acknowledgedIsDurable, office, "\(dot) has left the log and was not issued again")
    }

    /// A process that another one of its incarnation had replaced is one of two. What replaced it came to a session that
    /// began after it had been heard, and it came back to one that began after that: an earlier session's Hello may be
    /// late. Source: Protocols/sync.md §7.
    func checkClone(_ hello: SyncMessage.Hello, isTold: Bool, at end: SessionEnd) {
        let office = end.office
        var met = office.runsMet[hello.replica, default: []]
        defer { office.runsMet[hello.replica] = met.suffix(Self.meetingsMax) }
        let isBack = met.contains { former in
            former.run == hello.run
                && met.contains { $0.run != hello.run && $0.began > former.heard && $0.heard < end.began }
        }
        if isBack, !isTold {
            fail(.clone, office, "a copy of \(hello.replica) came back and was taken for the only one")
        }
        // Once it was told, it goes on under another incarnation.
        if isTold { return met.removeAll { $0.run == hello.run } }
        met.append(Meeting(run: hello.run, began: end.began, heard: now))
    }

    /// Two histories of one incarnation are noticed when they next meet, or end no session.
    func noteConflict(_ dot: Dot, at end: SessionEnd) {
        let office = end.office
        let peer = end.connection.peer(of: end)
        guard dot.replica == end.peerReplica || dot.replica == office.replica?.identity.replica else { return }
        let conflict = Conflict(peer: peer.index, dot: dot)
        office.conflicts[conflict, default: 0] += 1
        guard office.conflicts[conflict, default: 0] > Self.conflictsMax else { return }
        fail(.fork, office, "\(dot) is another at \(peer.name), and neither of the two notices it")
    }
}

extension Array {
    /// - Parameter belongs: false up to an element, true from there on.
    /// - Returns: where that is. O(log count).
    fileprivate func partitioningIndex(_ belongs: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if belongs(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
