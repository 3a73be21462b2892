internal import Foundation
internal import Logging
internal import NIOCore
internal import Replication
internal import Store
internal import Synchronization
internal import Transport

/// Dials parents and siblings, again and again with full jitter, and takes the sessions that others bring.
actor LinkSupervisor {
    /// Milliseconds a peer may take to answer the session's request.
    static let answerMillisecondsMax: Int64 = 10_000
    /// A node that lives with a parent further down its list looks this often whether a preferred one is back.
    static let preferredLookMilliseconds: Int64 = 60_000
    /// Between two requests for a certificate under a new root that hurries, to a parent that cannot sign it yet.
    static let hurriedLookMilliseconds: Int64 = 10_000
    /// Between two audits with the same peer.
    static let auditIntervalMilliseconds: Int64 = 86_400_000
    /// Behind the beginning of a session, where an audit is overdue: not at once, since a line that has just come back
    /// has other things to carry, and not for all nodes of a province at the same moment.
    static let overdueAuditMillisecondsMin: Int64 = 60_000
    static let overdueAuditMillisecondsMax: Int64 = 600_000

    /// How dialling a peer once has ended.
    private struct SessionResult {
        let failure: String
        /// Of a session that was established.
        var ended: (code: ByeCode, lastedMilliseconds: Int64)?

        /// There was no session.
        init(_ failure: String) {
            self.failure = failure
        }

        init(_ ending: PeerLink.Ending, lasted: Duration) {
            failure = ending.reason
            if ending.wasEstablished { ended = (ending.code, Int64(lasted / .milliseconds(1))) }
        }
    }

    private struct Session {
        var site: SiteCode
        var replica: ReplicaID?
        var certificate: PeerCertificate?
        /// Before this node dialled, or answered who has dialled: what the peer says in the session it says later.
        var began: ContinuousClock.Instant
    }

    nonisolated let heads: HeadKeeper
    nonisolated let ticker = LinkTicker()
    private let node: SyncNode
    private let keys: KeyFolder
    private let configuration: NodeConfiguration
    private let logger: Logger
    private let access = StoreAccess()
    private var paused: Set<SiteCode> = []
    private var sessions: [ObjectIdentifier: (control: LinkControl, session: Session)] = [:]
    private var runs = KnownRuns()
    private var wakers: [Int: (site: SiteCode, waker: AsyncStream<Void>.Continuation)] = [:]
    private var nextWaker = 0
    private var isStopping = false

    init(node: SyncNode, keys: KeyFolder, configuration: NodeConfiguration, logger: Logger) {
        self.node = node
        self.keys = keys
        heads = HeadKeeper(node: node, keys: keys, logger: logger)
        self.configuration = configuration
        self.logger = logger
    }

    // MARK: Control

    func pause(_ site: SiteCode) {
        paused.insert(site)
        updateStatus(of: site) { $0.isPaused = true }
        end(site, .paused, "paused by an administrator")
    }

    func resume(_ site: SiteCode) {
        paused.remove(site)
        updateStatus(of: site) { $0.isPaused = false }
        dialNow(site)
    }

    /// Ends the present wait for the next dial.
    func dialNow(_ site: SiteCode) {
        for entry in wakers.values where entry.site == site { entry.waker.yield() }
    }

    /// Starts an audit with every connected node of a site.
    func audit(_ site: SiteCode, _ purpose: RangeAudit.Purpose) {
        for entry in sessions.values where entry.session.site == site && entry.session.replica != nil {
            entry.control.audit(purpose)
        }
    }

    /// A certificate is renewed when dialling: a session that outlives two thirds of it is ended for that.
    func redialIfRenewalIsDue(_ parent: SiteCode) throws {
        let now = NodeClock.system()
        guard
            try Renewal.isWanted(keys, hurries: node.roots.hurries, now: now)
                || AuthorityRenewal.isDue(keys, site: node.identity.site, now: now)
        else { return }
        end(parent, .superseded, "the certificate is due for renewal")
        dialNow(parent)
    }

    /// Ends the sessions of those that have been revoked.
    func endRevoked() {
        let revoked = node.revocations.peers
        for entry in sessions.values {
            let session = entry.session
            guard session.certificate.map(revoked.includes) == true || session.replica.map(revoked.includes) == true
            else { continue }
            logger.warning("the session of a revoked peer is ended", metadata: ["peer": "\(session.site)"])
            entry.control.end(.revoked, RevokedPeers.reason)
        }
    }

    /// Ends every session, so that each is begun again with certificates that count now.
    func endAll(_ reason: String) {
        for entry in sessions.values { entry.control.end(.superseded, reason) }
    }

    func stop() {
        isStopping = true
        for entry in sessions.values { entry.control.end(.shuttingDown, "the node is shutting down") }
        for entry in wakers.values { entry.waker.finish() }
    }

    private func end(_ site: SiteCode, _ code: ByeCode, _ reason: String) {
        for entry in sessions.values where entry.session.site == site { entry.control.end(code, reason) }
    }

    // MARK: Admission

    /// A peer has said who it is: its former session ends. A process that was replaced by another of the same
    /// incarnation and comes back is one of two that run from copies of one disk.
    /// - Returns: false for such a one.
    func admit(_ hello: SyncMessage.Hello, site: SiteCode, control: LinkControl) -> Bool {
        // One that has ended meanwhile replaces none.
        guard var session = sessions[ObjectIdentifier(control)]?.session else { return true }
        guard runs.admit(hello, began: session.began, now: .now) else {
            logger.error(
                "two nodes run under one incarnation: this one is told to take a new one",
                metadata: ["peer": "\(site)", "replica": "\(hello.replica)"])
            session.replica = nil
            sessions[ObjectIdentifier(control)] = (control, session)
            return false
        }
        for entry in sessions.values
        where entry.control !== control && entry.session.site == site && entry.session.replica == hello.replica {
            entry.control.end(.superseded, "a newer session of the same node took over")
        }
        session.replica = hello.replica
        sessions[ObjectIdentifier(control)] = (control, session)
        return true
    }

    /// Keeps what a bundle for this peer would be sealed with. A session does not depend on it.
    func remember(_ certificate: PeerCertificate?, of site: SiteCode, node replica: ReplicaID) async {
        guard let certificate else { return }
        let keys = PeerKeys(keys)
        do {
            try await access.run { try keys.remember(certificate.pem, of: site, node: replica) }
        } catch {
            logger.warning(
                "a peer's certificate cannot be kept: no bundle can be made for it",
                metadata: ["peer": "\(site)", "error": "\(error)"])
        }
    }

    func hasSession(of replica: ReplicaID?) -> Bool {
        guard let replica else { return false }
        return sessions.values.contains { $0.session.replica == replica }
    }

    // MARK: Dialling

    /// Keeps a session with one of these addresses, in order of preference, until stopped or cancelled.
    func dial(_ site: SiteCode, role: PeerRole, addresses: [TransportAddress]) async {
        var backoff = Backoff()
        var generator = SystemRandomNumberGenerator()
        let (wakes, waker) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        nextWaker += 1
        let number = nextWaker
        wakers[number] = (site, waker)
        defer { wakers[number] = nil }
        var wakeIterator = wakes.makeAsyncIterator()
        var lastFailure: String?
        noteDisconnected(site, failure: nil)
        while !Task.isCancelled, !isStopping {
            if paused.contains(site) {
                guard await wakeIterator.next() != nil else { break }
                continue
            }
            var failures: [String] = []
            for (index, address) in addresses.enumerated() where !isStopping && !paused.contains(site) {
                let result = await runSession(
                    with: site, role: role, at: address, preferred: Array(addresses[..<index]))
                failures.append(result.failure)
                if let ended = result.ended {
                    if backoff.sessionEnded(with: ended.code, lasted: ended.lastedMilliseconds) { lastFailure = nil }
                    failures = [result.failure]
                    break
                }
            }
            let failure =
                addresses.isEmpty
                ? "no address is configured: set `parents` in node.yaml" : failures.joined(separator: "; ")
            if role == .parent { await node.setCaughtUp(false) }
            noteDisconnected(site, failure: failure)
            guard !Task.isCancelled, !isStopping else { break }
            // The same failure over and over is said once.
            if failure != lastFailure {
                logger.notice("no session", metadata: ["peer": "\(site)", "reason": "\(failure)"])
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
    }

    private func runSession(
        with site: SiteCode, role: PeerRole, at address: TransportAddress, preferred: [TransportAddress]
    ) async -> SessionResult {
        let began = ContinuousClock.now
        do {
            let connection = try await connect(to: address, site)
            defer { Task { await connection.close() } }
            if connection.peer.certificate.map(node.revocations.peers.includes) == true {
                return SessionResult("\(address): the peer's certificate has been revoked")
            }
            // A province's second node signs nobody, itself neither.
            if role == .parent || !keys.exists(.authorityKey) {
                let wasExpired = try Renewal.isExpired(keys.certificate(), now: NodeClock.system())
                let isRenewed = try await Renewal.renewIfDue(
                    keys: keys, site: node.identity.site, hurries: node.roots.hurries, over: connection, logger: logger)
                if wasExpired {
                    guard isRenewed else {
                        return SessionResult("\(address): the certificate has expired: enrol anew")
                    }
                    // This connection was made with the expired one and carries nothing else.
                    return await runSession(with: site, role: role, at: address, preferred: preferred)
                }
                if role == .parent { try await renewAuthority(over: connection) }
            }
            let stream = try await connection.open(
                HTTP2RequestHead(
                    method: "POST", authority: site.rawValue, path: SyncRoute.path,
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
                return SessionResult("\(address) answers \(status): \(String(buffer: body))")
            }
            if let reason = refusal(of: site, connection.peer.certificate) {
                stream.reset(.cancel)
                return SessionResult(reason)
            }
            let control = LinkControl()
            let isBehind = try Renewal.isWanted(keys, hurries: node.roots.hurries, now: NodeClock.system())
            let renewal = isBehind ? Task { await renewWhenParentIsReady(over: connection) } : nil
            defer { renewal?.cancel() }
            let look = preferred.isEmpty ? nil : Task { await returnToPreferred(preferred, site, control) }
            defer { look?.cancel() }
            let ending = await run(
                stream, site: site, role: role, certificate: connection.peer.certificate, isDialer: true,
                began: began, control: control)
            return SessionResult(ending, lasted: began.duration(to: .now))
        } catch {
            return SessionResult("\(address): \(error)\(RootHint.suffix(of: error))")
        }
    }

    private func renewAuthority(over connection: HTTP2Connection) async throws {
        guard
            try await AuthorityRenewal.renewIfDue(
                keys: keys, site: node.identity.site, over: connection, logger: logger)
        else { return }
        node.roots.announce()
    }

    /// While a new root hurries, a parent that cannot sign under it yet is asked now and then.
    private func renewWhenParentIsReady(over connection: HTTP2Connection) async {
        let (keys, site) = (keys, node.identity.site)
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(Self.hurriedLookMilliseconds))
            guard !Task.isCancelled, node.roots.hurries else { return }
            let isRenewed = try? await Renewal.renewIfDue(
                keys: keys, site: site, hurries: true, over: connection, logger: logger)
            if isRenewed == true { return }
        }
    }

    /// Why no session may begin, although one could when it was dialled.
    private func refusal(of site: SiteCode, _ certificate: PeerCertificate?) -> String? {
        if certificate.map(node.revocations.peers.includes) == true { return RevokedPeers.reason }
        if isStopping { return "the node is shutting down" }
        return paused.contains(site) ? "paused by an administrator" : nil
    }

    private func connect(to address: TransportAddress, _ site: SiteCode) async throws -> HTTP2Connection {
        try await HTTP2Client.connect(
            to: address, tls: try keys.clientContext(), expectedPeer: .uri("banjie://\(site)/"), logger: logger)
    }

    /// Ends a session with a parent further down the list once one before it answers again.
    private func returnToPreferred(
        _ addresses: [TransportAddress], _ site: SiteCode, _ control: LinkControl
    ) async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(Self.preferredLookMilliseconds))
            for address in addresses where !Task.isCancelled {
                guard let connection = try? await connect(to: address, site) else { continue }
                await connection.close()
                return control.end(.superseded, "the preferred parent \(address) answers again")
            }
        }
    }

    // MARK: Sessions

    /// Takes a session that a child or sibling has opened, until it ends.
    func accept(
        _ stream: HTTP2Stream, from site: SiteCode, role: PeerRole, certificate: PeerCertificate?
    ) async {
        let began = ContinuousClock.now
        guard answer(stream, from: site, certificate) else { return }
        let ending = await run(
            stream, site: site, role: role, certificate: certificate, isDialer: false, began: began,
            control: LinkControl())
        logEnd(ending, of: site)
    }

    @inline(never)
    private func logEnd(_ ending: PeerLink.Ending, of site: SiteCode) {
        logger.notice("session ended", metadata: ["peer": "\(site)", "reason": "\(ending.reason)"])
    }

    /// - Returns: whether the session may begin.
    @inline(never)
    private func answer(_ stream: HTTP2Stream, from site: SiteCode, _ certificate: PeerCertificate?) -> Bool {
        do {
            if certificate.map(node.revocations.peers.includes) == true {
                try refuse(stream, 403, RevokedPeers.reason)
            } else if isStopping {
                try refuse(stream, 503, "the node is shutting down")
            } else if paused.contains(site) {
                try refuse(stream, 503, "paused by an administrator")
            } else {
                try stream.respond(
                    HTTP2ResponseHead(status: 200, headers: [HTTP2Header("content-type", SyncRoute.mediaType)]))
                return true
            }
        } catch {
            logger.warning("a session was not taken", metadata: ["peer": "\(site)", "error": "\(error)"])
            stream.reset(.internalError)
        }
        return false
    }

    private func refuse(_ stream: HTTP2Stream, _ status: Int, _ reason: String) throws {
        try stream.respond(HTTP2ResponseHead(status: status), body: ByteBuffer(string: reason))
    }

    private func run(
        _ stream: HTTP2Stream, site: SiteCode, role: PeerRole, certificate: PeerCertificate?, isDialer: Bool,
        began: ContinuousClock.Instant, control: LinkControl
    ) async -> PeerLink.Ending {
        let session = Session(site: site, certificate: certificate, began: began)
        let link = begin(stream, session, role, isDialer: isDialer, control)
        // Whoever dialled looks after the audits, so that the two do not do it twice.
        let audits = isDialer ? Task { await auditDaily(site, control) } : nil
        let ending = await link.run(control: control)
        audits?.cancel()
        ended(site, control, ending)
        return ending
    }

    // What stands on either side of a wait is not inlined into it: a link that waits for days would keep its room.

    @inline(never)
    private func begin(
        _ stream: HTTP2Stream, _ session: Session, _ role: PeerRole, isDialer: Bool, _ control: LinkControl
    ) -> PeerLink {
        sessions[ObjectIdentifier(control)] = (control, session)
        return PeerLink(
            node: node, supervisor: self, site: session.site, role: role, certificate: session.certificate,
            isDialer: isDialer, settings: configuration.link(to: session.site), stream: stream, access: access,
            logger: logger)
    }

    @inline(never)
    private func ended(_ site: SiteCode, _ control: LinkControl, _ ending: PeerLink.Ending) {
        let replica = sessions.removeValue(forKey: ObjectIdentifier(control))?.session.replica
        noteDisconnected(site, replica: replica, failure: ending.reason)
    }

    private func auditDaily(_ site: SiteCode, _ control: LinkControl) async {
        while !Task.isCancelled {
            let reader = node.reader
            // What cannot be read counts as never.
            let peers = await access.run { try? reader.peers() } ?? []
            let met = peers.filter { $0.site == site }.max { $0.lastContact < $1.lastContact }
            var generator = SystemRandomNumberGenerator()
            let delay = Self.auditDelay(last: met?.auditTime ?? 0, now: node.clock.now(), using: &generator)
            try? await Task.sleep(for: .milliseconds(delay))
            if !Task.isCancelled { control.audit(.repair) }
        }
    }

    /// Sessions may be shorter than the interval: it counts from the last audit, whichever session had it. Spread, so that
    /// a province's nodes do not all do it in the same minute.
    /// - Parameter last: UTC milliseconds; 0 for none.
    /// - Returns: milliseconds.
    static func auditDelay(
        last: Int64, now: Int64, using generator: inout some RandomNumberGenerator
    ) -> Int64 {
        let interval = Int64.random(
            in: auditIntervalMilliseconds * 9 / 10...auditIntervalMilliseconds, using: &generator)
        let overdue = Int64.random(in: overdueAuditMillisecondsMin...overdueAuditMillisecondsMax, using: &generator)
        // A clock that was put back would have it wait for as long.
        let passed = max(0, now - last)
        return last == 0 ? overdue : max(overdue, interval - passed)
    }

    /// - Parameter replica: the node whose session ended; nil for whichever of the site was met last.
    private func noteDisconnected(_ site: SiteCode, replica: ReplicaID? = nil, failure: String?) {
        guard !sessions.values.contains(where: { $0.session.site == site && $0.session.replica == replica }) else {
            return
        }
        let now = node.clock.now()
        updateStatus(of: site, replica: replica) { status in
            if status.isConnected || status.since == 0 { status.since = now }
            status.isConnected = false
            status.isAuditing = false
            status.lastFailure = failure
        }
    }

    private func updateStatus(
        of site: SiteCode, replica: ReplicaID? = nil, _ change: @escaping @Sendable (inout LinkTable.Status) -> Void
    ) {
        let (node, access, logger) = (node, access, logger)
        Task {
            do {
                let peers = try await access.run { try node.reader.peers() }.filter { $0.site == site }
                let met = replica.flatMap { replica in peers.first { $0.node == replica } }
                guard let peer = met ?? peers.first else { return }
                node.links.update(peer.id) { status in
                    status.role = peer.role
                    change(&status)
                }
            } catch {
                logger.error("the peers cannot be read", metadata: ["error": "\(error)"])
            }
        }
    }
}

