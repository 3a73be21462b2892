internal import FoundationEssentials
package import Replication

/// Kind 32: what a replica has written beyond an operation is void on every node, and certificates of its site from
/// before an instant open nothing any more. Belongs to the entity of the replica that it is about; its author's site
/// lies above that replica's. Source: Protocols/operations.md §10.
package struct RevokeBody: Hashable, Sendable {
    /// Of a list that the operation carries.
    package static let listBytesMax = 40_960
    package static let keyBytes = 32

    package var site: SiteCode
    package var replica: ReplicaID
    /// The last operation that counts; 0: none does.
    package var lastSequence: UInt64
    /// Of that operation; zero if there is none.
    package var lastHash: ContentHash
    package var reason: String
    /// UTC milliseconds; compared with the beginning of a certificate's validity.
    package var certificatesBefore: Int64
    /// As in `PeerCertificate.serialHex`.
    package var serials: [String]
    /// PEM; empty if there is none.
    package var revocationList: String
    /// SHA-256 of public keys, 32 octets each: certificates for them open nothing, whenever they were signed.
    package var keys: [[UInt8]]

    package init(
        site: SiteCode, replica: ReplicaID, lastSequence: UInt64, lastHash: ContentHash, reason: String,
        certificatesBefore: Int64, serials: [String] = [], revocationList: String = "", keys: [[UInt8]] = []
    ) {
        self.site = site
        self.replica = replica
        self.lastSequence = lastSequence
        self.lastHash = lastHash
        self.reason = reason
        self.certificatesBefore = certificatesBefore
        self.serials = serials
        self.revocationList = revocationList
        self.keys = keys
    }
}

extension RevokeBody: KindBody {
    static let kind = Kind.revoke
    var occurrence: Occurrence? { nil }

    init(_ wire: WireRevoke) throws(BodyFailure) {
        guard let site = SiteCode(wire.site) else { throw .invalid(.revoke, field: "site") }
        guard wire.lastSequence <= UInt64(Int64.max) else { throw .invalid(.revoke, field: "last_sequence") }
        let hash = wire.lastHash.isEmpty ? ContentHash.zero : ContentHash(Array(wire.lastHash))
        guard wire.keys.allSatisfy({ $0.count == Self.keyBytes }) else { throw .invalid(.revoke, field: "keys") }
        guard let hash, (wire.lastSequence == 0) == wire.lastHash.isEmpty else {
            throw .invalid(.revoke, field: "last_hash")
        }
        self.init(
            site: site, replica: ReplicaID(wire.replica), lastSequence: wire.lastSequence, lastHash: hash,
            reason: wire.reason, certificatesBefore: wire.certificatesBeforeMilliseconds, serials: wire.serials,
            revocationList: wire.revocationList, keys: wire.keys.map(Array.init))
    }

    var wire: WireRevoke {
        var wire = WireRevoke()
        wire.site = site.rawValue
        wire.replica = replica.rawValue
        wire.lastSequence = lastSequence
        if lastSequence > 0 { wire.lastHash.append(contentsOf: lastHash.bytes) }
        wire.reason = reason
        wire.certificatesBeforeMilliseconds = certificatesBefore
        wire.serials = serials
        wire.revocationList = revocationList
        wire.keys = keys.map { .init($0) }
        return wire
    }
}
