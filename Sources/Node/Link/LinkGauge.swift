internal import Replication
internal import Synchronization

/// Keeps what a link has queued for its peer bounded, whatever the peer asks for and however little it reads.
///
/// Batches are bounded by what is not acknowledged; everything else a peer gets because it asked. So it is given one
/// thing of a kind at a time: a further audit request waits, unread, until the answer to the last has been written, and
/// a further request for keys is passed over, since what is still wanted then is asked for again. What a peer tells
/// (heads, keys) waits for the store. Source: Protocols/sync.md §6.
final class LinkGauge: Sendable {
    /// Bytes of answers that wait to be written; with more nothing is read.
    static let queuedBytesMax = 8 * 1024 * 1024

    /// A message for which the store has to be read or written.
    enum Work: Sendable, Hashable {
        case audit, keyRequest, keys, heads
    }

    enum Admission: Sendable, Hashable {
        case pass, hold, drop
    }

    private struct State {
        var pending: Set<Work> = []
        var queuedBytes = 0
    }

    private let state = Mutex(State())

    /// What is to become of a message now; one that passes and makes work is pending from here on.
    func admit(_ message: SyncMessage) -> Admission {
        state.withLock { state in
            guard state.queuedBytes < Self.queuedBytesMax else { return .hold }
            guard let work = message.work else { return .pass }
            if state.pending.insert(work).inserted { return .pass }
            return work == .keyRequest ? .drop : .hold
        }
    }

    /// What was asked for has been written, or was nothing.
    func done(_ work: Work) {
        state.withLock { _ = $0.pending.remove(work) }
    }

    func queued(bytes: Int) {
        state.withLock { $0.queuedBytes += bytes }
    }

    func written(bytes: Int) {
        state.withLock { $0.queuedBytes -= bytes }
    }
}

extension SyncMessage {
    var work: LinkGauge.Work? {
        switch self {
        case .auditRequest: .audit
        case .keyRequest: .keyRequest
        case .keys(_, let beforeBatch): beforeBatch ? nil : .keys
        case .heads: .heads
        case .hello, .resume, .batch, .ack, .caughtUp, .rebase, .clock, .probe, .probeAnswer, .auditReply, .auditCall,
            .auditDone, .bye:
            nil
        }
    }
}

extension SyncSession.Effect {
    /// The work that ends with its result.
    var work: LinkGauge.Work? {
        switch self {
        case .answerAudit: .audit
        case .answerKeys: .keyRequest
        case .saveKeys: .keys
        case .takeHeads: .heads
        default: nil
        }
    }
}
