import Replication
import TestSupport
import Testing

/// Audits within a session: who asks, what travels, and what follows from the outcome. Source: Protocols/sync.md §8.
@Suite struct SessionAuditTests {
    private typealias Fixture = SyncSessionTests

    private static let entity = EntityID(type: .ticket, high: 7, low: 1)

    /// A session whose feed goes on from its end, with nothing to send.
    private static func quiet() -> SyncSession { Fixture.live() }

    /// The store cannot vouch for the peer's cursor: the dialling side has asked for everything.
    private static func auditing() -> SyncSession {
        var session = Fixture.met()
        _ = session.vouched(SyncSession.Resumption(cursor: nil, head: 5, headCount: 5))
        _ = session.batchRead(.live, nil)
        return session
    }

    private static func leaf(_ number: UInt64) -> SyncMessage {
        .auditReply(AuditReply(number: number, content: .leaf([])))
    }

    private static func list(_ number: UInt64) -> SyncMessage {
        .auditReply(
            AuditReply(
                number: number, content: .operations([EntityOperations(entity: entity, entries: [])], isCut: false)))
    }

    /// The first pass up to the comparison of one entity's operations.
    private static func compare(
        _ session: inout SyncSession, first number: UInt64 = 1, _ differences: OperationDifferences
    ) -> [String] {
        var effects = session.handle(leaf(number), now: Fixture.at(2))
        #expect(effects.words == ["compare audit"])
        effects = session.auditCompared(.differing(parts: [], entities: [entity]))
        #expect(effects.words == ["ask for 1 entities"])
        effects = session.handle(list(number + 1), now: Fixture.at(2))
        #expect(effects.words == ["compare audit"])
        return session.auditCompared(.operations(differences)).words
    }

    /// A repair batch of the peer's, as its first.
    private static func repairBatch(_ place: Int = 0) -> ReceivedBatch {
        var batch = Fixture.batch(place, place + 1)
        batch.lane = .repair
        batch.start = FeedCursor(feed: Fixture.theirs.name, position: UInt64(place))
        batch.end = FeedCursor(feed: Fixture.theirs.name, position: UInt64(place) + 1)
        for hash in batch.hashes { batch.end.digest.insert(hash) }
        return batch
    }

