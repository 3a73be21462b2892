/// What `POST /api/v1/sync/verify` and `/repair` answer.
package struct AuditReport: Codable, Sendable, Hashable {
    package struct Entry: Codable, Sendable, Hashable {
        package var peer: String
        package var node: String?
        /// False if there is no session: nothing was compared.
        package var isConnected: Bool
        /// Operations that the peer has and this node lacked, and the other way about.
        package var missingHere: UInt64
        package var missingThere: UInt64
        /// Dots that the two hold with different hashes.
        package var conflicting: UInt64
        /// Found again by a second pass, after repair.
        package var unresolved: UInt64
    }

    package var isRepair: Bool
    package var peers: [Entry]

    /// Somebody has to look: a peer was not reached, or something is left.
    package var isDegraded: Bool {
        peers.contains { entry in
            let found = entry.missingHere + entry.missingThere + entry.conflicting
            return !entry.isConnected || entry.unresolved > 0 || (!isRepair && found > 0) || entry.conflicting > 0
        }
    }
}

/// What `GET /api/v1/tickets/{ticket}/whereabouts` answers.
package struct WhereaboutsReport: Codable, Sendable, Hashable {
    package struct Peer: Codable, Sendable, Hashable {
        package var site: String
        package var role: String
        package var node: String?
        /// Operations of the ticket that it has not said it holds, without those it is not to get.
        package var lacking: Int
    }

    package struct Entry: Codable, Sendable, Hashable {
        package var dot: String
        package var kind: String
        package var at: Instant
        package var author: String
        package var site: String
        package var arrival: Int64
        package var isDamaged: Bool
        /// By peer, in the order of `peers`: `origin`, `held`, `audited`, `waiting`, `elsewhere`, `outside`.
        package var states: [String]
    }

    package struct Parked: Codable, Sendable, Hashable {
        package var dot: String
        package var source: String
        package var reason: String
        package var since: Instant
    }

    package var ticket: String
    package var peers: [Peer]
    package var operations: [Entry]
    package var parked: [Parked]
}

/// What `GET /api/v1/parked` answers.
package struct ParkedList: Codable, Sendable, Hashable {
    package var parked: [WhereaboutsReport.Parked]
}

package struct AdmissionRequest: Codable, Sendable, Hashable {
    package var from: String
    package var to: String

    package init(from: String, to: String) {
        self.from = from
        self.to = to
    }
}

package struct ReleaseRequest: Codable, Sendable, Hashable {
    /// Nil for all.
    package var dot: String?

    package init(dot: String?) {
        self.dot = dot
    }
}

package struct ReleaseReport: Codable, Sendable, Hashable {
    package var released: Int
    package var left: Int
}