/// The one route of the sync listener that carries sessions.
enum SyncRoute {
    static let path = "/sync/v1"
    static let mediaType = "application/vnd.banjie.sync"
    static let renewPath = "/renew"
    static let renewAuthorityPath = "/renew-authority"
}

/// A certificate is renewed at two thirds of its life, over the connection that it still opens.
enum Renewal {
    static func isDue(_ certificate: PeerCertificate, now: Int64) -> Bool {
        let life = certificate.notAfterMilliseconds - certificate.notBeforeMilliseconds
        return now >= certificate.notBeforeMilliseconds + life * 2 / 3
    }

    /// How long after its end a certificate may still be renewed.
    static let expiredMillisecondsMax: Int64 = 30 * 86_400_000

    static func isExpired(_ certificate: PeerCertificate, now: Int64) -> Bool {
        now > certificate.notAfterMilliseconds
    }

    /// What a peer with this certificate may ask for: everything while it is valid, afterwards a new one for a while.
    static func admits(_ certificate: PeerCertificate, to path: String, now: Int64) -> Bool {
        guard isExpired(certificate, now: now) else { return true }
        return path == SyncRoute.renewPath && now - certificate.notAfterMilliseconds <= expiredMillisecondsMax
    }

    /// Whether a node should have its certificate signed again: it is due, or another root is in a hurry.
    static func isWanted(_ keys: KeyFolder, hurries: Bool, now: Int64) throws -> Bool {
        try isDue(keys.certificate(), now: now) || hurries && !keys.isUnderNewestRoot(.node, now: now)
    }

