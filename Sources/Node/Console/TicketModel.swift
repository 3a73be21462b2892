internal import Replication
internal import ServiceLevels
internal import Store
internal import Tickets

/// One ticket as its page shows it at an instant.
struct TicketModel {
    struct Clock {
        var name: String
        var bar: Bar
    }

    struct StepRow {
        var name: String
        var holder: String
        var holderSite: String
        var started: String
        var due: String
        var limit: String
        var elapsed: String
        var bar: Bar
        var verdict: String
        var level: String
        var isTotal: Bool
    }

    struct PathRow {
        var position: Int
        var department: String
        var site: String
        var way: String
        var since: String
        var delivered: String
        var isReceiptMissing: Bool
        var person: String
        var accepted: String
        var replied: String
        var left: String
        var isCurrent: Bool
        var isContested: Bool
    }

    struct Fact {
        var label: String
        var value: String
    }

    struct TagChip {
        var text: String
        var mayRemove: Bool
    }

    struct TwinRow {
        var href: String
        var name: String
        var id: String
        var maySeparate: Bool
    }

    var id: String
    var number: String
    var title: String
    var body: String?
    var status: String
    var statusClass: String
    var urgency: String
    var urgencyClass: String
    var version: String
    var changesAddress: String
    var facts: [Fact] = []
    var holder = ""
    var holderSite = ""
    var holderSince = ""
    var holderPerson: String?
    var nextStep: String?
    var nextBar = Bar(percent: 0, level: "none", text: "")
    var notices: [String] = []
    var clocks: [Clock] = []
    var steps: [StepRow] = []
    var hasSteps = false
    var path: [PathRow] = []
    var conflicts: [ConflictCard] = []
    var contests: [ContestCard] = []
    var chases: [ChaseCard] = []
    var hasChases = false
    var history: [HistoryRow] = []
    var historyNote: String?
    var tags: [TagChip] = []
    var twins: [TwinRow] = []
    var hasTwins = false
    var picture: TimelinePicture?
    var forms: [FormModel] = []
    var sites: [String] = []
    var done: String?
    var refusal: String?
    var mayAct = false
    /// Telephone numbers can be shown in full, with a reason.
    var mayReveal = false
    var isRevealed = false
    var revealed: [Fact] = []
}

/// Builds the model from a record; everything time-dependent is worked out for one instant.
struct TicketModelBuilder {
    let record: TicketRecord
    let summary: TicketSummary
    let level: ServiceLevelStatus
    let account: ConsoleAccount
    let author: Author
    let words: ConsoleWords
    let now: Int64
    let knownSites: [String]
    /// Numbers of its twins, where they are known here.
    let twinNumbers: [EntityID: String]
    /// What was refused a moment ago, to be shown again.
    let draft: FormFields

    init(
        record: TicketRecord, account: ConsoleAccount, author: Author, words: ConsoleWords, now: Int64,
        knownSites: [String], twinNumbers: [EntityID: String], draft: FormFields
    ) {
        self.record = record
        self.account = account
        self.author = author
        self.words = words
        self.now = now
        self.knownSites = knownSites
        self.twinNumbers = twinNumbers
        self.draft = draft
        summary = record.ticket.summary(bounceLimit: words.catalog.bounceLimit)
        level = ticketStatus(summary, words.catalog, now: now)
    }

    var mayAct: Bool { ConsolePermission.actOnTickets.isGranted(to: account.role) && !summary.isFrozenForEditing }

    func model() -> TicketModel {
        var model = TicketModel(
            id: "\(record.ticket.id)", number: record.number.isEmpty ? words["number_pending"] : record.number,
            title: value(of: .title) ?? words["title_pending"], body: value(of: .body),
            status: words.status(summary.status), statusClass: "s\(summary.status.rawValue)",
            urgency: words.urgency(summary.urgency), urgencyClass: "u\(summary.urgency.rawValue)",
            version: TicketActionReading.text(record.ticket.version),
            changesAddress: "/tickets/\(record.ticket.id)/changes?count=\(record.ticket.operationCount)")
        model.facts = facts()
        describeHolder(&model)
        model.notices = notices()
        model.clocks = clocks()
        model.steps = steps()
        model.hasSteps = !model.steps.isEmpty
        model.path = path()
        model.conflicts = conflictCards()
        model.contests = contestCards()
        model.chases = chaseCards()
        model.hasChases = !model.chases.isEmpty
        model.history = OperationTexts(record: record, words: words).rows()
        model.historyNote =
            record.operations.count > model.history.count
            ? words.filled("history_latest", String(model.history.count)) : nil
        model.tags = summary.tags.map { TicketModel.TagChip(text: $0, mayRemove: mayAct) }
        model.twins = summary.twins.map { twin in
            TicketModel.TwinRow(
                href: "/tickets/\(twin)", name: twinNumbers[twin] ?? words["number_pending"], id: "\(twin)",
                maySeparate: mayAct)
        }
        model.hasTwins = !model.twins.isEmpty
        model.picture = TimelinePicture(summary: summary, level: level, words: words, now: now)
        model.mayAct = mayAct
        model.forms = mayAct ? TicketForms(builder: self).all() : []
        model.sites = knownSites
        return model
    }

    /// The displayed value of a field as people read it.
    func value(of field: Field) -> String? {
        guard let write = summary.displayedWrite(field) else { return nil }
        return record.operation(write).flatMap { written($0, field) }
    }

    func written(_ operation: Operation, _ field: Field) -> String? {
        guard let value = record.body(of: operation)?.value(of: field) else { return nil }
        return words.value(value, of: field, in: record)
    }

