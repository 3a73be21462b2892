internal import Replication
internal import Tickets

/// Turns an event log and its mapping into a plan, by a function of its arguments alone: no store, no clock.
///
/// The whole file is read whichever rows the office takes, because a ticket's first row decides who opens it, and the
/// row before decides what a change is.
///
/// Source: Protocols/import.md §5.
struct ImportPlanner {
    private let mapping: ImportMapping
    private let identity: ImportIdentity
    private let columns: [String: Int]
    private let selection: RowSelection
    /// Columns that count for a row's identity, ascending by name.
    private let contentColumns: [(name: String, index: Int)]
    private let table: CSVTable

    /// - Parameter key: the province's.
    /// - Throws: `FileProblem` for a mapping that does not fit the file; `ImportOptionProblem`.
    init(_ mapping: ImportMapping, table: CSVTable, options: ImportOptions, site: SiteCode, key: [UInt8]) throws {
        try mapping.check(header: table.header)
        self.mapping = mapping
        self.table = table
        identity = ImportIdentity(key: key, source: mapping.source)
        var columns: [String: Int] = [:]
        for (index, name) in table.header.enumerated() { columns[name] = index }
        self.columns = columns
        selection = try RowSelection(options, mapping, columns: columns, site: site)
        let ignored = Set(mapping.ignored.map(\.name))
        contentColumns = columns.filter { !ignored.contains($0.key) }.map { ($0.key, $0.value) }
            .sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    /// One row that can be understood.
    private struct ReadRow {
        var record: Int
        var occurred: Int64
        var keys: ImportIdentity.RowKeys
        var status: String
        var action: ImportMapping.Action?
        var group: Int?
    }

    func plan() -> ImportPlan {
        var plan = ImportPlan(source: mapping.source)
        plan.rowCount = table.records.count + table.malformed.count
        plan.refused = table.malformed
        var ordinals: [UInt64: Int] = [:]
        var rowsByTicket: [String: [ReadRow]] = [:]
        for index in table.records.indices {
            do {
                let (ticket, row) = try read(index, &ordinals)
                rowsByTicket[ticket, default: []].append(row)
            } catch {
                plan.refused.append(error)
            }
        }
        plan.ticketCount = rowsByTicket.count
        for (ticket, rows) in rowsByTicket {
            // Rows of one instant keep the file's order.
            let sorted = rows.sorted { ($0.occurred, $0.record) < ($1.occurred, $1.record) }
            add(ticket, sorted, to: &plan)
        }
        plan.tickets.sort { left, right in
            let instants = (left.rows[0].occurred, right.rows[0].occurred)
            return instants.0 != instants.1 ? instants.0 < instants.1 : left.id < right.id
        }
        plan.refused.sort { ($0.line, $0.column) < ($1.line, $1.column) }
        return plan
    }

    // MARK: Rows

    private func read(_ index: Int, _ ordinals: inout [UInt64: Int]) throws(RefusedRow) -> (String, ReadRow) {
        let record = table.records[index]
        let ticket = record.fields[position(mapping.ticket)]
        guard !ticket.isEmpty, ticket.utf8.count <= ImportLimits.ticketKeyBytesMax else {
            throw refusal(record, mapping.ticket, "a ticket's key of 1–\(ImportLimits.ticketKeyBytesMax) bytes")
        }
        let timeText = joined(mapping.time, record, " ")
        guard let occurred = milliseconds(timeText) else {
            let patterns = mapping.timePatterns.map(\.text).joined(separator: " or ")
            throw refusal(record, mapping.time[0], "a time from 1970 on as \(patterns), not \"\(timeText)\"")
        }
        let status = joined(mapping.status, record, "-")
        let action = mapping.events.action(status)
        if action == nil, mapping.events.refusesUnlisted {
            throw refusal(record, mapping.status.first, "a status listed under events, not \"\(status)\"")
        }
        let department = text(mapping.department, record)
        guard department.utf8.count <= ImportLimits.departmentBytesMax else {
            throw refusal(
                record, mapping.department?.columns.first,
                "a department of at most \(ImportLimits.departmentBytesMax) bytes")
        }
        guard words(record, status).utf8.count <= TicketLimits.stringBytesMax else {
            throw refusal(record, mapping.text?.columns.first, "a text of at most \(TicketLimits.stringBytesMax) bytes")
        }
        let group = try selection.group(of: record).get()
        let content = contentColumns.flatMap { [$0.name, record.fields[$0.index]] }
        var keys = identity.row(ticket, content: content, ordinal: 0)
        let ordinal = ordinals[keys.event, default: 0]
        ordinals[keys.event] = ordinal + 1
        if ordinal > 0 { keys = identity.row(ticket, content: content, ordinal: ordinal) }
        return (
            ticket,
            ReadRow(record: index, occurred: occurred, keys: keys, status: status, action: action, group: group)
        )
    }

    private func milliseconds(_ text: String) -> Int64? {
        for pattern in mapping.timePatterns {
            if let instant = pattern.milliseconds(text, offsetMinutes: mapping.offsetMinutes) { return instant }
        }
        return nil
    }

    // MARK: Tickets

    private func add(_ ticketKey: String, _ rows: [ReadRow], to plan: inout ImportPlan) {
        let first = table.records[rows[0].record]
        let isOwner = selection.takes(first, group: rows[0].group)
        var opening: (body: OpenBody, fields: [SetFieldBody])?
        if isOwner {
            do {
                opening = try self.opening(ticketKey, rows[0])
            } catch {
                // A ticket that cannot be opened has no place for its other rows.
                plan.refused.append(error)
                for row in rows.dropFirst() {
                    let record = table.records[row.record]
                    plan.refused.append(refusal(record, nil, "a ticket that can be opened; see line \(first.line)"))
                }
                return
            }
        }
        var planned: [PlannedRow] = []
        var isClosed = false
        for (index, row) in rows.enumerated() {
            let (steps, event) = meaning(of: row, after: index == 0 ? nil : rows[index - 1], &isClosed)
            let record = table.records[row.record]
            let isOwn = selection.takes(record, group: row.group)
            if !isOwn { plan.elsewhereCount += 1 }
            // An owner writes the course of all rows; others have no part in rows that are not theirs.
            guard isOwn || (isOwner && !steps.isEmpty) else { continue }
            planned.append(
                PlannedRow(
                    line: record.line, occurred: row.occurred, keys: row.keys,
                    actor: cut(text(mapping.actor, record), bytesMax: ImportLimits.actorBytesMax),
                    department: text(mapping.department, record), site: selection.site(row.group), isOwn: isOwn,
                    steps: steps, event: event, text: words(record, row.status)))
        }
        guard !planned.isEmpty else { return }
        plan.tickets.append(
            PlannedTicket(
                id: identity.ticket(ticketKey), isOwner: isOwner, opening: opening?.body ?? OpenBody(title: ticketKey),
                fields: opening?.fields ?? [], rows: planned))
    }

    /// What a row says, knowing the row before it and whether the ticket is closed by then.
    private func meaning(
        of row: ReadRow, after previous: ReadRow?, _ isClosed: inout Bool
    ) -> (steps: [CourseStep], event: RowEvent?) {
        guard let previous else {
            // The first row opens the ticket where it happened: there is nowhere to come from yet.
            isClosed = row.action == .close
            return (isClosed ? [.close] : [], event(row.action, isFirst: true))
        }
        var steps: [CourseStep] = []
        let isReopening = isClosed && row.action != .close && (row.action == .reopen || mapping.events.reopenAfterClose)
        let department = text(mapping.department, table.records[row.record])
        if isReopening {
            // A reopening begins where it happened, so it never needs a transfer beside it.
            steps.append(.reopen)
        } else if !department.isEmpty, row.action == .transfer || hasMoved(row, previous) {
            steps.append(.transfer)
        }
        if row.action == .close, !isClosed { steps.append(.close) }
        if isReopening { isClosed = false }
        if row.action == .close { isClosed = true }
        let event = event(row.action, isFirst: false)
        return (steps, event ?? (steps.isEmpty ? .note : nil))
    }

    /// Nil for what is part of the course.
    private func event(_ action: ImportMapping.Action?, isFirst: Bool) -> RowEvent? {
        switch action {
        case .accept: .accept
        case .reply: .reply
        case .feedback: .feedback
        case .transfer, .close, .reopen: nil
        case .note, nil: isFirst ? nil : .note
        }
    }

    private func hasMoved(_ row: ReadRow, _ previous: ReadRow) -> Bool {
        if mapping.events.transferWhenSiteChanges, row.group != previous.group { return true }
        let fields = (table.records[row.record].fields, table.records[previous.record].fields)
        return mapping.events.transferWhenChanges.contains { fields.0[position($0)] != fields.1[position($0)] }
    }

    private func opening(_ ticketKey: String, _ row: ReadRow) throws(RefusedRow) -> (OpenBody, [SetFieldBody]) {
        let record = table.records[row.record]
        var values: [Field: String] = [:]
        var bytes = 0
        for entry in mapping.fields {
            let value = text(entry.value, record)
            guard !value.isEmpty else { continue }
            values[entry.field] = value
            bytes += value.utf8.count
            guard value.utf8.count <= TicketLimits.stringBytesMax, bytes <= ImportLimits.openingBytesMax else {
                throw refusal(
                    record, entry.value.columns.first, "an opening of at most \(ImportLimits.openingBytesMax) bytes")
            }
        }
        let title = values[.title].flatMap { $0.allSatisfy(\.isWhitespace) ? nil : $0 } ?? ticketKey
        var body = OpenBody(
            title: String(title.prefix(TicketLimits.titleCharactersMax)), body: values[.body] ?? "",
            category: values[.category] ?? "", customerLabel: values[.customerLabel] ?? "",
            channel: values[.channel] ?? "", number: ticketKey, department: text(mapping.department, record))
        // What does not fit the title is not lost.
        if body.title != title, body.body.isEmpty { body.body = title }
        if let urgencies = mapping.urgencies {
            body.urgency = urgencies.values[record.fields[position(urgencies.column)]] ?? .unknown
        }
        let held: Set<Field> = [.title, .body, .category, .customerLabel, .channel]
        let others = values.filter { !held.contains($0.key) }.sorted { $0.key < $1.key }
        return (body, others.map { SetFieldBody(field: $0.key, value: .text($0.value)) })
    }

    // MARK: Values

    /// The mapping was checked against the header.
    private func position(_ column: ImportMapping.Column) -> Int {
        guard let index = columns[column.name] else { preconditionFailure("the mapping's columns are checked first") }
        return index
    }

    private func text(_ value: ImportMapping.Value?, _ record: CSVRecord) -> String {
        switch value {
        case nil: ""
        case .column(let column): record.fields[position(column)]
        case .constant(let text): text
        case .composed(let parts): parts.map { text($0, record) }.joined()
        }
    }

    private func joined(_ columns: [ImportMapping.Column], _ record: CSVRecord, _ separator: String) -> String {
        if columns.count == 1 { return record.fields[position(columns[0])] }
        return columns.map { record.fields[position($0)] }.joined(separator: separator)
    }

    /// What a row says: by the mapping's text, else its status, else its source.
    private func words(_ record: CSVRecord, _ status: String) -> String {
        for text in [text(mapping.text, record), status] where !text.allSatisfy(\.isWhitespace) { return text }
        return mapping.source
    }

    private func cut(_ text: String, bytesMax: Int) -> String {
        var result = text
        while result.utf8.count > bytesMax { result.removeLast() }
        return result
    }

    private func refusal(_ record: CSVRecord, _ column: ImportMapping.Column?, _ problem: String) -> RefusedRow {
        RefusedRow(line: record.line, column: column?.name ?? "", problem: problem)
    }
}
