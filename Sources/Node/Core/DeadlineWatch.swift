internal import Logging
internal import Replication
internal import ServiceLevels
internal import Store
internal import Synchronization
internal import Tickets

/// Says once for every open ticket of this site that a step nears or passes its limit. Nothing is written: warnings
/// are functions of the tickets and the time, and whoever looks computes them anew.
struct DeadlineWatch {
    /// Real milliseconds between two looks. The tickets are few that are open at one office.
    static let intervalMilliseconds = 15_000
    /// More that is new in one look, as after an import, is said in one line.
    static let singleNoticesMax = 20

    let node: SyncNode
    let logger: Logger
    private let access = StoreAccess()

    init(node: SyncNode, logger: Logger) {
        self.node = node
        self.logger = logger
    }

    private struct Notice: Hashable {
        var ticket: EntityID
        var custody: Dot
        var subject: LimitSubject
        var state: VerdictState
    }

    func run() async {
        var said: Set<Notice> = []
        while !Task.isCancelled {
            do {
                let current = try await access.run { try look() }
                let new = current.subtracting(said)
                if new.count > Self.singleNoticesMax {
                    logger.warning(
                        "steps near or beyond their limit: `banjie ticket list` shows them",
                        metadata: [
                            "overdue": "\(new.count { $0.state == .overdue })",
                            "near": "\(new.count { $0.state == .warning })",
                        ])
                }
                for notice in new where new.count <= Self.singleNoticesMax {
                    let level: Logger.Level = notice.state == .overdue ? .warning : .notice
                    logger.log(
                        level: level, notice.state == .overdue ? "a step is overdue" : "a step nears its limit",
                        metadata: ["ticket": "\(notice.ticket)", "subject": "\(notice.subject)"])
                }
                said = current
            } catch {
                logger.error("deadlines cannot be computed", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: .milliseconds(Self.intervalMilliseconds))
        }
    }

    private func look() throws -> Set<Notice> {
        var result: Set<Notice> = []
        let now = node.clock.now()
        let site = node.identity.site
        try node.reader.forEachOpenTicket { ticket in
            let summary = ticket.summary()
            guard summary.custody?.site == site || summary.opening?.site == site else { return }
            for verdict in deadlines(summary, node.catalog, now: now)
            where verdict.site == site && (verdict.state == .warning || verdict.state == .overdue) {
                result.insert(
                    Notice(ticket: ticket.id, custody: verdict.custody, subject: verdict.subject, state: verdict.state))
            }
        }
        return result
    }
}
