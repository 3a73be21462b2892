internal import Hummingbird
internal import Replication
internal import ServiceLevels
internal import Store
internal import Tickets
internal import Transport

/// From when on a state is worth somebody's attention; listed in Protocols/limits.md.
package enum Alarms {
    package static let searchBacklogMax = 10_000
    package static let clockOffsetMillisecondsMax: Int64 = 60_000
    package static let diskFreePercentMin = 5.0
    /// From the last sign of life of a peer.
    package static let peerSilentMillisecondsMax: Int64 = 86_400_000
    package static let backupDaysMax: Int64 = 7
    /// From the beginning of the incarnation that could not issue them again.
    package static let lostOperationDaysMax: Int64 = 30
    /// From the last signature of a node below a child.
    package static let headSilentMillisecondsMax: Int64 = 172_800_000
}

extension APIServices {
    func addStatusRoutes(to routes: Routes) {
        routes.get("status") { _, _ in try reply(try await status()) }
    }

    func status() async throws -> NodeStatus {
        let now = node.clock.now()
        let peers = try await peers()
        let (incarnation, damaged) = try await read { (try reader.incarnation(), try reader.damaged().count) }
        let (counts, overdue, warning) = try await read {
            var (overdue, warning) = (0, 0)
            try reader.forEachOpenTicket { ticket in
                let summary = ticket.summary(bounceLimit: node.catalog.bounceLimit)
                let states = deadlines(summary, node.catalog, now: now).map(\.state)
                if states.contains(.overdue) {
                    overdue += 1
                } else if states.contains(.warning) {
                    warning += 1
                }
            }
            return (try reader.counts(), overdue, warning)
        }
        return NodeStatus(
            site: node.identity.site.rawValue, replica: "\(node.identity.replica)",
            incarnation: IncarnationStatus(incarnation), parent: node.identity.parent?.rawValue, now: Instant(now),
            isRunning: runtime != nil,
            addresses: runtime?.addresses ?? RuntimeAddresses(), tickets: counts.tickets, operations: counts.operations,
            parked: counts.parked, damaged: damaged, conflicts: counts.conflicts, contested: counts.contested,
            digest: "\(counts.digest)", searchBacklog: counts.searchBacklog, overdue: overdue, warning: warning,
            peers: peers,
            degraded: Self.degradations(peers: peers, counts: counts, damaged: damaged) + certificateAlarm())
    }

    /// The certificate that ends first, if it is time to look at it.
    func certificateAlarm() -> [Degradation] {
        let (keys, now) = (KeyFolder(reader.folder), NodeClock.system())
        let ends = CertificateAlarm.files(keys).compactMap { file -> Int64? in
            guard let certificate = try? PeerCertificate(pem: keys.read(file)),
                CertificateAlarm.stage(certificate, now: now) != nil
            else { return nil }
            return certificate.notAfterMilliseconds
        }
        guard let first = ends.min() else { return [] }
        return [
            Degradation(reason: .certificateExpiring, count: max(0, (first - now) / CivilTime.dayMilliseconds))
        ]
    }

    static func degradations(peers: [PeerStatus], counts: StoreCounts, damaged: Int) -> [Degradation] {
        var result: [Degradation] = []
        for peer in peers {
            if peer.isPaused {
                result.append(Degradation(reason: .peerPaused, peer: peer.site))
            } else if !peer.isConnected, !peer.isElsewhere {
                result.append(Degradation(reason: .peerDisconnected, peer: peer.site))
            }
            if let offset = peer.clockOffsetMilliseconds, abs(offset) > Alarms.clockOffsetMillisecondsMax {
                result.append(Degradation(reason: .clockOffset, peer: peer.site, count: offset))
            }
        }
        for peer in peers {
            guard let left = peer.audit?.unresolved, left > 0 else { continue }
            result.append(Degradation(reason: .storesDiffer, peer: peer.site, count: Int64(clamping: left)))
        }
        if counts.parked > 0 { result.append(Degradation(reason: .operationsParked, count: Int64(counts.parked))) }
        if damaged > 0 { result.append(Degradation(reason: .rowsDamaged, count: Int64(damaged))) }
        if counts.searchBacklog > Alarms.searchBacklogMax {
            result.append(Degradation(reason: .searchBehind, count: Int64(counts.searchBacklog)))
        }
        return result
    }

    func peers() async throws -> [PeerStatus] {
        let links = node.links.all
        let records = try await read { try reader.peers() }
        let connected = records.filter { links[$0.id]?.isConnected == true }
        return records.map { record in
            let link = links[record.id] ?? LinkTable.Status()
            return PeerStatus(
                record, link,
                isElsewhere: !link.isConnected
                    && (connected.contains { $0.site == record.site }
                        || (record.role == .child && connected.contains { $0.role == .sibling }))
            )
        }
    }
}

extension IncarnationStatus {
    init(_ record: IncarnationRecord) {
        self.init(
            follows: record.follows.map { "\($0)" }, reason: record.reason?.rawValue,
            since: Instant(nonzero: record.since), waiting: record.waitingCount, starts: record.startCount)
    }
}

extension PeerStatus {
    init(_ record: PeerRecord, _ link: LinkTable.Status, isElsewhere: Bool) {
        self.init(
            site: record.site.rawValue, role: "\(record.role)", node: record.node?.description,
            isConnected: link.isConnected, isPaused: link.isPaused, isElsewhere: isElsewhere,
            since: Instant(nonzero: link.since),
            lastContact: Instant(nonzero: record.lastContact), toSend: record.toSendCount, toGet: link.remainingToGet,
            toGetKnownAt: Instant(nonzero: link.remainingKnownAt),
            sendRate: Self.rate(link.acknowledgedRate, record.toSendCount),
            getRate: Self.rate(link.receivedRate, link.remainingToGet ?? 0),
            toSendSeconds: Self.seconds(link.acknowledgedRate, record.toSendCount),
            toGetSeconds: Self.seconds(link.receivedRate, link.remainingToGet ?? 0), isAuditing: link.isAuditing,
            audit: Instant(nonzero: record.auditTime).map {
                AuditStatus(at: $0, found: record.auditFound, unresolved: record.auditUnresolved)
            },
            clockOffsetMilliseconds: link.clockOffsetMilliseconds, roundTripMilliseconds: link.roundTripMilliseconds,
            lastFailure: link.lastFailure, sentOperations: link.sentOperations,
            receivedOperations: link.receivedOperations, sentBytes: link.sentBytes, receivedBytes: link.receivedBytes)
    }

    private static func rate(_ rate: OperationRate, _ remaining: UInt64) -> Double? {
        remaining > 0 && rate.perSecond > 0 ? (rate.perSecond * 10).rounded() / 10 : nil
    }

    private static func seconds(_ rate: OperationRate, _ remaining: UInt64) -> Double? {
        remaining > 0 && rate.perSecond > 0 ? (Double(remaining) / rate.perSecond).rounded() : nil
    }
}