    /// A child asks its parent. The key stays; the new chain is in force from the next connection on.
    /// - Returns: whether there is a new one.
    @discardableResult
    static func renewIfDue(
        keys: KeyFolder, site: SiteCode, hurries: Bool, over connection: HTTP2Connection, logger: Logger
    ) async throws -> Bool {
        let now = NodeClock.system()
        guard try isWanted(keys, hurries: hurries, now: now), let uri = NodeURI(host: site.rawValue) else {
            return false
        }
        let request = try CertificateRequest(uri: uri, privateKeyPEM: keys.read(.nodeKey))
        guard let body = try await ask(request, at: SyncRoute.renewPath, keys, now: now, over: connection, logger)
        else { return false }
        guard try isDue(keys.certificate(), now: now) || leads(body, to: keys.newestRoot(), nowMilliseconds: now) else {
            logger.info("the parent has no authority under the new root yet")
            return false
        }
        try keys.write(.node, body)
        logger.notice("the certificate has been renewed")
        return true
    }

    /// - Returns: the chain that the parent has signed for the request; nil, with a line in the log, if it has not, or
    ///   under a root that is not trusted here.
    static func ask(
        _ request: CertificateRequest, at path: String, _ keys: KeyFolder, now: Int64,
        over connection: HTTP2Connection, _ logger: Logger
    ) async throws -> String? {
        let stream = try await connection.open(HTTP2RequestHead(method: "POST", authority: "parent", path: path))
        try await stream.write(ByteBuffer(string: request.pem))
        try stream.finish()
        let status = try await stream.responseHead.status
        let body = String(buffer: try await stream.collect(bytesMax: Enrolment.bodyBytesMax))
        guard status == 200 else {
            logger.warning(
                "the parent has not signed anew",
                metadata: ["path": "\(path)", "status": "\(status)", "reason": "\(body)"])
            return nil
        }
        guard leads(body, to: try keys.read(.root), nowMilliseconds: now) else {
            logger.error("the parent has signed under a root that is not trusted here", metadata: ["path": "\(path)"])
            return nil
        }
        return body
    }

