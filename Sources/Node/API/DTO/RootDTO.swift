internal import Replication
internal import Transport

/// What `GET /api/v1/roots` and the commands on roots answer.
package struct RootList: Codable, Sendable, Hashable {
    package struct Root: Codable, Sendable, Hashable {
        /// SHA-256 of the certificate, 64 hexadecimal digits.
        package var fingerprint: String
        package var name: String
        package var from: Instant
        package var until: Instant
        /// Certificates are signed under it.
        package var isNewest: Bool
    }

    /// A node that still comes with certificates of a former root.
    package struct Behind: Codable, Sendable, Hashable {
        package var site: String
        /// Nil for a site that was enrolled and has not been heard of.
        package var replica: String?
        /// End of its certificate.
        package var until: Instant
        package var heard: Instant?
    }

    package var roots: [Root]
    /// Certificates are signed anew at the next contact, and not only when they are due.
    package var hurries: Bool
    package var behind: [Behind]

    init(_ status: RootStatus) {
        roots = status.roots.map {
            Root(
                fingerprint: $0.fingerprint, name: $0.commonName, from: Instant($0.notBeforeMilliseconds),
                until: Instant($0.notAfterMilliseconds), isNewest: $0 == status.roots.first)
        }
        hurries = status.hurries
        behind = status.behind.map {
            Behind(
                site: $0.site.rawValue, replica: $0.replica?.description, until: Instant($0.notAfter),
                heard: Instant(nonzero: $0.heard))
        }
    }
}

/// What `POST /api/v1/roots/rotate` takes.
package struct RootRotation: Codable, Sendable, Hashable {
    package var hurries: Bool
    /// Who says so; nil for the node itself.
    package var name: String?

    package init(hurries: Bool, name: String? = nil) {
        self.hurries = hurries
        self.name = name
    }
}

/// What `POST /api/v1/roots/retire` takes.
package struct RootRetirement: Codable, Sendable, Hashable {
    /// Its beginning is enough.
    package var fingerprint: String
    package var isForced: Bool
    package var name: String?

    package init(fingerprint: String, isForced: Bool = false, name: String? = nil) {
        self.fingerprint = fingerprint
        self.isForced = isForced
        self.name = name
    }
}
