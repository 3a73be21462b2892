internal import Hummingbird
internal import Replication
internal import Store

extension APIServices {
    /// How long an answer waits for its audits; they go on after it.
    static let auditMillisecondsMax: Int64 = 600_000
    private static let auditLookMilliseconds = 50

    func addAuditRoutes(to routes: Routes) {
        routes.post("sync/verify") { request, context in
            try reply(try await audit(.verify, request, context))
        }
        routes.post("sync/repair") { request, context in
            try reply(try await audit(.repair, request, context))
        }
        routes.post("sync/forget") { request, context in
            let (site, id) = try await disconnected(request, context)
            let actor = context.actor
            let found = try await node.recording {
                $0 ? [JournalDraft(.peerForgotten, by: actor, on: site)] : []
            } _: {
                try $0.forget(id)
            }
            guard found else { throw APIFailure.noSuchPeer(site) }
            return try reply(try await syncStatus())
        }
        routes.get("tickets/:ticket/whereabouts") { _, context in
            let reference = try parameter("ticket", context)
            let report = try await read { try whereabouts(try resolve(reference)) }
            return try reply(report)
        }
        routes.post("jobs/admit") { request, context in
            let wish = try decode(AdmissionRequest.self, try await body(of: request, context))
            let (old, new) = (try readSite(wish.from, "from"), try readSite(wish.to, "to"))
            let job = try jobs.start("admit", language: language(request)) { progress in
                let report = try await node.admit(new, for: old, progress: progress)
                return ["tickets": "\(report.tickets)", "transfers": "\(report.transfers)"]
            }
            return try reply(job, status: .accepted)
        }
        routes.get("parked") { _, _ in
            let parked = try await read { try reader.parked() }
            return try reply(ParkedList(parked: parked.map(WhereaboutsReport.Parked.init)))
        }
        routes.post("parked/release") { request, context in
            let text = try decode(ReleaseRequest.self, try await body(of: request, context)).dot
            let dot = try text.map { text in
                guard let dot = Dot(text) else {
                    throw APIFailure.malformed(field: "dot", expected: "REPLICA:SEQUENCE")
                }
                return dot
            }
            let released = try await node.releaseParked(dot, by: context.actor)
            let left = try await read { try reader.counts().parked }
            return try reply(ReleaseReport(released: released, left: left))
        }
    }

    // MARK: Audits

    private func audit(
        _ purpose: RangeAudit.Purpose, _ request: Request, _ context: NodeRequestContext
    ) async throws -> AuditReport {
        let (runtime, peer) = try await target(request, context)
        let before = node.links.all
        let records = try await read { try reader.peers() }.filter { peer == nil || $0.site == peer }
        let connected = records.filter { before[$0.id]?.isConnected == true }
        try await runtime.audit(peer, purpose)
        let deadline = NodeClock.monotonic() + Self.auditMillisecondsMax
        var open = Set(connected.map(\.id))
        while !open.isEmpty, NodeClock.monotonic() < deadline {
            let links = node.links.all
            open = open.filter { id in
                guard let link = links[id], link.isConnected else { return false }
                return link.auditCount == before[id]?.auditCount ?? 0
            }
            try await Task.sleep(for: .milliseconds(Self.auditLookMilliseconds))
        }
        let links = node.links.all
        return AuditReport(
            isRepair: purpose == .repair,
            peers: records.map { record in
                let isDone = !open.contains(record.id) && connected.contains(record)
                let outcome = isDone ? links[record.id]?.lastAudit : nil
                return AuditReport.Entry(
                    peer: record.site.rawValue, node: record.node?.description, isConnected: outcome != nil,
                    missingHere: outcome?.missingHere ?? 0, missingThere: outcome?.missingThere ?? 0,
                    conflicting: outcome?.conflicting ?? 0, unresolved: outcome?.unresolved ?? 0)
            })
    }

    /// The node to be forgotten: one that is not connected and no parent.
    private func disconnected(
        _ request: Request, _ context: NodeRequestContext
    ) async throws -> (site: String, id: PeerID) {
        let wish = try decode(ForgetRequest.self, try await body(of: request, context))
        let links = node.links.all
        let found = try await read { try reader.peers() }.filter { record in
            record.site.rawValue == wish.peer && (wish.node == nil || record.node?.description == wish.node)
                && links[record.id]?.isConnected != true
        }
        guard let record = found.first else { throw APIFailure.noSuchPeer(wish.peer) }
        guard found.count == 1 else {
            throw APIFailure.malformed(
                field: "node", expected: found.compactMap { $0.node?.description }.joined(separator: "|"))
        }
        return (wish.peer, record.id)
    }

    // MARK: Whereabouts

    private func whereabouts(_ id: EntityID) throws -> WhereaboutsReport {
        let found = try reader.whereabouts(of: id)
        return WhereaboutsReport(
            ticket: "\(id)",
            peers: found.peers.enumerated().map { index, peer in
                WhereaboutsReport.Peer(
                    site: peer.site.rawValue, role: "\(peer.role)", node: peer.node?.description,
                    lacking: found.operations.count { $0.states[index] == .waiting })
            },
            operations: found.operations.map { place in
                let entry = HistoryEntry(place.stored, in: nil)
                return WhereaboutsReport.Entry(
                    dot: entry.dot, kind: entry.kind, at: entry.at, author: entry.author.name,
                    site: entry.author.site, arrival: entry.arrival, isDamaged: place.isDamaged,
                    states: place.states.map(\.rawValue))
            },
            parked: found.parked.map(WhereaboutsReport.Parked.init))
    }
}

extension WhereaboutsReport.Parked {
    init(_ parked: ParkedOperation) {
        self.init(dot: "\(parked.dot)", source: parked.source, reason: parked.reason, since: Instant(parked.since))
    }
}

extension Dot {
    /// `REPLICA:SEQUENCE`, as everything shows it.
    init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].count == 16, let replica = UInt64(parts[0], radix: 16),
            let sequence = UInt64(parts[1]), sequence > 0
        else { return nil }
        self.init(ReplicaID(replica), sequence)
    }
}
