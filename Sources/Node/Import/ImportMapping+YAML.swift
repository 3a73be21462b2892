internal import Replication
internal import Tickets

extension ImportMapping {
    private static let keys = [
        "source", "encoding", "separator", "ticket", "time", "actor", "department", "status", "text", "fields",
        "constants", "urgency", "events", "sites", "ignore",
    ]

    /// - Throws: `FileProblem` with the line and what was expected there.
    package init(path: String) throws(FileProblem) {
        try self.init(YAMLReader(path: path), path: path)
    }

    /// - Parameter text: of the file at `path`, which is named in problems and not read.
    package init(path: String, text: String) throws(FileProblem) {
        try self.init(YAMLReader(path: path, text: text), path: path)
    }

    private init(_ yaml: YAMLReader, path: String) throws(FileProblem) {
        try yaml.allow(Self.keys)
        self.path = path
        source = try yaml.requiredString("source")
        ticket = Column(name: try yaml.requiredString("ticket"), line: yaml.line("ticket"))
        guard let section = try yaml.section("time") else { throw yaml.problem(at: nil, "time is required") }
        (time, timePatterns, offsetMinutes) = try Self.time(section)
        encoding = try Self.encoding(yaml)
        separator = try Self.separator(yaml)
        status = try yaml.columns("status")
        ignored = try yaml.columns("ignore")
        actor = try yaml.value("actor")
        department = try yaml.value("department")
        text = try yaml.value("text")
        try readFields(yaml)
        urgencies = try Self.urgencies(yaml)
        if let section = try yaml.section("events") { events = try Self.events(section) }
        if let section = try yaml.section("sites") { sites = try Self.sites(section) }
        guard !status.isEmpty || events.actions.isEmpty else {
            throw yaml.problem(at: "events", "status, the column that the values of events stand in")
        }
    }

    private static func encoding(_ yaml: YAMLReader) throws(FileProblem) -> TextEncoding {
        guard let text = try yaml.string("encoding") else { return .utf8 }
        guard let encoding = TextEncoding(rawValue: text.lowercased()) else {
            throw yaml.problem(
                at: "encoding",
                "encoding is one of \(TextEncoding.allCases.map(\.rawValue).joined(separator: ", ")), not \(text)")
        }
        return encoding
    }

    private static func separator(_ yaml: YAMLReader) throws(FileProblem) -> Character {
        switch try yaml.string("separator") {
        case nil, ",", "comma": return ","
        case ";", "semicolon": return ";"
        case "\t", "tab": return "\t"
        case "|", "bar": return "|"
        case .some(let text):
            throw yaml.problem(at: "separator", "separator is comma, semicolon, tab or bar, not \(text)")
        }
    }

    private static func time(
        _ yaml: YAMLReader
    ) throws(FileProblem) -> (columns: [Column], patterns: [TimePattern], offsetMinutes: Int) {
        try yaml.allow(["columns", "formats", "offset"])
        let columns = try yaml.columns("columns")
        guard !columns.isEmpty else { throw yaml.problem(at: nil, "columns, those that the time stands in") }
        let texts = try yaml.strings("formats")
        guard (1...ImportLimits.timePatternCountMax).contains(texts.count) else {
            throw yaml.problem(at: "formats", "formats, a list of 1–\(ImportLimits.timePatternCountMax) time patterns")
        }
        var patterns: [TimePattern] = []
        for text in texts {
            do {
                patterns.append(try TimePattern(text))
            } catch {
                throw yaml.problem(at: "formats", error.text)
            }
        }
        guard let text = try yaml.string("offset") else { return (columns, patterns, 0) }
        guard let offsetMinutes = Self.offsetMinutes(text) else {
            throw yaml.problem(at: "offset", "offset is what local time is ahead of UTC, as +08:00, not \(text)")
        }
        return (columns, patterns, offsetMinutes)
    }

    private static func offsetMinutes(_ text: String) -> Int? {
        let parts = text.dropFirst().split(separator: ":", omittingEmptySubsequences: false)
        guard text.first == "+" || text.first == "-", parts.count == 2, parts.allSatisfy({ $0.utf8.count == 2 }),
            let hours = Int(parts[0]), let minutes = Int(parts[1]), (0...18).contains(hours), (0...59).contains(minutes)
        else { return nil }
        return (hours * 60 + minutes) * (text.first == "-" ? -1 : 1)
    }

    private mutating func readFields(_ yaml: YAMLReader) throws(FileProblem) {
        let names = Self.fieldNames.map(\.name)
        if let section = try yaml.section("fields") {
            try section.allow(names)
            for (name, field) in Self.fieldNames {
                if let value = try section.value(name) { fields.append((field, value)) }
            }
        }
        guard let section = try yaml.section("constants") else { return }
        try section.allow(["actor", "department"] + names)
        if let text = try section.string("actor") { actor = try once(actor, text, section, "actor") }
        if let text = try section.string("department") {
            department = try once(department, text, section, "department")
        }
        for (name, field) in Self.fieldNames {
            guard let text = try section.string(name) else { continue }
            let present = fields.first { $0.field == field }?.value
            fields.append((field, try once(present, text, section, name)))
        }
    }

