internal import Foundation
internal import Logging
internal import Replication
internal import Store
internal import Synchronization
internal import Transport

/// One session with one peer over one stream: feeds `SyncSession` with messages and results, and carries out its
/// effects. Dialled or accepted only decides who audits.
///
/// The reader, the session and the writer have a mailbox each, so that a link on which nothing happens holds no task but
/// the one that waits for its end.
final class PeerLink: Sendable {
    /// What the session is fed with, in order.
    enum Input: Sendable {
        case started
        case message(SyncMessage)
        case feedAdvanced
        case identified(PeerID, SyncSession.PeerStanding)
        case answered(SessionAnswer)
        case keysWanted([PersonalKeyID])
        case applied(Lane, FeedCursor, bytes: Int)
        case leftAside
        case audit(RangeAudit.Purpose)
        case heal([Dot])
        /// With the change of the last of them.
        case headsRead([SignedHead], through: Int64)
        case tick
        case failed(ByeCode, String)
        case stopped(ByeCode, String)
        case streamEnded(String)
    }

    /// What goes out, in order.
    enum Outgoing: Sendable {
        case message(SyncMessage)
        case batch(OutgoingBatch, compressed: Bool)
        /// Encoded answers, which count in the gauge.
        case answer([UInt8])
        case answers(OutgoingBatch, compressed: Bool, bytes: Int)
        /// What stands before it has been written.
        case done(LinkGauge.Work)
    }

    /// How a session ended.
    struct Ending: Sendable {
        var code: ByeCode
        var reason: String
        /// The session was established before it ended.
        var wasEstablished: Bool
    }

    /// Ticks between two looks for damaged rows that the peer may heal.
    static let healTicks = 120
    /// Ticks between two looks for heads to pass on.
    static let headTicks = 10
    /// Between two looks at an apply queue that is full.
    static let fullQueuePauseMilliseconds = 20
    /// How long queued frames may take to go out once the session is over.
    static let farewellMillisecondsMax = 2_000

    let node: SyncNode
    let supervisor: LinkSupervisor
    let site: SiteCode
    let role: PeerRole
    /// What the connection was made with.
    let certificate: PeerCertificate?
    let isDialer: Bool
    let settings: LinkSettings
    let stream: HTTP2Stream
    let access: StoreAccess
    let logger: Logger

    init(
        node: SyncNode, supervisor: LinkSupervisor, site: SiteCode, role: PeerRole, certificate: PeerCertificate?,
        isDialer: Bool, settings: LinkSettings, stream: HTTP2Stream, access: StoreAccess, logger: Logger
    ) {
        self.node = node
        self.supervisor = supervisor
        self.site = site
        self.role = role
        self.certificate = certificate
        self.isDialer = isDialer
        self.settings = settings
        self.stream = stream
        self.access = access
        var logger = logger
        logger[metadataKey: "peer"] = "\(site)"
        self.logger = logger
    }

    /// What a session runs on.
    private struct Parts {
        let inputs: Mailbox<Input>
        let outbox: Mailbox<Outgoing>
        let writer: LinkWriter
        let reader: LinkReader
        let loop: LinkLoop
        let subscription: Int
        let ticks: Int
    }

    /// Runs the session to its end. Returns when the stream has ended, a side has said goodbye, or the task is cancelled.
    ///
    /// This is what a link keeps while nothing happens: hence what comes before the wait and what comes after it stand
    /// apart, and are not inlined.
    func run(control: LinkControl) async -> Ending {
        let parts = start(control)
        await withTaskCancellationHandler {
            _ = await parts.inputs.finished()
        } onCancel: {
            parts.inputs.close()
        }
        return await end(parts, control)
    }

