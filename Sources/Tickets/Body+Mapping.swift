package import Replication

extension Body {
    /// The same body where it points to what has another name now: each dot and entity in it is replaced by what the
    /// functions give. A kind's texts and times stay as they are.
    /// - Returns: an equal body if nothing in it has another name.
    package func mapping(dots: (Dot) -> Dot, entities: (EntityID) -> EntityID) -> Body {
        switch self {
        case .open(var body):
            body.customer = body.customer.map(entities)
            return .open(body)
        case .setField(var body):
            body.undoes = body.undoes.map(dots)
            return .setField(body)
        case .transfer(var body):
            body.custody = dots(body.custody)
            return .transfer(body)
        case .delivered(var body):
            body.target = dots(body.target)
            return .delivered(body)
        case .accept(var body):
            body.custody = dots(body.custody)
            return .accept(body)
        case .reply(var body):
            body.custody = dots(body.custody)
            return .reply(body)
        case .chase(var body):
            body.customer = body.customer.map(entities)
            return .chase(body)
        case .acknowledgeChase(var body):
            body.chase = dots(body.chase)
            return .acknowledgeChase(body)
        case .answerChase(var body):
            body.chase = dots(body.chase)
            return .answerChase(body)
        case .settle(var body):
            body.custody = dots(body.custody)
            body.winner = dots(body.winner)
            return .settle(body)
        case .joinTwins(var body):
            body.other = entities(body.other)
            return .joinTwins(body)
        case .separateTwins(var body):
            body.other = entities(body.other)
            return .separateTwins(body)
        case .confirmErasure(var body):
            body.proposal = dots(body.proposal)
            return .confirmErasure(body)
        case .feedback, .close, .reopen, .note, .tag, .untag, .watch, .announce, .catalogDocument,
            .revoke, .proposeErasure, .journalAnchor, .introduceRoot, .retireRoot:
            return self
        }
    }
}

extension Operation {
    /// Its body where it points to what has another name now; the bytes as they are if nothing in it has, or if this
    /// version cannot read them.
    package func bodyMapping(dots: (Dot) -> Dot, entities: (EntityID) -> EntityID) -> [UInt8] {
        guard let body = try? Body(decoding: self) else { return self.body }
        let mapped = body.mapping(dots: dots, entities: entities)
        return mapped == body ? self.body : mapped.encoded()
    }
}
