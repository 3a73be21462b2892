package import Replication

/// What a running node really listens on; nil for a listener that is off. HOST:PORT as others dial it.
package struct RuntimeAddresses: Sendable, Hashable, Codable {
    package var sync: String?
    package var enrolment: String?
    package var console: String?

    package init(sync: String? = nil, enrolment: String? = nil, console: String? = nil) {
        self.sync = sync
        self.enrolment = enrolment
        self.console = console
    }
}

/// The part of a running node that the API can move. A command on a stopped node's folder has none.
package protocol RuntimeControl: Sendable {
    var addresses: RuntimeAddresses { get }
    /// - Parameter peer: nil for all.
    func pause(_ peer: SiteCode?) async throws
    func resume(_ peer: SiteCode?) async throws
    /// Dials without waiting for the back-off, or reads the feed on at once.
    func syncNow(_ peer: SiteCode?) async throws
    /// Compares stores with every connected node of a site.
    func audit(_ peer: SiteCode?, _ purpose: RangeAudit.Purpose) async throws
}
