package import Replication
internal import Store
internal import Tickets
package import Transport

/// Which roots a node trusts, and who still comes with certificates of a former one, as far as this node has heard.
///
/// A node's signed head carries the chain of its certificate up here, hours after that has changed at the latest.
/// Source: Protocols/trust.md §10.
package struct RootStatus: Sendable {
    /// A node that would be shut out if the former roots were retired now.
    package struct Behind: Sendable, Hashable {
        package var site: SiteCode
        /// Nil for a site that was enrolled and has never been heard of.
        package var replica: ReplicaID?
        /// End of its certificate, UTC milliseconds.
        package var notAfter: Int64
        /// When it last signed its head, UTC milliseconds by its clock; 0 if never.
        package var heard: Int64
    }

    /// The newest first.
    package let roots: [PeerCertificate]
    package let hurries: Bool
    package let behind: [Behind]

    /// - Throws: `StoreError`, `TransportError`.
    package init(node: SyncNode, keys: KeyFolder, now: Int64) throws {
        roots = try PeerCertificate.chain(pem: keys.read(.root))
        hurries = node.roots.hurries
        guard let newest = roots.first, roots.count > 1 else {
            behind = []
            return
        }
        let reader = node.reader
        let heads = try reader.heads()
        let followed = Set(heads.compactMap { try? reader.followed(by: $0.head.replica) })
        let revoked = node.revocations.peers
        var found: [Behind] = []
        for record in heads {
            let head = record.head
            guard !followed.contains(head.replica), !revoked.includes(head.replica),
                let leaf = try? PeerCertificate(pem: head.certificateChain),
                Self.isRenewable(leaf, now: now),
                !leads(head.certificateChain, to: newest.pem, nowMilliseconds: head.time)
            else { continue }
            found.append(
                Behind(
                    site: record.site, replica: head.replica, notAfter: leaf.notAfterMilliseconds, heard: head.time))
        }
        let heard = Set(heads.map(\.site))
        for record in try reader.enrolments() where record.used != nil && !heard.contains(record.site) {
            // What this node itself has signed hangs on its root alone.
            guard let pem = PeerKeys(keys).certificate(of: record.site, node: nil),
                let leaf = try? PeerCertificate(pem: pem), Self.isRenewable(leaf, now: now), !revoked.includes(leaf),
                node.identity.parent == nil, !leads(pem, to: newest.pem, nowMilliseconds: leaf.notBeforeMilliseconds)
            else { continue }
            found.append(Behind(site: record.site, replica: nil, notAfter: leaf.notAfterMilliseconds, heard: 0))
        }
        behind = found.sorted { ($0.site, $0.heard) < ($1.site, $1.heard) }
    }

    /// One that has been expired for long has to be enrolled anew in any case.
    private static func isRenewable(_ leaf: PeerCertificate, now: Int64) -> Bool {
        now - leaf.notAfterMilliseconds <= Renewal.expiredMillisecondsMax
    }
}

extension StoreReader {
    /// The incarnation that another one has announced to go on from.
    fileprivate func followed(by replica: ReplicaID) throws -> ReplicaID? {
        guard let first = try operation(Dot(replica, 1)), case .announce(let body) = try Body(decoding: first) else {
            return nil
        }
        return body.follows?.replica
    }
}
