/// A ticket in one line: enough to recognise it.
package struct TicketBrief: Codable, Sendable, Hashable {
    package var id: String
    package var number: String
    package var title: String
    package var status: String
    package var holderSite: String
    package var holderDepartment: String
}

/// What a command on a ticket has become.
package struct TicketReceipt: Codable, Sendable, Hashable {
    package var ticket: TicketBrief
    /// Dots of the operations written.
    package var operations: [String]
    package var version: [String]
}

package struct TicketPage: Codable, Sendable, Hashable {
    package var items: [TicketListEntry]
    package var limit: Int
    package var offset: Int
    /// There are more behind this page.
    package var hasMore: Bool
    /// Operations that a search by text has not looked at yet.
    package var searchBacklog: Int?
}

package struct TicketListEntry: Codable, Sendable, Hashable {
    package var id: String
    package var number: String
    package var title: String
    package var status: String
    package var opened: Instant?
    package var openedSite: String
    package var acceptingDepartment: String
    package var holderSite: String
    package var holderDepartment: String
    package var holderSince: Instant?
    package var category: String
    package var urgency: String
    package var conflicts: Int
    package var contested: Int
    package var unansweredChases: Int
    package var undeliveredTransfers: Int
    /// How its limits stand, and when that changes next.
    package var verdict: String?
    package var nextDeadline: Instant?
}

/// Who did something, as the operation records it.
package struct AuthorFacts: Codable, Sendable, Hashable {
    package var name: String
    package var role: String
    package var level: String
    package var site: String
    package var department: String
}

/// What `GET /api/v1/tickets/{ticket}` answers: everything known of it at `now`.
package struct TicketDetail: Codable, Sendable, Hashable {
    package var id: String
    package var number: String
    /// Highest dot of each replica: to be given back with a command as what its author had seen.
    package var version: [String]
    package var digest: String
    package var now: Instant
    package var status: String
    /// The operation that opened it is still on its way.
    package var isPending: Bool
    /// It holds a critical operation that cannot be read here: nobody edits it.
    package var isFrozen: Bool
    /// The operation that it is frozen by, if its row is damaged; without it, it is of a kind that this version does not
    /// know.
    package var freezingDamage: String?
    package var title: String
    package var opening: Opening?
    package var fields: [FieldEntry]
    package var custody: CustodyEntry?
    package var path: [CustodyEntry]
    package var lockedToArbiter: String?
    package var bounceCount: Int
    package var onwardTransferCount: Int
    package var returnCount: Int
    package var reopenedCount: Int
    package var cycles: [Cycle]
    package var verdict: String?
    package var nextDeadline: Instant?
    package var limits: [Limit]
    package var clocks: Clocks
    package var contested: [Contest]
    package var chases: [Chase]
    package var tags: [String]
    package var watchers: [Watcher]
    package var twins: [TicketBrief]
    package var operationCount: Int
    package var opaqueCount: Int
    package var duplicateCount: Int
    package var lastChange: Instant?
    /// In the order of their times.
    package var timeline: [HistoryEntry]

    package struct Opening: Codable, Sendable, Hashable {
        package var dot: String
        package var at: Instant
        package var firstContact: Instant
        package var site: String
        package var department: String
        package var author: String
        package var isImported: Bool
    }

    /// A multi-value register: several values are a conflict.
    package struct FieldEntry: Codable, Sendable, Hashable {
        package var field: String
        package var isConflict: Bool
        /// The displayed one first, then by time.
        package var values: [FieldValue]
    }

    package struct FieldValue: Codable, Sendable, Hashable {
        /// Dot of the write.
        package var write: String
        /// Texts as they are, instants in ISO-8601, urgency by name.
        package var value: String
        package var at: Instant
        package var author: String
        package var site: String
        package var isDisplayed: Bool
        /// Why a personal value is empty: `notHere`, `erased` or `unreadable`.
        package var withheld: String?
    }

    package struct CustodyEntry: Codable, Sendable, Hashable {
        package var id: String
        package var cycle: Int
        /// How it came about; nil for the root of a cycle.
        package var variant: String?
        package var site: String
        package var department: String
        package var since: Instant
        package var delivered: Instant?
        package var accepted: Instant?
        package var person: String?
        package var replied: Instant?
        package var left: Instant?
        package var isContested: Bool
    }

    package struct Cycle: Codable, Sendable, Hashable {
        package var start: Instant
        package var fedBack: Instant?
        package var closed: Instant?
    }

    /// A limit and its verdict.
    package struct Limit: Codable, Sendable, Hashable {
        /// A step's name, `departmentTotal`, or `ticket`.
        package var subject: String
        package var cycle: Int
        package var site: String
        package var department: String
        package var started: Instant
        package var due: Instant?
        package var ended: Instant?
        package var state: String
        package var elapsedMilliseconds: Int64
        package var limitMilliseconds: Int64
    }

    package struct Clocks: Codable, Sendable, Hashable {
        package struct Department: Codable, Sendable, Hashable {
            package var site: String
            package var department: String
            package var milliseconds: Int64
        }

        package var departments: [Department]
        package var linkMilliseconds: Int64
        package var customerMilliseconds: Int64
        package var ticketMilliseconds: Int64
    }

    package struct Contest: Codable, Sendable, Hashable {
        package struct Candidate: Codable, Sendable, Hashable {
            package var transfer: String
            package var site: String
            package var department: String
            package var author: String
            package var authorSite: String
            package var at: Instant
            package var isAccepted: Bool
            package var isWinner: Bool
        }

        /// The custody they lead away from.
        package var custody: String
        package var candidates: [Candidate]
        package var isSettled: Bool
        package var settledAt: Instant?
        package var arbiter: String?
    }

    package struct Chase: Codable, Sendable, Hashable {
        package var dot: String
        package var at: Instant
        package var author: String
        package var site: String
        package var promised: Instant?
        package var notes: [String]
        package var isDelivered: Bool
        package var isAcknowledged: Bool
        package var isAnswered: Bool
    }

    package struct Watcher: Codable, Sendable, Hashable {
        package var name: String
        package var site: String?
    }
}

/// One operation of a ticket, readable.
package struct HistoryEntry: Codable, Sendable, Hashable {
    package var dot: String
    package var at: Instant
    /// When it was written down, where that is not when it happened (imports).
    package var recorded: Instant?
    /// Order of arrival at this node.
    package var arrival: Int64
    /// The kind's name, or `kind42` for one that this version does not know.
    package var kind: String
    package var author: AuthorFacts
    /// What it says, by name.
    package var details: [String: String]
    /// Why a personal value is missing among them: `notHere`, `erased` or `unreadable`.
    package var withheld: String?
    /// 64 hexadecimal digits.
    package var hash: String
    /// Scope, predecessors and version that the author had seen.
    package var scope: [String]
    package var seen: [String]
    /// It does not count: its replica was revoked before it.
    package var isVoid: Bool?
}

package struct TicketHistory: Codable, Sendable, Hashable {
    package var id: String
    package var number: String
    package var digest: String
    package var operations: [HistoryEntry]
}

/// What `GET /api/v1/conflicts` answers.
package struct ConflictList: Codable, Sendable, Hashable {
    package var items: [Item]

    package struct Item: Codable, Sendable, Hashable {
        package var ticket: TicketBrief
        package var fields: [TicketDetail.FieldEntry]
        package var contested: [TicketDetail.Contest]
    }
}
