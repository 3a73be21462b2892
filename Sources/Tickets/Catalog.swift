internal import Foundation

/// Versioned reference data: departments, categories, limits and windows. Replicated as JSON in catalog documents;
/// never read while merging.
///
/// Source: Protocols/catalog.md.
package struct Catalog: Hashable, Sendable, Codable {
    /// The bounce limit before any catalog has arrived.
    package static let bounceLimitStandard = 3

    package var version: UInt32
    package var departments: [Department]
    package var categories: [Category]
    package var limits: StepLimits
    package var totals: RouteTotals
    /// Two chases of one customer within so many hours are one.
    package var chaseWindowHours: Int
    /// At so many A→B→A in a cycle the ticket locks to its arbiter.
    package var bounceLimit: Int
    /// A warning is given when this fraction of a limit has passed.
    package var warningFraction: Double
    /// By department code; those that are not named work around the clock.
    package var workingHours: [String: WorkingHours]?

    package struct Department: Hashable, Sendable, Codable {
        package var code: String
        package var chinese: String
        package var english: String
        /// The site it belongs to; nil for a department that every site has.
        package var site: String?
        /// Talks to customers: takes tickets in and gives feedback.
        package var isAccepting: Bool

        package init(code: String, chinese: String, english: String, site: String? = nil, isAccepting: Bool = false) {
            self.code = code
            self.chinese = chinese
            self.english = english
            self.site = site
            self.isAccepting = isAccepting
        }
    }

    package struct Category: Hashable, Sendable, Codable {
        package var code: String
        package var chinese: String
        package var english: String
        /// Where such a ticket is dispatched to.
        package var department: String?
        package var children: [Category]?

        package init(
            code: String, chinese: String, english: String, department: String? = nil, children: [Category]? = nil
        ) {
            self.code = code
            self.chinese = chinese
            self.english = english
            self.department = department
            self.children = children
        }
    }

    /// Limits of single steps, in minutes.
    package struct StepLimits: Hashable, Sendable, Codable {
        package var dispatchMinutes: Int
        package var redispatchMinutes: Int
        package var handlingMinutes: Int
        package var replyMinutes: Int
        package var feedbackMinutes: Int

        package func minutes(_ step: Step) -> Int {
            switch step {
            case .dispatch: dispatchMinutes
            case .redispatch: redispatchMinutes
            case .handling: handlingMinutes
            case .reply: replyMinutes
            case .feedback: feedbackMinutes
            }
        }
    }

    /// Limits of what a department holds a ticket in all, in minutes, by the case of the route.
    package struct RouteTotals: Hashable, Sendable, Codable {
        package struct Totals: Hashable, Sendable, Codable {
            /// Of the accepting department.
            package var acceptingMinutes: Int
            /// Of each handling department.
            package var handlingMinutes: Int
            /// Of the whole ticket, from the form to the end of feedback.
            package var ticketMinutes: Int
        }

        package var desk: Totals
        package var direct: Totals
        package var relayed: Totals

        package func totals(_ route: RouteCase) -> Totals {
            switch route {
            case .desk: desk
            case .direct: direct
            case .relayed: relayed
            }
        }
    }
}

extension Catalog {
    /// - Throws: an error that names the field when the bytes are no catalog.
    package init(json bytes: [UInt8]) throws(CatalogFailure) {
        do {
            self = try JSONDecoder().decode(Catalog.self, from: Data(bytes))
        } catch {
            throw CatalogFailure.unreadable("\(error)")
        }
        try check()
    }

    /// Keys in a fixed order, so that equal catalogs have equal bytes.
    package func json() -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        do {
            return Array(try encoder.encode(self))
        } catch {
            preconditionFailure("a catalog's fields all have a JSON form: \(error)")
        }
    }

    private func check() throws(CatalogFailure) {
        guard (1...1_000).contains(chaseWindowHours) else { throw .invalid(field: "chaseWindowHours") }
        guard (1...1_000).contains(bounceLimit) else { throw .invalid(field: "bounceLimit") }
        guard warningFraction > 0, warningFraction <= 1 else { throw .invalid(field: "warningFraction") }
        let minutes =
            Step.allCases.map(limits.minutes)
            + RouteCase.allCases.map(totals.totals).flatMap {
                [$0.acceptingMinutes, $0.handlingMinutes, $0.ticketMinutes]
            }
        guard minutes.allSatisfy({ (1...Self.limitMinutesMax).contains($0) }) else { throw .invalid(field: "limits") }
        for (department, hours) in workingHours ?? [:] where !hours.isValid {
            throw .invalid(field: "workingHours.\(department)")
        }
    }

    /// No limit is longer than a year.
    private static let limitMinutesMax = 366 * 24 * 60

    package func department(_ code: String) -> Department? {
        departments.first { $0.code == code }
    }

    /// The category of a code anywhere in the tree.
    package func category(_ code: String) -> Category? {
        Self.find(code, in: categories)
    }

    private static func find(_ code: String, in categories: [Category]) -> Category? {
        for category in categories {
            if category.code == code { return category }
            if let found = find(code, in: category.children ?? []) { return found }
        }
        return nil
    }
}

/// Why a document is no catalog.
package enum CatalogFailure: Error, Hashable, Sendable, CustomStringConvertible {
    case unreadable(String)
    case invalid(field: String)

    package var description: String {
        switch self {
        case .unreadable(let reason): "the document is no catalog: \(reason)"
        case .invalid(let field): "\(field) has a value that no office can work with; correct it and publish again"
        }
    }
}

/// When a department works. Minutes count from midnight in the department's own time.
package struct WorkingHours: Hashable, Sendable, Codable {
    package struct Day: Hashable, Sendable, Codable {
        package var fromMinute: Int
        package var toMinute: Int

        package init(fromMinute: Int, toMinute: Int) {
            self.fromMinute = fromMinute
            self.toMinute = toMinute
        }
    }

    package var utcOffsetMinutes: Int
    /// Monday first; nil for a day off.
    package var week: [Day?]
    /// Days off, as days since 1970-01-01 in the department's own time.
    package var holidays: [Int]

    package init(utcOffsetMinutes: Int, week: [Day?], holidays: [Int] = []) {
        self.utcOffsetMinutes = utcOffsetMinutes
        self.week = week
        self.holidays = holidays
    }

    /// Seven days, at least one with working time.
    package var isValid: Bool {
        week.count == 7 && (-14 * 60...14 * 60).contains(utcOffsetMinutes) && week.contains { $0 != nil }
            && week.allSatisfy { day in
                day.map { 0 <= $0.fromMinute && $0.fromMinute < $0.toMinute && $0.toMinute <= 24 * 60 } ?? true
            }
    }
}
