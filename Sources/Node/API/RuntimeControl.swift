package import Replication

/// Where a running node's listeners are really bound, as HOST:PORT with the host that others are to dial.
package struct RuntimeAddresses: Codable, Sendable, Hashable {
    package var sync: String?
    package var enrolment: String?
    package var console: String?

    package init(sync: String? = nil, enrolment: String? = nil, console: String? = nil) {
        self.sync = sync
        self.enrolment = enrolment
        self.console = console
    }
}

/// What can be asked of a node that runs, beside its store.
package protocol RuntimeControl: Sendable {
    /// Ends sessions with a peer (nil: all) and starts none until resumed.
    func pause(_ peer: SiteCode?) async throws
    func resume(_ peer: SiteCode?) async throws
    /// Dials at once instead of waiting for the next attempt.
    func syncNow(_ peer: SiteCode?) async throws
    var addresses: RuntimeAddresses { get }
}