    @Test("what the peer lacks is sent and acknowledged before the second pass, whose end moves the feed on")
    func missingThere() {
        var session = Self.auditing()
        let own = Fixture.own.operations[0]
        let found = Self.compare(&session, OperationDifferences(missingThere: [own.dot]))
        #expect(found == ["read 1 for repair"])
        var hasher = ContentHasher()
        var digest = SetDigest.empty
        digest.insert(hasher.hash(own))
        let sent = session.repairRead([own], hashes: [hasher.hash(own)], forAudit: true)
        #expect(sent.words == ["batch repair 0–1"])
        let acknowledged = session.handle(.ack(.repair, position: 1, digest: digest), now: Fixture.at(3))
        #expect(acknowledged.words == ["ask for everything"], "the second pass")
        _ = session.handle(Self.leaf(3), now: Fixture.at(4))
        let end = session.auditCompared(.differing(parts: [], entities: []))
        #expect(
            end.words == [
                "audited 1 0", "audit done 1 0", "save 5", "rebase 5", "caught up", "delivered everything",
            ])
    }

    @Test("a request waits until the live lane has its start: what comes in between would be left out of both")
    func requestBeforeEstablished() {
        var session = Fixture.met(isDialer: false)
        let request = AuditRequest(number: 1, content: .summarise(.all))
        #expect(session.handle(.auditRequest(request), now: Fixture.at(2)).words == [])
        let isHeld = session.isHoldingAudit
        #expect(isHeld)
        let vouched = session.vouched(SyncSession.Resumption(cursor: nil, head: 5, headCount: 5))
        #expect(vouched.words.prefix(2) == ["established", "answer audit"])
        let isStillHeld = session.isHoldingAudit
        #expect(!isStillHeld)
    }

    @Test("what the store can no longer read for the peer does not hold the audit up")
    func unreadableThere() {
        var session = Self.auditing()
        let found = Self.compare(&session, OperationDifferences(missingThere: [Dot(ReplicaID(1), 1)]))
        #expect(found == ["read 1 for repair"])
        let read = session.repairRead([], hashes: [], forAudit: true)
        #expect(read.words == ["ask for everything"])
    }

    @Test("a reply waits until the operations that it announces are durable here")
    func missingHere() {
        var session = Self.auditing()
        let asked = Self.compare(&session, OperationDifferences(missingHere: [Dot(ReplicaID(2), 1)]))
        #expect(asked == ["ask for 1 operations"])
        let batch = Self.repairBatch()
        let arrived = session.handle(.batch(batch), now: Fixture.at(3))
        #expect(arrived.words == ["apply repair 0–1"])
        let replied = session.handle(
            .auditReply(AuditReply(number: 3, content: .sent(1))), now: Fixture.at(3))
        #expect(replied.isEmpty, "what it announces is not durable yet")
        let applied = session.applied(.repair, batch.end)
        #expect(applied.words == ["ack repair 1", "ask for everything"])
    }

    @Test("a side without room asks for nothing; what the peer lacks goes out all the same, and its feed goes on")
    func leftAside() {
        var session = Self.auditing()
        let own = Fixture.own.operations[0]
        let found = Self.compare(
            &session, OperationDifferences(missingHere: [Dot(ReplicaID(2), 1)], missingThere: [own.dot]))
        #expect(found == ["read 1 for repair", "ask for 1 operations"])
        var hasher = ContentHasher()
        var digest = SetDigest.empty
        digest.insert(hasher.hash(own))
        _ = session.repairRead([own], hashes: [hasher.hash(own)], forAudit: true)
        _ = session.handle(.batch(Self.repairBatch()), now: Fixture.at(3))
        #expect(session.leaveAside().isEmpty)
        #expect(session.leaveAside().isEmpty)
        let replied = session.handle(.auditReply(AuditReply(number: 3, content: .sent(1))), now: Fixture.at(3))
        #expect(replied.isEmpty, "what was sent is not acknowledged yet")
        let acknowledged = session.handle(.ack(.repair, position: 1, digest: digest), now: Fixture.at(3))
        #expect(acknowledged.words == ["ask for everything"], "the second pass")
        let second = Self.compare(&session, first: 4, OperationDifferences(missingHere: [Dot(ReplicaID(2), 1)]))
        #expect(
            second == [
                "audited 2 0", "audit done 2 0 unrepaired", "save 5", "rebase 5", "caught up", "delivered everything",
            ], "what is still missing here is no surprise, and the peer has not delivered it")
        #expect(session.heal([own.dot]).isEmpty)
        #expect(session.audit(.repair).words == ["audit", "ask for everything"])
    }

    @Test("where the peer audits, and does not come to an end with a side without room, that side audits as well")
    func leftAsideByTheOther() {
        var session = Fixture.met(isDialer: false)
        let vouched = session.vouched(SyncSession.Resumption(cursor: nil, head: 5, headCount: 5))
        #expect(vouched.words.contains("call for an audit"))
        _ = session.batchRead(.live, nil)
        _ = session.handle(.batch(Self.repairBatch()), now: Fixture.at(3))
        #expect(session.leaveAside().words == ["audit", "ask for everything"])
        _ = session.handle(Self.leaf(1), now: Fixture.at(4))
        let end = session.auditCompared(.differing(parts: [], entities: []))
        #expect(end.words.contains("rebase 5"))
        var other = Fixture.live(isDialer: false)
        #expect(other.leaveAside().isEmpty)
    }

    @Test("a reply that waits for a batch which is left aside waits no longer")
    func leftAsideLate() {
        var session = Self.auditing()
        _ = Self.compare(&session, OperationDifferences(missingHere: [Dot(ReplicaID(2), 1)]))
        _ = session.handle(.batch(Self.repairBatch()), now: Fixture.at(3))
        _ = session.handle(.auditReply(AuditReply(number: 3, content: .sent(1))), now: Fixture.at(3))
        #expect(session.leaveAside().words == ["ask for everything"])
    }

    @Test("a request is answered once; another before the reply ends the session, one after it does not")
    func oneRequestAtATime() {
        let request = SyncMessage.auditRequest(AuditRequest(number: 1, content: .summarise(.all)))
        var session = Self.quiet()
        #expect(session.handle(request, now: Fixture.at(2)).words == ["answer audit"])
        let reply = AuditReply(number: 1, content: .leaf([]))
        #expect(session.auditAnswered(reply).words == ["reply"])
        #expect(session.handle(request, now: Fixture.at(3)).words == ["answer audit"])
        #expect(session.handle(request, now: Fixture.at(3)).words == ["bye outOfOrder", "close outOfOrder"])
        #expect(session.auditAnswered(reply).isEmpty, "the session is over")
    }

    @Test("what a fetch asks for goes out before its reply, behind the keys that it needs")
    func fetched() throws {
        let key = PersonalKeyEntry(
            PersonalKey(subject: Self.entity, secret: [UInt8](repeating: 1, count: PersonalKey.secretBytes)))
        var session = Self.quiet()
        let dots = [Fixture.own.operations[0].dot]
        let fetch = SyncMessage.auditRequest(AuditRequest(number: 1, content: .fetch(dots)))
        #expect(session.handle(fetch, now: Fixture.at(2)).words == ["answer audit"])
        var hasher = ContentHasher()
        let operations = [Fixture.own.operations[0]]
        let effects = session.auditAnswered(
            AuditReply(number: 1, content: .sent(1)), operations: operations,
            hashes: operations.map { hasher.hash($0) }, keys: [key])
        #expect(effects.words == ["1 keys for a batch", "batch repair 0–1", "reply"])
    }

    @Test("to verify counts differences and leaves both feeds where they are; without differences the feed goes on")
    func verified() {
        var session = Self.quiet()
        #expect(session.audit(.verify).words == ["audit", "ask for everything"])
        let different = Self.compare(&session, OperationDifferences(missingHere: [Dot(ReplicaID(2), 1)]))
        #expect(different == ["audited 1 0", "audit done 1 0 unrepaired"])
        // The other side of one that cannot go on before an audit.
        for (found, words) in [
            (UInt64(0), ["audited by peer 0 0", "save 5", "rebase 5", "caught up", "delivered everything"]),
            (2, ["audited by peer 2 0"]),
        ] {
            var waiting = Fixture.met(isDialer: false)
            _ = waiting.vouched(SyncSession.Resumption(cursor: nil, head: 5, headCount: 5))
            _ = waiting.batchRead(.live, nil)
            let done = waiting.handle(
                .auditDone(found: found, unresolved: 0, isRepaired: false), now: Fixture.at(3))
            #expect(done.words == words)
        }
    }

    @Test("a repair that is asked for while differences are only counted, or rows healed, comes after it")
    func wishes() {
        for isHealing in [true, false] {
            var session = Self.quiet()
            let first = isHealing ? session.heal([Dot(ReplicaID(2), 1)]) : session.audit(.verify)
            #expect(first.words.last == (isHealing ? "ask for 1 operations" : "ask for everything"))
            #expect(session.handle(.auditCall, now: Fixture.at(2)).isEmpty)
            #expect(session.audit(.verify).isEmpty)
            var end: [SyncSession.Effect]
            if isHealing {
                end = session.handle(.auditReply(AuditReply(number: 1, content: .sent(0))), now: Fixture.at(2))
            } else {
                _ = session.handle(Self.leaf(1), now: Fixture.at(2))
                end = session.auditCompared(.differing(parts: [], entities: []))
            }
            #expect(end.words.suffix(2) == ["audit", "ask for everything"])
            _ = session.handle(Self.leaf(1), now: Fixture.at(2))
            end = session.auditCompared(.differing(parts: [], entities: []))
            guard case .notice(.audited(_, .repair))? = end.first else {
                Issue.record("\(end.words): the repair was forgotten")
                continue
            }
        }
    }

    @Test("an audit that is wished for before the session stands begins with it, and a repair is not forgotten")
    func earlyWishes() {
        for wishes in [[RangeAudit.Purpose.verify], [.repair, .verify], [.verify, .repair]] {
            var session = Fixture.met()
            for wish in wishes {
                let early = session.audit(wish)
                #expect(early.isEmpty)
            }
            let effects = session.vouched(
                SyncSession.Resumption(cursor: Fixture.own.cursor(at: 5), head: 5, headCount: 5))
            #expect(effects.words == ["established", "save 5", "audit", "ask for everything", "read live 5–"])
            _ = session.handle(Self.leaf(1), now: Fixture.at(2))
            let end = session.auditCompared(.differing(parts: [], entities: []))
            guard case .notice(.audited(_, let purpose))? = end.first else {
                Issue.record("\(end.words)")
                continue
            }
            #expect(purpose == (wishes.contains(.repair) ? .repair : .verify))
        }
    }

    @Test("after a long absence the stores are compared; where the feed waits for that, nothing of it is read before")
    func wanted() {
        for isFirst in [false, true] {
            var session = Fixture.started()
            _ = session.handle(Fixture.hello(), now: Fixture.at(1))
            _ = session.identified(
                SyncSession.PeerStanding(
                    received: nil, held: nil, isEmpty: true, wantsAudit: true, auditsFirst: isFirst))
            _ = session.handle(Fixture.resume(), now: Fixture.at(1))
            let effects = session.vouched(
                SyncSession.Resumption(cursor: Fixture.own.cursor(at: 2), head: 5, headCount: 5))
            let start = ["audit", "ask for everything", "read live 5–"]
            #expect(effects.words == ["established"] + (isFirst ? [] : ["save 2"]) + start)
            #expect(session.batchRead(.live, nil).words == (isFirst ? [] : ["announcements 2–5"]))
        }
    }

    @Test("damaged rows are asked for without a word to anybody, one portion after the other, and not beside an audit")
    func healing() {
        let dots = (1...UInt64(AuditLimits.fetchedOperationsMax) + 1).map { Dot(ReplicaID(2), $0) }
        var session = Self.quiet()
        #expect(session.heal([]).isEmpty)
        let first = session.heal(dots)
        let second = session.handle(
            .auditReply(AuditReply(number: 1, content: .sent(1))), now: Fixture.at(2))
        #expect(Set(first.words + second.words) == ["ask for 1 operations", "ask for 500 operations"])
        #expect(session.heal(dots).isEmpty, "one at a time")
        let end = session.handle(.auditReply(AuditReply(number: 2, content: .sent(500))), now: Fixture.at(2))
        #expect(end.isEmpty)
        var early = Fixture.met()
        #expect(early.heal(dots).isEmpty)
    }

    @Test("differences that are asked for while rows are healed are counted after it")
    func verifyBehindHealing() {
        var session = Self.quiet()
        _ = session.heal([Dot(ReplicaID(2), 1)])
        #expect(session.audit(.verify).isEmpty)
        let end = session.handle(.auditReply(AuditReply(number: 1, content: .sent(1))), now: Fixture.at(2))
        #expect(end.words == ["audit", "ask for everything"])
    }

    @Test("a reply that nobody asked for, or that comes twice, changes nothing")
    func strayReplies() {
        var idle = Self.quiet()
        #expect(idle.handle(Self.leaf(1), now: Fixture.at(2)).isEmpty)
        #expect(idle.auditCompared(.differing(parts: [], entities: [Self.entity])).isEmpty)
        var session = Self.auditing()
        #expect(session.handle(Self.leaf(9), now: Fixture.at(2)).isEmpty, "another number")
        #expect(session.auditCompared(.differing(parts: [], entities: [])).isEmpty, "nothing is compared")
        #expect(session.handle(Self.leaf(1), now: Fixture.at(2)).words == ["compare audit"])
        #expect(session.handle(Self.leaf(1), now: Fixture.at(2)).isEmpty, "it is being compared")
    }

    @Test("a list that leaves entities out is asked for again from there, one that has too many is not")
    func shortLists() {
        let entities = (1...3).map { EntityID(type: .ticket, high: 7, low: UInt64($0)) }
        func lists(_ count: Int) -> [String] {
            var session = Self.auditing()
            _ = session.handle(Self.leaf(1), now: Fixture.at(2))
            _ = session.auditCompared(.differing(parts: [], entities: entities))
            let all = (0..<count).map { EntityOperations(entity: entities[$0 % 3], entries: []) }
            _ = session.handle(
                .auditReply(AuditReply(number: 2, content: .operations(all, isCut: false))), now: Fixture.at(2))
            return session.auditCompared(.operations(OperationDifferences())).words
        }
        #expect(lists(2) == ["ask for 1 entities"])
        #expect(lists(3).first == "audited 0 0" && lists(4).first == "audited 0 0")
    }
}
