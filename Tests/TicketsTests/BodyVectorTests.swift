import Foundation
import Replication
import Testing
import Tickets

/// The bodies' bytes as Protocols/vectors/bodies.json has them, read and written. `RECORD=1 swift test` rewrites the
/// file after a deliberate change.
@Suite struct BodyVectorTests {
    struct Vector: Codable, Equatable {
        var name: String
        var kind: UInt16
        var isCritical: Bool
        /// What the body says, in words of the code.
        var fields: [String: String]
        var hex: String
    }

    static let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Protocols/vectors/bodies.json")

    private static let dot = Dot(ReplicaID(0x0102_0304_0506_0708), 300)
    private static let customer = EntityID(type: .customer, high: 0xA, low: 0xB)
    private static let other = EntityID(type: .ticket, high: 0xC, low: 0xD)
    private static let site = SiteCode(validated: "xihu.hz.zj")
    private static let row = Occurrence(milliseconds: 1_700_000_000_000, source: "旧系统", row: 0xFFEE_DDCC_BBAA_9988)

    private static let key = PersonalKey(subject: customer, secret: [UInt8](repeating: 7, count: 32))

    private static func sealed(_ text: String, _ field: Field) -> SealedValue {
        SealedValue(
            text, under: key, at: SealedPlace(entity: other, field: field.rawValue),
            nonce: [UInt8](repeating: 9, count: 12))
    }

    /// Every kind at least once; names are unique.
    static let bodies: [(name: String, body: Body)] = [
        (
            "open",
            .open(
                OpenBody(
                    title: "彩信不能收", body: "昨晚起", category: "NETWORK.MMS", urgency: .urgent, customer: customer,
                    customerLabel: "138****0000", channel: "10086", number: "XIHU-261121-7KQ2-F",
                    promised: 1_800_000_000_000,
                    department: "SVC", site: site, firstContact: 1_799_000_000_000, occurrence: row))
        ),
        (
            "open with a sealed number",
            .open(
                OpenBody(title: "断网", customer: customer, sealedCustomerLabel: sealed("+8613800138000", .customerLabel))
            )
        ),
        ("open, the least", .open(OpenBody(title: "断网"))),
        ("set a text", .setField(SetFieldBody(field: .cause, value: .text("基站故障"), undoes: dot))),
        ("set a number", .setField(SetFieldBody(field: .urgency, value: .number(2)))),
        ("set a negative number", .setField(SetFieldBody(field: .promisedTime, value: .number(-1)))),
        ("set an unknown field", .setField(SetFieldBody(field: Field(rawValue: 900), value: .text("later")))),
        ("set a sealed text", .setField(SetFieldBody(field: .contact, value: .sealed(sealed("张三丰", .contact))))),
        ("propose an erasure", .proposeErasure(ProposeErasureBody(keys: [key.id], reason: "客户要求"))),
        ("confirm an erasure", .confirmErasure(ConfirmErasureBody(proposal: dot))),
        (
            "journal anchor",
            .journalAnchor(
                JournalAnchorBody(sequence: 7, hash: ContentHash(words: (1, 2, 3, 4)), time: 1_800_000_000_000))
        ),
        ("dispatch", .transfer(TransferBody(custody: dot, variant: .dispatch, site: site, department: "NET"))),
        (
            "onward",
            .transfer(
                TransferBody(
                    custody: dot, variant: .onward, site: site, department: "DATA", note: "n", occurrence: row))
        ),
        (
            "return",
            .transfer(
                TransferBody(
                    custody: dot, variant: .returning, site: site, department: "SVC", reason: "非网络"))
        ),
        ("delivered", .delivered(DeliveredBody(target: dot))),
        ("accept", .accept(AcceptBody(custody: dot))),
        ("reply", .reply(ReplyBody(custody: dot, text: "已修复"))),
        ("feedback", .feedback(FeedbackBody(text: "已告知", channel: "10086", score: 5))),
        ("close", .close(CloseBody(reason: "撤诉", isConfirmedByCustomer: true, score: 4))),
        ("reopen", .reopen(ReopenBody(reason: "复发", site: site, department: "SVC"))),
        ("chase", .chase(ChaseBody(customer: customer, window: 20_000, promised: 5, note: "催", channel: "门店"))),
        ("acknowledge", .acknowledgeChase(AcknowledgeChaseBody(chase: dot))),
        ("answer", .answerChase(AnswerChaseBody(chase: dot, text: "明日", promised: 9))),
        ("note", .note(NoteBody(text: "备注"))),
        ("settle", .settle(SettleBody(custody: dot, winner: Dot(ReplicaID(1), 1), reason: "归属"))),
        ("join", .joinTwins(JoinTwinsBody(other: other, reason: "重复"))),
        ("separate", .separateTwins(SeparateTwinsBody(other: other))),
        ("tag", .tag(TagBody(tag: "批量"))), ("untag", .untag(UntagBody(tag: "批量"))),
        ("watch", .watch(WatchBody(name: "甲", site: site, ends: false))),
        ("unwatch", .watch(WatchBody(name: "甲", site: nil, ends: true))),
        (
            "announce",
            .announce(
                AnnounceBody(
                    site: site, certificateFingerprint: [1, 2, 3],
                    follows: Predecessor(replica: dot.replica, sequence: dot.sequence), level: .branch))
        ),
        ("catalog", .catalogDocument(CatalogDocumentBody(name: "catalog", version: 2, content: Array("{}".utf8)))),
        (
            "revoke",
            .revoke(
                RevokeBody(
                    site: site, replica: dot.replica, lastSequence: 3,
                    lastHash: ContentHash(words: (1, 2, 3, 4)), reason: "笔记本被盗", certificatesBefore: 7,
                    serials: ["1f"], revocationList: "PEM"))
        ),
        (
            "revokeKeys",
            .revoke(
                RevokeBody(
                    site: site, replica: dot.replica, lastSequence: 0, lastHash: .zero, reason: "离职",
                    certificatesBefore: 7, keys: [Array(0..<32)]))
        ),
        ("introduceRoot", .introduceRoot(IntroduceRootBody(root: "ROOT", bridge: "BRIDGE", hurries: true))),
        (
            "retireRoot",
            .retireRoot(
                RetireRootBody(fingerprint: Array(0..<32), signer: Array(32..<64), signature: [48, 1, 2]))
        ),
    ]

