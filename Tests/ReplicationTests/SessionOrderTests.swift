import Replication
import TestSupport
import Testing

/// Messages and answers of the store that come too early, too late or twice. Source: Protocols/sync.md §5–§7.
@Suite struct SessionOrderTests {
    private typealias Fixture = SyncSessionTests

    private static let key = PersonalKeyEntry(
        PersonalKey(
            subject: EntityID(type: .customer, high: 1, low: 1),
            secret: [UInt8](repeating: 1, count: PersonalKey.secretBytes)))

    /// The peer has said who it is; the store looks it up.
    private static func greeted(_ hello: SyncMessage.Hello? = nil) -> SyncSession {
        var session = Fixture.started()
        _ = session.handle(hello.map { .hello($0) } ?? Fixture.hello(), now: Fixture.at(1))
        return session
    }

    @Test("a session stands from the store's word for its feed until its end")
    func established() {
        var session = Fixture.met()
        var states = [session.isEstablished]
        _ = session.vouched(SyncSession.Resumption(cursor: nil, head: 0, headCount: 0))
        states.append(session.isEstablished)
        _ = session.close(.shuttingDown, "restart")
        states.append(session.isEstablished)
        #expect(states == [false, true, false])
    }

    @Test("an answer of the store's that nobody waits for, or that comes after the end, changes nothing")
    func strayAnswers() {
        let held = HeldOperation(sequence: 1, hash: .zero)
        var closed = Fixture.established()
        _ = closed.close(.shuttingDown, "restart")
        let late =
            closed.held(held) + closed.keysAnswered([Self.key]) + closed.repairRead([], hashes: [], forAudit: true)
            + closed.heal([Dot(ReplicaID(2), 1)]) + closed.request([Self.key.id]) + closed.erasuresRead([Self.key])
        #expect(late.isEmpty)
        var early = Fixture.started()
        let strays =
            early.identified(Fixture.standing()) + early.judged(.sound) + early.ownCompared(held, isSame: true)
            + early.vouched(SyncSession.Resumption(cursor: nil, head: 0, headCount: 0)) + early.batchRead(.live, nil)
            + early.erasuresRead([Self.key])
        #expect(strays.isEmpty)
        var twice = Fixture.met()
        #expect(twice.identified(Fixture.standing()).isEmpty, "it has been identified")
    }

    @Test("an audit that is wished for while histories are compared is left to the session after it")
    func wishWhileSearching() {
        var session = Self.greeted()
        _ = session.identified(Fixture.standing())
        _ = session.handle(
            Fixture.resume(held: HeldOperation(sequence: 9, hash: .zero), isEmpty: false), now: Fixture.at(1))
        #expect(session.judged(.behind(last: 5)).words == ["probe 3"])
        #expect(session.audit(.repair).isEmpty)
        _ = session.applied(.backlog, Fixture.theirs.cursor(at: 1))
        #expect(session.handle(.auditCall, now: Fixture.at(2)).isEmpty)
    }

    @Test("a peer whose knowledge of this store is sound is answered from its cursor")
    func sound() {
        var session = Self.greeted()
        _ = session.identified(Fixture.standing())
        let presented = FeedProgress(cursor: Fixture.own.cursor(at: 2))
        let judging = session.handle(
            Fixture.resume(presented, held: HeldOperation(sequence: 2, hash: .zero), isEmpty: false),
            now: Fixture.at(1))
        #expect(judging.words == ["judge 2"])
        #expect(session.judged(.sound).words == ["vouch 2"])
    }

    @Test("a probe is answered with what is held of the peer, also when that is nothing")
    func probed() {
        var session = Self.greeted()
        #expect(session.handle(.probe(sequence: 4), now: Fixture.at(2)).words == ["find 4"])
        #expect(session.held(HeldOperation(sequence: 3, hash: .zero)).words == ["answer 3"])
        #expect(session.held(nil).words == ["answer 0"])
        #expect(session.handle(.probeAnswer(nil), now: Fixture.at(2)).isEmpty, "nothing was asked")
    }

