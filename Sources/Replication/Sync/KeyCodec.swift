internal import FoundationEssentials

// Messages that carry keys and ask for them. Source: Protocols/personal-data.md §4.

extension WireKeys {
    init(_ entries: [PersonalKeyEntry], beforeBatch: Bool) {
        self.init()
        keys = entries.map(WirePersonalKey.init)
        self.beforeBatch = beforeBatch
    }

    /// - Throws: `DecodingFailure` for too many, and for a key whose name is not its hash.
    func entries() throws(DecodingFailure) -> [PersonalKeyEntry] {
        guard keys.count <= SyncLimits.keysMax else {
            throw .tooLarge(field: "keys", count: keys.count, countMax: SyncLimits.keysMax)
        }
        var result: [PersonalKeyEntry] = []
        result.reserveCapacity(keys.count)
        for key in keys { result.append(try PersonalKeyEntry(key)) }
        return result
    }
}

extension WireKeyRequest {
    init(_ ids: [PersonalKeyID]) {
        self.init()
        self.ids = ids.map { .init($0.bytes) }
    }

    func names() throws(DecodingFailure) -> [PersonalKeyID] {
        guard ids.count <= SyncLimits.keysMax else {
            throw .tooLarge(field: "key_request.ids", count: ids.count, countMax: SyncLimits.keysMax)
        }
        var result: [PersonalKeyID] = []
        for bytes in ids {
            guard let id = PersonalKeyID(bytes) else { throw .invalid(field: "key_request.ids") }
            result.append(id)
        }
        return result
    }
}

extension WirePersonalKey {
    fileprivate init(_ entry: PersonalKeyEntry) {
        self.init()
        id = .init(entry.id.bytes)
        if let entity = entry.subject {
            subject.type = UInt32(entity.type.rawValue)
            subject.high = entity.high
            subject.low = entity.low
        }
        switch entry.state {
        case .wanted: preconditionFailure("what is not held is not sent")
        case .held(let secret): self.secret = .init(secret)
        case .erased(let erasure):
            confirmation.replica = erasure.confirmation.replica.rawValue
            confirmation.sequence = erasure.confirmation.sequence
            erasedMilliseconds = erasure.milliseconds
        }
    }
}

extension PersonalKeyEntry {
    fileprivate init(_ wire: WirePersonalKey) throws(DecodingFailure) {
        guard let id = PersonalKeyID(wire.id) else { throw .invalid(field: "keys.id") }
        var subject: EntityID?
        if wire.hasSubject {
            guard let raw = UInt8(exactly: wire.subject.type), let type = EntityType(rawValue: raw) else {
                throw .invalid(field: "keys.subject")
            }
            subject = EntityID(type: type, high: wire.subject.high, low: wire.subject.low)
        }
        guard !wire.secret.isEmpty else {
            // The range of a timestamp.
            guard wire.confirmation.sequence <= OperationLimits.sequenceMax, wire.erasedMilliseconds >= 0,
                wire.erasedMilliseconds < 1 << 48
            else { throw .invalid(field: "keys.confirmation") }
            let confirmation = Dot(ReplicaID(wire.confirmation.replica), wire.confirmation.sequence)
            self.init(
                id: id, subject: subject,
                state: .erased(KeyErasure(confirmation: confirmation, milliseconds: wire.erasedMilliseconds)))
            return
        }
        guard let subject, wire.secret.count == PersonalKey.secretBytes else { throw .invalid(field: "keys.secret") }
        let key = PersonalKey(subject: subject, secret: Array(wire.secret))
        guard key.id == id else { throw .invalid(field: "keys.secret") }
        self.init(key)
    }
}
