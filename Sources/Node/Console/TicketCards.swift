internal import Replication
internal import Store
internal import Tickets

/// A field with several surviving values: work for whoever sees it.
struct ConflictCard {
    struct Value {
        var raw: String
        var text: String
        var author: String
        var site: String
        var time: String
        var isShown: Bool
        var isChosen: Bool
    }

    var field: String
    var number: String
    var values: [Value]
    var mayResolve: Bool
    var other: String
}

/// Transfers that compete for one custody.
struct ContestCard {
    struct Candidate {
        var dot: String
        var department: String
        var site: String
        var author: String
        var authorSite: String
        var time: String
        var isAccepted: Bool
        var isWinner: Bool
    }

    var parent: String
    var candidates: [Candidate]
    var arbiter: String
    var isSettled: Bool
    var settled: String
    var maySettle: Bool
    var reason: String
}

/// A customer who asks how far it is.
struct ChaseCard {
    struct Note {
        var text: String
    }

    var dot: String
    var time: String
    var author: String
    var site: String
    var promised: String
    var hasPromise: Bool
    var state: String
    var isOpen: Bool
    var notes: [Note]
    var mayAcknowledge: Bool
    var mayAnswer: Bool
    var text: String
    var instant: String
}

extension TicketModelBuilder {
    func conflictCards() -> [ConflictCard] {
        summary.conflicts.prefix(20).map { state in
            let isDraft = draft["action"] == "resolve" && draft["subject"] == String(state.field.rawValue)
            let values = state.writes.prefix(16).compactMap { write -> ConflictCard.Value? in
                guard let operation = record.operation(write),
                    let value = record.body(of: operation)?.value(of: state.field)
                else { return nil }
                let raw = value.text ?? value.number.map { String($0) } ?? ""
                return ConflictCard.Value(
                    raw: raw, text: words.value(value, of: state.field, in: record), author: operation.author.name,
                    site: operation.author.site.rawValue, time: words.time(operation.time.milliseconds),
                    isShown: write == state.displayed,
                    isChosen: isDraft ? draft["choice"] == raw : write == state.displayed)
            }
            // Whoever chooses has to see all of them.
            let isAllHere = state.writes.allSatisfy { write in
                record.operation(write).flatMap { record.body(of: $0)?.sealed }
                    .map { record.withheld($0) != .notHere } ?? true
            }
            return ConflictCard(
                field: words.field(state.field), number: String(state.field.rawValue), values: values,
                mayResolve: mayAct && isAllHere, other: isDraft ? draft["other"] : "")
        }
    }

    func contestCards() -> [ContestCard] {
        summary.contested.suffix(10).map { contest in
            let candidates = contest.candidates.prefix(16).map { candidate in
                ContestCard.Candidate(
                    dot: "\(candidate.dot)", department: words.department(candidate.department),
                    site: candidate.site.rawValue, author: candidate.author, authorSite: candidate.authorSite.rawValue,
                    time: words.time(candidate.at), isAccepted: candidate.isAccepted,
                    isWinner: candidate.dot == contest.winner)
            }
            let isDraft = draft["action"] == "settle" && draft["subject"] == "\(contest.parent)"
            return ContestCard(
                parent: "\(contest.parent)", candidates: candidates, arbiter: contest.arbiter?.rawValue ?? "",
                isSettled: contest.isSettled, settled: words.time(contest.settledAt), maySettle: maySettle(contest),
                reason: isDraft ? draft["reason"] : "")
        }
    }

    /// As the decision itself judges: the lowest site above all of them, or one above it.
    private func maySettle(_ contest: ContestedTransfer) -> Bool {
        guard mayAct, let arbiter = contest.arbiter ?? contest.candidates.first?.site else { return false }
        guard arbiter.isWithin(author.site), author.level >= AuthorityLevel(of: arbiter) else { return false }
        return contest.settlementLevel.map { author.level > $0 } ?? true
    }

    func chaseCards() -> [ChaseCard] {
        summary.chases.suffix(30).map { chase in
            let notes = chase.records.prefix(10).compactMap { dot -> ChaseCard.Note? in
                guard let operation = record.operation(dot), case .chase(let body)? = record.body(of: operation),
                    !body.note.isEmpty
                else { return nil }
                return ChaseCard.Note(text: body.note)
            }
            let state =
                chase.isAnswered
                ? "chase_answered"
                : chase.isAcknowledged
                    ? "chase_acknowledged" : chase.isDelivered ? "chase_delivered" : "chase_travelling"
            let isDraft = draft["subject"] == "\(chase.dot)" && draft["action"] == "answer"
            return ChaseCard(
                dot: "\(chase.dot)", time: words.time(chase.at), author: chase.author, site: chase.site.rawValue,
                promised: words.time(chase.promised), hasPromise: chase.promised != nil, state: words[state],
                isOpen: !chase.isAnswered, notes: notes, mayAcknowledge: mayAct && !chase.isAcknowledged,
                mayAnswer: mayAct && !chase.isAnswered, text: isDraft ? draft["text"] : "",
                instant: isDraft ? draft["promised"] : "")
        }
    }
}