    private func facts() -> [TicketModel.Fact] {
        let opening = summary.opening
        var result: [TicketModel.Fact] = []
        func add(_ label: String, _ value: String?) {
            guard let value, !value.isEmpty, value != "—" else { return }
            result.append(TicketModel.Fact(label: label, value: value))
        }
        add(words["opened_at"], words.time(opening?.at))
        add(
            words["opened_by"],
            opening.map { "\($0.author) · \(words.department($0.department)) · \($0.site.rawValue)" })
        if let opening, opening.firstContact != opening.at {
            add(words["first_contact"], words.time(opening.firstContact))
        }
        let skipped: Set<Field> = [.title, .body, .urgency, .customer]
        for state in summary.fields.prefix(40) where !skipped.contains(state.field) {
            add(words.field(state.field), value(of: state.field))
        }
        if summary.reopenedCount > 0 { add(words["reopened_count"], String(summary.reopenedCount)) }
        if summary.bounceCount > 0 { add(words["bounce_count"], String(summary.bounceCount)) }
        if !summary.watchers.isEmpty {
            add(words["watchers"], summary.watchers.prefix(20).map(\.name).joined(separator: "、"))
        }
        return result
    }

    private func describeHolder(_ model: inout TicketModel) {
        guard let custody = summary.custody else { return }
        model.holder = words.department(custody.department)
        model.holderSite = custody.site.rawValue
        model.holderSince = words.time(custody.delivered ?? custody.since)
        model.holderPerson = custody.person
        if let verdict = urgentVerdict(level.verdicts) {
            model.nextStep = words.subject(verdict.subject)
            model.nextBar = words.bar(verdict, now: now)
        }
    }

    private func notices() -> [String] {
        var result: [String] = []
        if summary.isPending { result.append(words[summary.voidCount > 0 ? "notice_void" : "notice_pending"]) }
        if let dot = record.freezingDamage {
            result.append(words.filled("notice_frozen_damaged", "\(dot)"))
        } else if summary.isFrozenForEditing {
            result.append(words["notice_frozen"])
        }
        if let arbiter = summary.lockedToArbiter { result.append(words.filled("notice_locked", arbiter.rawValue)) }
        if let custody = summary.custody, custody.delivered == nil {
            result.append(words.filled("notice_travelling", custody.site.rawValue))
        }
        if !mayAct, summary.isFrozenForEditing == false { result.append(words["notice_read_only"]) }
        return result
    }

    private func clocks() -> [TicketModel.Clock] {
        let clocks = level.clocks
        let whole = max(1, clocks.customer, clocks.link, clocks.departments.map(\.milliseconds).max() ?? 0)
        func clock(_ name: String, _ milliseconds: Int64, _ level: String) -> TicketModel.Clock {
            TicketModel.Clock(
                name: name,
                bar: Bar(
                    percent: Int(min(100, milliseconds * 100 / whole)), level: level,
                    text: words.duration(milliseconds)))
        }
        var result = clocks.departments.prefix(ConsoleLimits.pictureLanesMax).map {
            let name = "\(words["clock_department"]) · \(words.department($0.department)) · \($0.site)"
            return clock(name, $0.milliseconds, "ok")
        }
        result.append(clock(words["clock_link"], clocks.link, "link"))
        result.append(clock(words["clock_customer"], clocks.customer, "none"))
        return result
    }

    private func steps() -> [TicketModel.StepRow] {
        level.verdicts.suffix(60).map { verdict in
            let bar = words.bar(verdict, now: now)
            let isTotal = if case .step = verdict.subject { false } else { true }
            return TicketModel.StepRow(
                name: words.subject(verdict.subject),
                holder: words.department(verdict.department), holderSite: verdict.site.rawValue,
                started: compact(verdict.started), due: compact(verdict.due),
                limit: words.duration(verdict.limitMilliseconds), elapsed: words.duration(verdict.elapsedMilliseconds),
                bar: bar, verdict: words.verdict(verdict.state), level: bar.level, isTotal: isTotal)
        }
    }

    private func compact(_ instant: Int64?) -> String { words.compactTime(instant, near: now) }

    private func path() -> [TicketModel.PathRow] {
        let latest = Array(summary.path.enumerated().suffix(ConsoleLimits.pictureLanesMax * 2))
        return latest.map { index, custody in
            TicketModel.PathRow(
                position: index + 1, department: words.department(custody.department), site: custody.site.rawValue,
                way: custody.variant.map { words.variant($0) }
                    ?? words[custody.cycle == 0 ? "kind_open" : "kind_reopen"],
                since: compact(custody.since),
                delivered: custody.isReceiptMissing ? words["receipt_missing"] : compact(custody.delivered),
                isReceiptMissing: custody.isReceiptMissing,
                person: custody.person ?? "",
                accepted: custody.accepted.map { compact($0) } ?? "—",
                replied: compact(custody.replied), left: compact(custody.left),
                isCurrent: custody.id == summary.custody?.id, isContested: custody.isContested)
        }
    }
}

extension ConsoleWords {
    /// A field's value as people read it; telephone numbers are masked.
    func value(_ value: SetFieldBody.Value, of field: Field, in record: TicketRecord) -> String {
        switch value {
        case .sealed(let sealed): return self["withheld_\(record.withheld(sealed).rawValue)"]
        case .number(let number):
            if field == .urgency { return urgency(UInt8(exactly: number).flatMap(Urgency.init) ?? .unknown) }
            return field.shape == .number ? time(number) : String(number)
        case .text(let text):
            if field == .category { return category(text) }
            if field == .responsibleDepartment { return department(text) }
            return Masking.maskedFields.contains(field) ? Masking.mask(text) : text
        }
    }
}
