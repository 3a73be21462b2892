/// What `GET /api/v1/status` answers.
package struct NodeStatus: Codable, Sendable, Hashable {
    package var site: String
    package var replica: String
    package var incarnation: IncarnationStatus
    package var parent: String?
    package var now: Instant
    /// False where a command looks at the folder of a node that does not run.
    package var isRunning: Bool
    package var addresses: RuntimeAddresses
    package var tickets: Int
    package var operations: Int
    package var parked: Int
    /// Rows of the log that do not match their hash.
    package var damaged: Int
    /// Tickets with concurrent values, and with contested transfers.
    package var conflicts: Int
    package var contested: Int
    /// `<operations>:<sum of their hashes>` over all tickets: equal at two nodes that hold the same.
    package var digest: String
    package var searchBacklog: Int
    /// Open tickets of which something is overdue, or near its limit.
    package var overdue: Int
    package var warning: Int
    package var peers: [PeerStatus]
    /// Why somebody should look; empty if all is well.
    package var degraded: [Degradation]
}

/// How the present incarnation came about.
package struct IncarnationStatus: Codable, Sendable, Hashable {
    /// Replica and last common sequence of the one before; nil for a node's first.
    package var follows: String?
    /// restored, rolledBack, forked, cloned or requested; nil for a node's first.
    package var reason: String?
    package var since: Instant?
    /// Operations of the one before that still have to be issued again.
    package var waiting: Int
    package var starts: UInt64

    package init(follows: String? = nil, reason: String? = nil, since: Instant? = nil, waiting: Int = 0, starts: UInt64)
    {
        self.follows = follows
        self.reason = reason
        self.since = since
        self.waiting = waiting
        self.starts = starts
    }
}

/// One reason for exit code 2.
package struct Degradation: Codable, Sendable, Hashable {
    package enum Reason: String, Codable, Sendable, CaseIterable {
        case peerDisconnected, peerPaused, operationsParked, rowsDamaged, searchBehind, clockOffset, storesDiffer
        case certificateExpiring
    }

    package var reason: Reason
    /// The peer it is about.
    package var peer: String?
    package var count: Int64?
}

package struct PeerStatus: Codable, Sendable, Hashable {
    package var site: String
    /// `parent`, `sibling` or `child`.
    package var role: String
    /// The incarnation it last ran under; nil before the first meeting.
    package var node: String?
    package var isConnected: Bool
    package var isPaused: Bool
    /// Not connected here, and that is in order: another node of its site is, or a sibling of this node looks after it.
    package var isElsewhere: Bool
    /// Since when connected or not; nil if that has never been otherwise.
    package var since: Instant?
    /// When this node last heard of it.
    package var lastContact: Instant?
    package var toSend: UInt64
    /// Nil if the peer has not said yet.
    package var toGet: UInt64?
    package var toGetKnownAt: Instant?
    /// Operations a second, lately; nil while nothing moves.
    package var sendRate: Double?
    package var getRate: Double?
    /// Seconds until everything is there, if it goes on like this.
    package var toSendSeconds: Double?
    package var toGetSeconds: Double?
    package var isAuditing: Bool
    package var audit: AuditStatus?
    package var clockOffsetMilliseconds: Int64?
    package var roundTripMilliseconds: Int64?
    package var lastFailure: String?
    package var sentOperations: UInt64
    package var receivedOperations: UInt64
    package var sentBytes: UInt64
    package var receivedBytes: UInt64
}

extension PeerStatus {
    package var isParent: Bool { role == "parent" }
}

/// How the last comparison of the two stores ended.
package struct AuditStatus: Codable, Sendable, Hashable {
    package var at: Instant
    /// Operations that one of the two lacked.
    package var found: UInt64
    /// Those that a second pass found again after repair.
    package var unresolved: UInt64
}

/// What `GET /api/v1/sync` answers.
package struct SyncStatus: Codable, Sendable, Hashable {
    package var site: String
    package var now: Instant
    package var isRunning: Bool
    package var addresses: RuntimeAddresses
    package var peers: [PeerStatus]
    /// What is to be looked at beside the peers: certificates that run out. Absent if nothing is.
    package var degraded: [Degradation]?
}

package struct PeerRequest: Codable, Sendable, Hashable {
    /// Nil for all peers.
    package var peer: String?

    package init(peer: String?) {
        self.peer = peer
    }
}

package struct ForgetRequest: Codable, Sendable, Hashable {
    package var peer: String
    /// Which of the site's nodes; nil if there is one that is not connected.
    package var node: String?

    package init(peer: String, node: String?) {
        self.peer = peer
        self.node = node
    }
}

package struct AccountEntry: Codable, Sendable, Hashable {
    package var name: String
    package var role: String
    package var department: String
    package var created: Instant
}

package struct AccountList: Codable, Sendable, Hashable {
    package var accounts: [AccountEntry]
}

package struct AccountRequest: Codable, Sendable, Hashable {
    /// Nil keeps what the account has; a new one is an agent.
    package var role: String?
    package var department: String?
    /// Nil keeps what the account has; a new one needs it.
    package var password: String?

    package init(role: String? = nil, department: String? = nil, password: String? = nil) {
        self.role = role
        self.department = department
        self.password = password
    }
}

package struct TokenRequest: Codable, Sendable, Hashable {
    package var site: String
    package var validHours: Int?

    package init(site: String, validHours: Int? = nil) {
        self.site = site
        self.validHours = validHours
    }
}

package struct TokenAnswer: Codable, Sendable, Hashable {
    package var site: String
    package var token: String
    package var expires: Instant
}

/// What `GET /api/v1/doctor` answers.
package struct DoctorReport: Codable, Sendable, Hashable {
    package var site: String
    package var now: Instant
    /// What was looked at, in order.
    package var checks: [String]
    package var findings: [Finding]

    package struct Finding: Codable, Sendable, Hashable {
        /// One of `checks`.
        package var check: String
        package var code: FindingCode
        /// The peer, file, operation or entity that it is about.
        package var subject: String?
        package var message: String
        package var next: String
    }
}

/// A long task of the node: a rebuild, a backup.
package struct JobState: Codable, Sendable, Hashable {
    package var id: String
    package var kind: String
    package var done: Int
    package var total: Int
    package var isFinished: Bool
    /// What it has made, by name.
    package var result: [String: String]?
    package var error: APIError?
}
