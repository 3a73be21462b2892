internal import Foundation
internal import Hummingbird
package import Logging
internal import NIOCore
package import Replication
internal import ServiceLifecycle
package import Store
internal import Synchronization
internal import Tickets
internal import Transport

extension SyncNode {
    /// Opens the node of a folder, with the clock and catalog that the folder sets. Takes the folder's lock.
    /// - Throws: `StoreError`, `FileProblem` for a broken configuration or catalog.
    /// - Parameter patienceMilliseconds: how long to wait for a command that holds the folder at the moment.
    package static func open(
        folder: DataFolder, patienceMilliseconds: Int = 0, logger: Logger
    ) throws -> SyncNode {
        let configuration = try NodeConfiguration(folder: folder)
        let catalog = try CatalogFile.read(folder)
        let clock = NodeClock(scale: configuration.clock)
        let progress = ProgressReporter("operations folded for this version", style: .fitting(isForProgram: false))
        let opened = try Store.open(
            folder, patienceMilliseconds: patienceMilliseconds,
            context: StoreContext(now: clock.now(), catalog: catalog, progress: { progress.update($0, of: $1) }))
        progress.finish()
        try ConfigurationJournal.note(folder, catalog: catalog, writer: opened.writer, now: clock.now())
        return try SyncNode(
            writer: opened.writer, catalog: catalog, clock: clock, logger: logger,
            certificateFingerprint: {
                (try? KeyFolder(folder).certificate()).map { Array($0.fingerprint.utf8) } ?? []
            })
    }
}

