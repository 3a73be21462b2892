internal import Replication
internal import Store
internal import Tickets

/// What all of the console's routes share.
final class ConsoleState: Sendable {
    let node: SyncNode
    let sessions = SessionTable()
    let loginGuard = LoginGuard()
    /// Short reads; long ones have a thread of their own, and so have passwords.
    let pages = StoreAccess()
    let reports = StoreAccess()
    let passwords = StoreAccess()
    /// Milliseconds that never step, for sessions and lock-outs.
    let monotonic: @Sendable () -> Int64
    let views: ConsoleViews

    init(node: SyncNode, monotonic: @escaping @Sendable () -> Int64) {
        self.node = node
        self.monotonic = monotonic
        views = ConsoleViews()
    }

    /// The author that a person's operations carry.
    func author(_ account: ConsoleAccount) -> Author {
        let site = node.identity.site
        return Author(
            name: account.name, role: account.role, level: AuthorityLevel(of: site), site: site,
            department: account.department, catalogVersion: node.catalog.version)
    }

    func account(_ name: String) async throws -> Account? {
        let reader = node.reader
        return try await pages.run { try reader.accounts().first { $0.name == name } }
    }
}

/// Who looks at a page, and in which language.
struct ConsoleVisit: Sendable {
    var language = Language.chinese
    var session: ConsoleSession?
}
