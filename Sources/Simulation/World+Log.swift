internal import Node
internal import Replication
internal import Store
internal import Tickets

// Looks at every row that a transaction has added to a log.
extension World {
    private static let readMax = 5_000

    /// - Parameter isFresh: the whole log, since the disk may be another.
    func readLog(of office: Office, isFresh: Bool = false) {
        guard let replica = office.replica, !office.isUntold else { return }
        if isFresh { (office.log, office.damaged) = (LogModel(), []) }
        do {
            while true {
                let rows = try replica.reader.operations(after: office.log.lastArrival, limit: Self.readMax)
                for row in rows { try look(at: row, of: office, replica, isFresh: isFresh) }
                if rows.count < Self.readMax { return }
            }
        } catch {
            fail(.unexpected, office, "the log cannot be read: \(error)")
        }
    }

    private func look(at row: StoredOperation, of office: Office, _ replica: Replica, isFresh: Bool) throws {
        let operation = row.operation
        let dot = operation.dot
        if hasher.hash(operation) != row.hash {
            guard !office.everDamaged.contains(dot) else {
                office.damaged.insert(dot)
                return office.log.add(row, sites: Self.sites(of: operation))
            }
            fail(.rowMatchesHash, office, "\(dot) does not match its hash")
        }
        if forged.contains(row.hash) { fail(.origin, office, "\(dot) is forged and was taken in") }
        if let known = truth[dot] {
            if known != row.hash, !forked.contains(dot.replica) {
                fail(.oneDotOneHash, office, "\(dot) is \(row.hash) here and \(known) elsewhere")
            }
        } else {
            truth[dot] = row.hash
        }
        if office.log.hashes[dot] != nil { fail(.oneDotOneHash, office, "\(dot) stands twice in one log") }
        let sites = Self.sites(of: operation)
        self.sites[operation.entity, default: []].formUnion(sites)
        office.log.add(row, sites: sites)
        if operation.entity.type == .ticket, !office.isProvince,
            self.sites[operation.entity]?.includesAny(within: office.site) != true
        {
            fail(.scope, office, "\(dot) is of a ticket that nobody in \(office.site) takes part in")
        }
        guard !isFresh else { return }
        trace.mix(row.hash)
        if row.source == 0 {
            // What was parked is of somebody else.
            guard dot.replica == replica.identity.replica else { return }
            checkClock(of: operation, office)
        } else if !isReleasing, let peer = try replica.reader.peer(PeerID(row.source)), peer.role == .child,
            !operation.author.site.isWithin(peer.site)
        {
            fail(.origin, office, "\(dot) of \(operation.author.site) came from \(peer.site)")
        }
    }

    /// Of an operation that was written here just now. What is issued again keeps its time.
    private func checkClock(of operation: Operation, _ office: Office) {
        let lead = operation.time.milliseconds - office.latestWall
        guard lead > HybridClock.leadMillisecondsMax + 1_000 else { return }
        fail(.clock, office, "\(operation.dot) is \(lead) ms ahead of every wall clock that this office had")
    }

    /// Who takes part by this operation. Source: Protocols/tickets.md §1.
    static func sites(of operation: Operation) -> [SiteCode] {
        var sites = operation.scope + [operation.author.site]
        if case .transfer(let body)? = try? Body(decoding: operation) { sites.append(body.site) }
        return sites
    }
}