/// A node at work: its listeners, its link upward, its timers. Runs until it is shut down gracefully.
package final class NodeRuntime: Service, RuntimeControl {
    package let node: SyncNode
    package let folder: DataFolder
    private let configuration: NodeConfiguration
    private let logger: Logger
    private let keys: KeyFolder
    private let supervisor: LinkSupervisor
    /// A command on a stopped node's folder holds it for well under a second.
    package static let lockPatienceMilliseconds = 5_000

    private let bound = Mutex(RuntimeAddresses())
    private let up = Mutex(false)
    private let recovery = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    private let isRecovering = Mutex(false)
    /// What the listeners have taken up last.
    private let trusted = Mutex<Trusted?>(nil)
    /// The listener of the sync, while it runs.
    private let syncServer = Mutex<HTTP2Server?>(nil)
    /// That of enrolment.
    private let enrolmentServer = Mutex<HTTP2Server?>(nil)

    /// Opens the folder. - Throws: what `SyncNode.open` throws.
    /// - Parameter patienceMilliseconds: how long this thread waits for a folder that is held.
    package init(
        folder: DataFolder, logger: Logger, patienceMilliseconds: Int = NodeRuntime.lockPatienceMilliseconds
    ) throws {
        self.folder = folder
        configuration = try NodeConfiguration(folder: folder)
        var logger = logger
        logger.logLevel = configuration.logLevel
        self.logger = logger
        keys = KeyFolder(folder)
        node = try SyncNode.open(folder: folder, patienceMilliseconds: patienceMilliseconds, logger: logger)
        supervisor = LinkSupervisor(node: node, keys: keys, configuration: configuration, logger: logger)
    }

    /// Whether every listener is bound.
    package var isUp: Bool { up.withLock { $0 } }

    package var addresses: RuntimeAddresses { bound.withLock { $0 } }

    package func pause(_ peer: SiteCode?) async throws {
        for site in try sites(peer) { await supervisor.pause(site) }
    }

    package func resume(_ peer: SiteCode?) async throws {
        for site in try sites(peer) { await supervisor.resume(site) }
    }

    package func syncNow(_ peer: SiteCode?) async throws {
        for site in try sites(peer) { await supervisor.dialNow(site) }
    }

    package func audit(_ peer: SiteCode?, _ purpose: RangeAudit.Purpose) async throws {
        for site in try sites(peer) { await supervisor.audit(site, purpose) }
    }

    private func sites(_ peer: SiteCode?) throws -> [SiteCode] {
        let known = Set(try node.reader.peers().map(\.site)).sorted()
        guard let peer else { return known }
        guard known.contains(peer) else { throw RuntimeError.unknownPeer(peer) }
        return [peer]
    }

    /// Once it has returned nothing reads or writes the store.
    package func run() async throws {
        do {
            try await prepare()
            try await serve()
        } catch {
            await node.finish()
            throw error
        }
        await node.finish()
    }

    private func prepare() async throws {
        await node.writeProjection()
        _ = try await rootKeeper.refresh(now: NodeClock.system())
        if try Renewal.renewOwnIfDue(keys: keys, site: node.identity.site) {
            logger.notice("the certificate has been renewed")
            try await node.journalOwnRenewal(keys)
        }
        await node.scrubErasedSoon()
    }

    private func serve() async throws {
        let present = try Trusted(keys)
        trusted.withLock { $0 = present }
        // The listener's handler holds this node.
        defer {
            syncServer.withLock { $0 = nil }
            enrolmentServer.withLock { $0 = nil }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            if let address = configuration.listen {
                let server = HTTP2Server(
                    address: address, tls: try keys.serverContext(), logger: logger, handler: serveSync)
                group.addTask { try await server.run() }
                let port = try await server.port
                bound.withLock { $0.sync = "\(configuration.advertisedHost):\(port)" }
                syncServer.withLock { $0 = server }
                group.addTask { await self.refreshCertificate(of: server) }
            }
            if let address = configuration.enrolment, keys.exists(.authorityKey) {
                let (node, folder, logger) = (node, folder, logger)
                let server = HTTP2Server(
                    address: address, tls: try keys.enrolmentContext(), limits: .browser, logger: logger
                ) { stream, peer in
                    await Enrolment.serve(
                        stream, from: peer.remoteAddress, node: node, folder: folder, logger: logger)
                }
                group.addTask { try await server.run() }
                let port = try await server.port
                bound.withLock { $0.enrolment = "\(configuration.advertisedHost):\(port)" }
                enrolmentServer.withLock { $0 = server }
            }
            try await startLocal(&group)
            if let parent = node.identity.parent {
                let addresses = configuration.parents
                group.addTask { await self.supervisor.dial(parent, role: .parent, addresses: addresses) }
                group.addTask { await self.watchCertificate(towards: parent) }
            }
            if !configuration.siblings.isEmpty, !keys.exists(.authorityKey) {
                group.addTask { await self.watchCertificate(towards: self.node.identity.site) }
            }
            for address in configuration.siblings {
                let site = node.identity.site
                group.addTask { await self.supervisor.dial(site, role: .sibling, addresses: [address]) }
            }
            group.addTask { await DeadlineWatch(node: self.node, logger: self.logger).run() }
            group.addTask { await JournalKeeper(node: self.node, logger: self.logger).run() }
            group.addTask { await Scrubber(node: self.node, logger: self.logger).run() }
            group.addTask { await Scrubber(node: self.node, logger: self.logger).runOnSuspicion() }
            group.addTask { await self.stopOnShutdown() }
            group.addTask { await self.watchAlarms() }
            let (changes, change) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
            node.revocations.onChange { change.yield() }
            change.yield()
            group.addTask { for await _ in changes { await self.enforceRevocations() } }
            let (rootChanges, rootChange) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
            node.roots.onChange { rootChange.yield() }
            rootChange.yield()
            group.addTask { for await _ in rootChanges { await self.followRoots() } }
            await node.onRecovery { [weak self] in self?.reopen() }
            group.addTask { await self.waitForRecovery() }
            up.withLock { $0 = true }
            logger.notice(
                "node is up",
                metadata: [
                    "site": "\(node.identity.site)", "replica": "\(node.identity.replica)",
                    "sync": "\(addresses.sync ?? "off")", "console": "\(addresses.console ?? "off")",
                ])
            try await group.next()
            await node.saveEpoch()
            // The first part that ends takes the others with it: a node works whole or not at all.
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    /// What only this machine sees: the console and the admin socket.
    private func startLocal(_ group: inout ThrowingTaskGroup<Void, any Error>) async throws {
        let admin = try AdminSocket(
            folder: folder, responder: makeAPIRouter(node: node, runtime: self).buildResponder(), logger: logger)
        group.addTask { try await admin.run() }
        try await admin.waitUntilListening()
        guard let address = configuration.console else { return }
        let console = try ConsoleService(
            node: node, address: address, identity: try keys.consoleIdentity(), logger: logger)
        group.addTask { try await console.run() }
        let port = try await console.port
        bound.withLock { $0.console = "\(configuration.advertisedHost):\(port)" }
    }

    /// The store has to be opened anew, under a new incarnation: `run` has returned for that.
    package var needsReopening: Bool { isRecovering.withLock { $0 } }

    private func reopen() {
        isRecovering.withLock { $0 = true }
        recovery.continuation.yield()
    }

    private func waitForRecovery() async {
        for await _ in recovery.stream {
            // The last words of the sessions still go out.
            await supervisor.stop()
            return
        }
    }

    private func stopOnShutdown() async {
        try? await gracefulShutdown()
        await supervisor.stop()
    }

    /// How long a revoked peer's connection lives on, so that it hears why.
    static let revokedFarewellMilliseconds = 300

    /// No new handshake, no session, and soon no connection of those that have been revoked.
    private func enforceRevocations() async {
        let server = syncServer.withLock { $0 }
        do {
            let records = try node.reader.revocations()
            guard !records.isEmpty else { return }
            try RevocationLists(keys).keep(records)
            try server?.replaceTLS(keys.serverContext())
        } catch {
            logger.error(
                "a revocation list cannot be used: revoked peers are refused one by one",
                metadata: ["error": "\(error)"])
        }
        await supervisor.endRevoked()
        try? await Task.sleep(for: .milliseconds(Self.revokedFarewellMilliseconds))
        let revoked = node.revocations.peers
        server?.closeConnections { $0.certificate.map(revoked.includes) == true }
    }

    private var rootKeeper: RootKeeper { RootKeeper(node: node, keys: keys, logger: logger) }

    /// What a listener goes by.
    private struct Trusted: Hashable {
        /// Fingerprints of the roots, and of this node's own certificate.
        var roots: [String]
        var own: String

        init(_ keys: KeyFolder) throws {
            roots = try PeerCertificate.chain(pem: keys.read(.root)).map(\.fingerprint)
            own = try keys.certificate().fingerprint
        }
    }

    /// Takes up what the log says of roots: handshakes are judged by them from now on, and what is to be signed anew is.
    private func followRoots() async {
        do {
            _ = try await rootKeeper.refresh(now: NodeClock.system())
            let present = try Trusted(keys)
            let former = trusted.withLock { trusted in
                defer { trusted = present }
                return trusted
            }
            // Handshakes under way are cut by it.
            if let former, former != present {
                try syncServer.withLock { $0 }?.replaceTLS(keys.serverContext())
                try enrolmentServer.withLock { $0 }?.replaceTLS(keys.enrolmentContext())
            }
            if let former, former.roots.contains(where: { !present.roots.contains($0) }) {
                await supervisor.endAll("a root has been retired")
            } else if let issuer = node.identity.parent ?? (keys.exists(.authorityKey) ? nil : node.identity.site) {
                try await supervisor.redialIfRenewalIsDue(issuer)
            }
            // Lists that the new root has signed count from now on.
            if let former, former.roots != present.roots { await enforceRevocations() }
        } catch {
            logger.error("the province's roots cannot be taken up", metadata: ["error": "\(error)"])
        }
    }

    private static let certificateLookSeconds = 3_600

    private func watchCertificate(towards parent: SiteCode) async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(Self.certificateLookSeconds))
            guard !Task.isCancelled else { return }
            do {
                try await supervisor.redialIfRenewalIsDue(parent)
            } catch {
                logger.error("the certificate cannot be read", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Now and every hour.
    private func watchAlarms() async {
        while !Task.isCancelled {
            do {
                try await CertificateAlarm.log(keys, node: node, logger: logger, now: NodeClock.system())
            } catch {
                logger.error("the certificates cannot be looked at", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: .seconds(Self.certificateLookSeconds))
        }
    }

    /// Every hour: a renewed certificate is what new connections see.
    private func refreshCertificate(of server: HTTP2Server) async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(Self.certificateLookSeconds))
            guard !Task.isCancelled else { return }
            do {
                if try Renewal.renewOwnIfDue(keys: keys, site: node.identity.site) {
                    try await node.journalOwnRenewal(keys)
                }
                server.replaceTLS(try keys.serverContext())
                try enrolmentServer.withLock { $0 }?.replaceTLS(keys.enrolmentContext())
            } catch {
                logger.error("the certificate cannot be read", metadata: ["error": "\(error)"])
            }
        }
    }

    /// What the sync listener does with a request.
    private enum SyncRequest {
        case session(SiteCode, PeerRole)
        case renewal(NodeURI, answer: (String, NodeURI, KeyFolder, SiteCode) throws -> String)
        /// With what stands in the journal, if that is worth a line.
        case refused(status: Int, String, JournalDraft?)
    }

    @Sendable private func serveSync(_ stream: HTTP2Stream, peer: ConnectionPeer) async {
        switch syncRequest(stream.requestHead, of: peer) {
        case .session(let site, let role):
            await supervisor.accept(stream, from: site, role: role, certificate: peer.certificate)
        case .renewal(let uri, let answer): await renew(stream, for: uri, from: peer.remoteAddress, answer)
        case .refused(let status, let reason, let draft):
            if let draft { await node.journalBounded(draft) }
            try? stream.respond(HTTP2ResponseHead(status: status), body: ByteBuffer(string: reason))
        }
    }

    /// Not inlined: a session that waits for days would keep its room.
    @inline(never)
    private func syncRequest(_ head: HTTP2RequestHead, of peer: ConnectionPeer) -> SyncRequest {
        guard let uri = peer.certificate?.nodeURI, let site = SiteCode(uri.host),
            let role = node.identity.role(of: site), role != .parent
        else {
            let name = peer.certificate?.nodeURI?.description ?? "no name"
            logger.warning(
                "a peer that is neither child nor sibling of this node was refused", metadata: ["name": "\(name)"])
            return .refused(status: 403, "this node is not the parent of \(name)", nil)
        }
        if let certificate = peer.certificate, let refusal = refusal(certificate, head.path) {
            logger.warning("a peer was refused", metadata: ["peer": "\(site)", "reason": "\(refusal)"])
            let draft = JournalDraft(
                .certificateRefused, by: JournalActor(name: "\(site)", origin: peer.remoteAddress), on: "\(site)",
                "fingerprint=\(certificate.fingerprint) reason=\(refusal)")
            return .refused(status: 403, refusal, draft)
        }
        return switch (head.method, head.path) {
        case ("POST", SyncRoute.path): .session(site, role)
        case ("POST", SyncRoute.renewPath): .renewal(uri, answer: Renewal.answer)
        case ("POST", SyncRoute.renewAuthorityPath): .renewal(uri, answer: AuthorityRenewal.answer)
        default: .refused(status: 404, "", nil)
        }
    }

    /// Why a certificate that the handshake has let through opens this route no more.
    private func refusal(_ certificate: PeerCertificate, _ path: String) -> String? {
        if node.revocations.peers.includes(certificate) { return RevokedPeers.reason }
        guard !Renewal.admits(certificate, to: path, now: NodeClock.system()) else { return nil }
        return "the certificate has expired: it may be renewed for a while, and opens nothing else"
    }

    private func renew(
        _ stream: HTTP2Stream, for uri: NodeURI, from address: String,
        _ answer: (String, NodeURI, KeyFolder, SiteCode) throws -> String
    ) async {
        let actor = JournalActor(name: uri.host, origin: address)
        do {
            let request = String(buffer: try await stream.collect(bytesMax: Enrolment.bodyBytesMax))
            let chain = try answer(request, uri, keys, node.identity.site)
            let fingerprint = try PeerCertificate(pem: chain).fingerprint
            try await node.journal(
                JournalDraft(.certificateRenewed, by: actor, on: uri.host, "fingerprint=\(fingerprint)"))
            try stream.respond(HTTP2ResponseHead(status: 200), body: ByteBuffer(string: chain))
        } catch {
            await node.journalBounded(
                JournalDraft(.certificateRefused, by: actor, on: uri.host, "renewal reason=\(error)"))
            try? stream.respond(HTTP2ResponseHead(status: 422), body: ByteBuffer(string: "\(error)"))
        }
    }

}

/// A node that goes on by itself after its store had to be opened anew.
package struct NodeService: Service {
    private let folder: DataFolder
    private let logger: Logger

    package init(folder: DataFolder, logger: Logger) {
        self.folder = folder
        self.logger = logger
    }

    package func run() async throws {
        var goesOn = true
        while goesOn, !Task.isCancelled {
            goesOn = try await runOnce()
            if goesOn { logger.notice("the store is opened anew, under a new incarnation") }
        }
    }

    /// - Returns: whether the store has to be opened anew.
    private func runOnce() async throws -> Bool {
        let runtime = try await Self.open(folder, logger)
        try await runtime.run()
        return runtime.needsReopening
    }

    /// Waits for a folder that is held, by a command or by what is left of this process's former node, without a thread.
    package static func open(_ folder: DataFolder, _ logger: Logger) async throws -> NodeRuntime {
        let end = ContinuousClock.now + .milliseconds(NodeRuntime.lockPatienceMilliseconds)
        while true {
            do {
                return try NodeRuntime(folder: folder, logger: logger, patienceMilliseconds: 0)
            } catch StoreError.folderInUse where ContinuousClock.now < end {
                try await Task.sleep(for: .milliseconds(lockLookMilliseconds))
            }
        }
    }

    static let lockLookMilliseconds = 20
}

package enum RuntimeError: Error, CustomStringConvertible {
    case unknownPeer(SiteCode)

    package var description: String {
        switch self {
        case .unknownPeer(let site): "\(site) is no peer of this node: `banjie sync status` lists them"
        }
    }
}

/// The catalog that an admin has put into the folder; the standard one where there is none.
enum CatalogFile {
    static func read(_ folder: DataFolder) throws -> Catalog {
        guard let data = FileManager.default.contents(atPath: folder.catalog) else { return .standard }
        do {
            _ = try JSONDecoder().decode(Catalog.self, from: data)
        } catch let error as DecodingError {
            throw FileProblem(path: folder.catalog, line: line(of: error, in: data), expected: explain(error))
        }
        do {
            return try Catalog(json: Array(data))
        } catch {
            throw FileProblem(path: folder.catalog, line: 0, expected: "values within their bounds: \(error)")
        }
    }

    private static func explain(_ error: DecodingError) -> String {
        func path(_ context: DecodingError.Context) -> String {
            context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
        }
        return switch error {
        case .typeMismatch(let type, let context): "\(path(context)) is a \(type)"
        case .valueNotFound(let type, let context): "\(path(context)) has a \(type)"
        case .keyNotFound(let key, let context):
            "\(key.stringValue) in \(path(context).isEmpty ? "the catalog" : path(context))"
        case .dataCorrupted(let context):
            "valid JSON (\(context.underlyingError.map { "\($0)" } ?? context.debugDescription))"
        @unknown default: "a catalog as in Protocols/catalog.md"
        }
    }

    /// The line where the innermost key of the path first stands; 0 if it cannot be told.
    private static func line(of error: DecodingError, in data: Data) -> Int {
        let context: DecodingError.Context
        switch error {
        case .typeMismatch(_, let found), .valueNotFound(_, let found), .keyNotFound(_, let found),
            .dataCorrupted(let found):
            context = found
        @unknown default: return 0
        }
        guard let key = context.codingPath.last(where: { $0.intValue == nil })?.stringValue else { return 0 }
        let lines = String(decoding: data, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        return (lines.firstIndex { $0.contains("\"\(key)\"") } ?? -1) + 1
    }
}
