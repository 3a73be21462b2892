internal import Replication
internal import Store

/// The body of `POST /api/v1/jobs/bundle`.
package struct BundleRequest: Codable, Sendable, Hashable {
    /// Site code.
    package var peer: String
    /// Nil for a name of its own in the folder's `bundles`.
    package var path: String?
    /// Of one bundle; nil for as many as one takes.
    package var operationsMax: Int?

    package init(peer: String, path: String? = nil, operationsMax: Int? = nil) {
        self.peer = peer
        self.path = path
        self.operationsMax = operationsMax
    }
}

/// The body of `POST /api/v1/jobs/bundle-apply`.
package struct BundleApplyRequest: Codable, Sendable, Hashable {
    package var path: String
    /// Absent for no.
    package var allowsExpired: Bool?

    package init(path: String, allowsExpired: Bool? = nil) {
        self.path = path
        self.allowsExpired = allowsExpired
    }
}

/// What `sync bundle create` has made.
package struct BundleReport: Codable, Sendable, Hashable {
    package struct File: Codable, Sendable, Hashable {
        package var path: String
        package var number: Int
        package var bytes: Int
        package var operations: Int
        /// Positions of the feed: the operations lie behind the first, up to the second.
        package var start: UInt64
        package var end: UInt64
    }

    package var peer: String
    /// Absent if any node of the site may apply it.
    package var node: String?
    package var bundles: [File]
    package var operations: Int
    /// Operations that no bundle of this series holds.
    package var remaining: Int
    /// Position of the peer's feed that the bundles acknowledge.
    package var acknowledges: UInt64?
    /// Of this node's certificate: afterwards the receiver has to allow for it.
    package var certificateNotAfter: Instant
}

/// What `sync bundle apply` has done.
package struct BundleAppliedReport: Codable, Sendable, Hashable {
    package var path: String
    package var sender: String
    package var node: String
    package var number: Int
    package var created: Instant
    package var start: UInt64
    package var end: UInt64
    /// Where the series ends.
    package var head: UInt64
    package var operations: Int
    /// Operations in the batches that were committed.
    package var applied: Int
    /// Operations in batches that were here already.
    package var held: Int
    /// Operations of these that wait for what justifies them.
    package var parked: Int
    /// Position up to which the sender holds this node's feed, as far as that was news.
    package var acknowledged: UInt64?
    /// The sender's certificate had expired.
    package var isExpired: Bool

    init(_ header: BundleHeader, path: String, isExpired: Bool) {
        self.path = path
        sender = header.sender.rawValue
        node = "\(header.senderReplica)"
        number = Int(header.number)
        created = Instant(header.created)
        start = header.start.position
        end = header.end.position
        head = header.head
        operations = Int(header.operations)
        applied = 0
        held = 0
        parked = 0
        acknowledged = nil
        self.isExpired = isExpired
    }
}
