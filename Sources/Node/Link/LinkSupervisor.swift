internal import Foundation
internal import Logging
internal import NIOCore
internal import Replication
internal import Store
internal import Synchronization
internal import Transport

/// Dials the parent, again and again with full jitter, and takes the sessions that children bring.
actor LinkSupervisor {
    private let node: SyncNode
    private let keys: KeyFolder
    private let parents: [TransportAddress]
    private let logger: Logger
    private let access = StoreAccess()
    private var paused: Set<SiteCode> = []
    private var controls: [SiteCode: LinkControl] = [:]
    private var wakers: [SiteCode: AsyncStream<Void>.Continuation] = [:]
    private var isStopping = false

    /// Milliseconds a parent may take to answer the session's request.
    static let answerMillisecondsMax: Int64 = 10_000

    init(node: SyncNode, keys: KeyFolder, parents: [TransportAddress], logger: Logger) {
        self.node = node
        self.keys = keys
        self.parents = parents
        self.logger = logger
    }

    // MARK: Control

    func pause(_ site: SiteCode) {
        paused.insert(site)
        node.links.update(site) { $0.isPaused = true }
        controls[site]?.end(.paused, "paused by an administrator")
    }

    func resume(_ site: SiteCode) {
        paused.remove(site)
        node.links.update(site) { $0.isPaused = false }
        wakers[site]?.yield()
    }

    /// Ends the present wait for the next dial.
    func dialNow(_ site: SiteCode) {
        wakers[site]?.yield()
    }

    /// A certificate is renewed when dialling: a session that outlives two thirds of it is ended for that.
    func redialIfRenewalIsDue(_ parent: SiteCode) throws {
        guard Renewal.isDue(try keys.certificate(), now: NodeClock.system()) else { return }
        controls[parent]?.end(.superseded, "the certificate is due for renewal")
        wakers[parent]?.yield()
    }

    func stop() {
        isStopping = true
        for control in controls.values { control.end(.shuttingDown, "the node is shutting down") }
        for waker in wakers.values { waker.finish() }
    }

    // MARK: Dialling

    /// Runs until stopped or cancelled.
    func dialParent(_ parent: SiteCode) async {
        var backoff = Backoff()
        var generator = SystemRandomNumberGenerator()
        let (wakes, waker) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        wakers[parent] = waker
        var wakeIterator = wakes.makeAsyncIterator()
        var lastFailure: String?
        noteDisconnected(parent, failure: nil)
        while !Task.isCancelled, !isStopping {
            if paused.contains(parent) {
                guard await wakeIterator.next() != nil else { break }
                continue
            }
            var failure = "no address of the parent is configured: set `parents` in node.yaml"
            for address in parents {
                let result = await runSession(with: parent, at: address)
                failure = result.failure
                if result.wasEstablished {
                    backoff.reset()
                    lastFailure = nil
                    break
                }
            }
            await node.setCaughtUp(false)
            noteDisconnected(parent, failure: failure)
            guard !Task.isCancelled, !isStopping else { break }
            // The same failure over and over is said once.
            if failure != lastFailure {
                logger.notice("no session with the parent", metadata: ["peer": "\(parent)", "reason": "\(failure)"])
                lastFailure = failure
            }
            let delay = backoff.nextDelayMilliseconds(using: &generator)
            let timer = Task {
                try await Task.sleep(for: .milliseconds(delay))
                waker.yield()
            }
            _ = await wakeIterator.next()
            timer.cancel()
        }
        wakers[parent] = nil
    }

    private func runSession(
        with parent: SiteCode, at address: TransportAddress
    ) async -> (failure: String, wasEstablished: Bool) {
        do {
            let uri = "banjie://\(parent)/"
            let connection = try await HTTP2Client.connect(
                to: address, tls: try keys.clientContext(), expectedPeer: .uri(uri), logger: logger)
            defer { Task { await connection.close() } }
            try await Renewal.renewIfDue(keys: keys, site: node.identity.site, over: connection, logger: logger)
            let stream = try await connection.open(
                HTTP2RequestHead(
                    method: "POST", authority: parent.rawValue, path: SyncRoute.path,
                    headers: [HTTP2Header("content-type", SyncRoute.mediaType)]))
            let timer = Task {
                try await Task.sleep(for: .milliseconds(Self.answerMillisecondsMax))
                stream.reset(.cancel)
            }
            defer { timer.cancel() }
            let status = try await stream.responseHead.status
            timer.cancel()
            guard status == 200 else {
                let body = try await stream.collect(bytesMax: 4_096)
                return ("\(address) answers \(status): \(String(buffer: body))", false)
            }
            let ending = await run(stream, site: parent)
            return ("\(ending.reason)", ending.wasEstablished)
        } catch {
            return ("\(address): \(error)", false)
        }
    }

    // MARK: Sessions

    /// Takes a session that a child has opened, until it ends.
    func accept(_ stream: HTTP2Stream, from site: SiteCode) async {
        do {
            if isStopping { return try refuse(stream, 503, "the node is shutting down") }
            if paused.contains(site) { return try refuse(stream, 503, "paused by an administrator") }
            if try await access.run({ try node.reader.peer(site) }) == nil {
                // A valid certificate of a child that was enrolled before this store was made.
                try await node.administer { try $0.register(child: site) }
            }
            try stream.respond(
                HTTP2ResponseHead(status: 200, headers: [HTTP2Header("content-type", SyncRoute.mediaType)]))
            let ending = await run(stream, site: site)
            noteDisconnected(site, failure: ending.reason)
            logger.notice("session ended", metadata: ["peer": "\(site)", "reason": "\(ending.reason)"])
        } catch {
            logger.warning("a session was not taken", metadata: ["peer": "\(site)", "error": "\(error)"])
            stream.reset(.internalError)
        }
    }

    private func refuse(_ stream: HTTP2Stream, _ status: Int, _ reason: String) throws {
        try stream.respond(HTTP2ResponseHead(status: status), body: ByteBuffer(string: reason))
    }

    private func run(_ stream: HTTP2Stream, site: SiteCode) async -> PeerLink.Ending {
        // A node that dials again while its former session hangs has lost it.
        controls[site]?.end(.superseded, "a newer session of the same site took over")
        let control = LinkControl()
        controls[site] = control
        let link = PeerLink(node: node, site: site, stream: stream, access: access, logger: logger)
        let ending = await link.run(control: control)
        if controls[site] === control { controls[site] = nil }
        return ending
    }

    private func noteDisconnected(_ site: SiteCode, failure: String?) {
        guard controls[site] == nil else { return }
        let now = node.clock.now()
        node.links.update(site) { status in
            if status.isConnected || status.since == 0 { status.since = now }
            status.isConnected = false
            status.lastFailure = failure
        }
    }
}

