package import Replication

/// What a ticket takes from an operation's body, read before the ticket is at hand: bodies can be read on another thread
/// than the one that merges.
package struct OperationReading: Sendable {
    let draft: EventDraft

    package init(_ operation: Operation) {
        draft = EventDraft(decoding: operation)
    }

    private init(_ draft: EventDraft) {
        self.draft = draft
    }

    /// Of an operation whose body is not to be trusted.
    package static let opaque = OperationReading(EventDraft(isOpaque: true))

    /// What an `open` gives the ticket to be called by.
    package var number: String? { draft.label }
    /// The key that a personal value in it is sealed under.
    package var sealedUnder: PersonalKeyID? { draft.sealedUnder }
}

extension EventDraft {
    /// What the state keeps of an operation's body; opaque if this version cannot read it.
    init(decoding operation: Operation) {
        self.init()
        do {
            guard let kind = Kind(operation.kind) else { throw BodyFailure.unknownKind(operation.kind.rawValue) }
            switch kind {
            case .open: try read(OpenBody.self, operation)
            case .setField: try read(SetFieldBody.self, operation)
            case .transfer: try read(TransferBody.self, operation)
            case .delivered: try read(DeliveredBody.self, operation)
            case .accept: try read(AcceptBody.self, operation)
            case .reply: try read(ReplyBody.self, operation)
            case .feedback: try read(FeedbackBody.self, operation)
            case .close: try read(CloseBody.self, operation)
            case .reopen: try read(ReopenBody.self, operation)
            case .chase: try read(ChaseBody.self, operation)
            case .acknowledgeChase: try read(AcknowledgeChaseBody.self, operation)
            case .answerChase: try read(AnswerChaseBody.self, operation)
            case .note: try read(NoteBody.self, operation)
            case .settle: try read(SettleBody.self, operation)
            case .joinTwins: try read(JoinTwinsBody.self, operation)
            case .separateTwins: try read(SeparateTwinsBody.self, operation)
            case .tag: try read(TagBody.self, operation)
            case .untag: try read(UntagBody.self, operation)
            case .watch: try read(WatchBody.self, operation)
            case .proposeErasure: try read(ProposeErasureBody.self, operation)
            case .confirmErasure: try read(ConfirmErasureBody.self, operation)
            case .announce, .catalogDocument, .revoke, .journalAnchor, .introduceRoot, .retireRoot: isOpaque = true
            }
        } catch {
            self = EventDraft()
            isOpaque = true
        }
    }

    private mutating func read<Content: KindBody>(_: Content.Type, _ operation: Operation) throws(BodyFailure) {
        let body = try Content(serialized: operation.body)
        body.record(in: &self)
        guard let occurrence = body.occurrence else { return }
        // Instants from elsewhere are clamped so that differences of two never overflow.
        occurred = max(0, min(occurrence.milliseconds, (1 << 48) - 1))
        row = occurrence.row
    }
}
