internal import Replication
internal import Store
internal import Tickets

/// How a form of the ticket page becomes a command.
enum TicketActionReading {
    /// - Throws: `ConsoleInputFailure`, and what reading the store throws.
    static func action(_ fields: FormFields, reader: StoreReader) throws -> TicketCommand.Action {
        switch fields["action"] {
        case "accept": .accept
        case "transfer":
            .transfer(
                try variant(fields["variant"]), site: try site(fields["site"]), department: fields["department"],
                reason: fields["reason"], note: fields["note"])
        case "return": .returnBack(reason: fields["reason"])
        case "reply": .reply(text: fields["text"], custody: nil)
        case "feedback":
            .feedback(text: fields["text"], channel: fields["channel"], score: try score(fields["score"]))
        case "close":
            .close(
                reason: fields["reason"], isConfirmedByCustomer: fields["confirmed"] == "1",
                score: try score(fields["score"]))
        case "reopen": .reopen(reason: fields["reason"])
        case "chase":
            .chase(
                customer: nil, promised: try instant(fields["promised"]), note: fields["note"],
                channel: fields["channel"])
        case "acknowledge": .acknowledgeChase(try dot(fields["subject"]))
        case "answer":
            .answerChase(
                try dot(fields["subject"]), text: fields["text"], promised: try instant(fields["promised"]))
        case "note": .note(try required(fields["text"]))
        case "set": try setting(fields)
        case "resolve": try resolution(fields)
        case "settle":
            .settle(
                custody: try dot(fields["subject"]), winner: try dot(fields["winner"]), reason: fields["reason"])
        case "tag": .tag(fields.text("tag") ?? "")
        case "untag": .untag(fields["tag"])
        case "join": .join(try ticket(fields["number"], reader), reason: fields["reason"])
        case "separate": .separate(try entity(fields["subject"]), reason: fields["reason"])
        default: throw ConsoleInputFailure.unknownAction
        }
    }

    /// The version that the page was rendered from: `<replica>:<sequence>` of each replica.
    static func version(_ text: String) throws(ConsoleInputFailure) -> VersionVector {
        guard text.utf8.count <= ConsoleLimits.versionBytesMax else { throw .staleForm }
        var dots: [Dot] = []
        for part in text.split(separator: ",") { dots.append(try dot(String(part))) }
        return VersionVector(dots)
    }

    static func text(_ version: VersionVector) -> String {
        version.entries.map(\.description).joined(separator: ",")
    }

    static func dot(_ text: String) throws(ConsoleInputFailure) -> Dot {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let replica = ReplicaID(hexadecimal: String(parts[0])),
            let sequence = UInt64(parts[1]), sequence > 0
        else { throw .staleForm }
        return Dot(replica, sequence)
    }

    /// A local date and time as the browser's field writes it; nil for an empty one.
    static func instant(_ text: String) throws(ConsoleInputFailure) -> Int64? {
        guard !text.isEmpty else { return nil }
        guard let instant = Instant(text, utcOffsetMinutes: Int(ConsoleLimits.utcOffsetMinutes)),
            instant.milliseconds > 0
        else { throw .invalidTime }
        return instant.milliseconds
    }

    private static func variant(_ text: String) throws(ConsoleInputFailure) -> TransferBody.Variant {
        switch text {
        case "dispatch": .dispatch
        case "onward": .onward
        default: throw .invalidValue
        }
    }

    private static func site(_ text: String) throws(ConsoleInputFailure) -> SiteCode {
        guard let site = SiteCode(text.filter { !$0.isWhitespace }.lowercased()) else { throw .invalidSite }
        return site
    }

    private static func score(_ text: String) throws(ConsoleInputFailure) -> UInt8 {
        guard !text.isEmpty else { return 0 }
        guard let score = UInt8(text), score <= ConsoleLimits.scoreMax else { throw .invalidValue }
        return score
    }

    private static func required(_ text: String) throws(ConsoleInputFailure) -> String {
        guard !text.allSatisfy(\.isWhitespace) else { throw .missingValue }
        return text
    }

    private static func setting(_ fields: FormFields) throws(ConsoleInputFailure) -> TicketCommand.Action {
        guard let number = UInt16(fields["field"]), number > 0 else { throw .invalidValue }
        let field = Field(rawValue: number)
        return .set(field, try value(fields["value"], of: field))
    }

    /// One of the listed values, or another that was typed.
    private static func resolution(_ fields: FormFields) throws(ConsoleInputFailure) -> TicketCommand.Action {
        guard let number = UInt16(fields["subject"]), number > 0 else { throw .staleForm }
        let field = Field(rawValue: number)
        if let typed = fields.text("other") { return .resolve(field, try value(typed, of: field)) }
        guard fields.contains("choice") else { throw .missingValue }
        let chosen = fields["choice"]
        if field.shape == .number {
            guard let number = Int64(chosen) else { throw .invalidValue }
            return .resolve(field, .number(number))
        }
        return .resolve(field, .text(chosen))
    }

    static func value(_ text: String, of field: Field) throws(ConsoleInputFailure) -> SetFieldBody.Value {
        guard field.shape == .number else { return .text(text) }
        let trimmed = String(text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
        if field == .urgency {
            guard let level = Int64(trimmed), (1...4).contains(level) else { throw .invalidValue }
            return .number(level)
        }
        guard let instant = try instant(trimmed) else { throw .missingValue }
        return .number(instant)
    }

    private static func entity(_ text: String) throws(ConsoleInputFailure) -> EntityID {
        guard let id = EntityID(text), id.type == .ticket else { throw .staleForm }
        return id
    }

    private static func ticket(_ text: String, _ reader: StoreReader) throws -> EntityID {
        guard text.utf8.count <= ConsoleLimits.filterBytesMax, let number = TicketNumber.parse(text),
            let id = try reader.tickets(numbered: number).first
        else { throw ConsoleInputFailure.noSuchNumber }
        return id
    }
}