    @inline(never)
    private func start(_ control: LinkControl) -> Parts {
        let (inputs, outbox) = (Mailbox<Input>(), Mailbox<Outgoing>())
        // The peer is known once it has said who it is; until then nothing is to be sent to it.
        let id = Mutex<PeerID?>(nil)
        let subscription = node.subscribers.add { peers in
            if let id = id.withLock({ $0 }), peers.contains(id) { inputs.put(.feedAdvanced) }
        }
        control.attach(stop: { code, reason in inputs.put(.stopped(code, reason)) }, audit: { inputs.put(.audit($0)) })
        let gauge = LinkGauge()
        let counters = LinkCounters(links: node.links)
        let writer = LinkWriter(stream: stream, settings: settings, counters: counters, gauge: gauge)
        outbox.open { outgoing in
            do {
                try await writer.write(outgoing)
                return true
            } catch {
                inputs.put(.streamEnded("\(error)"))
                return false
            }
        }
        let loop = LinkLoop(link: self, control: control, inputs: inputs, outbox: outbox, gauge: gauge)
        inputs.put(.started)
        inputs.open { input in
            if case .identified(let found, _) = input {
                id.withLock { $0 = found }
                counters.belong(to: found)
            }
            return await !loop.take(input)
        }
        let reader = LinkReader(node: node, stream: stream, inputs: inputs, counters: counters, gauge: gauge)
        reader.start()
        let ticks = supervisor.ticker.add { inputs.put(.tick) }
        return Parts(
            inputs: inputs, outbox: outbox, writer: writer, reader: reader, loop: loop, subscription: subscription,
            ticks: ticks)
    }

    private func end(_ parts: Parts, _ control: LinkControl) async -> Ending {
        supervisor.ticker.remove(parts.ticks)
        node.subscribers.remove(parts.subscription)
        control.detach()
        await parts.reader.stop()
        await sayFarewell(parts.outbox, parts.writer)
        await parts.loop.save()
        return await parts.loop.ending
    }

    /// What is queued, a last Bye among it, still goes out, unless the peer takes nothing any more.
    private func sayFarewell(_ outbox: Mailbox<Outgoing>, _ writer: LinkWriter) async {
        outbox.close()
        let limit = Task {
            try await Task.sleep(for: .milliseconds(Self.farewellMillisecondsMax))
            outbox.cancel()
            await writer.end()
        }
        // Whoever has not taken everything need not hear that this was the end.
        if await outbox.finished() { try? stream.finish() }
        limit.cancel()
    }
}

extension PeerLink.Outgoing {
    /// What counts in the gauge.
    var answerBytes: Int {
        switch self {
        case .answer(let bytes): bytes.count
        case .answers(_, _, let bytes): bytes
        case .message, .batch, .done: 0
        }
    }
}

/// Counts bytes for a link's status, also before it is known whose link it is.
final class LinkCounters: Sendable {
    private let links: LinkTable
    private let state = Mutex<(id: PeerID?, early: [@Sendable (inout LinkTable.Status) -> Void])>((nil, []))

    init(links: LinkTable) {
        self.links = links
    }

    func belong(to id: PeerID) {
        let early = state.withLock { state in
            defer { state = (id, []) }
            return state.early
        }
        links.update(id) { status in for change in early { change(&status) } }
    }

    func update(_ change: @escaping @Sendable (inout LinkTable.Status) -> Void) {
        let id = state.withLock { state -> PeerID? in
            // Only the first messages come before the peer is known: few, and bounded by the wait for Hello.
            if state.id == nil, state.early.count < Self.earlyMax { state.early.append(change) }
            return state.id
        }
        if let id { links.update(id, change) }
    }

    private static let earlyMax = 64
}

/// Lets others reach a running link: an admin's pause or audit, a newer connection, a shutdown.
final class LinkControl: Sendable {
    private struct Reach: Sendable {
        var stop: @Sendable (ByeCode, String) -> Void
        var audit: @Sendable (RangeAudit.Purpose) -> Void
    }

    private enum State {
        /// The link does not run yet; with what has ended it already.
        case waiting(end: (code: ByeCode, reason: String)?)
        case running(Reach)
        case over
    }

    private let state = Mutex(State.waiting(end: nil))

    func attach(
        stop: @escaping @Sendable (ByeCode, String) -> Void, audit: @escaping @Sendable (RangeAudit.Purpose) -> Void
    ) {
        let end: (code: ByeCode, reason: String)? = state.withLock { state in
            guard case .waiting(let end) = state else { return nil }
            state = .running(Reach(stop: stop, audit: audit))
            return end
        }
        if let end { stop(end.code, end.reason) }
    }

    func detach() {
        state.withLock { $0 = .over }
    }

    func end(_ code: ByeCode, _ reason: String) {
        let reach: Reach? = state.withLock { state in
            if case .waiting(nil) = state { state = .waiting(end: (code, reason)) }
            guard case .running(let reach) = state else { return nil }
            return reach
        }
        reach?.stop(code, reason)
    }

    func audit(_ purpose: RangeAudit.Purpose) {
        let reach: Reach? = state.withLock { if case .running(let reach) = $0 { reach } else { nil } }
        reach?.audit(purpose)
    }
}
