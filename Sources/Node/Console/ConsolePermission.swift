internal import Replication

/// What a page or form asks of whoever uses it. Every route names one.
enum ConsolePermission: Sendable, CaseIterable {
    case readTickets
    case actOnTickets
    case readTimeliness
    case readSync
    case readAudit

    func isGranted(to role: Role) -> Bool {
        switch (self, role) {
        case (_, .system): false
        case (.readTickets, _): true
        case (.actOnTickets, .agent), (.actOnTickets, .dispatcher), (.actOnTickets, .supervisor),
            (.actOnTickets, .admin):
            true
        case (.actOnTickets, .assessor), (.actOnTickets, .auditor): false
        case (.readAudit, .admin), (.readAudit, .auditor): true
        case (.readAudit, .agent), (.readAudit, .dispatcher), (.readAudit, .supervisor), (.readAudit, .assessor): false
        case (.readTimeliness, .agent): false
        case (.readTimeliness, _): true
        case (.readSync, .admin), (.readSync, .supervisor): true
        case (.readSync, .agent), (.readSync, .dispatcher), (.readSync, .assessor), (.readSync, .auditor): false
        }
    }
}
