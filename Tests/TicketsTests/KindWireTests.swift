import FoundationEssentials
import Replication
import SwiftProtobuf
import TestSupport
import Testing
import Tickets

/// Bodies that come from elsewhere: what no reader takes, and what an import says of each kind.
/// Source: Protocols/operations.md §4–§5.
@Suite struct KindWireTests {
    private static let dot = Dot(ReplicaID(1), 300)
    private static let site = SiteCode(validated: "xihu.hz.zj")
    private static let row = Occurrence(milliseconds: 1_700_000_000_000, source: "旧系统", row: 7)

    /// A body of each kind that an import can bring.
    static let imported: [Body] = [
        .open(OpenBody(title: "断网", occurrence: row)),
        .setField(SetFieldBody(field: .cause, value: .text("a"), occurrence: row)),
        .transfer(TransferBody(custody: dot, variant: .dispatch, site: site, department: "NET", occurrence: row)),
        .delivered(DeliveredBody(target: dot, occurrence: row)), .accept(AcceptBody(custody: dot, occurrence: row)),
        .reply(ReplyBody(custody: dot, text: "修复", occurrence: row)),
        .feedback(FeedbackBody(text: "告知", occurrence: row)), .close(CloseBody(reason: "r", occurrence: row)),
        .reopen(ReopenBody(reason: "r", occurrence: row)), .chase(ChaseBody(note: "催", occurrence: row)),
        .acknowledgeChase(AcknowledgeChaseBody(chase: dot, occurrence: row)),
        .answerChase(AnswerChaseBody(chase: dot, text: "x", occurrence: row)),
        .note(NoteBody(text: "n", occurrence: row)),
        .settle(SettleBody(custody: dot, winner: dot, reason: "r", occurrence: row)),
        .joinTwins(JoinTwinsBody(other: Scene.customer, occurrence: row)),
        .separateTwins(SeparateTwinsBody(other: Scene.customer, occurrence: row)),
        .tag(TagBody(tag: "t", occurrence: row)), .untag(UntagBody(tag: "t", occurrence: row)),
        .watch(WatchBody(name: "甲", occurrence: row)),
    ]

    /// A body of each kind that nodes or admins write, never an import.
    static let native: [Body] = [
        .announce(AnnounceBody(site: site, certificateFingerprint: [], level: .branch)),
        .catalogDocument(CatalogDocumentBody(name: "n", version: 1, content: [])),
        .revoke(
            RevokeBody(
                site: site, replica: ReplicaID(1), lastSequence: 0, lastHash: .zero, reason: "r", certificatesBefore: 0)
        ),
        .proposeErasure(ProposeErasureBody(keys: [])), .confirmErasure(ConfirmErasureBody(proposal: dot)),
        .journalAnchor(JournalAnchorBody(sequence: 1, hash: .zero, time: 0)),
        .introduceRoot(IntroduceRootBody(root: "r", bridge: "b")),
        .retireRoot(
            RetireRootBody(
                fingerprint: [UInt8](repeating: 1, count: 32), signer: [UInt8](repeating: 2, count: 32), signature: [])),
    ]

    @Test("when and in which row an entry stood where it was imported from goes with it, whatever its kind")
    func occurrences() throws {
        for body in Self.imported + Self.native {
            let read = try Body(kind: body.kind.operationKind, bytes: body.encoded())
            #expect(read == body, "\(body.kind)")
            #expect(read.occurrence == (Self.native.contains(body) ? nil : Self.row), "\(body.kind)")
        }
        #expect(Set((Self.imported + Self.native).map(\.kind)) == Set(Kind.allCases), "a new kind needs a row here")
    }

