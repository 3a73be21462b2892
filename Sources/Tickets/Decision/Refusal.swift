package import Replication

/// The languages of what people read.
package enum Language: String, Sendable, CaseIterable {
    case chinese = "zh-CN"
    case english = "en"
}

/// What a command lacks.
package enum RequiredInput: Hashable, Sendable, CaseIterable {
    case title, department, returnReason, reason, text, tag, name, customer
}

/// Why a command is not carried out, and what to do instead.
package enum Refusal: Error, Hashable, Sendable {
    case missing(RequiredInput)
    case tooLong(Field?, count: Int, countMax: Int)
    case operationTooLarge(bytes: Int, bytesMax: Int)
    case wrongValue(Field)
    case scoreOutOfRange(score: Int, scoreMax: Int)
    case noSuchTicket
    case alreadyOpened
    case notHolder(site: SiteCode, department: String)
    case custodyMoved(site: SiteCode, department: String)
    case transferToSelf
    case nothingToReturn
    case locked(arbiter: SiteCode)
    case alreadyAccepted(person: String)
    case closed
    case notClosed
    case closeNeedsReason
    case noSuchChase
    case alreadyAnswered
    case noSuchContest
    case notCandidate
    case alreadySettled
    case levelTooLow(needed: SiteCode)
    case frozen
    /// Frozen too, by an operation whose row is damaged on this node's disk.
    case frozenByDamage(Dot)
    case sameTicket
    case notJoined
    case noSuchTag
    case nothingToUndo
    case adminOnly
    case nothingToErase
    case noSuchProposal
    case samePerson(name: String)
    case alreadyErased

    static func check(_ text: String, _ field: Field?) throws(Refusal) {
        let charactersMax: Int? =
            switch field {
            case .some(.title): TicketLimits.titleCharactersMax
            case .some(.body): TicketLimits.bodyCharactersMax
            default: nil
            }
        if let charactersMax, text.count > charactersMax {
            throw .tooLong(field, count: text.count, countMax: charactersMax)
        }
        // The body's own limit is in characters, of up to four bytes each.
        let bytesMax = field == .body ? 4 * TicketLimits.bodyCharactersMax : TicketLimits.stringBytesMax
        guard text.utf8.count <= bytesMax else {
            throw .tooLong(field, count: text.utf8.count, countMax: bytesMax)
        }
    }

    /// What no reader would take must not be written.
    static func check(score: UInt8) throws(Refusal) {
        guard score <= TicketLimits.scoreMax else {
            throw .scoreOutOfRange(score: Int(score), scoreMax: Int(TicketLimits.scoreMax))
        }
    }

    package func text(_ language: Language) -> String {
        switch language {
        case .chinese: chinese
        case .english: english
        }
    }
}
