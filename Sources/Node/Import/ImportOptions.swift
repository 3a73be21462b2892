internal import Replication

/// What a person asks of one import beside the files.
package struct ImportOptions: Hashable, Sendable, Codable {
    /// Rows in which a column has one of the values.
    package struct Condition: Hashable, Sendable, Codable {
        package var column: String
        package var values: [String]

        /// - Parameter text: `COLUMN=VALUE[,VALUE…]`. Nil for anything else.
        package init?(_ text: String) {
            guard let sign = text.firstIndex(of: "="), sign > text.startIndex else { return nil }
            column = String(text[..<sign])
            values = text[text.index(after: sign)...].split(separator: ",", omittingEmptySubsequences: false)
                .map(String.init)
        }
    }

    /// All of them have to hold. Any condition takes the place of the mapping's sites.
    package var conditions: [Condition] = []
    /// Take the rows of every office.
    package var takesAll = false
    /// Take the rows of this group of the mapping, whatever site it names.
    package var siteGroup: String?
    /// Sites of the mapping's groups where they are not those that the mapping names.
    package var siteCodes: [String: String] = [:]
    /// Count what would be written, and write nothing.
    package var isDryRun = false

    package init() {}

    /// What is not given is as it is without options.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        conditions = try container.decodeIfPresent([Condition].self, forKey: .conditions) ?? []
        takesAll = try container.decodeIfPresent(Bool.self, forKey: .takesAll) ?? false
        siteGroup = try container.decodeIfPresent(String.self, forKey: .siteGroup)
        siteCodes = try container.decodeIfPresent([String: String].self, forKey: .siteCodes) ?? [:]
        isDryRun = try container.decodeIfPresent(Bool.self, forKey: .isDryRun) ?? false
    }
}

/// What is wrong with the options, and what to do instead.
package struct ImportOptionProblem: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String
}

/// Which rows this office takes, and what site a row belongs to.
struct RowSelection: Sendable {
    private enum Rule: Sendable {
        case all
        case group(Int)
        case conditions([(column: Int, values: Set<String>)])
    }

    private let sites: ImportMapping.Sites?
    private let siteColumn: Int
    private let codes: [SiteCode]
    private let rule: Rule

    /// - Throws: `ImportOptionProblem`; the mapping's columns are known to be there.
    init(
        _ options: ImportOptions, _ mapping: ImportMapping, columns: [String: Int], site: SiteCode
    ) throws(ImportOptionProblem) {
        sites = mapping.sites
        siteColumn = mapping.sites.flatMap { columns[$0.column.name] } ?? 0
        codes = try Self.codes(options, mapping)
        if !options.conditions.isEmpty {
            var conditions: [(column: Int, values: Set<String>)] = []
            for condition in options.conditions {
                guard let column = columns[condition.column] else {
                    throw ImportOptionProblem(
                        description: "--where names \"\(condition.column)\"; the file has "
                            + columns.keys.sorted().joined(separator: ", "))
                }
                conditions.append((column, Set(condition.values)))
            }
            rule = .conditions(conditions)
        } else if options.takesAll || mapping.sites == nil {
            rule = .all
        } else {
            rule = .group(try Self.group(options, mapping, codes, site))
        }
    }

    private static func codes(
        _ options: ImportOptions, _ mapping: ImportMapping
    ) throws(ImportOptionProblem) -> [SiteCode] {
        let groups = mapping.sites?.groups ?? []
        var codes = groups.map(\.site)
        for (name, text) in options.siteCodes {
            guard let index = groups.firstIndex(where: { $0.name == name }) else {
                throw ImportOptionProblem(description: unknownGroup(name, groups))
            }
            guard let code = SiteCode(text) else {
                throw ImportOptionProblem(description: "\(text) is no site's code; it looks like hz.zj")
            }
            codes[index] = code
        }
        return codes
    }

    private static func group(
        _ options: ImportOptions, _ mapping: ImportMapping, _ codes: [SiteCode], _ site: SiteCode
    ) throws(ImportOptionProblem) -> Int {
        let groups = mapping.sites?.groups ?? []
        if let name = options.siteGroup {
            guard let index = groups.firstIndex(where: { $0.name == name }) else {
                throw ImportOptionProblem(description: unknownGroup(name, groups))
            }
            return index
        }
        guard let index = codes.firstIndex(of: site) else {
            let known = zip(groups, codes).map { "\($0.name) (\($1))" }.joined(separator: ", ")
            throw ImportOptionProblem(
                description: "no rows belong to this site, \(site): the mapping has \(known). "
                    + "Say which with --site-group NAME or --where, take every row with --all, or change the mapping")
        }
        return index
    }

    private static func unknownGroup(_ name: String, _ groups: [ImportMapping.Sites.Group]) -> String {
        "the mapping has no group \(name); it has \(groups.map(\.name).joined(separator: ", "))"
    }

    /// The group a row belongs to; nil if the mapping has no sites.
    func group(of row: CSVRecord) -> Result<Int?, RefusedRow> {
        guard let sites else { return .success(nil) }
        let value = row.fields[siteColumn]
        guard let group = sites.group(of: value) else {
            return .failure(
                RefusedRow(
                    line: row.line, column: sites.column.name,
                    problem: "a value of one of the mapping's site groups, not \"\(value)\""))
        }
        return .success(group)
    }

    func site(_ group: Int?) -> SiteCode? { group.map { codes[$0] } }

    func takes(_ row: CSVRecord, group: Int?) -> Bool {
        switch rule {
        case .all: true
        case .group(let own): group == own
        case .conditions(let conditions): conditions.allSatisfy { $0.values.contains(row.fields[$0.column]) }
        }
    }
}

extension RefusedRow: Error {}