    /// The parent's side: only the site that the connection's certificate names is signed again.
    static func answer(_ requestPEM: String, from peer: NodeURI, keys: KeyFolder, site: SiteCode) throws -> String {
        guard let authority = try keys.authority(subtree: site) else { throw EnrolmentError.noAuthority }
        return try authority.signLeaf(
            CertificateRequest(pem: requestPEM), expecting: peer, nowMilliseconds: NodeClock.system(),
            days: Enrolment.leafDays)
    }

    /// A province and a region renew their own.
    static func renewOwnIfDue(keys: KeyFolder, site: SiteCode) throws -> Bool {
        let now = NodeClock.system()
        guard isDue(try keys.certificate(), now: now), keys.exists(.authorityKey) else { return false }
        try signOwn(keys: keys, site: site, now: now)
        return true
    }

    /// - Throws: `EnrolmentError.noAuthority` at a node that signs nobody.
    static func signOwn(keys: KeyFolder, site: SiteCode, now: Int64) throws {
        guard let authority = try keys.authority(subtree: site), let uri = NodeURI(host: site.rawValue) else {
            throw EnrolmentError.noAuthority
        }
        let request = try CertificateRequest(uri: uri, privateKeyPEM: keys.read(.nodeKey))
        try keys.write(
            .node, authority.signLeaf(request, expecting: uri, nowMilliseconds: now, days: Enrolment.leafDays))
    }
}