    private static func vector(_ name: String, _ body: Body) -> Vector {
        var content: Any = body
        if let inner = Mirror(reflecting: body).children.first?.value { content = inner }
        var fields: [String: String] = [:]
        for child in Mirror(reflecting: content).children {
            let text = plain(child.value)
            if let label = child.label, !text.isEmpty { fields[label] = text }
        }
        let hex = body.encoded().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        return Vector(
            name: name, kind: body.kind.rawValue, isCritical: body.kind.isCritical, fields: fields, hex: hex)
    }

    private static func plain(_ value: Any) -> String {
        let mirror = Mirror(reflecting: value)
        if mirror.displayStyle == .optional { return mirror.children.first.map { plain($0.value) } ?? "" }
        switch value {
        case let occurrence as Occurrence: return "\(occurrence.milliseconds) \(occurrence.source) \(occurrence.row)"
        case let field as Field: return "\(field.rawValue)"
        default: return "\(value)"
        }
    }

    @Test("bodies are written as the vectors have them, and read back")
    func vectors() throws {
        let current = Self.bodies.map { Self.vector($0.name, $0.body) }
        if ProcessInfo.processInfo.environment["RECORD"] == "1" {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try encoder.encode(current).write(to: Self.path)
        }
        let recorded = try JSONDecoder().decode([Vector].self, from: Data(contentsOf: Self.path))
        #expect(recorded == current)
        for (vector, expected) in zip(recorded, Self.bodies) {
            let bytes = stride(from: 0, to: vector.hex.count, by: 2).compactMap { offset -> UInt8? in
                let start = vector.hex.index(vector.hex.startIndex, offsetBy: offset)
                return UInt8(vector.hex[start..<vector.hex.index(start, offsetBy: 2)], radix: 16)
            }
            #expect(
                try Body(kind: OperationKind(rawValue: vector.kind), bytes: bytes) == expected.body, "\(vector.name)")
        }
        #expect(Set(recorded.map(\.kind)) == Set(Kind.allCases.map(\.rawValue)), "every kind has a vector")
    }

    @Test("an unknown kind and a body without what its kind needs are told apart")
    func failures() {
        #expect(throws: BodyFailure.unknownKind(77)) { try Body(kind: OperationKind(rawValue: 77), bytes: []) }
        #expect(throws: BodyFailure.malformed(.note)) { try Body(kind: Kind.note.operationKind, bytes: [0xFF]) }
        #expect(throws: BodyFailure.invalid(.transfer, field: "custody")) {
            try Body(kind: Kind.transfer.operationKind, bytes: [])
        }
    }
}