/// The one route of the sync listener that carries sessions.
enum SyncRoute {
    static let path = "/sync/v1"
    static let mediaType = "application/vnd.banjie.sync"
    static let renewPath = "/renew"
}

/// A certificate is renewed at two thirds of its life, over the connection that it still opens.
enum Renewal {
    static func isDue(_ certificate: PeerCertificate, now: Int64) -> Bool {
        let life = certificate.notAfterMilliseconds - certificate.notBeforeMilliseconds
        return now >= certificate.notBeforeMilliseconds + life * 2 / 3
    }

    /// A child asks its parent. The key stays; the new chain is in force from the next connection on.
    static func renewIfDue(
        keys: KeyFolder, site: SiteCode, over connection: HTTP2Connection, logger: Logger
    ) async throws {
        guard isDue(try keys.certificate(), now: NodeClock.system()), let uri = NodeURI(host: site.rawValue) else {
            return
        }
        let request = try CertificateRequest(uri: uri, privateKeyPEM: keys.read(.nodeKey))
        let stream = try await connection.open(
            HTTP2RequestHead(method: "POST", authority: "parent", path: SyncRoute.renewPath))
        try await stream.write(ByteBuffer(string: request.pem))
        try stream.finish()
        let status = try await stream.responseHead.status
        let body = String(buffer: try await stream.collect(bytesMax: Enrolment.bodyBytesMax))
        guard status == 200 else {
            logger.warning(
                "the parent did not renew the certificate", metadata: ["status": "\(status)", "reason": "\(body)"])
            return
        }
        _ = try PeerCertificate(pem: body)
        try keys.write(.node, body)
        logger.notice("the certificate has been renewed")
    }

    /// The parent's side: only the site that the connection's certificate names is signed again.
    static func answer(_ requestPEM: String, from peer: NodeURI, keys: KeyFolder, site: SiteCode) throws -> String {
        guard let authority = try keys.authority(subtree: site) else { throw EnrolmentError.noAuthority }
        return try authority.signLeaf(
            CertificateRequest(pem: requestPEM), expecting: peer, nowMilliseconds: NodeClock.system(),
            days: Enrolment.leafDays)
    }

    /// A province renews its own.
    static func renewOwnIfDue(keys: KeyFolder, site: SiteCode) throws -> Bool {
        let now = NodeClock.system()
        guard isDue(try keys.certificate(), now: now), let authority = try keys.authority(subtree: site),
            let uri = NodeURI(host: site.rawValue)
        else { return false }
        let request = try CertificateRequest(uri: uri, privateKeyPEM: keys.read(.nodeKey))
        try keys.write(
            .node, authority.signLeaf(request, expecting: uri, nowMilliseconds: now, days: Enrolment.leafDays))
        return true
    }
}