    @Test(
        "a row of each kind is found in the ticket and counts once, its instant the one it had",
        arguments: imported.indices)
    func rows(index: Int) throws {
        let body = Self.imported[index]
        let office = Office("xihu.hz.zj", replica: 1)
        let id = EntityID(type: .ticket, high: 1, low: 1)
        var ticket = Ticket(id: id)
        for sequence in 1...2 as ClosedRange<UInt64> {
            ticket.apply(
                Operation(
                    dot: Dot(office.replica, sequence), entity: id, previous: sequence - 1, seen: VersionVector(),
                    time: HybridTimestamp(milliseconds: Office.start), author: office.author("SVC"), scope: [],
                    kind: body.kind.operationKind, body: body.encoded()))
        }
        #expect(ticket.containsImported(row: Self.row.row) && !ticket.containsImported(row: Self.row.row + 1))
        let summary = ticket.summary()
        #expect(summary.duplicateCount == 1 && summary.opaqueCount == 0)
        #expect(summary.opening.map { $0.at == Self.row.milliseconds } ?? true)
        for dot in ticket.operations { ticket.setVoid(dot, true) }
        #expect(!ticket.containsImported(row: Self.row.row), "what is void does not count")
    }

    /// A body that lacks what its kind needs, or has a value that no version writes; the field that the failure names.
    struct Damage: Sendable, CustomTestStringConvertible {
        let kind: Kind
        let field: String
        let bytes: [UInt8]
        var testDescription: String { "\(kind).\(field)" }

        init<Wire: SwiftProtobuf.Message>(
            _ kind: Kind, _ field: String, _ wire: Wire, _ change: (inout Wire) -> Void = { _ in }
        ) {
            var wire = wire
            change(&wire)
            self.kind = kind
            self.field = field
            bytes = (try? wire.serializedBytes()) ?? []
        }
    }

    private static let noEntity = WireEntityRef()

    private static let dotRef: WireDotRef = {
        var wire = WireDotRef()
        wire.sequence = 1
        return wire
    }()

    private static let transfer: WireTransfer = {
        var wire = WireTransfer()
        wire.custody = dotRef
        wire.variant = .dispatch
        wire.site = "zj"
        return wire
    }()

    private static let settle: WireSettle = {
        var wire = WireSettle()
        wire.custody = dotRef
        wire.winner = dotRef
        return wire
    }()

    private static let revoke: WireRevoke = {
        var wire = WireRevoke()
        wire.site = "zj"
        return wire
    }()

    private static let retire: WireRetireRoot = {
        var wire = WireRetireRoot()
        wire.fingerprint = Data(repeating: 1, count: RetireRootBody.fingerprintBytes)
        wire.signer = wire.fingerprint
        return wire
    }()

    private static let announce: WireAnnounce = {
        var wire = WireAnnounce()
        wire.site = "zj"
        wire.level = UInt32(AuthorityLevel.province.rawValue)
        return wire
    }()

