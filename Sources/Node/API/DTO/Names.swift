package import Replication
package import ServiceLevels
package import Tickets

/// Names of enumerated values in JSON and on the command line: those of the cases, never translated.
package protocol APINamed: CaseIterable, Sendable {}

extension APINamed {
    package var apiName: String { "\(self)" }

    package init?(apiName: String) {
        guard let value = Self.allCases.first(where: { $0.apiName == apiName }) else { return nil }
        self = value
    }

    /// `a, b or c`, for messages.
    package static var apiNames: String { allCases.map(\.apiName).joined(separator: "|") }
}

extension Role: APINamed {}
extension AuthorityLevel: APINamed {}
extension TicketStatus: APINamed {}
extension Urgency: APINamed {}
extension TransferBody.Variant: APINamed {}
extension Step: APINamed {}
extension RouteCase: APINamed {}
extension VerdictState: APINamed {}
extension Kind: APINamed {}

extension LimitSubject {
    /// A step's name, `departmentTotal`, or `ticket`.
    package var apiName: String {
        switch self {
        case .step(let step): step.apiName
        case .departmentTotal: "departmentTotal"
        case .ticket: "ticket"
        }
    }
}

extension Field {
    private static let names: [(Field, String)] = [
        (.title, "title"), (.body, "body"), (.category, "category"), (.urgency, "urgency"), (.channel, "channel"),
        (.region, "region"), (.contact, "contact"), (.location, "location"), (.occurrenceTime, "occurrenceTime"),
        (.expectedResolutionTime, "expectedResolutionTime"), (.relatedSystem, "relatedSystem"), (.cause, "cause"),
        (.responsibleDepartment, "responsibleDepartment"), (.responsibleCause, "responsibleCause"),
        (.promisedTime, "promisedTime"), (.business, "business"), (.phenomenon, "phenomenon"), (.extent, "extent"),
        (.customer, "customer"), (.customerLabel, "customerLabel"),
    ]

    package static var apiNames: String { names.map(\.1).joined(separator: "|") }

    /// `field42` for one that this version does not know.
    package var apiName: String { Self.names.first { $0.0 == self }?.1 ?? "field\(rawValue)" }

    package init?(apiName: String) {
        if let known = Self.names.first(where: { $0.1 == apiName })?.0 {
            self = known
        } else if apiName.hasPrefix("field"), let number = UInt16(apiName.dropFirst(5)), number > 0 {
            self.init(rawValue: number)
        } else {
            return nil
        }
    }

    /// Whether the number is a UTC instant.
    package var isInstant: Bool {
        self == .occurrenceTime || self == .expectedResolutionTime || self == .promisedTime
    }
}

extension Dot {
    /// `<16 hexadecimal digits>:<sequence>`, as `description` writes it.
    package init?(text: some StringProtocol) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let replica = ReplicaID(hexadecimal: String(parts[0])), let sequence = UInt64(parts[1]),
            sequence > 0
        else { return nil }
        self.init(replica, sequence)
    }
}

extension VersionVector {
    /// Dots as texts, ascending.
    package var texts: [String] { entries.map(\.description) }
}
