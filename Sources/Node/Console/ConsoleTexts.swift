internal import Replication
internal import ServiceLevels
internal import Tickets

/// Every text of the console in both languages, read from one table: `key | 中文 | English`, a line each.
struct ConsoleTexts: Sendable {
    private let chinese: [String: String]
    private let english: [String: String]

    init(table: String) {
        var chinese: [String: String] = [:]
        var english: [String: String] = [:]
        for line in table.split(separator: "\n") where !line.hasPrefix("#") {
            let parts = line.split(separator: "|", maxSplits: 2, omittingEmptySubsequences: false)
            precondition(parts.count == 3, "a line of the text table has three parts: \(line)")
            let trimmed = parts.map { part in
                String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
            }
            precondition(chinese[trimmed[0]] == nil, "a text has one line: \(trimmed[0])")
            chinese[trimmed[0]] = trimmed[1]
            english[trimmed[0]] = trimmed[2]
        }
        self.chinese = chinese
        self.english = english
    }

    /// All texts of a language, for templates.
    func all(_ language: Language) -> [String: String] {
        switch language {
        case .chinese: chinese
        case .english: english
        }
    }

    /// The key itself for one that is missing, so that it is seen.
    subscript(key: String, language: Language) -> String {
        all(language)[key] ?? "⟦\(key)⟧"
    }
}

/// Texts, names and numbers in the language of one visit.
struct ConsoleWords {
    let texts: ConsoleTexts
    let language: Language
    let catalog: Catalog

    subscript(key: String) -> String { texts[key, language] }

    /// A text with `%` replaced by a value.
    func filled(_ key: String, _ value: String) -> String {
        let text = self[key]
        guard let place = text.firstIndex(of: "%") else { return text }
        return text[..<place] + value + text[text.index(after: place)...]
    }

    func department(_ code: String) -> String {
        guard let known = catalog.department(code) else { return code.isEmpty ? self["department_none"] : code }
        return language == .chinese ? known.chinese : known.english
    }

    func category(_ code: String) -> String {
        guard let known = catalog.category(code) else { return code }
        return language == .chinese ? known.chinese : known.english
    }

    func status(_ status: TicketStatus) -> String {
        switch status {
        case .open: self["status_open"]
        case .inProgress: self["status_in_progress"]
        case .replied: self["status_replied"]
        case .fedBack: self["status_fed_back"]
        case .closed: self["status_closed"]
        }
    }

    func urgency(_ urgency: Urgency) -> String {
        switch urgency {
        case .unknown: self["urgency_unknown"]
        case .urgent: self["urgency_urgent"]
        case .high: self["urgency_high"]
        case .middle: self["urgency_middle"]
        case .low: self["urgency_low"]
        }
    }

    func role(_ role: Role) -> String {
        switch role {
        case .system: self["role_system"]
        case .agent: self["role_agent"]
        case .dispatcher: self["role_dispatcher"]
        case .supervisor: self["role_supervisor"]
        case .assessor: self["role_assessor"]
        case .auditor: self["role_auditor"]
        case .admin: self["role_admin"]
        }
    }

    func subject(_ subject: LimitSubject) -> String {
        switch subject {
        case .step(.dispatch): self["step_dispatch"]
        case .step(.redispatch): self["step_redispatch"]
        case .step(.handling): self["step_handling"]
        case .step(.reply): self["step_reply"]
        case .step(.feedback): self["step_feedback"]
        case .departmentTotal: self["subject_department"]
        case .ticket: self["subject_ticket"]
        }
    }

    func verdict(_ state: VerdictState) -> String {
        switch state {
        case .met: self["verdict_met"]
        case .running: self["verdict_running"]
        case .warning: self["verdict_warning"]
        case .late: self["verdict_late"]
        case .overdue: self["verdict_overdue"]
        case .uncertain: self["verdict_uncertain"]
        case .contested: self["verdict_contested"]
        }
    }

    func variant(_ variant: TransferBody.Variant) -> String {
        switch variant {
        case .dispatch: self["variant_dispatch"]
        case .onward: self["variant_onward"]
        case .returning: self["variant_returning"]
        }
    }

    func kind(_ kind: Kind) -> String { self["kind_\(kind)"] }

    func field(_ field: Field) -> String {
        let key = "field_\(field.rawValue)"
        return texts.all(language)[key] ?? "\(self["field_other"]) \(field.rawValue)"
    }
}
