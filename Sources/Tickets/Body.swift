package import Replication
internal import SwiftProtobuf

/// Where an imported operation comes from and when it happened there.
package struct Occurrence: Hashable, Sendable {
    /// UTC milliseconds.
    package var milliseconds: Int64
    package var source: String
    /// Keyed hash of source and row; 0 for none. Operations of one kind with the same row count once.
    package var row: UInt64

    package init(milliseconds: Int64, source: String, row: UInt64) {
        self.milliseconds = milliseconds
        self.source = source
        self.row = row
    }
}

/// Why a body cannot be read. The operation is stored and relayed all the same.
package enum BodyFailure: Error, Hashable, Sendable, CustomStringConvertible {
    case unknownKind(UInt16)
    case malformed(Kind)
    case invalid(Kind, field: String)

    package var description: String {
        switch self {
        case .unknownKind(let number): "kind \(number) is not known to this version; upgrade to read it"
        case .malformed(let kind): "the body of a \(kind) operation is not a message of that kind"
        case .invalid(let kind, let field): "field \(field) of a \(kind) operation is missing or has no valid value"
        }
    }
}

/// What each kind's body type provides: its wire form, what the ticket's state keeps of it, and its limits.
protocol KindBody: Hashable, Sendable {
    associatedtype Wire: SwiftProtobuf.Message
    static var kind: Kind { get }
    var occurrence: Occurrence? { get }
    init(_ wire: Wire) throws(BodyFailure)
    var wire: Wire { get }
    /// What the state keeps of it: never a long text, which is read from the operation by its dot.
    func record(in draft: inout EventDraft)
    /// The limits that a person's input has to keep; run by `decide` only.
    func validate() throws(Refusal)
}

/// Messages nest no deeper than `TicketLimits.nestingMax`.
private let bodyDecodingOptions: BinaryDecodingOptions = {
    var options = BinaryDecodingOptions()
    options.messageDepthLimit = TicketLimits.nestingMax
    // What this version does not know stays in the operation's bytes; nothing is written back from the message.
    options.discardUnknownFields = true
    return options
}()

extension KindBody {
    func record(in draft: inout EventDraft) {}
    func validate() throws(Refusal) {}

    init(serialized bytes: [UInt8]) throws(BodyFailure) {
        let wire: Wire
        do {
            wire = try Wire(serializedBytes: bytes, options: bodyDecodingOptions)
        } catch {
            throw .malformed(Self.kind)
        }
        try self.init(wire)
    }

    func serialized() -> [UInt8] {
        do {
            return try wire.serializedBytes()
        } catch {
            preconditionFailure("a proto3 message without required fields always serialises: \(error)")
        }
    }
}

/// The body of an operation, by its kind.
package enum Body: Hashable, Sendable {
    case open(OpenBody)
    case setField(SetFieldBody)
    case transfer(TransferBody)
    case delivered(DeliveredBody)
    case accept(AcceptBody)
    case reply(ReplyBody)
    case feedback(FeedbackBody)
    case close(CloseBody)
    case reopen(ReopenBody)
    case chase(ChaseBody)
    case acknowledgeChase(AcknowledgeChaseBody)
    case answerChase(AnswerChaseBody)
    case note(NoteBody)
    case settle(SettleBody)
    case joinTwins(JoinTwinsBody)
    case separateTwins(SeparateTwinsBody)
    case tag(TagBody)
    case untag(UntagBody)
    case watch(WatchBody)
    case announce(AnnounceBody)
    case catalogDocument(CatalogDocumentBody)
    case revoke(RevokeBody)
    case proposeErasure(ProposeErasureBody)
    case confirmErasure(ConfirmErasureBody)
    case journalAnchor(JournalAnchorBody)
    case introduceRoot(IntroduceRootBody)
    case retireRoot(RetireRootBody)

    package init(decoding operation: Operation) throws(BodyFailure) {
        try self.init(kind: operation.kind, bytes: operation.body)
    }

    package init(kind number: OperationKind, bytes: [UInt8]) throws(BodyFailure) {
        guard let kind = Kind(number) else { throw .unknownKind(number.rawValue) }
        self =
            switch kind {
            case .open: .open(try OpenBody(serialized: bytes))
            case .setField: .setField(try SetFieldBody(serialized: bytes))
            case .transfer: .transfer(try TransferBody(serialized: bytes))
            case .delivered: .delivered(try DeliveredBody(serialized: bytes))
            case .accept: .accept(try AcceptBody(serialized: bytes))
            case .reply: .reply(try ReplyBody(serialized: bytes))
            case .feedback: .feedback(try FeedbackBody(serialized: bytes))
            case .close: .close(try CloseBody(serialized: bytes))
            case .reopen: .reopen(try ReopenBody(serialized: bytes))
            case .chase: .chase(try ChaseBody(serialized: bytes))
            case .acknowledgeChase: .acknowledgeChase(try AcknowledgeChaseBody(serialized: bytes))
            case .answerChase: .answerChase(try AnswerChaseBody(serialized: bytes))
            case .note: .note(try NoteBody(serialized: bytes))
            case .settle: .settle(try SettleBody(serialized: bytes))
            case .joinTwins: .joinTwins(try JoinTwinsBody(serialized: bytes))
            case .separateTwins: .separateTwins(try SeparateTwinsBody(serialized: bytes))
            case .tag: .tag(try TagBody(serialized: bytes))
            case .untag: .untag(try UntagBody(serialized: bytes))
            case .watch: .watch(try WatchBody(serialized: bytes))
            case .announce: .announce(try AnnounceBody(serialized: bytes))
            case .catalogDocument: .catalogDocument(try CatalogDocumentBody(serialized: bytes))
            case .revoke: .revoke(try RevokeBody(serialized: bytes))
            case .proposeErasure: .proposeErasure(try ProposeErasureBody(serialized: bytes))
            case .confirmErasure: .confirmErasure(try ConfirmErasureBody(serialized: bytes))
            case .journalAnchor: .journalAnchor(try JournalAnchorBody(serialized: bytes))
            case .introduceRoot: .introduceRoot(try IntroduceRootBody(serialized: bytes))
            case .retireRoot: .retireRoot(try RetireRootBody(serialized: bytes))
            }
    }

    package func encoded() -> [UInt8] { content.serialized() }
    package var kind: Kind { type(of: content).kind }
    package var occurrence: Occurrence? { content.occurrence }
    func validate() throws(Refusal) { try content.validate() }

    private var content: any KindBody {
        switch self {
        case .open(let body): body
        case .setField(let body): body
        case .transfer(let body): body
        case .delivered(let body): body
        case .accept(let body): body
        case .reply(let body): body
        case .feedback(let body): body
        case .close(let body): body
        case .reopen(let body): body
        case .chase(let body): body
        case .acknowledgeChase(let body): body
        case .answerChase(let body): body
        case .note(let body): body
        case .settle(let body): body
        case .joinTwins(let body): body
        case .separateTwins(let body): body
        case .tag(let body): body
        case .untag(let body): body
        case .watch(let body): body
        case .announce(let body): body
        case .catalogDocument(let body): body
        case .revoke(let body): body
        case .proposeErasure(let body): body
        case .confirmErasure(let body): body
        case .journalAnchor(let body): body
        case .introduceRoot(let body): body
        case .retireRoot(let body): body
        }
    }
}
