internal import Hummingbird
internal import Replication
internal import Store

extension APIServices {
    func addSyncRoutes(to routes: Routes) {
        routes.get("sync") { _, _ in try reply(try await syncStatus()) }
        routes.post("sync/now") { request, context in
            let (runtime, peer) = try await target(request, context)
            try await runtime.syncNow(peer)
            return try reply(try await syncStatus())
        }
        routes.post("sync/pause") { request, context in
            let (runtime, peer) = try await target(request, context)
            try await runtime.pause(peer)
            return try reply(try await syncStatus())
        }
        routes.post("sync/resume") { request, context in
            let (runtime, peer) = try await target(request, context)
            try await runtime.resume(peer)
            return try reply(try await syncStatus())
        }
    }

    func syncStatus() async throws -> SyncStatus {
        let alarm = certificateAlarm()
        return SyncStatus(
            site: node.identity.site.rawValue, now: Instant(node.clock.now()), isRunning: runtime != nil,
            addresses: runtime?.addresses ?? RuntimeAddresses(), peers: try await peers(),
            degraded: alarm.isEmpty ? nil : alarm)
    }

    func target(
        _ request: Request, _ context: NodeRequestContext
    ) async throws -> (runtime: any RuntimeControl, peer: SiteCode?) {
        let name = try decode(PeerRequest.self, try await body(of: request, context)).peer
        let peer = try name.map { try readSite($0, "peer") }
        if let peer {
            guard try await read({ try reader.peer(peer) }) != nil else { throw APIFailure.noSuchPeer(peer.rawValue) }
        }
        guard let runtime else { throw APIFailure.notRunning }
        return (runtime, peer)
    }
}
