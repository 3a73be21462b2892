internal import Replication
internal import Tickets

/// How the columns of an event log become operations. Read from a YAML file; see `ImportMapping+YAML`.
///
/// Source: Protocols/import.md §2.
package struct ImportMapping: Sendable {
    /// A column by its name, and where the mapping names it.
    struct Column: Hashable, Sendable {
        var name: String
        /// Line of the mapping file.
        var line: Int
    }

    /// A value for each row: of a column, the same for all, or composed of both.
    enum Value: Hashable, Sendable {
        case column(Column)
        case constant(String)
        case composed([Value])

        var columns: [Column] {
            switch self {
            case .column(let column): [column]
            case .constant: []
            case .composed(let parts): parts.flatMap(\.columns)
            }
        }
    }

    /// What a row's status says.
    enum Action: String, Sendable, CaseIterable {
        case transfer, accept, reply, feedback, close, reopen, note
    }

    /// An exact text, or with `*` at its end a beginning.
    struct StatusPattern: Hashable, Sendable {
        var text: String
        var isPrefix: Bool

        init(_ pattern: String) {
            isPrefix = pattern.hasSuffix("*")
            text = isPrefix ? String(pattern.dropLast()) : pattern
        }

        func matches(_ status: String) -> Bool { isPrefix ? status.hasPrefix(text) : status == text }
    }

    struct Events: Sendable {
        /// In the order of the file; exact texts go before beginnings.
        var actions: [(pattern: StatusPattern, action: Action)] = []
        /// A row in which one of these differs from the row before is a transfer.
        var transferWhenChanges: [Column] = []
        var transferWhenSiteChanges = false
        /// A row that is no close after a close reopens the ticket.
        var reopenAfterClose = true
        /// Refuse rows whose status is not listed, instead of taking them as notes.
        var refusesUnlisted = false

        func action(_ status: String) -> Action? {
            let exact = actions.first { !$0.pattern.isPrefix && $0.pattern.matches(status) }
            return (exact ?? actions.first { $0.pattern.isPrefix && $0.pattern.matches(status) })?.action
        }
    }

    struct Urgencies: Sendable {
        var column: Column
        var values: [String: Urgency]
    }

    /// Offices by the values of a column.
    struct Sites: Sendable {
        struct Group: Sendable {
            var name: String
            var site: SiteCode
        }

        var column: Column
        var groups: [Group]
        /// Index of the group by value.
        var groupsByValue: [String: Int]
        /// Index of the group that takes values which are not listed; nil refuses such rows.
        var otherwise: Int?

        func group(of value: String) -> Int? { groupsByValue[value] ?? otherwise }
    }

    /// Path of the mapping file, for what is wrong with it.
    let path: String
    /// Names the log; part of the identity of its tickets and rows.
    var source: String
    var encoding = TextEncoding.utf8
    var separator: Character = ","
    var ticket: Column
    /// Joined by a space.
    var time: [Column]
    var timePatterns: [TimePattern]
    /// What local times are ahead of UTC.
    var offsetMinutes = 0
    var actor: Value?
    var department: Value?
    /// Joined by `-`.
    var status: [Column] = []
    /// What notes, replies, feedbacks and reasons say; the status if nil.
    var text: Value?
    /// Initial values of the ticket, from its first row.
    var fields: [(field: Field, value: Value)] = []
    var urgencies: Urgencies?
    var events = Events()
    var sites: Sites?
    /// Columns that may differ between two exports of the same row.
    var ignored: [Column] = []

    /// Fields that a mapping may fill, by their names in it.
    static let fieldNames: [(name: String, field: Field)] = [
        ("title", .title), ("body", .body), ("category", .category), ("channel", .channel), ("region", .region),
        ("contact", .contact), ("location", .location), ("relatedSystem", .relatedSystem), ("cause", .cause),
        ("business", .business), ("phenomenon", .phenomenon), ("extent", .extent),
        ("customerLabel", .customerLabel), ("responsibleDepartment", .responsibleDepartment),
        ("responsibleCause", .responsibleCause),
    ]

    /// Every column that it names.
    var columns: [Column] {
        var result = [ticket] + time + status + events.transferWhenChanges + ignored
        for value in [actor, department, text] { result += value?.columns ?? [] }
        for entry in fields { result += entry.value.columns }
        if let urgencies { result.append(urgencies.column) }
        if let sites { result.append(sites.column) }
        return result
    }

    /// - Throws: for a column that the file does not have, naming those it has.
    func check(header: [String]) throws(FileProblem) {
        let known = Set(header)
        for column in columns where !known.contains(column.name) {
            throw FileProblem(
                path: path, line: column.line,
                expected: "a column of the file, not \"\(column.name)\"; it has \(header.joined(separator: ", "))")
        }
    }
}