    private func once(
        _ present: Value?, _ text: String, _ yaml: YAMLReader, _ key: String
    ) throws(FileProblem) -> Value {
        guard present == nil else { throw yaml.problem(at: key, "\(key) either from a column or as a constant") }
        return .constant(text)
    }

    private static func urgencies(_ yaml: YAMLReader) throws(FileProblem) -> Urgencies? {
        guard let section = try yaml.section("urgency") else { return nil }
        try section.allow(["column", "values"])
        let column = Column(name: try section.requiredString("column"), line: section.line("column"))
        guard let table = try section.section("values") else {
            throw section.problem(at: nil, "values, a table from the column's values to urgent, high, middle or low")
        }
        let names: [String: Urgency] = ["urgent": .urgent, "high": .high, "middle": .middle, "low": .low]
        var values: [String: Urgency] = [:]
        for key in table.keys {
            guard let urgency = names[try table.requiredString(key)] else {
                throw table.problem(at: key, "urgent, high, middle or low for \(key)")
            }
            values[key] = urgency
        }
        return Urgencies(column: column, values: values)
    }

    private static func events(_ yaml: YAMLReader) throws(FileProblem) -> Events {
        let lists = Action.allCases.map(\.rawValue)
        try yaml.allow(lists + ["transferWhenChanges", "transferWhenSiteChanges", "reopenAfterClose", "unlisted"])
        var events = Events()
        for action in Action.allCases {
            for text in try yaml.strings(action.rawValue) {
                let pattern = StatusPattern(text)
                if let other = events.actions.first(where: { $0.pattern == pattern }) {
                    throw yaml.problem(at: action.rawValue, "\(text) once; it is listed under \(other.action) already")
                }
                events.actions.append((pattern, action))
            }
        }
        events.transferWhenChanges = try yaml.columns("transferWhenChanges")
        events.transferWhenSiteChanges = try yaml.boolean("transferWhenSiteChanges") ?? false
        events.reopenAfterClose = try yaml.boolean("reopenAfterClose") ?? true
        switch try yaml.string("unlisted") {
        case nil, "note": break
        case "refuse": events.refusesUnlisted = true
        case .some(let text): throw yaml.problem(at: "unlisted", "unlisted is note or refuse, not \(text)")
        }
        return events
    }

    private static func sites(_ yaml: YAMLReader) throws(FileProblem) -> Sites {
        try yaml.allow(["column", "default", "groups"])
        let column = Column(name: try yaml.requiredString("column"), line: yaml.line("column"))
        guard let section = try yaml.section("groups"), !section.keys.isEmpty else {
            throw yaml.problem(at: "groups", "groups, a table from names to a site and its values")
        }
        var groups: [Sites.Group] = []
        var groupsByValue: [String: Int] = [:]
        for name in section.keys {
            guard let group = try section.section(name) else { continue }
            try group.allow(["site", "values"])
            let text = try group.requiredString("site")
            guard let site = SiteCode(text) else {
                throw group.problem(at: "site", "a site's code such as hz.zj, not \(text)")
            }
            for value in try group.strings("values") {
                if let other = groupsByValue.updateValue(groups.count, forKey: value) {
                    let former = other < groups.count ? groups[other].name : name
                    throw group.problem(at: "values", "\(value) once; the group \(former) has it already")
                }
            }
            groups.append(Sites.Group(name: name, site: site))
        }
        var otherwise: Int?
        if let text = try yaml.string("default") {
            otherwise = groups.firstIndex { $0.name == text }
            guard otherwise != nil else {
                throw yaml.problem(
                    at: "default", "one of the groups \(section.keys.joined(separator: ", ")), not \(text)")
            }
        }
        return Sites(column: column, groups: groups, groupsByValue: groupsByValue, otherwise: otherwise)
    }
}

extension YAMLReader {
    fileprivate func line(_ key: String) -> Int { problem(at: key, "").line }

    fileprivate func columns(_ key: String) throws(FileProblem) -> [ImportMapping.Column] {
        let line = line(key)
        return try strings(key).map { ImportMapping.Column(name: $0, line: line) }
    }

    /// The name of a column, or a text with names of columns in braces.
    fileprivate func value(_ key: String) throws(FileProblem) -> ImportMapping.Value? {
        guard let text = try string(key), !text.isEmpty else { return nil }
        let line = line(key)
        guard text.contains("{") else { return .column(ImportMapping.Column(name: text, line: line)) }
        var parts: [ImportMapping.Value] = []
        var rest = text[...]
        while let opening = rest.firstIndex(of: "{") {
            guard let closing = rest[opening...].firstIndex(of: "}") else {
                throw problem(at: key, "a } behind the name of the column in \"\(text)\"")
            }
            if opening > rest.startIndex { parts.append(.constant(String(rest[..<opening]))) }
            let name = String(rest[rest.index(after: opening)..<closing])
            parts.append(.column(ImportMapping.Column(name: name, line: line)))
            rest = rest[rest.index(after: closing)...]
        }
        if !rest.isEmpty { parts.append(.constant(String(rest))) }
        return .composed(parts)
    }
}
