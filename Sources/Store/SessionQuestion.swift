package import Replication

/// What a session wants to know of the store: those of its effects that are answered by reading. One place for whoever
/// runs sessions, with tasks or without.
package enum SessionQuestion: Sendable {
    case judge(HeldOperation)
    case compareOwn(HeldOperation)
    case findHeld(of: ReplicaID, upTo: UInt64)
    case vouch(presented: FeedProgress?, isPeerEmpty: Bool)
    case readFeed(Lane, after: FeedCursor, through: UInt64?, bytesMax: Int)
    case readAnnouncements(after: UInt64, through: UInt64)
    case readForRepair([Dot])
    case readKeys([PersonalKeyID])
    case answerAudit(AuditRequest)
    case compareAudit(AuditReply, with: AuditRequest)
    /// Not an effect: put once the peer is known.
    case readErasures

    /// Nil for an effect that is something to do.
    package init?(_ effect: SyncSession.Effect) {
        switch effect {
        case .judge(let held): self = .judge(held)
        case .compareOwn(let held): self = .compareOwn(held)
        case .findHeld(let replica, let sequence): self = .findHeld(of: replica, upTo: sequence)
        case .vouch(let presented, let isPeerEmpty): self = .vouch(presented: presented, isPeerEmpty: isPeerEmpty)
        case .readFeed(let lane, let cursor, let through, let bytesMax):
            self = .readFeed(lane, after: cursor, through: through, bytesMax: bytesMax)
        case .readAnnouncements(let after, let through): self = .readAnnouncements(after: after, through: through)
        case .readForRepair(let dots): self = .readForRepair(dots)
        case .answerKeys(let ids): self = .readKeys(ids)
        case .answerAudit(let request): self = .answerAudit(request)
        case .compareAudit(let reply, let request): self = .compareAudit(reply, with: request)
        case .send, .sendBatch, .identify, .apply, .saveReceived, .saveAcknowledged, .saveKeys, .takeHeads, .recover,
            .notice, .close:
            return nil
        }
    }

    /// Digests of entities are compared: the projection has to be brought up to the log first.
    package var needsProjection: Bool {
        switch self {
        case .answerAudit, .compareAudit: true
        case .judge, .compareOwn, .findHeld, .vouch, .readFeed, .readAnnouncements, .readForRepair, .readKeys,
            .readErasures:
            false
        }
    }

    /// A child that has nothing gets a feed from the beginning: it has to be filled first.
    package func needsFeed(of role: PeerRole) -> Bool {
        guard case .vouch(let presented, let isPeerEmpty) = self else { return false }
        return isPeerEmpty && role == .child && (presented?.cursor.position ?? 0) == 0
    }
}

/// What the store says to it.
package enum SessionAnswer: Sendable {
    case judged(SyncSession.HistoryVerdict)
    case ownCompared(HeldOperation, isSame: Bool)
    case held(HeldOperation?)
    case vouched(SyncSession.Resumption)
    case batchRead(Lane, FeedPart)
    /// - rest: of an audit's operations those that did not fit into a batch with these.
    case repairRead([StoredOperation], [PersonalKeyEntry], rest: [Dot], forAudit: Bool)
    case keysRead([PersonalKeyEntry])
    case auditAnswered(AuditReply, [StoredOperation], [PersonalKeyEntry])
    case auditCompared(AuditComparison)
    case erasuresRead([PersonalKeyEntry])
}

extension StoreReader {
    /// What can be said without asking the database; nil otherwise. Does not wait.
    /// - Parameter role: of the peer whose session asks.
    package func answerFromMemory(_ question: SessionQuestion, to role: PeerRole) -> SessionAnswer? {
        guard case .readFeed(.live, let cursor, through: nil, let bytesMax) = question, role != .child else {
            return nil
        }
        return ownPart(after: cursor, bytesMax: bytesMax).map { .batchRead(.live, $0) }
    }

    /// - Parameter id: the peer whose session asks.
    package func answer(_ question: SessionQuestion, of id: PeerID) throws -> SessionAnswer {
        switch question {
        case .judge(let held): return .judged(try judge(held))
        case .compareOwn(let held):
            return .ownCompared(held, isSame: try isSame(held))
        case .findHeld(let replica, let sequence): return .held(try held(of: replica, upTo: sequence))
        case .vouch(let presented, let isPeerEmpty):
            return .vouched(try vouch(for: presented, isPeerEmpty: isPeerEmpty, by: id))
        case .readFeed(let lane, let cursor, let through, let bytesMax):
            return .batchRead(
                lane, try nextBatch(for: id, lane: lane, after: cursor, through: through, bytesMax: bytesMax))
        case .readAnnouncements(let after, let through):
            let operations = try announcements(for: id, after: after, through: through)
            return .repairRead(operations, [], rest: [], forAudit: false)
        case .readForRepair(let dots):
            let (operations, dotCount) = try operations(dots, for: id)
            return .repairRead(
                operations, try keys(for: operations), rest: Array(dots.dropFirst(dotCount)), forAudit: true)
        case .readKeys(let ids): return .keysRead(try keys(named: ids, for: id))
        case .answerAudit(let request):
            let (reply, operations) = try answer(request, for: id)
            return .auditAnswered(reply, operations, try keys(for: operations))
        case .compareAudit(let reply, let request):
            return .auditCompared(try compare(reply, with: request, for: id))
        case .readErasures: return .erasuresRead(try erasedKeys(for: id))
        }
    }
}

extension SyncSession {
    /// The input that the question's effect names.
    package mutating func take(_ answer: SessionAnswer) -> [Effect] {
        switch answer {
        case .judged(let verdict): judged(verdict)
        case .ownCompared(let held, let isSame): ownCompared(held, isSame: isSame)
        case .held(let operation): held(operation)
        case .vouched(let resumption): vouched(resumption)
        case .batchRead(let lane, let part): batchRead(lane, part.batch, head: part.head)
        case .repairRead(let stored, let keys, let rest, let forAudit):
            repairRead(stored.map(\.operation), hashes: stored.map(\.hash), keys: keys, rest: rest, forAudit: forAudit)
        case .keysRead(let entries): keysAnswered(entries)
        case .auditAnswered(let reply, let stored, let keys):
            auditAnswered(reply, operations: stored.map(\.operation), hashes: stored.map(\.hash), keys: keys)
        case .auditCompared(let comparison): auditCompared(comparison)
        case .erasuresRead(let entries): erasuresRead(entries)
        }
    }
}
