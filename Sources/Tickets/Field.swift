/// A field of a ticket by its number on the wire; numbers that this version does not know are kept as they are.
///
/// Source: Protocols/tickets.md §4.
package struct Field: RawRepresentable, Hashable, Comparable, Sendable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    package static let title = Field(rawValue: 1)
    package static let body = Field(rawValue: 2)
    package static let category = Field(rawValue: 3)
    package static let urgency = Field(rawValue: 4)
    package static let channel = Field(rawValue: 5)
    /// The customer's home region.
    package static let region = Field(rawValue: 6)
    package static let contact = Field(rawValue: 7)
    package static let location = Field(rawValue: 8)
    package static let occurrenceTime = Field(rawValue: 9)
    package static let expectedResolutionTime = Field(rawValue: 10)
    package static let relatedSystem = Field(rawValue: 11)
    package static let cause = Field(rawValue: 12)
    package static let responsibleDepartment = Field(rawValue: 13)
    package static let responsibleCause = Field(rawValue: 14)
    package static let promisedTime = Field(rawValue: 15)
    package static let business = Field(rawValue: 16)
    package static let phenomenon = Field(rawValue: 17)
    /// Whom it touches: one person or a group.
    package static let extent = Field(rawValue: 18)
    package static let customer = Field(rawValue: 19)
    package static let customerLabel = Field(rawValue: 20)

    package enum Shape: Sendable {
        case text
        /// A short text that is kept in the ticket's state itself.
        case code
        case number
    }

    /// How a value is carried; unknown fields are texts.
    package var shape: Shape {
        switch self {
        case .urgency, .occurrenceTime, .expectedResolutionTime, .promisedTime: .number
        case .category, .channel, .region, .responsibleDepartment, .responsibleCause, .extent: .code
        default: .text
        }
    }

    /// Whether its texts tell who the customer is: they are sealed before they are written.
    /// Source: Protocols/personal-data.md §1.
    package var isPersonal: Bool {
        switch self {
        case .contact, .location, .customer, .customerLabel: true
        default: false
        }
    }

    package static func < (left: Field, right: Field) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// How pressing a ticket is.
package enum Urgency: UInt8, Sendable, CaseIterable, Codable {
    case unknown = 0
    case urgent = 1
    case high = 2
    case middle = 3
    case low = 4
}

/// What a person's input may hold; listed in Protocols/limits.md.
package enum TicketLimits {
    package static let titleCharactersMax = 200
    package static let bodyCharactersMax = 8_000
    package static let stringBytesMax = 16 * 1024
    /// Longer codes are kept in the operation only.
    package static let codeBytesMax = 32
    /// What the body of an operation may take; the rest is the envelope's.
    package static let bodyBytesMax = 60 * 1024
    package static let nestingMax = 8
    /// Best score of a customer; 1 is the worst, 0 stands for not asked.
    package static let scoreMax: UInt8 = 5
}