    static let damages: [Damage] = [
        Damage(.open, "urgency", WireOpen()) { $0.urgency = 5 },
        Damage(.open, "urgency", WireOpen()) { $0.urgency = 256 },
        Damage(.open, "site", WireOpen()) { $0.site = "A" },
        Damage(.open, "customer", WireOpen()) { $0.customer = noEntity },
        Damage(.open, "sealed_customer_label", WireOpen()) { $0.sealedCustomerLabel = Data([1]) },
        Damage(.setField, "field", WireSetField()),
        Damage(.setField, "field", WireSetField()) { $0.field = 65_536 },
        Damage(.setField, "sealed", WireSetField()) {
            $0.field = 7
            $0.sealed = Data([1])
        },
        Damage(.transfer, "custody", transfer) { $0.custody = WireDotRef() },
        Damage(.transfer, "variant", transfer) { $0.variant = .unspecified },
        Damage(.transfer, "variant", transfer) { $0.variant = .UNRECOGNIZED(256) },
        Damage(.transfer, "site", transfer) { $0.site = "" },
        Damage(.delivered, "target", WireDelivered()), Damage(.accept, "custody", WireAccept()),
        Damage(.reply, "custody", WireReply()), Damage(.feedback, "score", WireFeedback()) { $0.score = 6 },
        Damage(.close, "score", WireClose()) { $0.score = 6 }, Damage(.close, "score", WireClose()) { $0.score = 256 },
        Damage(.reopen, "site", WireReopen()) { $0.site = "-" },
        Damage(.chase, "customer", WireChase()) { $0.customer = noEntity },
        Damage(.acknowledgeChase, "chase", WireAcknowledgeChase()), Damage(.answerChase, "chase", WireAnswerChase()),
        Damage(.settle, "custody", settle) { $0.custody = WireDotRef() },
        Damage(.settle, "winner", settle) { $0.winner = WireDotRef() },
        Damage(.joinTwins, "other", WireJoinTwins()), Damage(.separateTwins, "other", WireSeparateTwins()),
        Damage(.watch, "site", WireWatch()) { $0.site = "a..b" },
        Damage(.announce, "site", announce) { $0.site = "" }, Damage(.announce, "level", announce) { $0.level = 0 },
        Damage(.announce, "level", announce) { $0.level = 256 },
        Damage(.catalogDocument, "format", WireCatalogDocument()),
        Damage(.catalogDocument, "format", WireCatalogDocument()) { $0.format = .UNRECOGNIZED(3) },
        Damage(.revoke, "site", revoke) { $0.site = "" },
        Damage(.revoke, "last_sequence", revoke) { $0.lastSequence = 1 << 63 },
        Damage(.revoke, "last_hash", revoke) { $0.lastSequence = 1 },
        Damage(.revoke, "last_hash", revoke) { $0.lastHash = Data(repeating: 1, count: 32) },
        Damage(.revoke, "last_hash", revoke) {
            $0.lastSequence = 1
            $0.lastHash = Data([1])
        },
        Damage(.revoke, "keys", revoke) { $0.keys = [Data(repeating: 1, count: RevokeBody.keyBytes - 1)] },
        Damage(.proposeErasure, "keys", WireProposeErasure()) { $0.keys = [Data([1])] },
        Damage(.proposeErasure, "keys", WireProposeErasure()) {
            $0.keys = Array(repeating: Data(repeating: 1, count: 16), count: ErasureLimits.keyCountMax + 1)
        },
        Damage(.confirmErasure, "proposal", WireConfirmErasure()),
        Damage(.journalAnchor, "hash", WireJournalAnchor()),
        Damage(.introduceRoot, "root", WireIntroduceRoot()) { $0.bridge = "b" },
        Damage(.introduceRoot, "bridge", WireIntroduceRoot()) { $0.root = "r" },
        Damage(.retireRoot, "fingerprint", retire) { $0.fingerprint.removeLast() },
        Damage(.retireRoot, "signer", retire) { $0.signer.removeLast() },
    ]

    @Test("a body that lacks what its kind needs is refused by the field, and opaque to a ticket", arguments: damages)
    func damaged(damage: Damage) throws {
        let kind = damage.kind.operationKind
        let failure = BodyFailure.invalid(damage.kind, field: damage.field)
        #expect(throws: failure) { try Body(kind: kind, bytes: damage.bytes) }
        #expect(failure.description.contains(damage.field))
        let office = Office("xihu.hz.zj", replica: 1)
        let id = EntityID(type: .ticket, high: 1, low: 1)
        var ticket = Ticket(id: id)
        ticket.apply(
            Operation(
                dot: Dot(office.replica, 1), entity: id, previous: 0, seen: VersionVector(), time: .zero,
                author: office.author("SVC"), scope: [], kind: kind, body: damage.bytes))
        #expect(ticket.summary().opaqueCount == 1)
    }

    @Test("as many keys as one proposal may have are read")
    func mostKeys() throws {
        let key = try #require(PersonalKeyID(Array(1...16)))
        let body = Body.proposeErasure(
            ProposeErasureBody(keys: Array(repeating: key, count: ErasureLimits.keyCountMax)))
        #expect(try Body(kind: body.kind.operationKind, bytes: body.encoded()) == body)
    }

    @Test("a root's retirement is signed over its tag and both fingerprints, the retired one's first")
    func retirement() {
        let signed = RetireRootBody.signedBytes(fingerprint: [1, 2], signer: [3])
        #expect(signed == Array("banjie retire root 1".utf8) + [0, 1, 2, 3])
    }
}