    @Test("a feed begins at its beginning for a peer that has nothing, and for a parent that never had anything of it")
    func nothingYet() {
        let nothing = SyncMessage.Resume(received: nil, held: nil, isEmpty: false)
        for (isDialer, follows, word) in [
            (true, nil, "vouch empty"), (false, nil, "vouch nothing"), (true, ReplicaID(8), "vouch nothing"),
        ] {
            var session = SyncSession(
                SyncSession.Configuration(
                    site: SiteCode(validated: "xihu.hz.zj"), replica: Fixture.own.name, follows: follows, run: 3,
                    peerSite: SiteCode(validated: "hz.zj"), isDialer: isDialer))
            _ = session.start(now: Fixture.at(0))
            _ = session.handle(Fixture.hello(), now: Fixture.at(1))
            _ = session.identified(Fixture.standing())
            #expect(session.handle(.resume(nothing), now: Fixture.at(1)).words == [word])
        }
    }

    @Test("keys that come before the store knows the peer are kept for it; more than the limit end the session")
    func earlyKeys() {
        var session = Self.greeted()
        #expect(session.handle(.keys([Self.key], beforeBatch: false), now: Fixture.at(1)).isEmpty)
        #expect(session.handle(.keyRequest([Self.key.id]), now: Fixture.at(1)).isEmpty, "who asks is not known yet")
        #expect(session.identified(Fixture.standing()).words == ["save 1 keys", "resume nothing"])
    }

    @Test(
        "as many keys as the limit says may wait, before the peer is known and for a batch; one more ends the session",
        arguments: [false, true])
    func tooManyKeys(beforeBatch: Bool) {
        let most = [PersonalKeyEntry](repeating: Self.key, count: SyncLimits.keysPendingMax)
        var session = beforeBatch ? Fixture.established() : Self.greeted()
        #expect(session.handle(.keys(most, beforeBatch: beforeBatch), now: Fixture.at(2)).isEmpty)
        let over = session.handle(.keys([Self.key], beforeBatch: beforeBatch), now: Fixture.at(2))
        #expect(over.words == ["bye malformedMessage", "close malformedMessage"])
    }

    @Test("a peer that knows no keys gets none and is asked for none; one that knows no zstd gets plain batches")
    func plainPeer() throws {
        var session = Self.greeted(
            SyncMessage.Hello(
                version: 1, site: SiteCode(validated: "hz.zj"), replica: Fixture.theirs.name,
                wallMilliseconds: 1_800_000_000_000, acceptsZstd: false, run: 7, acceptsKeys: false))
        _ = session.identified(Fixture.standing())
        _ = session.handle(Fixture.resume(), now: Fixture.at(1))
        _ = session.vouched(
            SyncSession.Resumption(cursor: FeedCursor(feed: Fixture.own.name), head: 5, headCount: 5))
        var batch = try #require(Fixture.own.batch(after: 0))
        batch.keys = [Self.key]
        guard case .sendBatch(_, compressed: false)? = session.batchRead(.backlog, batch).first else {
            Issue.record("keys, or a compressed batch")
            return
        }
        #expect(session.request([Self.key.id]).isEmpty && session.erasuresRead([Self.key]).isEmpty)
    }

    @Test("so many keys are remembered as sent; then all of them may be sent once more")
    func forgottenKeys() throws {
        func key(_ number: Int) throws -> PersonalKeyEntry {
            let digits = String(number, radix: 16)
            let text = String(repeating: "0", count: 32 - digits.count) + digits
            let id = try #require(PersonalKeyID(hexadecimal: text))
            return PersonalKeyEntry(
                id: id, subject: nil,
                state: .erased(KeyErasure(confirmation: Dot(ReplicaID(1), 1), milliseconds: 1)))
        }
        // KeyExchange.rememberedKeysMax, as Protocols/limits.md has it.
        let most = try (0..<65_536).map(key)
        var session = Fixture.established()
        let messages = session.erasuresRead(most)
        #expect(messages.count == most.count / SyncLimits.keysMax)
        #expect(session.erasuresRead([most[0]]).isEmpty)
        #expect(session.erasuresRead([try key(most.count)]).words == ["1 keys"])
        #expect(session.erasuresRead([most[0]]).words == ["1 keys"], "it has been forgotten")
    }
}
