package import Store

/// One line of the audit view: an entry of this node's journal, or an operation of the log.
package struct AuditEntry: Codable, Sendable, Hashable {
    package enum Source: String, Codable, Sendable { case journal, log }

    package var source: Source
    /// Of the journal the sequence, of the log the arrival here.
    package var place: Int64
    /// Of an operation.
    package var dot: String?
    /// By the clock of the node where it was done.
    package var at: Instant
    package var actor: String
    /// Of an operation's author.
    package var role: String?
    package var site: String
    /// Of an operation the replica that wrote it.
    package var origin: String
    package var action: String
    package var subject: String
    package var detail: String
    package var hash: String
}

/// What `GET /api/v1/audit` answers, the latest first.
package struct AuditPage: Codable, Sendable, Hashable {
    package static let limitMax = 500
    package static let limitStandard = 50

    package var entries: [AuditEntry]
    /// For `after`, where there is more.
    package var next: String?
}

/// What `GET /api/v1/audit/verify` answers.
package struct JournalReport: Codable, Sendable, Hashable {
    package struct Finding: Codable, Sendable, Hashable {
        package enum Code: String, Codable, Sendable, CaseIterable {
            case beginning, missing, changed, cutOff, rewritten, prunedEarly
        }

        package var code: Code
        /// The first entry in question, and the last; 0 where that cannot be told.
        package var from: UInt64
        package var to: UInt64
        /// The operation whose anchor shows it.
        package var anchor: String?
    }

    package var isIntact: Bool { findings.isEmpty }
    package var first: UInt64
    package var last: UInt64
    package var count: Int
    package var hash: String
    /// Anchors in the log that agree.
    package var anchors: Int
    /// Anchors of entries that were lost with a restored backup.
    package var lost: Int
    package var findings: [Finding]

    package init(_ check: JournalCheck) {
        first = check.first
        last = check.end.sequence
        count = check.count
        hash = "\(check.end.hash)"
        anchors = check.anchorCount
        lost = check.lostCount
        findings = check.findings.map(Finding.init)
    }
}

extension JournalReport.Finding {
    init(_ finding: JournalFinding) {
        switch finding {
        case .beginning(let sequence): self.init(code: .beginning, from: 1, to: sequence - 1)
        case .missing(let from, let to): self.init(code: .missing, from: from, to: to)
        case .changed(let sequence): self.init(code: .changed, from: max(1, sequence - 1), to: sequence)
        case .cutOff(let end, let anchor):
            self.init(code: .cutOff, from: end + 1, to: anchor.sequence, anchor: "\(anchor.dot)")
        case .rewritten(let agreed, let anchor):
            self.init(code: .rewritten, from: agreed + 1, to: anchor.sequence, anchor: "\(anchor.dot)")
        case .prunedEarly(let anchor):
            self.init(code: .prunedEarly, from: anchor.sequence, to: anchor.sequence, anchor: "\(anchor.dot)")
        }
    }
}

package struct RevealRequest: Codable, Sendable, Hashable {
    package var reason: String

    package init(reason: String) {
        self.reason = reason
    }
}

package struct AuditExportRequest: Codable, Sendable, Hashable {
    package var path: String
    package var format: AuditFileFormat
    /// As in the query of `GET /api/v1/audit`, without limit and place.
    package var filter: [String: String]

    package init(path: String, format: AuditFileFormat, filter: [String: String]) {
        self.path = path
        self.format = format
        self.filter = filter
    }
}
