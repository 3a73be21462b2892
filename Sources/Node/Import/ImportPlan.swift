internal import Replication
internal import Tickets

/// What a row's part of a ticket's course is. Several may come from one row, in this order.
enum CourseStep: Hashable, Sendable {
    case reopen, transfer, close
}

/// What else a row says.
enum RowEvent: Hashable, Sendable {
    case accept, reply, feedback, note
}

/// One row as far as it can be understood from the file alone.
struct PlannedRow: Hashable, Sendable {
    var line: Int
    /// UTC milliseconds.
    var occurred: Int64
    var keys: ImportIdentity.RowKeys
    var actor: String
    var department: String
    /// Where it happened; nil for the importing office.
    var site: SiteCode?
    /// Whether this office takes it.
    var isOwn: Bool
    var steps: [CourseStep]
    /// Nil if its part of the course says it all.
    var event: RowEvent?
    /// What it says in words; never empty.
    var text: String
}

/// A ticket's rows in the order of their times.
struct PlannedTicket: Hashable, Sendable {
    var id: EntityID
    /// The ticket's first row is this office's: it opens the ticket and keeps its course.
    var isOwner: Bool
    var opening: OpenBody
    /// Initial values that the opening itself has no place for.
    var fields: [SetFieldBody]
    /// Rows that this office has a part in; an owner's first is the ticket's first.
    var rows: [PlannedRow]
}

/// An event log taken apart: what to write if nothing of it is there yet.
struct ImportPlan: Sendable {
    var source: String
    /// By the time of their first row.
    var tickets: [PlannedTicket] = []
    /// Rows of the file, refused ones among them.
    var rowCount = 0
    /// Tickets of the whole file.
    var ticketCount = 0
    /// Rows that belong to other offices.
    var elsewhereCount = 0
    /// By line.
    var refused: [RefusedRow] = []

    /// Rows that this office takes.
    var ownRowCount: Int { tickets.reduce(0) { $0 + $1.rows.count(where: \.isOwn) } }
}
