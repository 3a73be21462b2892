import Replication
import TestSupport
import Testing
import Tickets

@Suite struct BodyMappingTests {
    private static let former = Dot(ReplicaID(1), 7)
    private static let present = Dot(ReplicaID(2), 3)
    private static let ticket = EntityID(ticketOpenedBy: former)
    private static let renamed = EntityID(ticketOpenedBy: present)
    private static let kept = Dot(ReplicaID(1), 2)
    private static let site = SiteCode(validated: "hz.zj")

    /// A body of every kind that points somewhere, and what it has to become.
    private static let pointing: [(Body, Body)] = {
        func pair(_ make: (Dot, EntityID) -> Body) -> (Body, Body) { (make(former, ticket), make(present, renamed)) }
        return [
            pair { dot, _ in .setField(SetFieldBody(field: .cause, value: .text("a"), undoes: dot)) },
            pair { dot, _ in
                .transfer(TransferBody(custody: dot, variant: .dispatch, site: site, department: "NET", note: "n"))
            },
            pair { dot, _ in .delivered(DeliveredBody(target: dot)) },
            pair { dot, _ in .accept(AcceptBody(custody: dot)) },
            pair { dot, _ in .reply(ReplyBody(custody: dot, text: "修复")) },
            pair { dot, _ in .acknowledgeChase(AcknowledgeChaseBody(chase: dot)) },
            pair { dot, _ in .confirmErasure(ConfirmErasureBody(proposal: dot)) },
            pair { dot, _ in .answerChase(AnswerChaseBody(chase: dot, text: "x", promised: 4)) },
            pair { dot, _ in .settle(SettleBody(custody: kept, winner: dot, reason: "r")) },
            pair { dot, _ in .settle(SettleBody(custody: dot, winner: kept, reason: "r")) },
            pair { _, id in .joinTwins(JoinTwinsBody(other: id, reason: "r")) },
            pair { _, id in .separateTwins(SeparateTwinsBody(other: id)) },
            pair { _, id in .chase(ChaseBody(customer: id, window: 2, note: "n", channel: "c")) },
            pair { _, id in .open(OpenBody(title: "t", body: "b", customer: id)) },
        ]
    }()

    private static let others: [Body] = [
        .feedback(FeedbackBody(text: "t", channel: "phone", score: 3)), .close(CloseBody(reason: "r")),
        .reopen(ReopenBody(reason: "r")), .note(NoteBody(text: "n")), .tag(TagBody(tag: "t")),
        .untag(UntagBody(tag: "t")), .watch(WatchBody(name: "n")),
        .announce(
            AnnounceBody(
                site: site, certificateFingerprint: [1],
                follows: Predecessor(replica: former.replica, sequence: former.sequence), level: .region)),
        .catalogDocument(CatalogDocumentBody(name: "n", version: 1, format: .json, content: [1])),
        .revoke(
            RevokeBody(
                site: site, replica: former.replica, lastSequence: 1, lastHash: .zero, reason: "r",
                certificatesBefore: 0)),
        .proposeErasure(ProposeErasureBody(keys: [], reason: "r")),
        .journalAnchor(JournalAnchorBody(sequence: 1, hash: .zero, time: 2)),
        .introduceRoot(IntroduceRootBody(root: "r", bridge: "b")),
        .retireRoot(RetireRootBody(fingerprint: [1], signer: [2], signature: [3])),
    ]

    private static func mapped(_ body: Body) -> Body {
        body.mapping(dots: { $0 == former ? present : $0 }, entities: { $0 == ticket ? renamed : $0 })
    }

    @Test("a body of each kind points to the new names, and nothing else of it changes")
    func pointers() {
        for (body, expected) in Self.pointing { #expect(Self.mapped(body) == expected, "\(body.kind)") }
        for body in Self.others { #expect(Self.mapped(body) == body, "\(body.kind)") }
        let kinds = Set(Self.pointing.map(\.0.kind) + Self.others.map(\.kind))
        #expect(kinds == Set(Kind.allCases), "a new kind needs a row here, and a case in Body.mapping")
    }

    @Test("a body that names nothing new keeps its bytes, also where this version cannot read them")
    func bytes() {
        var operation = Operation(
            dot: Self.former, entity: Self.ticket, previous: 0, seen: VersionVector(), time: .zero,
            author: Author(name: "a", role: .agent, level: .region, site: Self.site, department: "d"), scope: [],
            kind: Kind.note.operationKind, body: [0xFF, 0x00])
        let same = { (operation: Operation) in
            operation.bodyMapping(dots: { _ in Self.present }, entities: { _ in Self.renamed })
        }
        #expect(same(operation) == operation.body)
        // Field 99 is not known to this version and must not be lost.
        operation.body = Body.note(NoteBody(text: "n")).encoded() + [0x98, 0x06, 0x05]
        #expect(same(operation) == operation.body)
        operation.kind = Kind.accept.operationKind
        operation.body = Body.accept(AcceptBody(custody: Self.former)).encoded()
        #expect(same(operation) == Body.accept(AcceptBody(custody: Self.present)).encoded())
    }

    @Test("the reference to what an operation was is read back, the latest last, and what is unknown ends the list")
    func reference() {
        let hash = ContentHash([UInt8](repeating: 3, count: 32)) ?? .zero
        let first = ReissueReference(dot: Self.former, hash: hash)
        let second = ReissueReference(dot: Self.present, hash: .zero)
        let bytes = second.appended(to: first.appended(to: []))
        #expect(bytes.count == 2 * ReissueReference.byteCount)
        #expect(ReissueReference.all(in: bytes) == [first, second])
        #expect(ReissueReference.all(in: first.appended(to: []) + [2, 1]) == [first])
        #expect(ReissueReference.all(in: Array(bytes.dropLast())) == [first])
        #expect(ReissueReference.all(in: []).isEmpty)
        let nothing = ReissueReference(dot: Dot(Self.former.replica, 0), hash: hash)
        #expect(ReissueReference.all(in: nothing.appended(to: [])).isEmpty, "no operation has this dot")
    }
}
